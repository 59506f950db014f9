//! Refused enrolments by client: a few cost nothing, then each must wait for the next drop.
//! Pure but for the lock: the time is a parameter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::time::SECOND_MS;

/// Refusals that a client may have at once: a whole room with an old join string.
const BURST: i64 = 30;
/// One more is allowed after this time.
const DROP_MS: i64 = 10 * SECOND_MS;
/// Clients remembered; beyond it the full buckets go first.
const REMEMBERED: usize = 20_000;

/// Of each client the moment at which its bucket is full again.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<IpAddr, Timestamp>>);

impl Refusals {
    /// Whether this client may try; if not, the seconds to wait.
    pub(super) fn may_try(&self, client: IpAddr, now: Timestamp) -> Result<(), u32> {
        let full_at = self.lock().get(&network(client)).copied().unwrap_or(now);
        let over = full_at.since(now) - (BURST - 1) * DROP_MS;
        if over <= 0 {
            return Ok(());
        }
        Err(u32::try_from(over / SECOND_MS + 1).unwrap_or(u32::MAX))
    }

    /// Counts a refusal.
    pub(super) fn refused(&self, client: IpAddr, now: Timestamp) {
        let mut clients = self.lock();
        if clients.len() >= REMEMBERED {
            clients.retain(|_, full_at| *full_at > now);
            if clients.len() >= REMEMBERED {
                clients.clear();
            }
        }
        let full_at = clients.entry(network(client)).or_insert(now);
        *full_at = (*full_at).max(now).plus_ms(DROP_MS).min(now.plus_ms(BURST * DROP_MS));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One subscriber has a whole IPv6 /64: it counts as one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_one_at_a_time() {
        let refusals = Refusals::default();
        let here: IpAddr = "2001:db8::1".parse().unwrap();
        let now = Timestamp(0);
        for _ in 0..BURST {
            assert_eq!(refusals.may_try(here, now), Ok(()));
            refusals.refused(here, now);
        }
        let wait = refusals.may_try("2001:db8::2".parse().unwrap(), now).unwrap_err();
        assert_eq!(wait, 11);
        assert!(refusals.may_try("192.0.2.1".parse().unwrap(), now).is_ok());
        let later = now.plus_ms(DROP_MS);
        assert_eq!(refusals.may_try(here, later), Ok(()));
        refusals.refused(here, later);
        assert!(refusals.may_try(here, later).is_err());
        assert!(refusals.may_try(here, later.plus_ms(BURST * DROP_MS)).is_ok());
    }
}
