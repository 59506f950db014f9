//! What others on this database wrote: other collectors, and the command line. Read about once a
//! second, so that a check-in need not ask the tables; and at once where memory does not know a
//! device or its key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::report::Settings;

use super::device::{DeviceKey, key_of};
use super::evidence::IDS_OF;
use super::memory::lock;
use super::state::state_rows;
use super::statement::select_in;
use super::touch::{NEWEST, SEEN_AFTER, TOUCHED_AFTER};
use super::{Database, Error, Store, Tables, on_backend, queries};
use crate::domain::Policy;

queries! {
    HISTORY_FROM = "SELECT value FROM counter WHERE name = 'history_from'";
    SETTINGS = "SELECT key, value FROM setting WHERE key IN ('agent_settings', 'policy')";
}

/// The setting that holds what agents are told, as far as somebody set it.
pub const AGENT_SETTINGS: &str = "agent_settings";

/// How far what others wrote was read.
#[derive(Debug, Default)]
pub(super) struct Following {
    place: tokio::sync::Mutex<Place>,
    /// Readings begun, and the last of them that ended well.
    begun: AtomicU64,
    ended: AtomicU64,
    /// The highest number that this program has seen.
    reached: AtomicI64,
    /// Devices that others changed and of which the fleet was not told yet.
    changed: Mutex<Followed>,
}

/// The last device read: number of its transaction, number of the device.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    number: i64,
    device: i64,
}

/// What others changed.
#[derive(Debug, Default)]
pub struct Followed {
    /// These devices.
    pub devices: BTreeSet<DeviceKey>,
    /// Anything: the tables are others than before.
    pub everything: bool,
}

impl Following {
    /// Memory was found to be behind on these devices; what is made of them is read anew.
    pub(super) fn behind(&self, devices: &[i64]) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.devices.extend(devices.iter().filter_map(|device| key_of(*device).ok()));
    }
}

impl super::memory::Memory {
    /// A transaction of this number was seen.
    pub(super) fn reached(&self, number: i64) {
        self.following.reached.fetch_max(number, Ordering::Relaxed);
    }
}

impl Store {
    /// What agents are told now.
    pub fn agent_settings(&self) -> Settings {
        let settings = self.memory().settings.read().unwrap_or_else(PoisonError::into_inner);
        settings.clone()
    }

    /// Reads what others wrote until now.
    pub async fn follow(&self) -> Result<(), Error> {
        self.tables().follow().await
    }

    /// The same where several collectors may share the database, before an answer that rests on
    /// what is known of all devices. Callers that come together share one reading.
    pub async fn catch_up(&self) -> Result<(), Error> {
        if self.shared() { self.tables().follow_devices().await } else { Ok(()) }
    }

    /// Whether several collectors may share the database.
    pub fn shared(&self) -> bool {
        matches!(self.database(), Database::Postgres(_))
    }

