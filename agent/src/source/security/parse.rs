//! Settings of sshd and ufw, and where the root file system lies. Knows text, no files.

use rollcall_shared::section::security::Ssh;

use crate::source::text::{assignments, clip};

/// What stands in one line of sshd's configuration that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SshLine {
    /// Other files take the place of this line.
    Include(Vec<String>),
    PermitRootLogin(String),
    PasswordAuthentication(bool),
}

/// The lines that matter, up to the first that holds only for some connections.
pub(super) fn ssh_lines(text: &str) -> Vec<SshLine> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line
            .split(|letter: char| letter.is_whitespace() || letter == '=')
            .map(|word| word.trim_matches('"'))
            .filter(|word| !word.is_empty());
        let Some(key) = words.next() else { continue };
        match key.to_ascii_lowercase().as_str() {
            "match" => break,
            "include" => found.push(SshLine::Include(words.map(str::to_owned).collect())),
            "permitrootlogin" => found.extend(words.next().map(|value| {
                let value = value.to_ascii_lowercase();
                SshLine::PermitRootLogin(match value.as_str() {
                    "without-password" => "prohibit-password".to_owned(),
                    other => clip(other.as_bytes()),
                })
            })),
            "passwordauthentication" => {
                found.extend(words.next().map(|value| {
                    SshLine::PasswordAuthentication(!value.eq_ignore_ascii_case("no"))
                }));
            }
            _ => {}
        }
    }
    found
}

/// The first line of a kind counts; where there is none, sshd's own default.
pub(super) fn ssh(lines: &[SshLine]) -> Ssh {
    let root = lines.iter().find_map(|line| match line {
        SshLine::PermitRootLogin(value) => Some(value.clone()),
        _ => None,
    });
    let password = lines.iter().find_map(|line| match line {
        SshLine::PasswordAuthentication(value) => Some(*value),
        _ => None,
    });
    Ssh {
        permit_root_login: Some(root.unwrap_or_else(|| "prohibit-password".to_owned())),
        password_authentication: Some(password.unwrap_or(true)),
    }
}

/// Device number and source of the root file system, from `/proc/self/mountinfo`.
pub(super) fn root_device(mountinfo: &str) -> Option<(String, String)> {
    let of_line = |line: &str| {
        let (mount, device) = line.split_once(" - ")?;
        let fields: Vec<&str> = mount.split(' ').collect();
        let source = device.split(' ').nth(1)?;
        (*fields.get(4)? == "/").then(|| (fields[2].to_owned(), source.to_owned()))
    };
    // The one mounted last hides the others.
    mountinfo.lines().rev().find_map(of_line)
}

/// Whether `ufw.conf` says that the firewall is on.
pub(super) fn ufw_enabled(text: &str) -> bool {
    assignments(text).any(|(key, value)| key == "ENABLED" && value.eq_ignore_ascii_case("yes"))
}
