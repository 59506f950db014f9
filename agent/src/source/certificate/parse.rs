//! Certificates (X.509) in files. Keys in the same file are passed over.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rollcall_shared::section::Certificate;
use rollcall_shared::{Digest, Timestamp};

use super::der::{BIT_STRING, BOOLEAN, Der, Element, INTEGER, OCTET_STRING, SEQUENCE};
use crate::source::text::clip;

/// Names that one certificate is valid for; some have thousands.
const NAMES_LIMIT: usize = 100;

/// The certificates of a file, in whichever form it has.
pub fn certificates(bytes: &[u8]) -> Vec<Certificate> {
    let blocks = blocks(bytes);
    if blocks.is_empty() {
        return certificate(bytes).into_iter().collect();
    }
    blocks.iter().filter_map(|block| certificate(block)).collect()
}

/// What stands between the lines that begin and end a certificate.
fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut inside: Option<String> = None;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.starts_with(b"-----BEGIN ") {
            let kind = line.strip_prefix(b"-----BEGIN ").unwrap_or_default();
            let ours: [&[u8]; 3] =
                [b"CERTIFICATE-----", b"TRUSTED CERTIFICATE-----", b"X509 CERTIFICATE-----"];
            inside = ours.contains(&kind).then(String::new);
        } else if line.starts_with(b"-----END ") {
            blocks.extend(inside.take().and_then(|text| STANDARD.decode(text).ok()));
        } else if let (Some(text), Ok(line)) = (&mut inside, std::str::from_utf8(line)) {
            text.push_str(line);
        }
    }
    blocks
}

/// One certificate, from its bytes. What follows it is not looked at.
pub fn certificate(bytes: &[u8]) -> Option<Certificate> {
    let outer = Der(bytes).take(SEQUENCE)?;
    let mut parts = outer.inside();
    let signed = parts.take(SEQUENCE)?;
    let signature = parts.take(SEQUENCE)?.inside().next()?.object()?;
    parts.take(BIT_STRING)?;

    let mut body = signed.inside();
    body.maybe(0xa0);
    let serial = body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    let issuer = name(body.take(SEQUENCE)?)?;
    let mut validity = body.take(SEQUENCE)?.inside();
    let (not_before, not_after) = (moment(validity.next()?)?, moment(validity.next()?)?);
    let subject = name(body.take(SEQUENCE)?)?;
    let (key_kind, key_bits) = key(body.take(SEQUENCE)?)?;
    body.maybe(0x81).or_else(|| body.maybe(0xa1));
    body.maybe(0x82).or_else(|| body.maybe(0xa2));
    let mut certificate = Certificate {
        fingerprint: Digest::of(outer.whole).to_string(),
        subject: Some(subject).filter(|text| !text.is_empty()),
        issuer: Some(issuer).filter(|text| !text.is_empty()),
        serial: Some(hex(serial.content)),
        not_before: Some(not_before),
        not_after: Some(not_after),
        key_kind: Some(key_kind),
        key_bits,
        signature: Some(signature_name(&signature).map_or(signature, str::to_owned)),
        ..Certificate::default()
    };
    if let Some(extensions) = body.maybe(0xa3) {
        let mut extensions = extensions.inside().take(SEQUENCE)?.inside();
        while let Some(one) = extensions.take(SEQUENCE) {
            extension(one, &mut certificate);
        }
    }
    Some(certificate)
}

