//! Certificates of a Windows computer, from the stores that lie in its registry.

use rollcall_shared::section::certificate::CertificatePurpose;
use rollcall_shared::section::{Certificate, Section};

use super::{CERTIFICATES_LIMIT, parse};
use crate::host::Host;
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source};

/// A store: its key, what people call it, and what its certificates are there for.
struct Store {
    key: &'static str,
    name: &'static str,
    purpose: CertificatePurpose,
}

const STORES: &[Store] = &[
    Store {
        key: r"HKLM\SOFTWARE\Microsoft\SystemCertificates\MY",
        name: r"LocalMachine\My",
        purpose: CertificatePurpose::Server,
    },
    Store {
        key: r"HKLM\SOFTWARE\Microsoft\SystemCertificates\ROOT",
        name: r"LocalMachine\Root",
        purpose: CertificatePurpose::Trust,
    },
    Store {
        key: r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\Root",
        name: r"LocalMachine\Root (policy)",
        purpose: CertificatePurpose::Trust,
    },
    Store {
        key: r"HKLM\SOFTWARE\Microsoft\EnterpriseCertificates\Root",
        name: r"LocalMachine\Root (enterprise)",
        purpose: CertificatePurpose::Trust,
    },
];

/// `CERT_CERT_PROP_ID`: the certificate itself among what is known of it.
const CERTIFICATE: u32 = 32;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "certificate_store",
    section: "certificate",
    about: "Certificates of the computer and roots it trusts from the stores in the registry, without those of the makers' programme; never private keys",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows: Vec<Certificate> = Vec::new();
    let mut notes = Vec::new();
    for store in STORES {
        let keys = match host.registry_below(&format!(r"{}\Certificates", store.key)) {
            Ok(keys) => keys,
            Err(error) => {
                notes.push(error.into());
                continue;
            }
        };
        for (_, key) in keys {
            let Some(told) = key.bytes("Blob").and_then(content).and_then(parse::certificate)
            else {
                continue;
            };
            if rows.len() < CERTIFICATES_LIMIT {
                let (place, purpose) = (store.name.to_owned(), Some(store.purpose.clone()));
                rows.push(Certificate { place, purpose, ..told });
            }
        }
    }
    order::sort(&mut rows, Ord::cmp);
    rows.dedup_by(|later, first| later.fingerprint == first.fingerprint);
    Gathered { section: Some(Section::Certificate(rows)), notes }
}

/// The certificate among the properties of an entry: each has a number, a word that is always 1,
/// a length, and so many bytes.
fn content(blob: &[u8]) -> Option<&[u8]> {
    let mut rest = blob;
    loop {
        let (head, after) = rest.split_at_checked(12)?;
        let word = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (number, length) = (word(0)?, usize::try_from(word(8)?).ok()?);
        let (value, after) = after.split_at_checked(length)?;
        if number == CERTIFICATE {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn property(number: u32, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        let words = [number, 1, length].map(u32::to_le_bytes).concat();
        [words, bytes.to_vec()].concat()
    }

    #[test]
    fn the_certificate_is_found_among_other_properties() {
        let blob = [property(3, &[7; 20]), property(32, b"der"), property(11, b"name")].concat();
        assert_eq!(content(&blob), Some(&b"der"[..]));
        assert_eq!(content(&property(3, &[7; 20])), None);
        assert_eq!(content(&blob[..40]), None, "cut off");
        assert_eq!(content(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes: Vec<u8>,
            properties in prop::collection::vec((0_u32..40, prop::collection::vec(any::<u8>(), 0..9)), 0..6),
        ) {
            content(&bytes);
            let blob: Vec<u8> =
                properties.iter().flat_map(|(number, bytes)| property(*number, bytes)).collect();
            let first = properties.iter().find(|(number, _)| *number == CERTIFICATE);
            prop_assert_eq!(content(&blob), first.map(|(_, bytes)| bytes.as_slice()));
        }
    }
}
