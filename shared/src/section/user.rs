//! Accounts on this computer: local ones, and directory accounts that signed in.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Accounts and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Users {
    /// Accounts, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    /// Groups that have members, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
}

/// One account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// Sign-in name, e.g. `anna`, `EXAMPLE\\anna`.
    pub name: String,
    /// User id or SID, e.g. `1000`, `S-1-5-21-…-1001`.
    pub id: String,
    /// Whether a person's, the system's, or the directory's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<AccountKind>,
    /// Name of the person, e.g. `Anna Berg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// Sign-in shell, e.g. `/bin/bash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// May become administrator; absent when that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<bool>,
    /// Cannot sign in at all: expired, or without a shell; absent when that could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Has no password that fits; a key may still open the account. Absent when that could not be
    /// read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_locked: Option<bool>,
    /// Last sign-in known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
    /// Where it came from, e.g. `tty1`, `10.1.2.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_from: Option<String>,
}

/// One group with members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// Name, e.g. `sudo`, `docker`.
    pub name: String,
    /// Group id or SID.
    pub id: String,
    /// Sign-in names of its members, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// Kinds of accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person's local account.
    Person,
    /// Made for a service or by the system.
    System,
    /// From a directory (Active Directory, LDAP, Entra).
    Directory,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
