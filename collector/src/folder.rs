//! The data folder: private to its owner, and used by one running collector at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::failure::{Exit, Failure};

/// A data folder that this process uses; dropped, it is free for the next.
#[derive(Debug)]
pub(crate) struct Folder {
    _lock: File,
}

impl Folder {
    /// Makes the folder (0700) where it is missing and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, Failure> {
        make(path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| not_writable(path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                Exit::Conflict,
                format!("a collector is already running on {}", path.display()),
            )
            .next("Stop it first, or give this one a folder of its own with --data.")),
            Err(TryLockError::Error(error)) => Err(not_writable(path, &error)),
        }
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn make(path: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| not_writable(path, &error))?;
    if !path.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{} is not a folder", path.display())));
    }
    Ok(())
}

fn not_writable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Permission,
        format!("the folder {} cannot be written: {error}", path.display()),
    )
    .next("Choose another with --data, or let this user write there.")
}

/// Where `rollcall up` keeps its data when nobody says otherwise: below the folder it is started in,
/// so that trying it out leaves one folder to look at and to remove.
pub(crate) const USUAL: &str = "rollcall-data";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_private_and_taken_once() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("a/b");
        let first = Folder::take(&path).unwrap();
        let second = Folder::take(&path).unwrap_err();
        assert_eq!(second.exit, Exit::Conflict);
        assert!(second.to_string().contains("already running"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop(first);
        assert!(Folder::take(&path).is_ok());
        std::fs::write(outer.path().join("file"), "").unwrap();
        assert_eq!(Folder::take(&outer.path().join("file")).unwrap_err().exit, Exit::Permission);
    }
}
