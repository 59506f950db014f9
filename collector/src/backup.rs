//! Backups of a collector on SQLite: one folder with the database, the certificate authority, the
//! key of the second factors and a manifest that names each file with its digest.
//!
//! A backup holds everything that makes the collector what its agents know, secrets included, so
//! only its owner may read it.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rollcall_shared::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ca;
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::seal;
use crate::store::Store;
use crate::store::drift::note_backup;
use crate::store::examine::Examined;

/// The database in a backup and in a data folder.
pub const DATABASE: &str = "rollcall.db";
const MANIFEST: &str = "manifest.json";

/// Every file that a backup may hold.
fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(DATABASE).chain(ca::FILES).chain([seal::FILE])
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this form; 1.
    pub schema_version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Version of the program that made it.
    pub version: String,
    /// Its files by name.
    pub files: BTreeMap<String, Entry>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// Makes a backup of the collector in `data`, which may be running, in the new folder `to`. The key
/// of its second factors may lie elsewhere.
pub async fn make(
    data: &Path,
    database: &Path,
    secret_key: &Path,
    to: &Path,
    now: Timestamp,
) -> Result<Manifest, Failure> {
    if to.exists() {
        return Err(Failure::new(Exit::Conflict, format!("{} is there already", to.display()))
            .next("Name a folder that does not exist; a backup never overwrites anything."));
    }
    // Under its name only when it is whole.
    let unfinished = beside(to, ".part");
    let _ = std::fs::remove_dir_all(&unfinished);
    folder::make(&unfinished)?;
    crate::store::copy_sqlite(database, &unfinished.join(DATABASE)).await?;
    for name in ca::FILES {
        let from = data.join(name);
        if from.exists() {
            copy(&from, &unfinished.join(name))?;
        }
    }
    if secret_key.exists() {
        copy(secret_key, &unfinished.join(seal::FILE))?;
    }
    let manifest = Manifest {
        schema_version: 1,
        made_at: now,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        files: digests(&unfinished)?,
    };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|error| Failure::of(Exit::Internal, &error))?;
    write(&unfinished.join(MANIFEST), text.as_bytes())?;
    std::fs::rename(&unfinished, to).map_err(|error| failed("renaming", &unfinished, &error))?;
    if let Err(error) = note_backup(database, now).await {
        tracing::warn!(%error, "the backup is whole; the collector could not be told of it");
    }
    Ok(manifest)
}

/// Holds a backup against its manifest and examines its tables.
pub async fn verify(backup: &Path) -> Result<(Manifest, Examined), Failure> {
    let manifest = manifest(backup)?;
    let found = digests(backup)?;
    for (name, entry) in &manifest.files {
        match found.get(name) {
            Some(is) if is == entry => {}
            Some(_) => return Err(damaged(backup, &format!("{name} was changed or cut"))),
            None => return Err(damaged(backup, &format!("{name} is missing"))),
        }
    }
    if !manifest.files.contains_key(DATABASE) {
        return Err(damaged(backup, "it holds no database"));
    }
    // Beside a copy, so that the backup itself stays as it was made to the last byte.
    let scratch = beside(backup, ".verify");
    let _ = std::fs::remove_dir_all(&scratch);
    folder::make(&scratch)?;
    let examined = examine_copy(&backup.join(DATABASE), &scratch.join(DATABASE)).await;
    let _ = std::fs::remove_dir_all(&scratch);
    Ok((manifest, examined?))
}

async fn examine_copy(from: &Path, to: &Path) -> Result<Examined, Failure> {
    copy(from, to)?;
    let store = Store::open_unchanged(&format!("sqlite:{}", to.display())).await?;
    Ok(store.examine().await?)
}

/// Puts a verified backup into the data folder `data`, which must be new or empty.
pub async fn restore(backup: &Path, data: &Path) -> Result<Manifest, Failure> {
    let empty = std::fs::read_dir(data).map_or(true, |mut entries| entries.next().is_none());
    if !empty {
        return Err(Failure::new(Exit::Conflict, format!("{} is not empty", data.display()))
            .next("Restore into a new folder; nothing is ever overwritten."));
    }
    let (manifest, examined) = verify(backup).await?;
    if let Some(problem) = examined.problems.first() {
        return Err(damaged(backup, problem));
    }
    folder::make(data)?;
    // The database last: without it the folder is no collector's.
    for name in manifest.files.keys().filter(|name| *name != DATABASE) {
        copy(&backup.join(name), &data.join(name))?;
    }
    let unfinished = data.join(format!("{DATABASE}.part"));
    copy(&backup.join(DATABASE), &unfinished)?;
    std::fs::rename(&unfinished, data.join(DATABASE))
        .map_err(|error| failed("renaming", &unfinished, &error))?;
    Ok(manifest)
}

