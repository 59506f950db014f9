//! What every page has around its content: who looks, in which theme, where in the navigation.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use rollcall_shared::Timestamp;
use rollcall_shared::api::account::Role;

use super::asset;

/// The frame of a page.
#[derive(Debug, Clone)]
pub(super) struct Shell {
    /// Sign-in name of whoever looks; `None` before signing in.
    pub(super) viewer: Option<Viewer>,
    /// The theme asked for.
    pub(super) theme: Theme,
    /// Key of the navigation entry that is current, e.g. `devices`.
    pub(super) section: &'static str,
    /// What stands in the search box.
    pub(super) query: String,
    /// The address of this page, for coming back to it.
    pub(super) here: String,
    /// The present, for relative times.
    pub(super) now: Timestamp,
    /// Where the assets are.
    pub(super) assets: String,
}

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Viewer {
    /// Sign-in name.
    pub(super) name: String,
    /// What the person may do.
    pub(super) role: Role,
    /// The person sees a part of the fleet only.
    pub(super) limited: bool,
}

impl Viewer {
    /// The role for people.
    pub(super) fn role_name(&self) -> &'static str {
        match self.role {
            Role::Helpdesk => "Helpdesk",
            Role::Auditor => "Auditor",
            Role::It => "IT",
            Role::Admin => "Administrator",
        }
    }
}

/// Light, dark, or as the system wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Theme {
    /// As the system wants.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// The word in the cookie and in the page.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads the word; anything else is the system's.
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The theme of a request's cookie.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let found = cookies
            .flat_map(|line| line.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(COOKIE_PREFIX));
        found.map_or(Self::System, Self::from_word)
    }
}

const COOKIE_PREFIX: &str = "rollcall_theme=";

/// One entry of the navigation.
pub(super) struct NavEntry {
    pub(super) key: &'static str,
    pub(super) href: &'static str,
    pub(super) label: &'static str,
}

const NAV: &[(NavEntry, Role)] = &[
    (NavEntry { key: "home", href: "/", label: "Home" }, Role::Helpdesk),
    (NavEntry { key: "devices", href: "/devices", label: "Devices" }, Role::Helpdesk),
    (NavEntry { key: "software", href: "/software", label: "Software" }, Role::Helpdesk),
    (NavEntry { key: "findings", href: "/findings", label: "Findings" }, Role::Helpdesk),
    (NavEntry { key: "enroll", href: "/enroll", label: "Enrol" }, Role::It),
    (NavEntry { key: "exports", href: "/exports", label: "Exports" }, Role::Auditor),
];

impl Shell {
    /// The frame for somebody signed in.
    pub(super) fn new(viewer: Viewer, headers: &HeaderMap, here: &str, now: Timestamp) -> Self {
        Self { viewer: Some(viewer), ..Self::signed_out(headers, here, now) }
    }

    /// The frame for nobody in particular.
    pub(super) fn signed_out(headers: &HeaderMap, here: &str, now: Timestamp) -> Self {
        Self {
            viewer: None,
            theme: Theme::of(headers),
            section: "",
            query: String::new(),
            here: here.to_owned(),
            now,
            assets: asset::base(),
        }
    }

    /// The same frame in this part of the navigation.
    #[must_use]
    pub(super) fn at(mut self, section: &'static str) -> Self {
        self.section = section;
        self
    }

    /// The entries this viewer may open.
    pub(super) fn nav(&self) -> impl Iterator<Item = &'static NavEntry> {
        NAV.iter()
            .filter(|(entry, needed)| {
                self.may(*needed) || (entry.key == "exports" && self.may(Role::It))
            })
            .map(|(entry, _)| entry)
    }

    /// Whether the viewer may do what needs this role.
    pub(super) fn may(&self, needed: Role) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.role.includes(needed))
    }

    /// The version of this program.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub(super) fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Whether the viewer reads the audit log.
    pub(super) fn is_auditor(&self) -> bool {
        self.may(Role::Auditor)
    }

    /// Whether the viewer looks after accounts.
    pub(super) fn is_admin(&self) -> bool {
        self.may(Role::Admin)
    }

    /// Whether the viewer sees the whole fleet.
    pub(super) fn is_whole(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| !viewer.limited)
    }

    /// Whether the viewer looks after devices.
    pub(super) fn is_it(&self) -> bool {
        self.may(Role::It)
    }
}

/// A path on this collector to go back to; anything else is the first page.
pub(super) fn local_path(path: &str) -> &str {
    let plain = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    if plain { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_comes_from_the_cookie() {
        let mut headers = HeaderMap::new();
        assert_eq!(Theme::of(&headers), Theme::System);
        headers.insert(COOKIE, "a=b; rollcall_theme=dark; c=d".parse().unwrap());
        assert_eq!(Theme::of(&headers), Theme::Dark);
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for hostile in
            ["//evil.example", "https://evil.example", "/\\evil", "", "/a\nb", "javascript:x"]
        {
            assert_eq!(local_path(hostile), "/", "{hostile:?}");
        }
        assert_eq!(local_path("/devices?q=a#b"), "/devices?q=a#b");
    }
}
