//! Protection of this computer: firewall, malware protection, confinement, remote access.

use serde::{Deserialize, Serialize};

/// How this computer is protected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Security {
    /// Firewalls found, sorted by name, e.g. `nftables`, `ufw`, `firewalld`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firewalls: Vec<Protection>,
    /// Antivirus and EDR products found, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub malware_protection: Vec<Protection>,
    /// Whether the system volume is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_encryption: Option<bool>,
    /// Confinement in force, e.g. `apparmor`, `selinux enforcing`, `selinux permissive`, `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory_access: Option<String>,
    /// When the screen locks by itself, as far as it is settled for everybody who works here. What a
    /// person chose in a session is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_lock: Option<ScreenLock>,
    /// Settings of the SSH server that matter, where one is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Ssh>,
    /// Whether anybody becomes administrator without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_without_password: Option<bool>,
}

/// When the screen locks by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScreenLock {
    /// Whether it does so when nobody works; absent when it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Seconds without work until a password is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u64>,
    /// Whether people are kept from settling it otherwise for themselves.
    #[serde(default)]
    pub enforced: bool,
}

impl ScreenLock {
    /// The same in words, e.g. `after 5 min, enforced`.
    pub fn words(&self) -> String {
        let state = match (self.enabled, self.after_s) {
            (Some(false), _) => "off".to_owned(),
            (_, Some(after_s)) if after_s > 0 && after_s % 60 == 0 => {
                format!("after {} min", after_s / 60)
            }
            (_, Some(after_s)) => format!("after {after_s} s"),
            (Some(true), None) => "on".to_owned(),
            (None, None) => "not known".to_owned(),
        };
        if self.enforced { format!("{state}, enforced") } else { state }
    }
}

/// One protective product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Protection {
    /// Name, e.g. `ufw`, `Microsoft Defender`.
    pub name: String,
    /// Version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it is on; absent when it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether its data is current; absent when it could not be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to_date: Option<bool>,
}

/// Settings of an SSH server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ssh {
    /// `PermitRootLogin`, e.g. `no`, `prohibit-password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_root_login: Option<String>,
    /// Whether passwords are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_authentication: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_in_words() {
        let words = |enabled, after_s, enforced| ScreenLock { enabled, after_s, enforced }.words();
        assert_eq!(words(Some(true), Some(300), true), "after 5 min, enforced");
        assert_eq!(words(Some(true), Some(605), false), "after 605 s");
        assert_eq!(words(Some(true), Some(0), false), "after 0 s");
        assert_eq!(words(Some(true), None, false), "on");
        assert_eq!(words(Some(false), None, true), "off, enforced");
        assert_eq!(words(None, None, true), "not known, enforced");
    }
}