    /// Devices that others changed since the last call. The caller gives back what it cannot use.
    pub fn take_followed(&self) -> Followed {
        let changed = &self.memory().following.changed;
        std::mem::take(&mut *changed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What [`Store::take_followed`] gave and nobody was told.
    pub fn give_back(&self, followed: Followed) {
        let changed = &self.memory().following.changed;
        let mut changed = changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.devices.extend(followed.devices);
        changed.everything |= followed.everything;
    }

    /// The last transaction on a device that memory knows of.
    pub(crate) fn touched_by(&self, device: DeviceKey) -> i64 {
        lock(&self.memory().device(device)).touched
    }

    /// Devices heard of since a moment, by any collector.
    pub async fn seen_since(&self, at: Timestamp) -> Result<Vec<super::touch::Seen>, Error> {
        let rows: Vec<(i64, i64)> = on_backend!(self, read pool =>
            sqlx::query_as(SEEN_AFTER).bind(at.0).fetch_all(pool).await?);
        rows.into_iter().map(|(device, at)| Ok((key_of(device)?, Timestamp(at)))).collect()
    }
}

impl Tables {
    /// From here on what others write is followed.
    pub(super) async fn start_following(&self) -> Result<(), Error> {
        let number = self.newest().await?;
        *self.memory().following.place.lock().await = Place { number, device: i64::MAX };
        self.memory().following.reached.store(number, Ordering::Relaxed);
        Ok(())
    }

    async fn newest(&self) -> Result<i64, Error> {
        Ok(on_backend!(self, read pool => sqlx::query_scalar(NEWEST).fetch_one(pool).await?))
    }

    async fn follow(&self) -> Result<(), Error> {
        self.follow_devices().await?;
        self.follow_settings().await
    }

    async fn follow_devices(&self) -> Result<(), Error> {
        let following = &self.memory().following;
        let asked = following.begun.load(Ordering::SeqCst);
        let mut place = following.place.lock().await;
        if following.ended.load(Ordering::SeqCst) > asked {
            return Ok(()); // Somebody's reading began after the question.
        }
        let this = following.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let newest = self.newest().await?;
        if newest < following.reached.load(Ordering::Relaxed).max(place.number) {
            drop(place);
            return self.begin_anew(newest).await;
        }
        if newest > place.number {
            // Before the sets that refer to them.
            self.load_titles().await?;
            while let Some(next) = self.follow_page(*place).await? {
                *place = next;
            }
        }
        following.ended.store(this, Ordering::SeqCst);
        Ok(())
    }

    /// Reads some devices behind a place; the place it came to.
    async fn follow_page(&self, place: Place) -> Result<Option<Place>, Error> {
        let rows: Vec<(i64, i64)> = on_backend!(self, read pool => sqlx::query_as(TOUCHED_AFTER)
            .bind(place.number).bind(place.device).fetch_all(pool).await?);
        let Some(&(device, number)) = rows.last() else { return Ok(None) };
        let mut keys: Vec<i64> = rows.iter().map(|row| row.0).collect();
        keys.sort_unstable();
        let changed = self.behind(&keys, &rows);
        if !changed.is_empty() {
            self.read_anew(&changed).await?;
            self.memory().following.behind(&changed);
        }
        self.memory().reached(number);
        Ok(Some(Place { number, device }))
    }

    async fn read_anew(&self, devices: &[i64]) -> Result<(), Error> {
        let (states, ids) = on_backend!(self, read pool => {
            let mut tx = pool.begin().await?;
            let states = state_rows!(tx, devices);
            (states, select_in!(tx, (i64, String), IDS_OF, devices))
        });
        self.load_keys_of(devices).await?;
        self.load_suspected_of(devices).await?;
        self.remember_evidence(&ids)?;
        let mut judged = self.memory().judged();
        for device in devices {
            judged.forget(key_of(*device)?);
        }
        drop(judged);
        self.remember_states(states.states()?, false);
        Ok(())
    }

    /// The tables are older than what was read of them: somebody restored a copy, or the server was
    /// replaced by one that lacked the end.
    async fn begin_anew(&self, newest: i64) -> Result<(), Error> {
        tracing::error!(
            newest,
            known = self.memory().following.reached.load(Ordering::Relaxed),
            "the database is older than what this collector read of it; everything is read anew. \
             If nobody restored a copy, its server may have lost what was acknowledged"
        );
        let _alone = self.memory().writing.lock().await;
        self.memory().forget();
        self.load().await?;
        let changed = &self.memory().following.changed;
        changed.lock().unwrap_or_else(PoisonError::into_inner).everything = true;
        Ok(())
    }

    /// Whether the tables are the ones that were read: a transaction got this number.
    pub(super) fn goes_on(&self, number: i64) -> Result<(), Error> {
        if number > self.memory().following.reached.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::Unavailable(sqlx::Error::Io(std::io::Error::other(
            "the database is older than what was read of it; it is read anew",
        ))))
    }

    pub(super) async fn follow_settings(&self) -> Result<(), Error> {
        self.follow_unit_rules().await?;
        let rows: Vec<(String, String)> =
            on_backend!(self, read pool => sqlx::query_as(SETTINGS).fetch_all(pool).await?);
        let from: i64 = on_backend!(self, read pool =>
            sqlx::query_scalar(HISTORY_FROM).fetch_one(pool).await?);
        self.memory().history_from.store(from, Ordering::Relaxed);
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
