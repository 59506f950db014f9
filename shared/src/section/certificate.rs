//! Certificates: those that this computer was told to trust, and those it shows to others. Private
//! keys are never told.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Certificate {
    /// SHA-256 over the certificate, in hexadecimal digits.
    pub fingerprint: String,
    /// File it lies in, e.g. `/etc/letsencrypt/live/example.org/cert.pem`.
    pub place: String,
    /// What it is there for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<CertificatePurpose>,
    /// Whom it names, e.g. `CN=www.example.org, O=Example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Names and addresses it is valid for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Serial number in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// First moment it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Last moment it is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// Kind of key, e.g. `rsa`, `ec p-256`, `ed25519`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_kind: Option<String>,
    /// Size of the key in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_bits: Option<u32>,
    /// How it is signed, e.g. `sha256 rsa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Whether it may sign others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<bool>,
}

/// What a certificate is there for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CertificatePurpose {
    /// Others are believed because of it.
    Trust,
    /// This computer shows it to others.
    Server,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
