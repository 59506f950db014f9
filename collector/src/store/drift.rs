//! Whether what the store remembers is what the tables say: everything is read anew beside the
//! memory in use, and the two are held against each other.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rollcall_shared::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::device::DeviceKey;
use super::memory::{DeviceState, Memory, lock};
use super::{Database, Error, Store, Tables, open};
use crate::fleet::compare::Drift;

/// The setting that says when the last backup was made.
pub const LAST_BACKUP: &str = "last_backup_at";

impl Store {
    /// Where memory differs from the tables.
    pub async fn memory_drift(&self) -> Result<Vec<Drift>, Error> {
        Ok(differences(self.memory(), self.read_anew().await?.memory()))
    }

    /// Makes memory say what the tables say. Reports that wait are left alone: they are written
    /// upon what is remembered, and memory follows them.
    pub async fn mend_memory(&self) -> Result<(), Error> {
        self.tables().load_titles().await?;
        self.tables().load_keys().await?;
        let fresh = self.read_anew().await?;
        for key in fresh.memory().device_keys() {
            let read = lock(&fresh.memory().device(key)).clone();
            let shared = self.memory().device(key);
            let mut state = lock(&shared);
            if state.queued == 0 {
                let conflict_at = state.conflict_at;
                *state = DeviceState { conflict_at, ..read };
            }
        }
        self.memory().take_holders(fresh.memory());
        Ok(())
    }

    /// The same tables with a memory of their own.
    async fn read_anew(&self) -> Result<Tables, Error> {
        self.flush().await?;
        let fresh = Tables { database: self.database().clone(), memory: Memory::default() };
        fresh.load().await?;
        Ok(fresh)
    }

    /// The file of the database; none on a server.
    pub async fn file(&self) -> Result<Option<PathBuf>, Error> {
        let Database::Sqlite { readers, .. } = self.database() else { return Ok(None) };
        let path: String =
            sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
                .fetch_one(readers)
                .await?;
        Ok(Some(path.into()))
    }
}

/// Writes down in the database of a running collector that it was copied.
pub(crate) async fn note_backup(file: &std::path::Path, at: Timestamp) -> Result<(), Error> {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(open::BUSY);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let text = serde_json::to_string(&at).unwrap_or_default();
    let put = sqlx::query(super::setting::PUT_SETTING).bind(LAST_BACKUP).bind(text);
    put.execute(&pool).await?;
    pool.close().await;
    Ok(())
}

fn differences(memory: &Memory, tables: &Memory) -> Vec<Drift> {
    let mut found = Vec::new();
    let keys: BTreeSet<DeviceKey> =
        memory.device_keys().into_iter().chain(tables.device_keys()).collect();
    for key in keys {
        let here = lock(&memory.device(key)).clone();
        if here.queued > 0 {
            continue; // A report is being written at this moment.
        }
        let there = lock(&tables.device(key)).clone();
        compare(&mut found, &format!("device number {}", key.0), &here, &there);
    }
    let (here, there) = (memory.titles(), tables.titles());
    for id in 0..here.next_id().max(there.next_id()) {
        let texts = (&here.text(id), &there.text(id));
        Drift::note(&mut found, "dictionary of titles", &format!("title {id}"), texts, |text| {
            text.map_or_else(|| "not known".to_owned(), |text| text.parts()[..3].join(" "))
        });
    }
    let (here, there) = (memory.keys(), tables.keys());
    let ids: BTreeSet<_> = here.keys().chain(there.keys()).collect();
    for id in ids {
        let keys = (&here.get(id), &there.get(id));
        Drift::note(&mut found, "keys", &format!("device {id}"), keys, |key| match key {
            Some(key) => format!(
                "device number {}, revoked: {}, waits: {}, retired: {}",
                key.device.0, key.revoked, key.pending, key.retired
            ),
            None => "none".to_owned(),
        });
    }
    found
}

fn compare(found: &mut Vec<Drift>, subject: &str, memory: &DeviceState, tables: &DeviceState) {
    // What is left out is written later than it is known, or known in memory alone.
    let DeviceState { reported, fingerprint, changed_at, notes, sections, seq, .. } = memory;
    let digests = (sections, &tables.sections);
    Drift::note(found, "section digests", subject, digests, |sections| {
        let odd = sections.iter().filter(|(name, digest)| {
            let other = [&memory.sections, &tables.sections];
            other.iter().any(|other| other.get(*name) != Some(digest))
        });
        let each =
            |(name, digest): (&Arc<str>, &rollcall_shared::Digest)| format!("{name} {digest}");
        odd.map(each).collect::<Vec<_>>().join(", ")
    });
    let state = |reported: bool, seq: u64, changed_at: Timestamp| {
        format!("reported: {reported}, number {seq}, changed at {changed_at}")
    };
    let pair = (
        &state(*reported, *seq, *changed_at),
        &state(tables.reported, tables.seq, tables.changed_at),
    );
    Drift::note(found, "device states", subject, pair, Clone::clone);
    let known = (fingerprint, &tables.fingerprint);
    Drift::note(found, "fingerprints", subject, known, |one| format!("{one:?}"));
    Drift::note(found, "notes", subject, (notes, &tables.notes), |one| format!("{one:?}"));
}

#[cfg(test)]
impl Store {
    /// Reads of the history so far.
    pub(crate) fn reads(&self) -> u64 {
        self.memory().reads.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Makes memory say of one section what is not so, to see that it is found.
    pub(crate) fn poison_digest(&self, device: DeviceKey) {
        let state = self.memory().device(device);
        lock(&state).sections.insert("os".into(), rollcall_shared::Digest::of(b"poison"));
    }
}
