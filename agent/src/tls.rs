//! Whom the agent believes: the one place that decides about certificates.
//!
//! Either a single CA, known by its hash while enrolling and by its certificate afterwards, or
//! the trust store of the operating system. TLS 1.2 and 1.3 with ring; nothing is believed on
//! first use.

use std::sync::{Arc, OnceLock};

use rollcall_shared::Digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};

/// Whom to believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The operating system's trust store.
    System,
    /// The CA with this SHA-256 (of its DER form), which the collector must present.
    Digest(Digest),
    /// This CA certificate (DER) and no other.
    Certificate(Vec<u8>),
}

/// The collector did not present the CA with the expected hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the collector did not present the CA certificate that the join string names")]
pub struct WrongCa;

/// The system's trust store gave no certificate to believe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's trust store holds no usable certificate")]
pub struct NoTrustStore;

/// A TLS configuration, and where the CA certificate is found once it was seen.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For connections.
    pub config: Arc<ClientConfig>,
    /// The CA with the expected hash (DER), after a connection was believed.
    pub seen_ca: Arc<OnceLock<Vec<u8>>>,
}

impl Tls {
    /// A configuration that believes these and nobody else.
    pub fn new(trust: Trust) -> Result<Self, NoTrustStore> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let seen_ca = Arc::new(OnceLock::new());
        let verifier: Arc<dyn ServerCertVerifier> = match trust {
            Trust::System => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                by_roots(roots, &provider).map_err(|_| NoTrustStore)?
            }
            Trust::Certificate(der) => by_ca(der.into(), &provider).map_err(|_| NoTrustStore)?,
            Trust::Digest(digest) => Arc::new(ByDigest {
                digest,
                provider: Arc::clone(&provider),
                seen_ca: Arc::clone(&seen_ca),
            }),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|_| NoTrustStore)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { config: Arc::new(config), seen_ca })
    }
}

fn by_roots(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::General(error.to_string()))
}

fn by_ca(
    ca: CertificateDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    by_roots(roots, provider)
}

/// Believes a chain that contains the CA of the expected hash, which then is its only anchor.
#[derive(Debug)]
struct ByDigest {
    digest: Digest,
    provider: Arc<CryptoProvider>,
    seen_ca: Arc<OnceLock<Vec<u8>>>,
}

impl ServerCertVerifier for ByDigest {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ca = intermediates
            .iter()
            .chain([end_entity])
            .find(|certificate| Digest::of(certificate) == self.digest)
            .ok_or_else(|| {
                let other = OtherError(Arc::new(WrongCa));
                Error::InvalidCertificate(CertificateError::Other(other))
            })?;
        let verified = by_ca(ca.clone().into_owned(), &self.provider)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        self.seen_ca.get_or_init(|| ca.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
