//! Why a call was not made or not answered, with what to do about it.

use std::net::{IpAddr, SocketAddr};

use super::address::Kind;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// The address has another form.
    #[error("`{0}` is no address that can be called; write it as https://NAME/PATH")]
    Address(String),
    /// Without TLS.
    #[error(
        "{host} would be called without TLS; write https://, or allow it in the collector's \
         configuration: allow_outgoing = [\"http://{host}\"]"
    )]
    Plain {
        /// Name or address.
        host: String,
    },
    /// Its address is none of the public Internet.
    #[error(
        "{host} is at {address}, {kind}, and was not called; if that is meant, allow it in the \
         collector's configuration: allow_outgoing = [\"{address}\"]"
    )]
    Forbidden {
        /// Name or address.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What kind of network that is.
        kind: Kind,
    },
    /// The name leads nowhere.
    #[error("the name {host} was not found; check its spelling and the collector's DNS")]
    Name {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        source: Option<std::io::Error>,
    },
    /// Nobody takes the connection.
    #[error("{host} takes no connection at {address}; check the port and firewalls between")]
    Connect {
        /// Name or address.
        host: String,
        /// Where it was tried last.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No TLS, or with a certificate that is not believed.
    #[error(
        "{host} could not prove who it is by TLS; its certificate must be one that the collector's \
         operating system believes"
    )]
    Tls {
        /// Name or address.
        host: String,
        /// What is wrong.
        #[source]
        source: std::io::Error,
    },
    /// It ended in the middle.
    #[error("{host} broke the conversation off, or speaks no HTTP")]
    Broken {
        /// Name or address.
        host: String,
        /// What is wrong.
        #[source]
        source: hyper::Error,
    },
    /// It sends elsewhere.
    #[error(
        "{host} sends elsewhere (HTTP {status}), which is not followed; give the final address"
    )]
    Redirect {
        /// Name or address.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// A longer answer than is read.
    #[error("{host} answered with more than {bytes} bytes")]
    TooLarge {
        /// Name or address.
        host: String,
        /// The limit.
        bytes: usize,
    },
    /// It took too long.
    #[error("{host} did not answer within {seconds} seconds")]
    TimedOut {
        /// Name or address.
        host: String,
        /// The limit.
        seconds: u64,
    },
    /// Too many calls at this moment.
    #[error("too many calls are being made at this moment; try again in a few seconds")]
    Busy,
}

impl OutgoingError {
    /// The error with its causes in one sentence.
    pub fn told(&self) -> String {
        crate::http::error::chain(self)
    }
}
