//! What the agent remembers: its key, who it is, and what the collector has acknowledged.
//!
//! Files, each written atomically: `key` (the secret seed alone), `identity.json`, `ledger.json`,
//! `settings.json` (apart, so that a damaged ledger never makes the agent tell what it was asked
//! not to), and `seq`, a line of fixed length that is overwritten in place so that numbers stay unique
//! even while the disk is full. A damaged identity or key is never replaced silently.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rollcall_shared::api::enroll::EnrollStatus;
use rollcall_shared::report::Settings;
use rollcall_shared::section::SECTIONS;
use rollcall_shared::signature::SigningKey;
use rollcall_shared::{DeviceId, Digest, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::disk::{Disk, FolderError, private_folder};
use crate::now::Present;

const KEY: &str = "key";
const NEXT_KEY: &str = "key.next";
const IDENTITY: &str = "identity.json";
const LEDGER: &str = "ledger.json";
const SETTINGS: &str = "settings.json";
const SEQ: &str = "seq";
const LOCK: &str = "lock";
/// No state file is larger.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;
/// Numbers beyond this are not accepted from a collector, so that counting on never overflows.
const SEQ_LIMIT: u64 = u64::MAX / 4;

/// Who this device is and where it is enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The id given by the collector.
    pub device_id: DeviceId,
    /// Address of the collector, e.g. `https://collector.example:8443`.
    pub url: String,
    /// Its CA certificate (DER, base64), when the join string named one; nothing else is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
    /// SHA-256 of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_digest: Option<Digest>,
    /// The public key that belongs to this id, base64.
    pub public_key: String,
    /// Whether a person still had to approve when the device enrolled.
    pub status: EnrollStatus,
    /// When it enrolled, by its own clock.
    pub enrolled_at: Timestamp,
}

/// What the collector has acknowledged and asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Digest of every section in the last acknowledged report.
    pub acknowledged: BTreeMap<String, Digest>,
    /// The last acknowledged report.
    pub last_stored: Option<Stored>,
    /// The collector's settings, clamped. They lie in a file of their own; earlier versions kept
    /// them in the ledger, from where they are still read.
    #[serde(skip_serializing)]
    pub settings: Settings,
    /// Reports given up since the last one that says so.
    pub dropped_reports: u64,
    /// Rows of each list as it was told last.
    pub rows: BTreeMap<String, usize>,
    /// Rows of lists that the last look took back, because they lost more than half.
    pub held_back: BTreeMap<String, usize>,
    /// The collector has revoked this device.
    pub revoked: bool,
}

/// An acknowledged report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its name.
    pub report_id: Uuid,
    /// Its number.
    pub seq: u64,
    /// When the acknowledgement arrived, by this computer's clock.
    pub at: Timestamp,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder is not safe or cannot be made.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another agent uses it.
    #[error("another rollcall-agent is using {0}")]
    Locked(PathBuf),
    /// A file holds something else than it should.
    #[error("{path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key can be read by other users.
    #[error("other users may read the device key {0}")]
    Exposed(PathBuf),
    /// Reading or writing failed.
    #[error("{what} {path} failed")]
    Io {
        /// `reading` or `writing`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no randomness to make a key from.
    #[error("this system gave no random numbers to make a key from")]
    NoRandomness,
}

impl StateError {
    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// The opened state folder; nobody else uses it while this value lives.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    disk: Disk,
    _lock: File,
    /// Who this device is, once enrolled.
    pub identity: Option<Identity>,
    /// What the collector has acknowledged.
    pub ledger: Ledger,
    /// The settings as they are on disk, once known.
    saved_settings: Option<Settings>,
    /// The ledger as it is on disk, once known.
    saved_ledger: Option<Ledger>,
    last_seq: u64,
}

impl State {
    /// Opens the folder, makes it if needed, and locks it.
    pub fn open(folder: &Path, disk: Disk) -> Result<Self, StateError> {
        private_folder(folder)?;
        let lock = lock(folder)?;
        let identity: Option<Identity> = read_json(&disk, &folder.join(IDENTITY))?;
        let mut ledger: Ledger = match read_json(&disk, &folder.join(LEDGER)) {
            Ok(ledger) => ledger.unwrap_or_default(),
            // Without it only more is sent once; that is better than not reporting at all.
            Err(StateError::Damaged { path, why }) => {
                tracing::warn!(path = %path.display(), why, "the ledger is damaged; starting a new one");
                Ledger::default()
            }
            Err(error) => return Err(error),
        };
        match read_json(&disk, &folder.join(SETTINGS)) {
            Ok(settings) => ledger.settings = settings.unwrap_or(ledger.settings),
            // What may be told is not known any more, so nothing is until the collector says it.
            Err(StateError::Damaged { path, why }) => {
                tracing::warn!(path = %path.display(), why, "the settings are damaged; sections are left out until the collector tells them again");
                ledger.settings = nothing_allowed();
            }
            Err(error) => return Err(error),
        }
        let mut state = Self {
            folder: folder.to_owned(),
            disk,
            _lock: lock,
            identity,
            saved_settings: None,
            saved_ledger: None,
            ledger,
            last_seq: 0,
        };
        state.last_seq = state.read_seq()?;
        if let Some(identity) = &state.identity {
            let public_key = identity.public_key.clone();
            state.settle_key(&public_key)?;
        }
        Ok(state)
    }

