//! SQLite databases of other programs, only ever read.

use rusqlite::{Connection, OpenFlags};

use super::{Host, HostError};

impl Host {
    /// Opens an SQLite database for reading. Nothing is locked, repaired or written.
    ///
    /// Without a write-ahead log the file is read as it lies there, which leaves no trace; with
    /// one, SQLite has to look into the log to see the newest rows.
    pub fn database(&self, path: &str) -> Result<Connection, HostError> {
        // Tells "not there" and "not for us" apart, and refuses pipes.
        drop(self.open(path)?);
        // SQLite reads for itself; at most it reads everything once.
        let told = self.info(path).map_or(0, |info| info.size_bytes);
        self.count(path, usize::try_from(told).unwrap_or(usize::MAX))?;
        let log_bytes = self.info(&format!("{path}-wal")).map_or(0, |info| info.size_bytes);
        let options = if log_bytes == 0 { "immutable=1" } else { "mode=ro" };
        let uri = format!("file:{}?{options}", escaped(&self.path(path)?.to_string_lossy()));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&uri, flags)
            .map_err(|error| HostError::Failed { path: path.to_owned(), why: error.to_string() })
    }
}

/// A path as part of a URI.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
