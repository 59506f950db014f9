//! Files of settings in sections, and addresses in them.

use std::collections::BTreeMap;

use crate::source::text::clip;

/// Settings by section and name.
#[derive(Debug, Default)]
pub struct Settings(BTreeMap<String, BTreeMap<String, String>>);

impl Settings {
    /// Reads `[section]` and `name = value`; the first value of a name counts no more than later
    /// ones, as the programs do it.
    pub fn parse(text: &str) -> Self {
        let mut settings = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.trim().to_ascii_lowercase();
            } else if let Some((name, value)) = line.split_once('=') {
                let name = name.trim().to_ascii_lowercase();
                let of = settings.0.entry(section.clone()).or_default();
                of.insert(name, clip(value.as_bytes()));
            }
        }
        settings
    }

    /// Names of the sections.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A value that is not empty.
    pub fn get(&self, section: &str, name: &str) -> Option<&str> {
        self.0.get(section)?.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The value behind one of these names, written in any of the usual ways: `name = value`,
/// `name: value`, `name "value"`.
pub fn value(text: &str, names: &[&str]) -> Option<String> {
    text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])).find_map(|line| {
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        if !rest.starts_with(['=', ':', ' ', '\t']) {
            return None;
        }
        let value = rest.trim_start_matches([' ', '\t', '=', ':']).trim();
        let value = value.trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| clip(value.as_bytes()))
    })
}

/// The first address of a list, without a name and password in it, and without what follows the
/// name of the computer.
pub fn server(value: &str) -> Option<String> {
    let first = value.split([',', ' ', ';']).next()?.trim_matches(['"', '\'', '[', ']', '/']);
    let rest = first.split_once("://").map_or(first, |(_, rest)| rest);
    // Whatever stands before an `@` lets one in, and it may hold a slash.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let name = rest.split(['/', '?', '#']).next()?;
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_[]".contains(&byte));
    plain.then(|| name.to_owned())
}

/// Whether a line that is no comment runs `ansible-pull`.
pub fn runs_ansible_pull(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        !line.starts_with('#')
            && line.split([' ', '\t', '=', ';', '/']).any(|word| word == "ansible-pull")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_without_passwords() {
        let cases = [
            ("puppet.example.org", Some("puppet.example.org")),
            ("https://landscape.example.org/message-system", Some("landscape.example.org")),
            ("https://key:sec/ret@chef.example.org/organizations/x", Some("chef.example.org")),
            ("ldaps://a.example.org, ldaps://b.example.org", Some("a.example.org")),
            ("", None),
            ("$(hostname)", None),
        ];
        for (value, told) in cases {
            assert_eq!(server(value).as_deref(), told, "{value}");
        }
    }

    #[test]
    fn values_in_all_ways() {
        let text =
            "# master: no\nmasters: 1\nmaster: salt.example.org\nchef_server_url  'https://x'\n";
        assert_eq!(value(text, &["master"]).as_deref(), Some("salt.example.org"));
        assert_eq!(value(text, &["chef_server_url"]).as_deref(), Some("https://x"));
        assert!(runs_ansible_pull("*/15 * * * * root /usr/bin/ansible-pull -U https://x\n"));
        assert!(!runs_ansible_pull("# ansible-pull\nexec ansible-pull-wrapper\n"));
    }

    proptest! {
        #[test]
        fn no_password_gets_through(password in "SECRET[a-z/?#:@%]{0,9}", host in "[a-z]{1,9}") {
            let told = server(&format!("https://anna:{password}@{host}/path"));
            prop_assert!(!told.unwrap_or_default().contains("SECRET"));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(\\[\\PC{0,5}\\]\n|a = \\PC{0,9}\n|\\PC|\n)*") {
            let _ = Settings::parse(&text);
            let _ = value(&text, &["a"]);
            let _ = server(&text);
            let _ = runs_ansible_pull(&text);
        }
    }
}