    /// Who this device is, without opening the state; beside a running agent. `None` when it is
    /// not enrolled; a damaged or unreadable file is an error.
    pub fn peek_identity(folder: &Path) -> Result<Option<Identity>, StateError> {
        read_json(&Disk::default(), &folder.join(IDENTITY))
    }

    /// The key that belongs to this public key, without opening the state.
    pub fn peek_key(folder: &Path, public_key: &str) -> Result<SigningKey, StateError> {
        for name in [KEY, NEXT_KEY] {
            // After a rekey that was cut short the next start of the agent moves the new key.
            if let Some(key) = read_key(&Disk::default(), &folder.join(name))?
                && key.public_key() == public_key
            {
                return Ok(key);
            }
        }
        Err(foreign_key(folder))
    }

    /// Whether the collector has revoked this device, as far as known, without opening the state.
    pub fn peek_revoked(folder: &Path) -> bool {
        let ledger: Option<Ledger> =
            read_json(&Disk::default(), &folder.join(LEDGER)).ok().flatten();
        ledger.is_some_and(|ledger| ledger.revoked)
    }

    /// What the collector asked for, without opening the state; for `show`.
    pub fn peek_settings(folder: &Path) -> Settings {
        let disk = Disk::default();
        match read_json(&disk, &folder.join(SETTINGS)) {
            Ok(Some(settings)) => settings,
            Err(StateError::Damaged { .. }) => nothing_allowed(),
            Ok(None) | Err(_) => {
                let ledger: Option<Ledger> = read_json(&disk, &folder.join(LEDGER)).ok().flatten();
                ledger.unwrap_or_default().settings
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let path = self.path(name);
        self.disk.write(&path, bytes).map_err(|source| StateError::Io {
            what: "writing",
            path,
            source,
        })
    }

    /// After a rekey that was cut short the identity says which of the two keys counts.
    fn settle_key(&self, public_key: &str) -> Result<(), StateError> {
        let is = |key: &Option<SigningKey>| {
            key.as_ref().is_some_and(|key| key.public_key() == public_key)
        };
        if is(&read_key(&self.disk, &self.path(KEY))?) {
            return Ok(());
        }
        if is(&read_key(&self.disk, &self.path(NEXT_KEY))?) {
            return self.promote_next_key();
        }
        Err(foreign_key(&self.folder))
    }

    /// The device key; made and stored first when there is none.
    pub fn key(&self, present: &dyn Present) -> Result<SigningKey, StateError> {
        self.key_in(KEY, present)
    }

    /// The key that is to follow, made and stored first when there is none.
    pub fn next_key(&self, present: &dyn Present) -> Result<SigningKey, StateError> {
        self.key_in(NEXT_KEY, present)
    }

    fn key_in(&self, name: &str, present: &dyn Present) -> Result<SigningKey, StateError> {
        if let Some(key) = read_key(&self.disk, &self.path(name))? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        if !present.random(&mut seed) {
            return Err(StateError::NoRandomness);
        }
        self.write(name, &seed)?;
        SigningKey::from_seed(&seed).map_err(|_| StateError::NoRandomness)
    }

    /// Puts the following key in the place of the old one.
    pub fn promote_next_key(&self) -> Result<(), StateError> {
        let path = self.path(KEY);
        self.disk.rename(&self.path(NEXT_KEY), &path).map_err(|source| StateError::Io {
            what: "writing",
            path,
            source,
        })
    }

    /// Remembers who this device is.
    pub fn save_identity(&mut self, identity: Identity) -> Result<(), StateError> {
        self.write(IDENTITY, &to_json(&identity))?;
        self.identity = Some(identity);
        Ok(())
    }

    /// Writes the ledger and the settings down as they stand; the settings first, so that they
    /// are never on neither of the two places.
    pub fn save_ledger(&mut self) -> Result<(), StateError> {
        let settings = &self.ledger.settings;
        if self.saved_settings.as_ref() != Some(settings) {
            self.write(SETTINGS, &to_json(settings))?;
            self.saved_settings = Some(settings.clone());
        }
        self.write(LEDGER, &to_json(&self.ledger))?;
        self.saved_ledger = Some(self.ledger.clone());
        Ok(())
    }

    /// Writes them down only if more changed than which report was acknowledged last: that is for
    /// people to read, and an unchanged computer need not wait for its disk for it.
    pub fn save_ledger_if_changed(&mut self) -> Result<(), StateError> {
        let is_saved = self.saved_settings.as_ref() == Some(&self.ledger.settings)
            && self.saved_ledger.as_ref().is_some_and(|saved| {
                let last_stored = saved.last_stored.clone();
                *saved == Ledger { last_stored, ..self.ledger.clone() }
            });
        if is_saved { Ok(()) } else { self.save_ledger() }
    }

    /// The number of the last report made.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// A number that no report had before, and whether it is on disk. If it is not, it counts in
    /// memory all the same: a report in time is worth more than a number that may be given again
    /// after a restart, which a collector takes for a computer that was turned back.
    pub fn take_seq(&mut self) -> (u64, Result<(), StateError>) {
        let seq = self.last_seq + 1;
        let written = self.set_last_seq(seq);
        self.last_seq = seq;
        (seq, written)
    }

    /// Continues after the numbers that a spool holds or a collector knows; never goes back.
    pub fn continue_after(&mut self, seq: u64) -> Result<(), StateError> {
        if seq > self.last_seq && seq < SEQ_LIMIT { self.set_last_seq(seq) } else { Ok(()) }
    }

    fn set_last_seq(&mut self, seq: u64) -> Result<(), StateError> {
        let path = self.path(SEQ);
        self.disk
            .overwrite(&path, format!("{seq:020}\n").as_bytes())
            .map_err(|source| StateError::Io { what: "writing", path, source })?;
        self.last_seq = seq;
        Ok(())
    }

    fn read_seq(&self) -> Result<u64, StateError> {
        let known = self.ledger.last_stored.as_ref().map_or(0, |stored| stored.seq);
        let path = self.path(SEQ);
        let bytes = match self.disk.read(&path, 64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known),
            Err(source) => return Err(StateError::Io { what: "reading", path, source }),
        };
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        match number {
            Some(seq) if seq < SEQ_LIMIT => Ok(known.max(seq)),
            _ => {
                tracing::warn!(path = %path.display(), "the number of the last report is damaged; the spool and the collector know it too");
                Ok(known)
            }
        }
    }
}

/// Removes key, identity, everything learnt and the spool, damaged or not.
pub fn erase(folder: &Path) -> Result<(), StateError> {
    if !folder.exists() {
        return Ok(());
    }
    private_folder(folder)?;
    let _lock = lock(folder)?;
    let removing = |path: PathBuf, result: io::Result<()>| match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StateError::Io { what: "removing", path, source })
        }
        _ => Ok(()),
    };
    // The key goes first: what is left after a failure then cannot speak for this device.
    for name in [KEY, NEXT_KEY, IDENTITY, LEDGER, SETTINGS, SEQ] {
        let path = folder.join(name);
        let result = Disk::default().remove(&path);
        removing(path, result)?;
    }
    let spool = folder.join("spool");
    let result = std::fs::remove_dir_all(&spool);
    removing(spool, result)
}

