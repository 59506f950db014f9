//! Why a collector could not be reached, told apart so that each has its own sentence.

use std::io;
use std::sync::Arc;

use rustls::{AlertDescription, CertificateError, OtherError, PeerIncompatible};

use crate::tls::WrongCa;

/// A step on the way to the collector that failed.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The address is not one agents may speak to.
    #[error("`{0}` is not an address of a collector")]
    Address(String),
    /// The name has no address.
    #[error("the name `{host}` could not be resolved")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("{address} refused the connection")]
    Refused {
        /// Address and port.
        address: String,
    },
    /// There is no way there, or the connection broke.
    #[error("no connection to {address}")]
    Connect {
        /// Address and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// What was configured as a proxy is none.
    #[error("`{0}` is not the address of a proxy")]
    ProxyAddress(String),
    /// The proxy gave no way to the collector.
    #[error("the proxy {proxy} gave no way to the collector (HTTP {status})")]
    Proxy {
        /// Its name and port.
        proxy: String,
        /// What it answered; 0 when that was no HTTP.
        status: u16,
    },
    /// A step took too long.
    #[error("{0} took too long")]
    TimedOut(&'static str),
    /// The other side does not speak TLS.
    #[error("{address} does not speak TLS")]
    NotTls {
        /// Address and port.
        address: String,
    },
    /// The certificate does not come from the expected CA.
    #[error("the certificate of {host} does not come from the collector's CA")]
    WrongCa {
        /// Name or address asked for.
        host: String,
    },
    /// The certificate is for another name.
    #[error("the certificate is not for the name `{host}`, only for {presented}")]
    WrongName {
        /// Name asked for.
        host: String,
        /// Names in the certificate.
        presented: String,
    },
    /// The certificate has expired.
    #[error("the certificate of {host} has expired")]
    Expired {
        /// Name asked for.
        host: String,
    },
    /// The certificate is not valid yet.
    #[error("the certificate of {host} is not valid yet")]
    NotYetValid {
        /// Name asked for.
        host: String,
    },
    /// The certificate is a CA's own, given where that of a server should be.
    #[error("the certificate of {host} is a CA's own and not a server's")]
    CaAsServer {
        /// Name asked for.
        host: String,
    },
    /// The certificate is wrong in another way.
    #[error("the certificate of {host} cannot be believed")]
    BadCertificate {
        /// Name asked for.
        host: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The other side speaks only versions of TLS that are not safe any more.
    #[error("{host} speaks neither TLS 1.2 nor TLS 1.3")]
    OldTls {
        /// Name asked for.
        host: String,
    },
    /// Another failure of the TLS handshake.
    #[error("the TLS handshake with {host} failed")]
    Tls {
        /// Name asked for.
        host: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The connection broke while a request was on its way.
    #[error("the connection broke while the collector was asked")]
    Broken(#[source] Arc<hyper::Error>),
    /// The answer is larger than any of ours.
    #[error("the answer is larger than 1 MiB, so it is not a collector's")]
    TooLarge,
    /// The trust store is empty.
    #[error(transparent)]
    NoTrustStore(#[from] crate::tls::NoTrustStore),
}

impl ReachError {
    /// Whether the other side is there but not believed, which waiting does not mend.
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::WrongCa { .. }
                | Self::WrongName { .. }
                | Self::Expired { .. }
                | Self::NotYetValid { .. }
                | Self::CaAsServer { .. }
                | Self::BadCertificate { .. }
                | Self::OldTls { .. }
                | Self::NoTrustStore(_)
        )
    }

    /// The likely cause, in one sentence.
    pub fn likely_cause(&self) -> &'static str {
        match self {
            Self::Address(_) => "The join string was not copied whole.",
            Self::Dns { .. } => "This computer is offline, or the name is misspelt.",
            Self::Refused { .. } => "The collector is stopped, or the port is wrong.",
            Self::Connect { .. } => "This computer is offline, or a firewall is in between.",
            Self::ProxyAddress(_) => {
                "Write `proxy` as `http://name:password@proxy.example:3128`, or `none`."
            }
            Self::Proxy { status: 407, .. } => {
                "The proxy wants a name and a password; set `proxy` in the configuration."
            }
            Self::Proxy { status: 0, .. } => "What answers there is no proxy.",
            Self::Proxy { .. } => {
                "The proxy does not allow the collector's address, or cannot reach it."
            }
            Self::TimedOut(_) => "A firewall drops the packets, or the collector is overloaded.",
            Self::NotTls { .. } => "The port belongs to another service, or a proxy answers.",
            Self::WrongCa { .. } => {
                "Something between here and the collector reads the traffic, or the collector was \
                 set up anew."
            }
            Self::WrongName { .. } => {
                "The collector's certificate was made for another name; use that name or renew it."
            }
            Self::Expired { .. } => {
                "The certificate was not renewed, or this computer's clock is ahead."
            }
            Self::NotYetValid { .. } => "This computer's clock is behind.",
            Self::CaAsServer { .. } => {
                "The collector was given a self-signed certificate; give it one that its CA \
                 signed, or let it make its own."
            }
            Self::BadCertificate { .. } => {
                "The collector was given a certificate that was made wrongly, or something in \
                 between shows its own."
            }
            Self::OldTls { .. } => "An old proxy or another service answers at this address.",
            Self::Tls { .. } => "Something between here and the collector changes the traffic.",
            Self::Broken(_) => "The collector restarted, or the network was lost.",
            Self::TooLarge => "Something else than a collector answers at this address.",
            Self::NoTrustStore(_) => "The package `ca-certificates` is not installed.",
        }
    }

    /// Reads the failure of a TCP connection.
    pub(crate) fn from_connect(address: &str, source: io::Error) -> Self {
        let address = address.to_owned();
        match source.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            io::ErrorKind::TimedOut => Self::TimedOut("connecting to the collector"),
            _ => Self::Connect { address, source },
        }
    }

    /// Reads the failure of a TLS handshake.
    pub(crate) fn from_handshake(host: &str, address: &str, source: io::Error) -> Self {
        use rustls::Error as Tls;
        let host = host.to_owned();
        let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<Tls>());
        match inner {
            Some(Tls::InvalidMessage(_)) => Self::NotTls { address: address.to_owned() },
            Some(Tls::InvalidCertificate(error)) => match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    Self::Expired { host }
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid { host }
                }
                CertificateError::NotValidForName => {
                    Self::WrongName { host, presented: "others".to_owned() }
                }
                CertificateError::NotValidForNameContext { presented, .. } => {
                    Self::WrongName { host, presented: names(presented) }
                }
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    Self::WrongCa { host }
                }
                CertificateError::Other(other) if other.0.downcast_ref::<WrongCa>().is_some() => {
                    Self::WrongCa { host }
                }
                CertificateError::Other(other) if is_ca_as_server(other) => {
                    Self::CaAsServer { host }
                }
                _ => Self::BadCertificate { host, source },
            },
            Some(
                Tls::AlertReceived(AlertDescription::ProtocolVersion)
                | Tls::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ),
            ) => Self::OldTls { host },
            _ => Self::Tls { host, source },
        }
    }
}

/// The crate that looks at certificates has its own errors, of which rustls hands on only the
/// words of this one.
fn is_ca_as_server(other: &OtherError) -> bool {
    format!("{:?}", other.0) == "CaUsedAsEndEntity"
}

/// Names from a foreign certificate, fit for a terminal.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no name at all".to_owned();
    }
    let shown: Vec<String> = presented
        .iter()
        .take(5)
        .map(|name| name.chars().filter(|c| !c.is_control()).take(80).collect())
        .collect();
    shown.join(", ")
}
