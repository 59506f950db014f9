//! People and programs that use the console and the API.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// Its number.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Whether a code is asked for besides the password.
    #[serde(default)]
    pub second_factor: bool,
}

/// One API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiToken {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// What it may do; never more than its owner.
    pub role: Role,
    /// Whose it is.
    pub owner: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// It changes nothing, whatever its role may.
    #[serde(default)]
    pub read_only: bool,
}

/// The body that makes an API token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for, 1 to 100 characters.
    pub label: String,
    /// What it may do; the owner's role when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Days until it ends, 1 to 365; 90 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_days: Option<u32>,
    /// It may only read: every request but `GET` is refused.
    #[serde(default)]
    pub read_only: bool,
}

/// A new API token, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedApiToken {
    /// The token.
    pub token: ApiToken,
    /// The secret, to send as `Authorization: Bearer …`.
    pub secret: String,
}

/// What a person may do. Each role of the list may do what `Role::includes` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look devices up and write notes on them.
    Helpdesk,
    /// Read everything, export.
    Auditor,
    /// Devices, tokens, policies.
    It,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them, in order.
    pub const ALL: &[Self] = &[Self::Helpdesk, Self::Auditor, Self::It, Self::Admin];

    /// The word on the wire, in the store and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helpdesk => "helpdesk",
            Self::Auditor => "auditor",
            Self::It => "it",
            Self::Admin => "admin",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.as_str() == word)
    }
}

impl Role {
    /// Whether whoever has this role may do what needs `needed`.
    pub fn includes(self, needed: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::It => matches!(needed, Self::It | Self::Helpdesk),
            Self::Auditor => matches!(needed, Self::Auditor | Self::Helpdesk),
            Self::Helpdesk => needed == Self::Helpdesk,
        }
    }
}
