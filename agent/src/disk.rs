//! Durable small files: written whole or not at all, never through a link.
//!
//! It knows nothing of what the files mean. Every step that can fail on a real disk passes one
//! counter, so that tests can let the Nth one fail.

mod sddl;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub(crate) use windows::is_elevated;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The disk, or in tests one that fails at a chosen step.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    #[cfg(test)]
    pub(crate) faults: Option<std::sync::Arc<faults::Faults>>,
}

impl Disk {
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.step())
    }

    #[cfg(test)]
    fn step_reading(&self) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.step_reading())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests let it fail")]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests let it fail")]
    fn step_reading(&self) -> io::Result<()> {
        Ok(())
    }

    /// Writes a file so that after a crash either the old or the new content is there.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.put(path, bytes, true)?;
        self.sync_folder(path)
    }

    /// Replaces a file so that nobody sees half of it. After a power cut it may be the old one, or
    /// empty: nothing waits until it is on the disk.
    pub fn show(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.put(path, bytes, false)
    }

    fn put(&self, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
        let temporary = temporary_of(path)?;
        let result = self.write_temporary(&temporary, bytes, durable).and_then(|()| {
            self.step()?;
            fs::rename(&temporary, path)
        });
        if let Err(error) = result {
            // Leaves no half-written file behind on a full disk; the original error counts.
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        Ok(())
    }

    fn write_temporary(&self, temporary: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
        match fs::remove_file(temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.step()?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(temporary)?;
        self.step()?;
        file.write_all(bytes)?;
        self.step()?;
        if durable { file.sync_all() } else { Ok(()) }
    }

    /// Replaces the bytes of an existing file of the same length in place, which needs no free
    /// space. Creates the file when it is not there.
    pub fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let same_length = regular(path).is_ok_and(|data| data.len() == bytes.len() as u64);
        if !same_length {
            return self.write(path, bytes);
        }
        self.step()?;
        let mut options = OpenOptions::new();
        options.write(true);
        no_follow(&mut options);
        let mut file = options.open(path)?;
        self.step()?;
        file.write_all(bytes)?;
        self.step()?;
        // Its length is the same, so the bytes alone must be on the disk.
        file.sync_data()
    }

    /// Reads a regular file of at most `limit_bytes`, not through a link.
    pub fn read(&self, path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let mut options = OpenOptions::new();
        options.read(true);
        no_follow(&mut options);
        self.step_reading()?;
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit_bytes {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
        }
        Ok(bytes)
    }

    /// Removes a file; it is no error when it is gone already.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        if self.drop_file(path)? { self.sync_folder(path) } else { Ok(()) }
    }

    /// The same for a file that does no harm if a power cut brings it back.
    pub fn drop_file(&self, path: &Path) -> io::Result<bool> {
        self.step()?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Moves a file within one file system.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        fs::rename(from, to)?;
        self.sync_folder(to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let Some(folder) = path.parent() else { return Ok(()) };
        if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
    }
}

fn temporary_of(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(path.with_file_name(format!(".{name}.new")))
}

/// What is known of a file, provided it is a regular one and no link.
fn regular(path: &Path) -> io::Result<fs::Metadata> {
    let data = fs::symlink_metadata(path)?;
    if data.is_file() { Ok(data) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}

#[cfg(unix)]
fn no_follow(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
}

#[cfg(not(unix))]
fn no_follow(_: &mut OpenOptions) {}

/// Why a folder is not used for secrets.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something that is no folder stands there, a link perhaps.
    #[error("{0} is a link or a file, not a folder")]
    NotAFolder(PathBuf),
    /// Someone else owns it.
    #[error("{0} belongs to another user")]
    Foreign(PathBuf),
    /// Others may write into it.
    #[error("other users may write into {0}")]
    Writable(PathBuf),
    /// It could not be made or looked at.
    #[error("the folder {path} cannot be used")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes a folder that only this user may enter, or checks that the one there is such a folder.
pub fn private_folder(path: &Path) -> Result<(), FolderError> {
    let failed = |source| FolderError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            create_private(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
        Ok(data) if !data.is_dir() => Err(FolderError::NotAFolder(path.to_owned())),
        Ok(data) => check_private(path, &data),
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(windows)]
fn create_private(path: &Path) -> io::Result<()> {
    windows::create_private(path)
}

#[cfg(not(any(unix, windows)))]
fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

#[cfg(unix)]
fn check_private(path: &Path, data: &fs::Metadata) -> Result<(), FolderError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    if data.uid() != rustix::process::geteuid().as_raw() {
        return Err(FolderError::Foreign(path.to_owned()));
    }
    if data.mode() & 0o022 != 0 {
        return Err(FolderError::Writable(path.to_owned()));
    }
    if data.mode() & 0o777 != 0o700 {
        // Readable by others but never writable: what is in it is ours, so tightening is enough.
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))
            .map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
    }
    Ok(())
}

