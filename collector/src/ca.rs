//! The collector's own certificate authority: for everybody who has no certificates of their own.
//!
//! Agents pin the CA by its SHA-256, so it is made once and kept. The server's certificate is
//! short-lived and renews itself below the same CA. Knows files and certificates, no network.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{Digest, Timestamp};

use crate::tls::{self, Files};

const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER_CERTIFICATE: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";
/// How long a server certificate lasts, and how long before its end the next is made.
const SERVER_DAYS: i64 = 90;
const RENEW_DAYS: i64 = 30;
const CA_DAYS: i64 = 20 * 365;

/// What a backup must hold so that agents accept the restored collector.
pub(crate) const FILES: [&str; 4] = [CA_CERTIFICATE, CA_KEY, SERVER_CERTIFICATE, SERVER_KEY];

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A file cannot be read or written.
    #[error("{action} {path} failed; check who owns the folder and whether its disk is full", path = path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Only one half of the CA is there.
    #[error(
        "{path} is missing beside its other half; restore it from a backup, or remove both to \
         begin with a new CA (agents must then enrol again)",
        path = .0.display()
    )]
    Half(PathBuf),
    /// A certificate or key cannot be made or understood.
    #[error("the certificate authority's files cannot be used")]
    Certificate(#[from] rcgen::Error),
    /// The files were written, but cannot be read back.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// The CA in a data folder.
pub struct Authority {
    folder: PathBuf,
    certificate_pem: String,
    /// SHA-256 of the CA certificate's DER form: what join strings carry.
    pub digest: Digest,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the CA in this folder, or makes it at the first start.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, CaError> {
        let (certificate, key) = (folder.join(CA_CERTIFICATE), folder.join(CA_KEY));
        match (certificate.exists(), key.exists()) {
            (false, false) => make_ca(&certificate, &key, now)?,
            (true, true) => {}
            (false, true) => return Err(CaError::Half(certificate)),
            (true, false) => return Err(CaError::Half(key)),
        }
        let certificate_pem = read(&certificate)?;
        let der = tls::certificates(certificate_pem.as_bytes(), &certificate)?;
        let der = der.first().ok_or_else(|| tls::TlsError::NoCertificate(certificate.clone()))?;
        let issuer = Issuer::from_ca_cert_der(der, KeyPair::from_pem(&read(&key)?)?)?;
        let digest = Digest::of(der);
        Ok(Self { folder: folder.to_owned(), certificate_pem, digest, issuer })
    }

    /// The CA's hash in this folder, if there is one; its key is not needed.
    pub fn digest_in(folder: &Path) -> Option<Digest> {
        let path = folder.join(CA_CERTIFICATE);
        let pem = read(&path).ok()?;
        Some(Digest::of(tls::certificates(pem.as_bytes(), &path).ok()?.first()?))
    }

    /// The server's certificate for these names, made anew when it is missing, ends soon or lacks
    /// a name. Its chain ends in the CA, so that agents can compare its hash.
    pub fn server_files(&self, names: &[String], now: Timestamp) -> Result<Files, CaError> {
        let files = Self::server_files_in(&self.folder);
        if !self.is_current(&files, names, now) {
            self.make_server(&files, names, now)?;
        }
        Ok(files)
    }

    /// Where the server's certificate of a data folder is.
    pub fn server_files_in(folder: &Path) -> Files {
        Files { certificate: folder.join(SERVER_CERTIFICATE), key: folder.join(SERVER_KEY) }
    }

    fn is_current(&self, files: &Files, names: &[String], now: Timestamp) -> bool {
        let Ok(pem) = read(&files.certificate) else { return false };
        let Ok(chain) = tls::certificates(pem.as_bytes(), &files.certificate) else {
            return false;
        };
        let [leaf, ca] = &chain[..] else { return false };
        let Some(about) = tls::about(leaf) else { return false };
        files.key.exists()
            && Digest::of(ca) == self.digest
            && about.begins_at <= now
            && about.ends_at.since(now) > RENEW_DAYS * DAY_MS
            && names.iter().all(|name| about.names.contains(name))
    }

    fn make_server(&self, files: &Files, names: &[String], now: Timestamp) -> Result<(), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = CertificateParams::new(names.to_vec())?;
        parameters.distinguished_name = named("Rollcall collector");
        last(&mut parameters, now, SERVER_DAYS);
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        // The key first: a certificate without its key would be the worse half.
        write(&files.key, &key.serialize_pem())?;
        write(&files.certificate, &format!("{}{}", certificate.pem(), self.certificate_pem))
    }
}

