//! Places for the requests of agents: so many are worked on at the same time, so many more wait for
//! a place, and everybody else is asked to come back.
//!
//! Nobody is told so at once. Whoever repeats a refused request without a pause would otherwise
//! take the time that people's pages and the reports of others need; while it waits it costs
//! nothing but its connection.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{sleep, timeout};

use crate::http::Error;

/// Check-ins and enrolments worked on at the same time.
const PLACES: usize = 64;
/// Requests that were read and verified, and wait for a place.
const LINE: usize = 512;
/// How long one waits before it is asked to come back.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places and the line before them.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    line: Semaphore,
    patience: Duration,
}

impl Default for Places {
    fn default() -> Self {
        let free = Arc::new(Semaphore::new(PLACES));
        Self { free, line: Semaphore::new(LINE), patience: PATIENCE }
    }
}

impl Places {
    /// To be asked before a body is read: of whom could not even wait, nothing is held.
    pub(super) async fn may_wait(&self) -> Result<(), Error> {
        if self.line.available_permits() > 0 {
            return Ok(());
        }
        sleep(self.patience).await;
        Err(busy())
    }

    /// A place, at once or when one becomes free in time.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        match Arc::clone(&self.free).try_acquire_owned() {
            Ok(place) => return Ok(place),
            Err(TryAcquireError::Closed) => return Err(busy()),
            Err(TryAcquireError::NoPermits) => {}
        }
        let _turn = self.line.try_acquire().map_err(|_| busy())?;
        match timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(busy()),
        }
    }

    /// Takes every place that is free, as if so many were worked on.
    #[cfg(test)]
    pub(crate) fn occupy(&self) -> OwnedSemaphorePermit {
        let free = u32::try_from(self.free.available_permits()).unwrap();
        Arc::clone(&self.free).try_acquire_many_owned(free).unwrap()
    }
}

fn busy() -> Error {
    Error::Busy { retry_after_s: spread(5, 60) }
}

/// A random number of seconds in this range, so that those sent away do not return together.
pub(super) fn spread(from_s: u32, until_s: u32) -> u32 {
    let mut bytes = [0; 4];
    let _ = SystemRandom::new().fill(&mut bytes);
    from_s + u32::from_le_bytes(bytes) % (until_s - from_s + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after_s(refused: &Result<impl Sized, Error>) -> u32 {
        match refused {
            Err(Error::Busy { retry_after_s }) => *retry_after_s,
            _ => panic!("there was a place"),
        }
    }

    #[tokio::test]
    async fn who_waits_gets_the_place_that_becomes_free() {
        let places = Arc::new(Places { patience: Duration::from_mins(10), ..Places::default() });
        let all = places.occupy();
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await.is_ok() }
        });
        while places.line.available_permits() == LINE {
            tokio::task::yield_now().await;
        }
        drop(all);
        assert!(waiting.await.unwrap());
        assert_eq!(places.free.available_permits(), PLACES);
        assert_eq!(places.line.available_permits(), LINE);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_and_refusals_come_late() {
        let patience = Duration::from_millis(50);
        let places = Places { patience, ..Places::default() };
        let _all = places.occupy();
        let begun = tokio::time::Instant::now();
        assert!((5..=60).contains(&retry_after_s(&places.take().await)));
        assert!(begun.elapsed() >= patience);
        // The line is as long as it may be: the next is not even read, and told no sooner.
        let _line = places.line.try_acquire_many(u32::try_from(LINE).unwrap()).unwrap();
        let begun = tokio::time::Instant::now();
        assert!((5..=60).contains(&retry_after_s(&places.may_wait().await)));
        assert!(begun.elapsed() >= patience);
        assert!((5..=60).contains(&retry_after_s(&places.take().await)));
    }
}