fn hex(bytes: &[u8]) -> String {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    // 20 bytes are the most that is allowed.
    let bytes = bytes.get(start..).unwrap_or_default();
    let mut text = String::new();
    for byte in bytes.iter().take(64) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `CN=www.example.org, O=Example`, in the order of the certificate turned round, as people read
/// it: the closest first.
fn name(element: Element<'_>) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = element.inside();
    while let Some(set) = sets.next() {
        let mut pairs = set.inside();
        while let Some(pair) = pairs.take(SEQUENCE) {
            let mut pair = pair.inside();
            let kind = pair.next()?.object()?;
            let Some(value) = pair.next()?.text() else { continue };
            let kind = attribute(&kind).map_or(kind, str::to_owned);
            parts.push(format!("{kind}={}", clip(value.as_bytes())));
        }
    }
    parts.reverse();
    Some(clip(parts.join(", ").as_bytes()))
}

fn attribute(object: &str) -> Option<&'static str> {
    Some(match object {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.42" => "GN",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// `250307101500Z` or `20500307101500Z`.
fn moment(element: Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let full = match (element.tag, text.len()) {
        (0x17, 12) => {
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            format!("{century}{text}")
        }
        (0x18, 14) => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| full.get(from..to);
    let (date, time) = ((part(0, 4)?, part(4, 6)?, part(6, 8)?), (part(8, 10)?, part(10, 12)?));
    let second = part(12, 14)?;
    format!("{}-{}-{}T{}:{}:{second}Z", date.0, date.1, date.2, time.0, time.1).parse().ok()
}

fn key(element: Element<'_>) -> Option<(String, Option<u32>)> {
    let mut parts = element.inside();
    let mut algorithm = parts.take(SEQUENCE)?.inside();
    let kind = algorithm.next()?.object()?;
    let parameter = algorithm.next().and_then(Element::object);
    let bytes = parts.take(BIT_STRING)?.content.get(1..)?;
    let told = |kind: &str, bits| Some((kind.to_owned(), bits));
    match kind.as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
            let modulus = Der(bytes).take(SEQUENCE)?.inside().take(INTEGER)?;
            told("rsa", modulus.bits())
        }
        "1.2.840.10045.2.1" => {
            let (curve, bits) = match parameter.as_deref() {
                Some("1.2.840.10045.3.1.7") => ("p-256", 256),
                Some("1.3.132.0.34") => ("p-384", 384),
                Some("1.3.132.0.35") => ("p-521", 521),
                Some("1.3.132.0.10") => ("secp256k1", 256),
                Some("1.3.36.3.3.2.8.1.1.7") => ("brainpoolP256r1", 256),
                Some("1.3.36.3.3.2.8.1.1.11") => ("brainpoolP384r1", 384),
                Some("1.3.36.3.3.2.8.1.1.13") => ("brainpoolP512r1", 512),
                _ => return told("ec", None),
            };
            told(&format!("ec {curve}"), Some(bits))
        }
        "1.2.840.10040.4.1" => told("dsa", Der(bytes).take(INTEGER).and_then(Element::bits)),
        "1.3.101.112" => told("ed25519", Some(256)),
        "1.3.101.113" => told("ed448", Some(456)),
        "2.16.840.1.101.3.4.3.17" => told("ml-dsa-44", None),
        "2.16.840.1.101.3.4.3.18" => told("ml-dsa-65", None),
        "2.16.840.1.101.3.4.3.19" => told("ml-dsa-87", None),
        other => told(other, None),
    }
}

fn signature_name(object: &str) -> Option<&'static str> {
    Some(match object {
        "1.2.840.113549.1.1.4" => "md5 rsa",
        "1.2.840.113549.1.1.5" => "sha1 rsa",
        "1.2.840.113549.1.1.10" => "rsa-pss",
        "1.2.840.113549.1.1.11" => "sha256 rsa",
        "1.2.840.113549.1.1.12" => "sha384 rsa",
        "1.2.840.113549.1.1.13" => "sha512 rsa",
        "1.2.840.10045.4.1" => "sha1 ecdsa",
        "1.2.840.10045.4.3.2" => "sha256 ecdsa",
        "1.2.840.10045.4.3.3" => "sha384 ecdsa",
        "1.2.840.10045.4.3.4" => "sha512 ecdsa",
        "1.3.101.112" => "ed25519",
        "1.3.101.113" => "ed448",
        _ => return None,
    })
}

fn extension(element: Element<'_>, certificate: &mut Certificate) {
    let mut parts = element.inside();
    let Some(object) = parts.next().and_then(Element::object) else { return };
    parts.maybe(BOOLEAN);
    let Some(value) = parts.take(OCTET_STRING) else { return };
    let Some(value) = Der(value.content).take(SEQUENCE) else { return };
    match object.as_str() {
        "2.5.29.17" => {
            let mut names = value.inside();
            while let Some(name) = names.next() {
                if certificate.names.len() < NAMES_LIMIT {
                    certificate.names.extend(alternative_name(name));
                }
            }
        }
        "2.5.29.19" => {
            let authority = value.inside().maybe(BOOLEAN);
            certificate.authority = Some(authority.is_some_and(|it| it.content != [0]));
        }
        _ => {}
    }
}

fn alternative_name(name: Element<'_>) -> Option<String> {
    match name.tag {
        // Mail addresses, host names, and addresses of the web.
        0x81 | 0x82 | 0x86 => Some(clip(name.content)),
        0x87 => match name.content.len() {
            4 => <[u8; 4]>::try_from(name.content).ok().map(|it| Ipv4Addr::from(it).to_string()),
            16 => <[u8; 16]>::try_from(name.content).ok().map(|it| Ipv6Addr::from(it).to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Paths behind a word of a server's configuration, e.g. `ssl_certificate /etc/x.pem;`.
pub fn paths_behind(text: &str, words: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let rest = words.iter().find_map(|word| {
            let head = line.get(..word.len())?;
            let rest = line.get(word.len()..)?;
            let ends = rest.starts_with([' ', '\t', '=']);
            (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
        });
        let Some(rest) = rest else { continue };
        let path = rest.trim_start_matches([' ', '\t', '=', '<', '"', '\'']);
        let path = path.split([' ', '\t', ';', '"', '\'']).next().unwrap_or_default();
        // Names that only the server can put together, and homes of people.
        let plain = path.starts_with('/') && !path.contains('$') && !path.starts_with("/home/");
        if plain && !path.split('/').any(|part| part == "..") {
            paths.push(path.to_owned());
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut wanted = rcgen::CertificateParams::new(names).unwrap();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, "Größe, Test");
        wanted.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        wanted.not_before = rcgen::date_time_ymd(2025, 3, 7);
        wanted.not_after = rcgen::date_time_ymd(2051, 3, 7);
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        wanted.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_made_here() {
        let bytes = made(&["www.example.org", "10.1.2.3", "2001:db8::1"]);
        let found = certificate(&bytes).unwrap();
        assert_eq!(found.fingerprint, Digest::of(&bytes).to_string());
        let subject = found.subject.unwrap();
        assert!(subject.contains("CN=Größe, Test") && subject.contains("O=Example"), "{subject}");
        assert_eq!(found.names, ["www.example.org", "10.1.2.3", "2001:db8::1"]);
        assert_eq!(found.not_before.unwrap().to_string(), "2025-03-07T00:00:00Z");
        assert_eq!(found.not_after.unwrap().to_string(), "2051-03-07T00:00:00Z");
        assert_eq!(found.key_kind.as_deref(), Some("ec p-256"));
        assert_eq!(found.signature.as_deref(), Some("sha256 ecdsa"));
        assert_eq!(found.authority, Some(true));
        // What follows is none of it.
        let longer = [bytes.as_slice(), b"more"].concat();
        assert_eq!(certificate(&longer).unwrap().fingerprint, found.fingerprint);
    }

    #[test]
    fn keys_in_the_same_file_are_passed_over() {
        let one = STANDARD.encode(made(&["a.example.org"]));
        let text = format!(
            "-----BEGIN PRIVATE KEY-----\n{one}\n-----END PRIVATE KEY-----\r\n\
             -----BEGIN CERTIFICATE-----\r\n{one}\r\n-----END CERTIFICATE-----\n\
             -----BEGIN TRUSTED CERTIFICATE-----\n{one}\n-----END TRUSTED CERTIFICATE-----\n"
        );
        assert_eq!(certificates(text.as_bytes()).len(), 2);
    }

    #[test]
    fn paths_of_servers() {
        let text = "  ssl_certificate /etc/nginx/a.pem;\n# ssl_certificate /no.pem;\n\
            ssl_certificate_key /etc/nginx/a.key;\nssl_certificate $dynamic;\n\
            SSLCertificateFile \"/etc/pki/b.crt\"\nssl_cert = </etc/dovecot/c.pem\n";
        let words = ["ssl_certificate", "SSLCertificateFile", "ssl_cert"];
        let paths = paths_behind(text, &words);
        assert_eq!(paths, ["/etc/nginx/a.pem", "/etc/pki/b.crt", "/etc/dovecot/c.pem"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = certificates(&bytes);
        }

        /// A byte changed anywhere, or the end cut off, may give another answer but no panic.
        #[test]
        fn damaged_certificates_do_not_make_it_panic(
            at in 0_usize..700, byte: u8, end in 0_usize..700
        ) {
            thread_local! {
                static WHOLE: Vec<u8> = made(&["www.example.org", "10.1.2.3"]);
            }
            let mut bytes = WHOLE.with(Clone::clone);
            let length = bytes.len();
            bytes[at % length] = byte;
            let _ = certificate(&bytes);
            prop_assert!(certificate(&bytes[..end % length]).is_none());
        }

        #[test]
        fn no_text_makes_it_panic(text in "(ssl_cert[ =]\\PC{0,9}\n|-----BEGIN CERTIFICATE-----\n|\\PC|\n)*") {
            let _ = paths_behind(&text, &["ssl_cert"]);
            let _ = certificates(text.as_bytes());
        }
    }
}
