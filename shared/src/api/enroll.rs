//! Enrolment: the first contact, which turns a token into a device key.

use serde::{Deserialize, Serialize};

use crate::identity::{DeviceId, HardwareIds};
use crate::report::{AgentInfo, Settings};

/// The body of `POST /agent/v1/enroll`, signed with the new key as proof of possession.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrollRequest {
    /// The enrolment token: a secret.
    pub token: String,
    /// The new public key, base64 of 32 bytes.
    pub public_key: String,
    /// Its algorithm: `ed25519`.
    pub alg: String,
    /// Host name, to show a person; it decides nothing.
    pub hostname: String,
    /// What the hardware says of itself.
    pub hardware_ids: HardwareIds,
    /// The agent that asks.
    pub agent: AgentInfo,
}

/// The answer to an accepted enrolment or rekey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnrollAnswer {
    /// The id to use from now on.
    pub device_id: DeviceId,
    /// Whether a person must still approve.
    pub status: EnrollStatus,
    /// How the agent shall behave.
    pub settings: Settings,
    /// The number to go on from, when an existing record is continued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_seq: Option<u64>,
}

/// The body of `POST /agent/v1/rekey`, signed by the old key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RekeyRequest {
    /// The new public key, base64 of 32 bytes.
    pub public_key: String,
    /// Its algorithm: `ed25519`.
    pub alg: String,
    /// Signature of the new key over `rollcall-rekey-1:<device id>:<new public key>`, base64.
    pub proof: String,
    /// Host name, to show a person.
    pub hostname: String,
    /// What the hardware says of itself.
    pub hardware_ids: HardwareIds,
    /// The agent that asks.
    pub agent: AgentInfo,
}

/// Whether a device may report at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EnrollStatus {
    /// It may.
    Active,
    /// Its reports are kept apart until a person approves.
    Pending,
}

impl EnrollStatus {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Active, Self::Pending];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}
