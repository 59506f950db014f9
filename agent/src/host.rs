//! The only door to files and programs of the observed computer.
//!
//! Everything is looked up below a root folder, so the same sources read the running system, a
//! mounted image, or a folder of captures in a test.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rollcall_shared::{Note, NoteKind, Timestamp};

/// No file read whole may be larger; what is larger is streamed by its source.
pub const READ_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// The computer that is looked at.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    live: bool,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It is not there.
    #[error("{path} is not there")]
    NotFound {
        /// What was looked for.
        path: String,
    },
    /// It is there, but only an administrator may read it.
    #[error("reading {path} needs administrator rights")]
    Denied {
        /// What was to be read.
        path: String,
    },
    /// Something else went wrong.
    #[error("reading {path} failed: {why}")]
    Failed {
        /// What was to be read or run.
        path: String,
        /// What went wrong, in the system's words.
        why: String,
    },
    /// A program took longer than it may.
    #[error("{path} took longer than it may")]
    TimedOut {
        /// The program.
        path: String,
    },
}

impl HostError {
    pub(crate) fn from_io(path: &str, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Failed { path, why: error.to_string() },
        }
    }

    /// Whether the thing is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

impl From<HostError> for Note {
    fn from(error: HostError) -> Self {
        let kind = match &error {
            HostError::NotFound { .. } => NoteKind::NotFound,
            HostError::Denied { .. } => NoteKind::NeedsPrivilege,
            HostError::Failed { .. } => NoteKind::Failed,
            HostError::TimedOut { .. } => NoteKind::TimedOut,
        };
        Note::new(kind).with_detail(error.to_string())
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Last change of its content.
    pub modified_at: Timestamp,
}

impl Host {
    /// The running computer.
    pub fn live() -> Self {
        Self { root: PathBuf::from("/"), live: true }
    }

    /// A system that is not running: a mounted image or a folder of captures.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), live: false }
    }

    /// Whether this is the running computer, so that system calls speak of it.
    pub fn is_live(&self) -> bool {
        self.live
    }

    fn resolve(&self, path: &str) -> PathBuf {
        if self.live { PathBuf::from(path) } else { self.root.join(path.trim_start_matches('/')) }
    }

    /// Opens a regular file for streaming. Devices, pipes and folders are refused.
    pub fn open(&self, path: &str) -> Result<File, HostError> {
        let failed = |error: &io::Error| HostError::from_io(path, error);
        let full = self.resolve(path);
        let kind = std::fs::metadata(&full).map_err(|error| failed(&error))?;
        if !kind.is_file() {
            return Err(HostError::Failed {
                path: path.to_owned(),
                why: "it is not a regular file".to_owned(),
            });
        }
        File::open(&full).map_err(|error| failed(&error))
    }

    /// Reads a whole file of at most [`READ_LIMIT_BYTES`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, HostError> {
        let mut bytes = Vec::new();
        self.open(path)?
            .take(READ_LIMIT_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| HostError::from_io(path, &error))?;
        if bytes.len() as u64 > READ_LIMIT_BYTES {
            return Err(HostError::Failed {
                path: path.to_owned(),
                why: format!("it is larger than {READ_LIMIT_BYTES} bytes"),
            });
        }
        Ok(bytes)
    }

    /// Reads a whole text file; bytes that are not UTF-8 become `U+FFFD`.
    pub fn read_text(&self, path: &str) -> Result<String, HostError> {
        let bytes = self.read(path)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The trimmed text of a small file; `None` when it cannot be read or is empty.
    pub fn value(&self, path: &str) -> Option<String> {
        let text = self.read_text(path).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, HostError> {
        let entries = std::fs::read_dir(self.resolve(path))
            .map_err(|error| HostError::from_io(path, &error))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points, as it is written there.
    pub fn link(&self, path: &str) -> Result<PathBuf, HostError> {
        std::fs::read_link(self.resolve(path)).map_err(|error| HostError::from_io(path, &error))
    }

    /// Whether something of this name is there.
    pub fn exists(&self, path: &str) -> bool {
        std::fs::symlink_metadata(self.resolve(path)).is_ok()
    }

    /// Size and age of a file or folder.
    pub fn info(&self, path: &str) -> Result<FileInfo, HostError> {
        let failed = |error: &io::Error| HostError::from_io(path, error);
        let data = std::fs::metadata(self.resolve(path)).map_err(|error| failed(&error))?;
        let modified = data.modified().map_err(|error| failed(&error))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(FileInfo {
            size_bytes: data.len(),
            modified_at: Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// The path below the root, for libraries that open files themselves.
    pub fn path(&self, path: &str) -> PathBuf {
        self.resolve(path)
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
}
