//! What other programs on this database (the command line) may change under our feet: keys and
//! settings. Looked at about once a second, so that a check-in need not ask the tables.

use std::sync::PoisonError;

use rollcall_shared::report::Settings;

use super::{Error, Store, Tables, on_backend, queries};
use crate::domain::Policy;

queries! {
    HISTORY_FROM = "SELECT value FROM counter WHERE name = 'history_from'";
    SETTINGS = "SELECT key, value FROM setting WHERE key IN ('agent_settings', 'policy')";
}

/// The setting that holds what agents are told, as far as somebody set it.
pub const AGENT_SETTINGS: &str = "agent_settings";

impl Store {
    /// What agents are told now.
    pub fn agent_settings(&self) -> Settings {
        let settings = self.memory().settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.clone()
    }

    /// Reads keys and settings now instead of within a second.
    pub async fn follow(&self) -> Result<(), Error> {
        self.tables().follow_settings().await
    }
}

impl Tables {
    /// Looks for changes; `known` is the number of key changes seen so far.
    pub(super) async fn follow(&self, known: &mut Option<i64>) -> Result<(), Error> {
        let now = self.key_changes().await?;
        if *known != Some(now) {
            self.load_keys().await?;
            *known = Some(now);
        }
        self.follow_settings().await
    }

    pub(super) async fn follow_settings(&self) -> Result<(), Error> {
        let rows: Vec<(String, String)> =
            on_backend!(self, read pool => sqlx::query_as(SETTINGS).fetch_all(pool).await?);
        let from: i64 = on_backend!(self, read pool =>
            sqlx::query_scalar(HISTORY_FROM).fetch_one(pool).await?);
        self.memory().history_from.store(from, std::sync::atomic::Ordering::Relaxed);
        let mut settings = Settings::default();
        let value = |key: &str| rows.iter().find(|row| row.0 == key).map(|row| row.1.as_str());
        if let Some(set) = value(AGENT_SETTINGS).and_then(|text| serde_json::from_str(text).ok()) {
            settings = set;
        }
        let policy = value("policy").and_then(|text| serde_json::from_str::<Policy>(text).ok());
        if let Some(policy) = policy {
            settings.check_in_interval_s = policy.check_in_interval_s;
        }
        *self.memory().settings.write().unwrap_or_else(PoisonError::into_inner) =
            settings.clamped();
        Ok(())
    }
}
