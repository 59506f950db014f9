//! An address that can be called, taken apart. Pure.

use std::net::IpAddr;

use hyper::Uri;

use super::OutgoingError;
use super::allowed::plain_name;

/// Letters an address has at most.
const LONGEST: usize = 2_000;

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name in lower case, or IP address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Host and port as they were written.
    pub(super) authority: String,
    /// Path and query.
    pub(super) path: String,
}

impl Target {
    /// Reads `https://host/path`; nobody's name stands before the host, and no part after `#`.
    pub fn parse(url: &str) -> Result<Self, OutgoingError> {
        // An address may carry a secret: only its beginning is repeated.
        let bad = || OutgoingError::Address(url.chars().take(60).collect());
        let plain = url.len() <= LONGEST && url.bytes().all(|b| (0x21..0x7f).contains(&b));
        if !plain || url.contains(['#', '\\']) {
            return Err(bad());
        }
        let uri: Uri = url.parse().map_err(|_| bad())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let authority = uri.authority().ok_or_else(bad)?;
        let has_port = authority.as_str().len() > authority.host().len();
        let port = authority.port_u16();
        if authority.as_str().contains('@') || (has_port && port.is_none()) || port == Some(0) {
            return Err(bad());
        }
        let host = plain_name(authority.host().trim_start_matches('[').trim_end_matches(']'));
        if host.is_empty() {
            return Err(bad());
        }
        let path = uri.path_and_query().map_or("/", |both| both.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            tls,
            host,
            port: port.unwrap_or(if tls { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path,
        })
    }

    /// The IP address, where the host is one.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}
