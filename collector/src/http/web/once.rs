//! Secrets that were just made, kept in memory for half an hour so that the page that shows them
//! can be loaded again, and so that a form sent twice makes one secret.
//!
//! Nothing here is written down; after a restart the secret is gone, and a new one is made.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::time::MINUTE_MS;

use crate::secret::{NoRandomness, Secret};

const KEPT_MS: i64 = 30 * MINUTE_MS;
const KEPT: usize = 1000;

/// Secrets of one kind.
pub(super) struct Fresh(Mutex<VecDeque<Entry>>);

struct Entry {
    account: i64,
    nonce: String,
    id: i64,
    secret: Secret,
    made_at: Timestamp,
}

impl Fresh {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// Keeps the secret of what has this number, for whoever made it.
    pub(super) fn keep(&self, account: i64, nonce: &str, id: i64, secret: Secret, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| now.since(entry.made_at) < KEPT_MS);
        if entries.len() >= KEPT {
            entries.pop_front();
        }
        let nonce = nonce.to_owned();
        entries.push_back(Entry { account, nonce, id, secret, made_at: now });
    }

    /// The number of what the same form made before.
    pub(super) fn made_by(&self, account: i64, nonce: &str, now: Timestamp) -> Option<i64> {
        self.find(now, |entry| {
            entry.account == account && !nonce.is_empty() && entry.nonce == nonce
        })
        .map(|(id, _)| id)
    }

    /// The secret of what has this number, while it is kept, for whoever made it.
    pub(super) fn secret(&self, account: i64, id: i64, now: Timestamp) -> Option<Secret> {
        self.find(now, |entry| entry.account == account && entry.id == id).map(|(_, secret)| secret)
    }

    fn find(&self, now: Timestamp, fits: impl Fn(&Entry) -> bool) -> Option<(i64, Secret)> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.iter().find(|entry| fits(entry))?;
        (now.since(entry.made_at) < KEPT_MS).then(|| (entry.id, entry.secret.clone()))
    }
}

/// What names one showing of a form.
pub(super) fn nonce() -> Result<String, NoRandomness> {
    Secret::random("").map(|secret| secret.reveal().chars().take(22).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_to_its_maker_for_a_while() {
        let fresh = Fresh::new();
        let now = Timestamp::from_seconds(1_000);
        fresh.keep(1, "nonce", 7, Secret::presented("s"), now);
        assert_eq!(fresh.made_by(1, "nonce", now), Some(7));
        assert_eq!(fresh.made_by(2, "nonce", now), None);
        assert_eq!(fresh.made_by(1, "", now), None);
        assert!(fresh.secret(1, 7, now).is_some());
        assert!(fresh.secret(2, 7, now).is_none(), "not to others");
        assert!(fresh.secret(1, 7, now.plus_ms(KEPT_MS)).is_none(), "not for ever");
    }
}