fn manifest(backup: &Path) -> Result<Manifest, Failure> {
    let path = backup.join(MANIFEST);
    let text = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(
            Exit::Usage,
            format!("{} is no backup: it has no {MANIFEST}", backup.display()),
        )
        .next("Name the folder that `rollcall backup` made."),
        _ => failed("reading", &path, &error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|error| damaged(backup, &format!("its manifest cannot be read: {error}")))?;
    // Names come from a file: none of them may lead out of the folder.
    let plain = |name: &String| names().any(|known| known == name);
    match manifest.files.keys().find(|name| !plain(name)) {
        Some(name) => Err(damaged(backup, &format!("it names a file `{name}` that no backup has"))),
        None => Ok(manifest),
    }
}

fn digests(folder: &Path) -> Result<BTreeMap<String, Entry>, Failure> {
    let there = names().filter(|name| folder.join(name).exists());
    there.map(|name| Ok((name.to_owned(), digest(&folder.join(name))?))).collect()
}

fn digest(path: &Path) -> Result<Entry, Failure> {
    let reading = |error: io::Error| failed("reading", path, &error);
    let mut file = std::fs::File::open(path).map_err(reading)?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let (mut bytes, mut chunk) = (0, vec![0; 1024 * 1024]);
    loop {
        let count = file.read(&mut chunk).map_err(reading)?;
        if count == 0 {
            break;
        }
        bytes += count as u64;
        context.update(&chunk[..count]);
    }
    let sha256 = Digest::from_slice(context.finish().as_ref())
        .ok_or_else(|| Failure::new(Exit::Internal, "a SHA-256 has 32 bytes"))?;
    Ok(Entry { bytes, sha256 })
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = std::fs::File::open(from).map_err(|error| failed("reading", from, &error))?;
    let writing = |error: io::Error| failed("writing", to, &error);
    let mut target = private(to).map_err(writing)?;
    io::copy(&mut source, &mut target).map_err(writing)?;
    target.sync_all().map_err(writing)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let writing = |error: io::Error| failed("writing", path, &error);
    let mut file = private(path).map_err(writing)?;
    file.write_all(bytes).map_err(writing)?;
    file.sync_all().map_err(writing)
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(action: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Permission, format!("{action} {} failed: {error}", path.display()))
        .next("See who owns the folder, and whether its disk is full.")
}

fn damaged(backup: &Path, why: &str) -> Failure {
    Failure::new(Exit::Problems, format!("the backup {} cannot be used: {why}", backup.display()))
        .next("Use an older backup; keep this one to find out what happened to it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;
    use crate::view::tests::app;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    #[tokio::test]
    async fn a_backup_holds_everything_and_shows_every_change() {
        let folder = tempfile::tempdir().unwrap();
        let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
        folder::make(&data).unwrap();
        let database = data.join(DATABASE);
        let store = Store::open(&format!("sqlite:{}", database.display())).await.unwrap();
        let running = app(store, NOW);
        demo::seed(&running, 6).await.unwrap();
        ca::Authority::open(&data, NOW).unwrap();
        let key = data.join(seal::FILE);
        seal::SealKey::open(&key).unwrap();

        let made = make(&data, &database, &key, &backup, NOW).await.unwrap();
        let held = ["ca-key.pem", "ca.pem", DATABASE, seal::FILE];
        assert_eq!(made.files.keys().collect::<Vec<_>>(), held);
        let again = make(&data, &database, &key, &backup, NOW).await;
        assert_eq!(again.unwrap_err().exit, Exit::Conflict);
        let (manifest, examined) = verify(&backup).await.unwrap();
        assert_eq!(manifest, made);
        assert_eq!((examined.devices, examined.problem_count), (6, 0), "{:?}", examined.problems);
        assert!(examined.changes > 6 && examined.titles > 100);

        let again = folder.path().join("again");
        restore(&backup, &again).await.unwrap();
        assert_eq!(restore(&backup, &again).await.unwrap_err().exit, Exit::Conflict);
        assert_eq!(ca::Authority::digest_in(&again), ca::Authority::digest_in(&data));
        let known = seal::SealKey::open(&key).unwrap().id();
        assert_eq!(seal::SealKey::open(&again.join(seal::FILE)).unwrap().id(), known);
        let url = format!("sqlite:{}", again.join(DATABASE).display());
        assert_eq!(Store::open(&url).await.unwrap().devices().await.unwrap().len(), 6);

        let mut bytes = std::fs::read(backup.join(DATABASE)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(backup.join(DATABASE), bytes).unwrap();
        let refused = verify(&backup).await.unwrap_err();
        assert_eq!(refused.exit, Exit::Problems);
        assert!(refused.to_string().contains("was changed"));
        std::fs::remove_file(backup.join("ca.pem")).unwrap();
        assert!(restore(&backup, &folder.path().join("third")).await.is_err());
        assert!(!folder.path().join("third").exists());
    }
}
