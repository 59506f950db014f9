//! Enrolment tokens.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrollmentToken {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// Site its devices get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Department its devices get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How many devices may use it; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_allowed: Option<u32>,
    /// How many did.
    pub uses: u32,
    /// A person must approve its devices.
    pub needs_approval: bool,
    /// It may continue the record of a known, silent device.
    pub allows_reenrollment: bool,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// The body that makes a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEnrollmentToken {
    /// What it is for, 1 to 100 characters.
    pub label: String,
    /// Site its devices get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Department its devices get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Days until it ends, 1 to 90; 7 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// How many devices may use it; one when absent, 0 for any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_allowed: Option<u32>,
    /// A person must approve its devices.
    #[serde(default)]
    pub needs_approval: bool,
    /// It may continue the record of a known, silent device.
    #[serde(default)]
    pub allows_reenrollment: bool,
}

/// A new token, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedEnrollmentToken {
    /// The token.
    pub token: EnrollmentToken,
    /// The line to paste: contains the secret.
    pub join_string: String,
}
