//! The body of every error answer of the API: RFC 9457 problem details.

use serde::{Deserialize, Serialize};

/// An error as the API tells it, sent as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Always `about:blank`: `kind` is what programs compare.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The HTTP status in words, e.g. `Not Found`.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What a program may compare, e.g. `not-found`, `clone-suspected`, `device-revoked`.
    pub kind: String,
    /// What happened and what to do next, in a plain sentence.
    pub detail: String,
    /// The name of this one event in the collector's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The parameter or section that was wrong, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The problem kinds that an agent acts on.
pub mod kind {
    /// 401: the signature did not verify or the device is not known.
    pub const UNAUTHORISED: &str = "unauthorised";
    /// 403: this device's key was revoked; stop collecting and enrol again.
    pub const DEVICE_REVOKED: &str = "device-revoked";
    /// 403: the enrolment token is unknown, expired, used up or revoked (never told which).
    pub const TOKEN_REFUSED: &str = "token-refused";
    /// 409: the same key speaks from two computers; make a new key by `rekey`.
    pub const CLONE_SUSPECTED: &str = "clone-suspected";
    /// 409: this report id was used before with other content.
    pub const REPORT_CONFLICT: &str = "report-conflict";
    /// 413: larger than the limits allow.
    pub const TOO_LARGE: &str = "too-large";
    /// 422: the named section's bytes do not give its digest or do not parse.
    pub const BAD_SECTION: &str = "bad-section";
    /// 429 or 503: come back after `Retry-After`.
    pub const BUSY: &str = "busy";
}
