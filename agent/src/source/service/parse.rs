//! Unit files of systemd and the heads of init scripts, as text.

use crate::source::text::{assignments, unquote};

/// What a unit file says, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFile {
    /// `Description=`.
    pub description: Option<String>,
    /// `Type=`.
    pub kind: Option<String>,
    /// First word of `ExecStart=`.
    pub program: Option<String>,
    /// `User=`.
    pub account: Option<String>,
    /// Has an `[Install]` section, so that it can be switched on.
    pub can_be_enabled: bool,
}

/// Reads a unit file, or one that adds to it, over what is known.
pub fn read_unit(unit: &mut UnitFile, text: &str) {
    let mut section = String::new();
    let mut whole = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\') {
            whole.push_str(begun);
            whole.push(' ');
            continue;
        }
        whole.push_str(line);
        let line = std::mem::take(&mut whole);
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let some = (!value.is_empty()).then(|| value.to_owned());
        match (section.as_str(), key.trim()) {
            ("Unit", "Description") => unit.description = some,
            ("Service", "Type") => unit.kind = some.map(|kind| kind.to_ascii_lowercase()),
            ("Service", "ExecStart") => {
                // The first counts; an empty line takes back those before.
                unit.program = match (unit.program.take(), program(value)) {
                    (Some(first), Some(_)) => Some(first),
                    (_, now) => now,
                };
            }
            ("Service", "User") => unit.account = some,
            ("Install", "WantedBy" | "RequiredBy" | "Also" | "Alias" | "UpheldBy") => {
                unit.can_be_enabled = true;
            }
            _ => {}
        }
    }
}

/// The program of a command: its first word without the marks in front. What follows may hold
/// passwords and is not looked at.
fn program(command: &str) -> Option<String> {
    let command = command.trim_start_matches(['@', '-', ':', '+', '!', '|']).trim_start();
    let word = match command.chars().next()? {
        quote @ ('"' | '\'') => command.get(1..)?.split(quote).next()?,
        _ => command.split_whitespace().next()?,
    };
    // A program is a path or a name; an assignment before it is none.
    (!word.is_empty() && !word.contains('=')).then(|| word.to_owned())
}

/// A text of a unit for one instance; nothing where something of it cannot be told.
pub fn for_instance(text: &str, instance: &str) -> Option<String> {
    let text = text.replace("%i", instance).replace("%I", &instance.replace('-', "/"));
    (!text.contains('%')).then_some(text)
}

/// What the head of an init script says of it (LSB): its short description.
pub fn lsb_description(script: &str) -> Option<String> {
    let head = script.split("### BEGIN INIT INFO").nth(1)?.split("### END INIT INFO").next()?;
    head.lines().find_map(|line| {
        let text = line.strip_prefix("# Short-Description:")?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    })
}

/// What an `OpenRC` script says: description, program, account.
pub fn openrc_script(script: &str) -> UnitFile {
    let mut unit = UnitFile::default();
    for (key, value) in assignments(script) {
        let value = default_of(&value).unwrap_or(value);
        // Values that are put together from others only the shell knows.
        if value.is_empty() || value.contains(['$', '`']) {
            continue;
        }
        match key {
            "description" => unit.description = Some(value),
            "command" => unit.program = program(&value),
            "command_user" => {
                unit.account = value.split(':').next().map(unquote);
            }
            _ => {}
        }
    }
    unit
}

/// `/usr/sbin/sshd` of `${SSHD_BINARY:-"/usr/sbin/sshd"}`: administrators hardly ever set it.
fn default_of(value: &str) -> Option<String> {
    let (_, default) = value.strip_prefix("${")?.strip_suffix('}')?.split_once(":-")?;
    Some(unquote(default))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(text: &str) -> UnitFile {
        let mut unit = UnitFile::default();
        read_unit(&mut unit, text);
        unit
    }

    #[test]
    fn arguments_are_never_told() {
        let text = "[Unit]\nDescription=A database\n[Service]\n# ExecStart=/bin/no\nType=Notify\n\
            User=db\nExecStart=-@/usr/sbin/dbd dbd --password=secret \\\n  --more secret\n\
            ExecStart=/bin/second\n[Install]\nWantedBy=multi-user.target\n";
        let found = unit(text);
        assert_eq!(found.program.as_deref(), Some("/usr/sbin/dbd"));
        assert_eq!(found.kind.as_deref(), Some("notify"));
        assert_eq!(found.account.as_deref(), Some("db"));
        assert!(found.can_be_enabled);
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn additions_take_the_place_of_what_they_add_to() {
        let mut found = unit("[Service]\nExecStart=/usr/bin/dockerd -H fd://\n");
        read_unit(&mut found, "[Service]\nExecStart=\nExecStart=\"/opt/my docker\" x\nUser=\n");
        assert_eq!(found.program.as_deref(), Some("/opt/my docker"));
        assert_eq!(found.account, None);
    }

    #[test]
    fn instances() {
        assert_eq!(for_instance("Getty on %I", "tty1").as_deref(), Some("Getty on tty1"));
        assert_eq!(for_instance("Cluster %i of %p", "15-main"), None);
    }

    #[test]
    fn heads_of_scripts() {
        let text = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: x\n# Short-Description: Start x\n\
            ### END INIT INFO\n";
        assert_eq!(lsb_description(text).as_deref(), Some("Start x"));
        let script = "#!/sbin/openrc-run\ndescription=\"OpenBSD server\"\n\
            command=\"${SSHD_BINARY:-\"/usr/sbin/sshd\"}\"\ncommand_user=\"sshd:sshd\"\npidfile=\"$X\"\n";
        let found = openrc_script(script);
        assert_eq!(found.program.as_deref(), Some("/usr/sbin/sshd"));
        assert_eq!(found.account.as_deref(), Some("sshd"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\[Service\\]\n|ExecStart=\\PC{0,9}\n|\\PC|\n|\\\\\n)*") {
            let _ = unit(&text);
            let _ = for_instance(&text, &text);
            let _ = lsb_description(&text);
            let _ = openrc_script(&text);
        }
    }
}
