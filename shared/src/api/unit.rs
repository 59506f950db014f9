//! Sites and departments, together called units, and the rules that put devices into them.

use serde::{Deserialize, Serialize};

/// One site or department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unit {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub kind: UnitKind,
    /// Its name; no two of a kind have the same.
    pub name: String,
    /// Devices that belong to it, those out of service included.
    pub devices: u64,
}

/// The body that makes a site or department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUnit {
    /// What it is.
    pub kind: UnitKind,
    /// Its name, 1 to 100 characters.
    pub name: String,
}

/// The body that renames a site or department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitName {
    /// Its new name, 1 to 100 characters.
    pub name: String,
}

/// One rule: devices that fit the test belong to the unit, unless a rule before it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitRule {
    /// Number of the site or department.
    pub unit: i64,
    /// What is looked at.
    pub test: RuleTest,
    /// What it must be: `10.1.0.0/16`, `srv-*`, `berlin.example.org`.
    pub pattern: String,
}

/// All rules, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitRules {
    /// The rules; of those for a site the first that fits decides, and so for departments.
    pub rules: Vec<UnitRule>,
}

/// What other rules would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitPreview {
    /// Devices that would belong elsewhere.
    pub devices: u64,
    /// From where to where, most devices first.
    pub moves: Vec<UnitMove>,
    /// Devices that the rules would put elsewhere and that stay, since a person placed them.
    pub held_by_hand: u64,
}

/// Devices that would go the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitMove {
    /// What is decided.
    pub kind: UnitKind,
    /// Where they belong now; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Where they would belong; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many.
    pub devices: u64,
}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word on the wire, in the store and in addresses.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Reads the word; `None` for any other.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// What a unit is.
    UnitKind {
        /// Where computers stand.
        Site "site",
        /// Whose they are.
        Department "department",
    }
}

words! {
    /// Who says where a device belongs.
    UnitFrom {
        /// The token it enrolled with.
        Token "token",
        /// A rule.
        Rule "rule",
        /// A person; no rule changes it.
        Hand "hand",
    }
}

words! {
    /// What a rule looks at.
    RuleTest {
        /// One of the device's IP addresses lies in a network, e.g. `10.1.0.0/16`.
        Subnet "subnet",
        /// Its host name, `*` for any letters and `?` for one, in any case of letters.
        Hostname "hostname",
        /// Its domain or the realm of a directory it is joined to; `*` and `?` as before.
        Directory "directory",
    }
}