fn make_ca(certificate: &Path, key_path: &Path, now: Timestamp) -> Result<(), CaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name = named("Rollcall CA");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    last(&mut parameters, now, CA_DAYS);
    let made = parameters.self_signed(&key)?;
    write(key_path, &key.serialize_pem())?;
    write(certificate, &made.pem())
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Sets the days between which a certificate counts; it begins a day early for clocks that lag.
fn last(parameters: &mut CertificateParams, now: Timestamp, days: i64) {
    let day = |moment: Timestamp| {
        let date = moment.date();
        let mut parts = date.split('-');
        let year = parts.next().and_then(|text| text.parse().ok()).unwrap_or(1970);
        let mut small = || parts.next().and_then(|text| text.parse().ok()).unwrap_or(1);
        date_time_ymd(year, small(), small())
    };
    parameters.not_before = day(now.plus_ms(-DAY_MS));
    parameters.not_after = day(now.plus_ms(days * DAY_MS));
}

/// The names a server certificate carries: this computer by every usual name, and the address
/// it listens on.
pub fn names(listen: IpAddr, public_host: Option<&str>, computer: Option<&str>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let address = (!listen.is_unspecified()).then(|| listen.to_string());
    let others = address.into_iter().chain(public_host.map(str::to_owned));
    for name in others.chain(computer.map(str::to_owned)) {
        let plain = name.parse::<IpAddr>().is_ok()
            || name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        if plain && !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn read(path: &Path) -> Result<String, CaError> {
    std::fs::read_to_string(path).map_err(|source| CaError::File {
        action: "reading",
        path: path.to_owned(),
        source,
    })
}

/// Writes a file that only its owner may read: first beside it, then in its place.
fn write(path: &Path, text: &str) -> Result<(), CaError> {
    let failed = |source| CaError::File { action: "writing", path: path.to_owned(), source };
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    #[test]
    fn the_ca_stays_and_the_server_certificate_renews() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = names("10.0.0.7".parse().unwrap(), None, Some("desk"));
        let first = Authority::open(folder.path(), NOW).unwrap();
        let files = first.server_files(&wanted, NOW).unwrap();
        let pem = std::fs::read_to_string(&files.certificate).unwrap();

        let again = Authority::open(folder.path(), NOW).unwrap();
        assert_eq!(again.digest, first.digest);
        again.server_files(&wanted, NOW.plus_ms(59 * DAY_MS)).unwrap();
        assert_eq!(std::fs::read_to_string(&files.certificate).unwrap(), pem, "still good");

        again.server_files(&wanted, NOW.plus_ms(61 * DAY_MS)).unwrap();
        let renewed = std::fs::read_to_string(&files.certificate).unwrap();
        assert_ne!(renewed, pem, "30 days before its end");
        let chain = tls::certificates(renewed.as_bytes(), &files.certificate).unwrap();
        assert_eq!(Digest::of(&chain[1]), first.digest, "the chain ends in the CA");

        again.server_files(&["new.example".to_owned()], NOW.plus_ms(61 * DAY_MS)).unwrap();
        assert_ne!(std::fs::read_to_string(&files.certificate).unwrap(), renewed, "a new name");
        #[cfg(unix)]
        for key in [CA_KEY, SERVER_KEY] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn half_a_ca_is_never_replaced_silently() {
        let folder = tempfile::tempdir().unwrap();
        Authority::open(folder.path(), NOW).unwrap();
        std::fs::remove_file(folder.path().join(CA_KEY)).unwrap();
        assert!(matches!(Authority::open(folder.path(), NOW), Err(CaError::Half(_))));
    }

    #[test]
    fn names_are_this_computer_and_the_address() {
        let names = names("0.0.0.0".parse().unwrap(), Some("rollcall.example"), Some("bad name"));
        assert_eq!(names, ["localhost", "127.0.0.1", "::1", "rollcall.example"]);
    }
}
