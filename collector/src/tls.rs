//! TLS of the listener: certificate files, read again when they change, without a restart.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rollcall_shared::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// PEM: the server's certificate first, then those between it and a CA.
    pub certificate: PathBuf,
    /// PEM: the private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("{path} cannot be read; check that the user who runs the collector may read it", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no certificate in it.
    #[error("{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path = .0.display())]
    NoCertificate(PathBuf),
    /// There is no private key in it.
    #[error("{path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", path = .0.display())]
    NoKey(PathBuf),
    /// Certificate and key are of different pairs, or the key is of an unknown kind.
    #[error("{path} is not the key of the certificate beside it", path = path.display())]
    Mismatch {
        /// The key file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The configuration was refused.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// What stands in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// First moment of its time.
    pub begins_at: Timestamp,
    /// Last moment of its time.
    pub ends_at: Timestamp,
    /// Names and addresses it is for.
    pub names: Vec<String>,
}

/// Reads what stands in a certificate; `None` when it cannot be understood.
pub fn about(certificate: &CertificateDer<'_>) -> Option<About> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok().flatten().map(|names| {
        let text = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes).ok().map(|v4| IpAddr::from(v4).to_string()),
                16 => <[u8; 16]>::try_from(*bytes).ok().map(|v6| IpAddr::from(v6).to_string()),
                _ => None,
            },
            _ => None,
        };
        names.value.general_names.iter().filter_map(text).collect()
    });
    Some(About {
        begins_at: Timestamp::from_seconds(parsed.validity().not_before.timestamp()),
        ends_at: Timestamp::from_seconds(parsed.validity().not_after.timestamp()),
        names: names.unwrap_or_default(),
    })
}

/// The certificates of a PEM text; `path` is for the message only.
pub fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::NoCertificate(path.to_owned())),
    }
}

/// The certificate in use. Can be told to look at its files again.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: RwLock<(Arc<CertifiedKey>, Stamp)>,
}

/// When the two files were last changed.
type Stamp = [Option<SystemTime>; 2];

impl Certificate {
    /// Reads the files.
    pub fn open(files: Files) -> Result<Arc<Self>, TlsError> {
        let stamp = stamp(&files);
        let current = RwLock::new((load(&files)?, stamp));
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again when they changed; `true` when the new ones are in use. A bad file
    /// leaves the old certificate in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let stamp = stamp(&self.files);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).1 == stamp {
            return Ok(false);
        }
        let loaded = load(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (loaded, stamp);
        Ok(true)
    }

    /// Until when the certificate in use is good.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(about(current.0.cert.first()?)?.ends_at)
    }

    /// A listener's configuration with this certificate: TLS 1.2 and 1.3, HTTP/1.1.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Self>::clone(self));
        // The strongest that both sides know, whatever a client would rather have.
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn stamp(files: &Files) -> Stamp {
    [&files.certificate, &files.key]
        .map(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
}

fn load(files: &Files) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = certificates(&read(&files.certificate)?, &files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|_| TlsError::NoKey(files.key.clone()))?;
    let mismatch = |source| TlsError::Mismatch { path: files.key.clone(), source };
    let pair = CertifiedKey::new(chain, any_supported_type(&key).map_err(mismatch)?);
    pair.keys_match().map_err(mismatch)?;
    Ok(Arc::new(pair))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