#[cfg(windows)]
fn check_private(path: &Path, _: &fs::Metadata) -> Result<(), FolderError> {
    let list = windows::access_list(path)
        .map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
    // Whoever owns a folder may open it again to everybody.
    let ours = || windows::own_id().is_ok_and(|id| sddl::belongs_to(&list, &[&id]));
    if is_elevated() && !sddl::belongs_to(&list, sddl::ADMINISTRATORS) && !ours() {
        return Err(FolderError::Foreign(path.to_owned()));
    }
    match sddl::others_may(&list) {
        sddl::Others::Nothing => Ok(()),
        // Readable by others but never writable: what is in it is ours, so tightening is enough.
        sddl::Others::Read => windows::make_private(path)
            .map_err(|source| FolderError::Io { path: path.to_owned(), source }),
        sddl::Others::Change => Err(FolderError::Writable(path.to_owned())),
    }
}

#[cfg(not(any(unix, windows)))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn check_private(_: &Path, _: &fs::Metadata) -> Result<(), FolderError> {
    Ok(())
}

#[cfg(test)]
pub(crate) mod faults {
    //! A disk that fails: once at step N, from step N on (a disk that is gone), or whenever it
    //! shall take something (a full disk).

    use std::io;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    #[derive(Debug, Default)]
    pub(crate) struct Faults {
        taken: AtomicU64,
        first: AtomicU64,
        last: AtomicU64,
        full: AtomicBool,
    }

    impl Faults {
        pub(crate) fn at(step: u64) -> Self {
            Self { first: step.into(), last: step.into(), ..Self::default() }
        }

        pub(crate) fn from(step: u64) -> Self {
            Self { first: step.into(), last: u64::MAX.into(), ..Self::default() }
        }

        pub(crate) fn taken(&self) -> u64 {
            self.taken.load(Ordering::SeqCst)
        }

        /// Lets everything fail that writes, or nothing any more.
        pub(crate) fn fail_writing(&self, full: bool) {
            self.full.store(full, Ordering::SeqCst);
        }

        pub(super) fn step(&self) -> io::Result<()> {
            self.step_reading()?;
            if self.full.load(Ordering::SeqCst) { Err(full()) } else { Ok(()) }
        }

        pub(super) fn step_reading(&self) -> io::Result<()> {
            let step = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
            let failing = self.first.load(Ordering::SeqCst)..=self.last.load(Ordering::SeqCst);
            if failing.contains(&step) {
                return Err(full());
            }
            Ok(())
        }
    }

    fn full() -> io::Error {
        io::Error::new(io::ErrorKind::StorageFull, "the disk is full")
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::Arc;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_new_folder_and_its_files_are_private() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a/b");
        private_folder(&folder).unwrap();
        Disk::default().write(&folder.join("key"), b"secret").unwrap();
        assert_eq!((mode(&folder), mode(&folder.join("key"))), (0o700, 0o600));
    }

    #[test]
    fn a_hostile_folder_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        fs::create_dir(&real).unwrap();
        let link = base.path().join("link");
        symlink(&real, &link).unwrap();
        assert!(matches!(private_folder(&link), Err(FolderError::NotAFolder(_))));
        fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(private_folder(&real), Err(FolderError::Writable(_))));
        fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
        private_folder(&real).unwrap();
        assert_eq!(mode(&real), 0o700);
    }

    #[test]
    fn links_and_pipes_are_not_read_or_written_through() {
        let base = tempfile::tempdir().unwrap();
        let target = base.path().join("target");
        fs::write(&target, "old").unwrap();
        let link = base.path().join("link");
        symlink(&target, &link).unwrap();
        let disk = Disk::default();
        assert!(disk.read(&link, 100).is_err());
        disk.overwrite(&link, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert!(disk.read(Path::new("/dev/zero"), 100).is_err());
    }

    #[test]
    fn a_failing_step_leaves_old_or_new_content() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        for step in 1.. {
            fs::write(&path, "old").unwrap();
            let faults = Arc::new(faults::Faults::at(step));
            let disk = Disk { faults: Some(Arc::clone(&faults)) };
            let result = disk.write(&path, b"new");
            let content = fs::read(&path).unwrap();
            assert!(content == b"old" || content == b"new");
            assert_eq!(fs::read_dir(base.path()).unwrap().count(), 1, "nothing left behind");
            if faults.taken() < step {
                assert!(result.is_ok());
                break;
            }
            assert!(result.is_err());
        }
    }
}
