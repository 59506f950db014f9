//! Where people sign in besides here: providers of OpenID Connect.

use serde::{Deserialize, Serialize};

use super::account::Role;
use crate::time::Timestamp;

/// A provider, without its client's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignInProvider {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// What is set.
    pub config: ProviderConfig,
    /// The address that is registered at the provider for this client.
    pub redirect_uri: String,
    /// Whether a client secret is set.
    pub has_secret: bool,
}

/// What is set of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// What the button says, 1 to 60 characters.
    pub name: String,
    /// The issuer, letter by letter as the provider writes it, e.g. `https://login.example.org`.
    pub issuer: String,
    /// The client id that the provider gave.
    pub client_id: String,
    /// Scopes that are asked for besides `openid profile email`, e.g. `groups`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scopes: String,
    /// The claim that lists a person's groups, e.g. `groups`.
    pub groups_claim: String,
    /// Which group may do what. The first line that fits counts; who is in none stays outside.
    pub group_roles: Vec<GroupRole>,
    /// Domains of e-mail addresses that may sign in, with an address that the provider verified;
    /// empty: the address does not matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
    /// Whether people who are not known get an account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub makes_accounts: bool,
    /// Values of `acr` or `amr` that say that a second factor was used, e.g. `mfa`. Where one is
    /// told, ours is not asked for; empty: ours is asked for as with a password.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub second_factor_values: Vec<String>,
    /// Whether people may sign in with it now.
    pub enabled: bool,
}

/// What a group may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GroupRole {
    /// The group as the provider names it.
    pub group: String,
    /// What it may do.
    pub role: Role,
}

impl ProviderConfig {
    /// The role of somebody in these groups.
    pub fn role_of(&self, groups: &[String]) -> Option<Role> {
        let fits = |line: &&GroupRole| groups.contains(&line.group);
        self.group_roles.iter().find(fits).map(|line| line.role)
    }
}

/// Who somebody is at a provider, and here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinkedIdentity {
    /// The provider's name for the person (`sub`).
    pub subject: String,
    /// Sign-in name of the account.
    pub account: String,
    /// When they were linked.
    pub linked_at: Timestamp,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// Since when the provider gives the person no role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shut_at: Option<Timestamp>,
}

/// The body that links an account with a person at a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// Sign-in name of the account.
    pub account: String,
    /// The provider's name for the person (`sub`).
    pub subject: String,
}

/// What a try of a provider's settings found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionTest {
    /// Whether people can sign in, as far as can be told without one.
    pub works: bool,
    /// Each thing that was tried, in order; later ones are absent after one that failed.
    pub checks: Vec<ConnectionCheck>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectionCheck {
    /// The setting that it is about.
    pub setting: String,
    /// Whether it is right.
    pub right: bool,
    /// What was seen, and what to mend.
    pub says: String,
}
