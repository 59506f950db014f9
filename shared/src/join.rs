//! The join string: one line to paste that carries address, trust and permission.
//!
//! `rcl1:https://collector.example:8443#ca-sha256=<hex>#<token>`. Without the hash, the operating
//! system's own trust store decides whether the collector is believed.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// The start of every enrolment token, so that a leaked one is recognised.
pub const TOKEN_PREFIX: &str = "rcl_enr_";

/// Where to enrol, whom to trust, and the token that allows it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinString {
    /// Address of the collector without a trailing slash, e.g. `https://collector.example:8443`.
    pub url: String,
    /// SHA-256 of the DER form of the collector's CA certificate.
    pub ca_digest: Option<Digest>,
    /// The enrolment token: a secret.
    pub token: String,
}

/// What is wrong with a join string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinStringError {
    /// It does not begin with `rcl1:`.
    #[error("a join string begins with `rcl1:`; copy the whole line from the Enrol page")]
    Prefix,
    /// The address is neither https nor http on loopback.
    #[error("the address in the join string must be https:// (http:// only to 127.0.0.1 or [::1])")]
    Address,
    /// The part between the two `#` is not `ca-sha256=` with 64 hexadecimal digits.
    #[error("the join string's CA hash is damaged; copy the whole line from the Enrol page")]
    CaDigest,
    /// The token at its end is missing or damaged.
    #[error(
        "the join string's token is missing or damaged; copy the whole line from the Enrol page"
    )]
    Token,
}

/// Whether agents may speak to this address: https anywhere, plain http on loopback only.
pub fn address_allowed(url: &str) -> bool {
    // Anything else would be read one way here and another way by whoever shows or calls it.
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let authority = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    if let Some(rest) = url.strip_prefix("https://") {
        let authority = authority(rest);
        return !authority.is_empty() && !authority.contains('@');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = authority(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for JoinString {
    type Err = JoinStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.trim().strip_prefix("rcl1:").ok_or(JoinStringError::Prefix)?;
        let mut parts = rest.split('#');
        let url = parts.next().unwrap_or_default().trim_end_matches('/').to_owned();
        let (ca, token) = match (parts.next(), parts.next(), parts.next()) {
            (Some(ca), Some(token), None) => (Some(ca), token),
            (Some(token), None, None) => (None, token),
            _ => return Err(JoinStringError::Token),
        };
        if !address_allowed(&url) {
            return Err(JoinStringError::Address);
        }
        // Two lines pasted into one: addresses are shown and logged, tokens are not.
        if url.contains(TOKEN_PREFIX) {
            return Err(JoinStringError::Token);
        }
        let ca_digest = ca
            .map(|part| {
                let hex = part.strip_prefix("ca-sha256=").ok_or(JoinStringError::CaDigest)?;
                hex.parse().map_err(|_| JoinStringError::CaDigest)
            })
            .transpose()?;
        let body = token.strip_prefix(TOKEN_PREFIX).ok_or(JoinStringError::Token)?;
        let well_formed = (32..=128).contains(&body.len())
            && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !well_formed {
            return Err(JoinStringError::Token);
        }
        Ok(Self { url, ca_digest, token: token.to_owned() })
    }
}

impl fmt::Display for JoinString {
    /// The whole line, secret included: for the person who enrols a computer, never for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ca_digest {
            Some(ca) => write!(f, "rcl1:{}#ca-sha256={ca}#{}", self.url, self.token),
            None => write!(f, "rcl1:{}#{}", self.url, self.token),
        }
    }
}

impl fmt::Debug for JoinString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinString({}, token ***)", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "rcl_enr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

    #[test]
    fn reads_back_what_it_writes() {
        let join = JoinString {
            url: "https://[::1]:8443".to_owned(),
            ca_digest: Some(Digest::of(b"ca")),
            token: TOKEN.to_owned(),
        };
        assert_eq!(join.to_string().parse(), Ok(join.clone()));
        assert!(!format!("{join:?}").contains(TOKEN));
    }

    #[test]
    fn refuses_damaged_lines() {
        let case = |text: &str| text.parse::<JoinString>().unwrap_err();
        assert_eq!(case("https://x#rcl_enr_"), JoinStringError::Prefix);
        assert_eq!(case(&format!("rcl1:http://10.0.0.1#{TOKEN}")), JoinStringError::Address);
        assert_eq!(case(&format!("rcl1:https://a@b#{TOKEN}")), JoinStringError::Address);
        assert_eq!(
            case(&format!("rcl1:https://x#ca-sha256=00#{TOKEN}")),
            JoinStringError::CaDigest
        );
        assert_eq!(case("rcl1:https://x#rcl_enr_short"), JoinStringError::Token);
        assert_eq!(case(&format!("rcl1:https://x/{TOKEN}#{TOKEN}")), JoinStringError::Token);
        for odd in ["https://x y", "https://x\u{1}", "https://b\u{fc}ro.example"] {
            assert_eq!(case(&format!("rcl1:{odd}#{TOKEN}")), JoinStringError::Address, "{odd:?}");
        }
        assert!(format!("rcl1:http://127.0.0.1:1#{TOKEN}").parse::<JoinString>().is_ok());
    }
}
