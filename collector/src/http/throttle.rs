//! Makes guessing slow: after some failures each further attempt must wait, ever longer up to a
//! limit. Nobody is locked out for good. Pure but for the lock: the time is a parameter.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::time::{MINUTE_MS, SECOND_MS};

/// Failures that cost nothing: people mistype.
const FREE_ATTEMPTS_ACCOUNT: u32 = 5;
/// One address may be a whole office behind a router.
const FREE_ATTEMPTS_ADDRESS: u32 = 20;
/// The longest wait.
const LONGEST_WAIT_MS: i64 = 5 * MINUTE_MS;
/// After this much quiet the failures are forgotten.
pub(super) const FORGET_AFTER_MS: i64 = 30 * MINUTE_MS;
/// Names and addresses remembered; beyond it the quiet ones go first.
const REMEMBERED: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last_at: Timestamp,
}

impl Failures {
    fn wait_until(self, free: u32) -> Timestamp {
        let over = self.count.saturating_sub(free);
        if over == 0 {
            return self.last_at;
        }
        let wait = SECOND_MS.saturating_mul(1_i64 << over.min(20)).min(LONGEST_WAIT_MS);
        self.last_at.plus_ms(wait)
    }
}

/// Failed attempts by account name and by address.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    accounts: Mutex<HashMap<String, Failures>>,
    addresses: Mutex<HashMap<IpAddr, Failures>>,
}

impl Throttle {
    /// Counts an attempt before it is verified, so that parallel guesses count as well. Refuses
    /// with the seconds to wait.
    pub(crate) fn attempt(&self, name: &str, client: IpAddr, now: Timestamp) -> Result<(), u32> {
        let name = account_key(name);
        let client = network(client);
        let wait = waiting(&self.accounts, &name, FREE_ATTEMPTS_ACCOUNT, now).max(waiting(
            &self.addresses,
            &client,
            FREE_ATTEMPTS_ADDRESS,
            now,
        ));
        if wait > 0 {
            return Err(wait);
        }
        count(&self.accounts, name, now);
        count(&self.addresses, client, now);
        Ok(())
    }

    /// Counts a failure of the past that this process did not see.
    pub(crate) fn recall(&self, name: Option<&str>, client: Option<IpAddr>, at: Timestamp) {
        if let Some(name) = name {
            count(&self.accounts, account_key(name), at);
        }
        if let Some(client) = client {
            count(&self.addresses, network(client), at);
        }
    }

    /// The attempt was right: the account starts afresh, and this attempt of the address did not
    /// count.
    pub(crate) fn succeeded(&self, name: &str, client: IpAddr) {
        lock(&self.accounts).remove(&account_key(name));
        if let Some(failures) = lock(&self.addresses).get_mut(&network(client)) {
            failures.count = failures.count.saturating_sub(1);
        }
    }
}

fn account_key(name: &str) -> String {
    name.chars().take(100).collect::<String>().to_lowercase()
}

/// One subscriber has a whole IPv6 /64: it counts as one address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn lock<K>(map: &Mutex<HashMap<K, Failures>>) -> std::sync::MutexGuard<'_, HashMap<K, Failures>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

fn waiting<K: Hash + Eq>(
    map: &Mutex<HashMap<K, Failures>>,
    key: &K,
    free: u32,
    now: Timestamp,
) -> u32 {
    let Some(failures) = lock(map).get(key).copied() else { return 0 };
    let wait_ms = failures.wait_until(free).since(now).max(0);
    u32::try_from(wait_ms.saturating_add(SECOND_MS - 1) / SECOND_MS).unwrap_or(u32::MAX)
}

fn count<K: Hash + Eq>(map: &Mutex<HashMap<K, Failures>>, key: K, now: Timestamp) {
    let mut map = lock(map);
    if map.len() >= REMEMBERED {
        map.retain(|_, failures| now.since(failures.last_at) < FORGET_AFTER_MS);
        if map.len() >= REMEMBERED {
            map.clear();
        }
    }
    let failures = map.entry(key).or_insert(Failures { count: 0, last_at: now });
    if now.since(failures.last_at) >= FORGET_AFTER_MS {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last_at = now;
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn waits_grow_and_never_lock_out() {
        let throttle = Throttle::default();
        let mut now = Timestamp(0);
        let mut waits = Vec::new();
        for _ in 0..30 {
            match throttle.attempt("anna", HERE, now) {
                Ok(()) => {}
                Err(wait) => {
                    waits.push(wait);
                    now = now.plus_ms(i64::from(wait) * SECOND_MS);
                }
            }
        }
        assert_eq!(waits[..4], [2, 4, 8, 16]);
        assert!(waits.iter().all(|wait| *wait <= 300));
        let now = now.plus_ms(LONGEST_WAIT_MS);
        assert!(throttle.attempt("ANNA", HERE, now).is_ok());
        assert!(throttle.attempt("anna", HERE, now.plus_ms(1)).is_err());
        throttle.succeeded("Anna", HERE);
        assert_eq!(waiting(&throttle.accounts, &"anna".to_owned(), 5, now), 0);
    }

    #[test]
    fn one_address_with_many_names_is_slowed_too() {
        let throttle = Throttle::default();
        for n in 0..21 {
            assert!(throttle.attempt(&format!("name{n}"), HERE, Timestamp(0)).is_ok());
        }
        assert!(throttle.attempt("another", HERE, Timestamp(0)).is_err());
        let elsewhere = "2001:db8::1".parse().unwrap();
        assert!(throttle.attempt("another", elsewhere, Timestamp(0)).is_ok());
        assert_eq!(network(elsewhere), network("2001:db8::ffff:1".parse().unwrap()));
    }
}
