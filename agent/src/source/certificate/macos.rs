//! Certificates of a Mac as a whole, from its own keychain; those that Apple trusts lie elsewhere.

use std::fmt::Write as _;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rollcall_shared::section::certificate::CertificatePurpose;
use rollcall_shared::section::{Certificate, Section};
use rollcall_shared::{Note, NoteKind};

use super::{CERTIFICATES_LIMIT, keychain, parse};
use crate::host::Host;
use crate::order;
use crate::plist::Value;
use crate::source::{Gathered, Platform, Privilege, Source};

const KEYCHAIN: &str = "/Library/Keychains/System.keychain";
/// What the administrator, or the owner's MDM, trusts.
const TRUSTED: &str = "/Library/Security/Trust Settings/Admin.plist";

/// The declaration.
pub const MACOS: Source = Source {
    name: "system_keychain",
    section: "certificate",
    about: "Certificates in System.keychain and which of them the administrator trusts (Admin.plist); never keys or passwords",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let file = match host.read(KEYCHAIN) {
        Ok(file) => file,
        Err(error) => return Gathered::absent(error.into()),
    };
    let Some(found) = keychain::certificates(&file, CERTIFICATES_LIMIT) else {
        let why = format!("{KEYCHAIN} has a form that is not known");
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    };
    let mut notes = Vec::new();
    let trusted = host.property_list(TRUSTED).unwrap_or_else(|error| {
        if !error.is_not_found() {
            notes.push(error.into());
        }
        Value::Other
    });
    let mut rows: Vec<Certificate> = found
        .into_iter()
        .filter_map(|bytes| {
            let told = parse::certificate(bytes)?;
            let purpose = purpose(&told, is_trusted(bytes, &trusted));
            Some(Certificate { place: KEYCHAIN.to_owned(), purpose, ..told })
        })
        .collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup_by(|later, first| later.fingerprint == first.fingerprint);
    Gathered { section: Some(Section::Certificate(rows)), notes }
}

/// The list of what is trusted names certificates by a digest that is used for nothing else.
fn is_trusted(certificate: &[u8], trusted: &Value) -> bool {
    let Some(list) = trusted.get("trustList") else { return false };
    let mut name = String::with_capacity(40);
    for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02X}");
    }
    list.get(&name).is_some()
}

/// An authority that nobody trusts is only on the way to one. Certificates that servers made for
/// themselves say that they are one, too, but have names.
fn purpose(told: &Certificate, trusted: bool) -> Option<CertificatePurpose> {
    match (trusted, told.authority) {
        (true, _) => Some(CertificatePurpose::Trust),
        (false, Some(true)) if told.names.is_empty() => None,
        (false, _) => Some(CertificatePurpose::Server),
    }
}
