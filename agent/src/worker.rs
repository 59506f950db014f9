//! Runs jobs that may hang, each on a thread of its own under a time limit.
//!
//! A thread that hangs in the kernel cannot be ended. It is left behind, and until it comes back
//! its job is not started again, so that there is never more than one of each left.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended<T> {
    /// With a result.
    Done(T),
    /// By a mistake in it; its words.
    Broken(String),
    /// Not in time, or one of the same name has not come back yet.
    TimedOut,
}

/// The threads that were left behind.
#[derive(Debug)]
pub(crate) struct Workers {
    limit: Duration,
    left: BTreeMap<&'static str, JoinHandle<()>>,
}

impl Workers {
    /// With a limit for each job.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, left: BTreeMap::new() }
    }

    /// Runs a job and waits for it, at most until the limit.
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        name: &'static str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Ended<T> {
        if self.left.get(name).is_some_and(|thread| !thread.is_finished()) {
            return Ended::TimedOut;
        }
        self.left.remove(name);
        let (sender, receiver) = mpsc::sync_channel(1);
        let started = Builder::new().name(name.to_owned()).spawn(move || {
            // Nobody listens any more once the time is over.
            let _ = sender.send(catch_unwind(AssertUnwindSafe(job)));
        });
        let thread = match started {
            Ok(thread) => thread,
            Err(error) => return Ended::Broken(format!("no thread could be started: {error}")),
        };
        match receiver.recv_timeout(self.limit) {
            Ok(Ok(value)) => Ended::Done(value),
            Ok(Err(panic)) => Ended::Broken(words(panic.as_ref())),
            Err(RecvTimeoutError::Disconnected) => Ended::Broken("it gave no answer".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                self.left.insert(name, thread);
                Ended::TimedOut
            }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason was given".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_job_that_hangs_is_left_behind_once_and_started_again_when_it_came_back() {
        let mut workers = Workers::new(Duration::from_millis(30));
        let started = Arc::new(AtomicU32::new(0));
        let (release, held) = mpsc::channel::<()>();
        let count = Arc::clone(&started);
        let first = workers.run("mount", move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = held.recv();
        });
        assert_eq!(first, Ended::TimedOut);
        let count = Arc::clone(&started);
        let again = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        assert_eq!(workers.run("mount", again.clone()), Ended::TimedOut);
        assert_eq!(started.load(Ordering::SeqCst), 1, "none is piled upon one that hangs");
        assert_eq!(workers.run("other", || 7), Ended::Done(7));
        release.send(()).unwrap();
        while workers.run("mount", again.clone()) == Ended::TimedOut {
            std::thread::yield_now();
        }
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_mistake_is_told_in_its_own_words() {
        let mut workers = Workers::new(Duration::from_secs(60));
        let broken = workers.run("job", || -> u8 { panic!("index out of bounds") });
        assert_eq!(broken, Ended::Broken("index out of bounds".to_owned()));
    }
}
