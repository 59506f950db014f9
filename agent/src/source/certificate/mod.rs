//! Certificates that this computer was told to trust, and those it shows to others.
//!
//! Private keys are never told, and files and folders that hold only such are never opened.

use rollcall_shared::section::certificate::CertificatePurpose;
use rollcall_shared::section::{Certificate, Section};
use rollcall_shared::{Note, NoteKind};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::{Host, HostError};
use crate::order;

mod der;
mod keychain;
mod macos;
pub mod parse;
mod places;
mod windows;

pub use macos::MACOS;
pub use windows::WINDOWS;

use places::{CONFIGURATIONS, FILES, SERVER_FOLDERS, SYSTEM_FOLDERS, TRUST_FOLDERS};

/// Certificates.
pub const SOURCE: Source = Source {
    name: "certificate",
    section: "certificate",
    about: "Certificates added to those trusted and those of servers, in their usual places; \
            never private keys",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// Certificates that are told at most.
const CERTIFICATES_LIMIT: usize = 5_000;
/// The largest file that is read: a chain, not a bundle of everything that makers trust.
const FILE_LIMIT_BYTES: u64 = 256 * 1024;

struct Search<'a> {
    host: &'a Host,
    rows: Vec<Certificate>,
    denied: Vec<String>,
}

fn gather(host: &Host) -> Gathered {
    let mut search = Search { host, rows: Vec::new(), denied: Vec::new() };
    for folder in TRUST_FOLDERS {
        search.folder(folder, &CertificatePurpose::Trust);
    }
    for pattern in SERVER_FOLDERS {
        for folder in places::expand(host, pattern) {
            search.folder(&folder, &CertificatePurpose::Server);
        }
    }
    for pattern in FILES {
        for file in places::expand(host, pattern) {
            search.file(&file, &CertificatePurpose::Server);
        }
    }
    for (patterns, words) in CONFIGURATIONS {
        for file in patterns.iter().flat_map(|pattern| places::expand(host, pattern)) {
            for path in parse::paths_behind(&host.read_text(&file).unwrap_or_default(), words) {
                search.file(&path, &CertificatePurpose::Server);
            }
        }
    }
    let Search { mut rows, denied, .. } = search;
    order::sort(&mut rows, Ord::cmp);
    // One certificate is often copied or linked to other places; the first place tells it.
    rows.dedup_by(|later, first| later.fingerprint == first.fingerprint);
    let mut notes = Vec::new();
    if let Some(first) = denied.first() {
        let why = match denied.len() {
            1 => format!("reading {first} needs administrator rights"),
            more => format!("reading {first} and {} more needs administrator rights", more - 1),
        };
        notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
    Gathered { section: Some(Section::Certificate(rows)), notes }
}

impl Search<'_> {
    /// Reads the files of a folder that may be certificates. Links are passed over: they lead to
    /// what makers trust, or to files that lie in other places.
    fn folder(&mut self, folder: &str, purpose: &CertificatePurpose) {
        let names = match self.host.list(folder) {
            Ok(names) => names,
            Err(error) => {
                self.missed(folder, &error);
                return;
            }
        };
        for name in names {
            let path = format!("{folder}/{name}");
            if places::may_be_certificate(&name) && self.host.link(&path).is_err() {
                self.file(&path, purpose);
            }
        }
    }

    fn file(&mut self, path: &str, purpose: &CertificatePurpose) {
        if self.host.info(path).is_ok_and(|info| info.size_bytes > FILE_LIMIT_BYTES) {
            return;
        }
        let bytes = match self.host.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.missed(path, &error);
                return;
            }
        };
        let found = parse::certificates(&bytes).into_iter();
        // Behind a server's certificate stand those of who made it.
        let count = if *purpose == CertificatePurpose::Server { 1 } else { CERTIFICATES_LIMIT };
        for one in found.take(count) {
            if self.rows.len() < CERTIFICATES_LIMIT {
                // An authority among the certificates of the system is there to be trusted.
                let trusted = one.authority == Some(true)
                    && one.names.is_empty()
                    && SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder));
                let purpose = if trusted { &CertificatePurpose::Trust } else { purpose };
                let (place, purpose) = (path.to_owned(), Some(purpose.clone()));
                self.rows.push(Certificate { place, purpose, ..one });
            }
        }
    }

    fn missed(&mut self, path: &str, error: &HostError) {
        if matches!(error, HostError::Denied { .. }) {
            self.denied.push(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn told(system: &str) -> String {
        let root = format!("{}/../tests/fixtures/certificate/{system}", env!("CARGO_MANIFEST_DIR"));
        let gathered = gather(&Host::at(root));
        assert_eq!(gathered.notes, []);
        let Some(Section::Certificate(rows)) = gathered.section else { panic!("no rows") };
        let mut text = String::new();
        for row in rows {
            let json = serde_json::to_value(&row).unwrap();
            let _ = writeln!(text, "{json:#}");
        }
        text
    }

    #[test]
    fn captured_systems() {
        insta::assert_snapshot!("debian-12", told("debian-12"));
        insta::assert_snapshot!("rocky-9", told("rocky-9"));
        insta::assert_snapshot!("mail-server", told("mail-server"));
    }
}