fn foreign_key(folder: &Path) -> StateError {
    StateError::Damaged {
        path: folder.join(KEY),
        why: "it is not the key this device enrolled with".to_owned(),
    }
}

/// Settings that switch every section off.
fn nothing_allowed() -> Settings {
    let names = SECTIONS.iter().map(|info| info.name.to_owned());
    Settings { sections_off: names.collect(), ..Settings::default() }
}

fn lock(folder: &Path) -> Result<File, StateError> {
    let path = folder.join(LOCK);
    let failed = |source| StateError::Io { what: "locking", path: path.clone(), source };
    if !path.exists() {
        Disk::default().write(&path, b"").map_err(failed)?;
    }
    let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // These types have string keys and no fallible parts.
    let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn read_json<T: DeserializeOwned>(disk: &Disk, path: &Path) -> Result<Option<T>, StateError> {
    let bytes = match disk.read(path, FILE_LIMIT_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StateError::Io { what: "reading", path: path.to_owned(), source });
        }
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StateError::Damaged { path: path.to_owned(), why: error.to_string() })
}

fn read_key(disk: &Disk, path: &Path) -> Result<Option<SigningKey>, StateError> {
    let bytes = match disk.read(path, 64) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(StateError::Io { what: "reading", path: path.to_owned(), source });
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if std::fs::metadata(path).is_ok_and(|data| data.mode() & 0o077 != 0) {
            return Err(StateError::Exposed(path.to_owned()));
        }
    }
    let seed: [u8; 32] = bytes.as_slice().try_into().map_err(|_| StateError::Damaged {
        path: path.to_owned(),
        why: format!("it holds {} bytes instead of 32", bytes.len()),
    })?;
    SigningKey::from_seed(&seed)
        .map(Some)
        .map_err(|error| StateError::Damaged { path: path.to_owned(), why: error.to_string() })
}

#[cfg(test)]
mod tests;
