//! Packages of Fedora, Red Hat, SUSE and their kin, from rpm's database in its three forms.
//!
//! The database is only read, never locked or repaired. Signing keys that rpm keeps like packages
//! are left out.

mod bdb;
mod header;
mod ndb;

use std::io::{self, BufReader};

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind};

use super::{finish, keep};
use crate::host::{Host, HostError};
use crate::source::{Gathered, Platform, Privilege, Source};

/// The largest real headers (kernels, with all their file names) have a few megabytes.
const HEADER_LIMIT_BYTES: u32 = 16 * 1024 * 1024;

/// Where the database may be; the first is often a link to the second.
const FOLDERS: &[&str] = &["/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm"];

/// The declaration.
pub const RPM: Source = Source {
    name: "rpm",
    section: "software",
    about: "Installed RPM packages, from rpm's database (sqlite, ndb or Berkeley DB)",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    if let Err(note) = for_each(host, &mut |row| keep(&mut rows, row)) {
        notes.push(note);
    }
    finish(rows, notes)
}

/// Whether this computer has an rpm database.
pub(crate) fn is_present(host: &Host) -> bool {
    database(host).is_some()
}

/// Calls `on_row` with every installed package.
pub(crate) fn for_each(host: &Host, on_row: &mut dyn FnMut(Software)) -> Result<(), Note> {
    let Some((path, form)) = database(host) else { return Ok(()) };
    let mut broken_headers = 0_u32;
    let mut on_header = |bytes: &[u8]| match header::parse(bytes) {
        Some(row) => on_row(row),
        None => broken_headers += u32::from(bytes.len() > 64 && !is_key(bytes)),
    };
    let read = match form {
        Form::Sqlite => for_each_in_sqlite(host, &path, &mut on_header),
        Form::Ndb | Form::Berkeley => {
            let file = BufReader::new(host.open(&path).map_err(Note::from)?);
            match form {
                Form::Ndb => ndb::for_each_header(file, &mut on_header),
                _ => bdb::for_each_header(file, &mut on_header),
            }
        }
    };
    let failed = |why: String| Note::new(NoteKind::Failed).with_detail(why);
    if let Err(error) = read {
        return Err(match error.kind() {
            io::ErrorKind::PermissionDenied => HostError::Denied { path }.into(),
            _ => failed(format!("reading {path} failed: {error}")),
        });
    }
    if broken_headers > 0 {
        return Err(failed(format!("{broken_headers} packages in {path} could not be understood")));
    }
    Ok(())
}

/// Calls `on_row` with the installed packages whose names are wanted. Only the newest form of the
/// database has an index of names that is cheap to ask; with the others nothing is told.
pub(crate) fn named(host: &Host, wanted: &dyn Fn(&str) -> bool, on_row: &mut dyn FnMut(Software)) {
    let Some((path, Form::Sqlite)) = database(host) else { return };
    let Ok(database) = host.database(&path) else { return };
    let mut read = || -> rusqlite::Result<()> {
        let mut names = database.prepare("SELECT key, hnum FROM Name")?;
        let mut package = database.prepare("SELECT blob FROM Packages WHERE hnum = ?1")?;
        let mut rows = names.query([])?;
        while let Some(row) = rows.next()? {
            let value = row.get_ref(0)?;
            let name = String::from_utf8_lossy(value.as_bytes().unwrap_or_default());
            if !wanted(&name) {
                continue;
            }
            let number: i64 = row.get(1)?;
            let mut blobs = package.query([number])?;
            while let Some(blob) = blobs.next()? {
                let blob = blob.get_ref(0)?.as_blob().unwrap_or_default();
                header::parse(blob).into_iter().for_each(&mut *on_row);
            }
        }
        Ok(())
    };
    // Versions are an extra here; the list of software says why they cannot be read.
    let _ = read();
}

/// Keys that rpm trusts are kept in the same table.
fn is_key(header: &[u8]) -> bool {
    memchr::memmem::find(header, b"gpg-pubkey\0").is_some()
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Sqlite,
    Ndb,
    Berkeley,
}

fn database(host: &Host) -> Option<(String, Form)> {
    let forms =
        [("rpmdb.sqlite", Form::Sqlite), ("Packages.db", Form::Ndb), ("Packages", Form::Berkeley)];
    FOLDERS.iter().find_map(|folder| {
        forms.iter().find_map(|(file, form)| {
            let path = format!("{folder}/{file}");
            host.exists(&path).then_some((path, *form))
        })
    })
}

fn for_each_in_sqlite(host: &Host, path: &str, on_header: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let database = host.database(path).map_err(|error| match error {
        HostError::Denied { .. } => io::Error::from(io::ErrorKind::PermissionDenied),
        HostError::Failed { why, .. } => io::Error::other(why),
        other => io::Error::other(other.to_string()),
    })?;
    let mut read = || -> rusqlite::Result<()> {
        let mut query = database.prepare("SELECT blob FROM Packages")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            on_header(row.get_ref(0)?.as_blob().unwrap_or_default());
        }
        Ok(())
    };
    read().map_err(io::Error::other)
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests;
