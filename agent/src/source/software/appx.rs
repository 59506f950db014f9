//! Apps from the Store and those that Windows brings along, as its registry lists them: for
//! everybody, and for each account that has them.

use std::collections::BTreeSet;

use rollcall_shared::Note;
use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};

use super::keep;
use crate::host::{Host, HostError};
use crate::order;
use crate::source::text::some;
use crate::source::{Gathered, Platform, Privilege, Source};

const STORE: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Appx\AppxAllUserStore";

/// The declaration.
pub const APPX: Source = Source {
    name: "appx",
    section: "software",
    about: "Apps from the Store and those that came with Windows, from the registry (AppxAllUserStore); whose they are is not told",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// An app as its full name tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct App {
    name: String,
    version: String,
    /// `x64`, `neutral`, …
    architecture: String,
    publisher_id: String,
    /// A bundle stands for packages of several architectures and languages.
    bundle: bool,
}

fn gather(host: &Host) -> Gathered {
    let store = match host.registry(STORE) {
        Ok(store) => store,
        // Editions without apps have none.
        Err(HostError::NotFound { .. }) => return Gathered::nothing(),
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut notes = Vec::new();
    let mut apps = |key: &str| match host.registry(&format!(r"{STORE}\{key}")) {
        Ok(key) => key.keys.iter().filter_map(|name| app(name)).collect(),
        Err(HostError::NotFound { .. }) => BTreeSet::new(),
        Err(error) => {
            notes.push(Note::from(error));
            BTreeSet::new()
        }
    };
    let of_all = apps("Applications");
    let people = store.keys.iter().filter(|key| key.starts_with("S-1-"));
    let of_people: BTreeSet<App> = people.flat_map(|key| apps(key)).collect();
    let mut rows = Vec::new();
    for (apps, scope) in [(&of_all, SoftwareScope::Machine), (&of_people, SoftwareScope::User)] {
        for app in apps.iter().filter(|app| is_its_own(app, apps)) {
            if scope == SoftwareScope::Machine || !of_all.contains(app) {
                keep(&mut rows, row(app, &scope));
            }
        }
    }
    order::sort(&mut rows, |a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    rows.dedup();
    Gathered { section: (!rows.is_empty()).then_some(Section::Software(rows)), notes }
}

/// `Microsoft.WindowsCalculator_11.2405.2.0_x64__8wekyb3d8bbwe`: name, version, architecture,
/// part of a bundle, and a number made of the maker's name.
fn app(full_name: &str) -> Option<App> {
    let parts: Vec<&str> = full_name.split('_').collect();
    let [name, version, architecture, part, publisher_id] = parts.as_slice() else { return None };
    // Parts of a bundle for one language or one size of pictures are no apps.
    let bundle = match *part {
        "" | "neutral" => false,
        "~" => true,
        _ => return None,
    };
    let text = |text: &str| some(text.as_bytes());
    Some(App {
        name: text(name)?,
        version: text(version)?,
        architecture: text(architecture)?,
        publisher_id: text(publisher_id)?,
        bundle,
    })
}

/// A bundle is left out where its package for this computer is listed as well.
fn is_its_own(app: &App, all: &BTreeSet<App>) -> bool {
    !app.bundle
        || !all.iter().any(|other| {
            !other.bundle && other.name == app.name && other.publisher_id == app.publisher_id
        })
}

fn row(app: &App, scope: &SoftwareScope) -> Software {
    /// Numbers of Microsoft's own apps, those of Windows, and those of its partners' Store.
    const MICROSOFT: [&str; 2] = ["8wekyb3d8bbwe", "cw5n1h2txyewy"];
    Software {
        source: "appx".to_owned(),
        name: app.name.clone(),
        version: app.version.clone(),
        architecture: Some(app.architecture.clone()),
        publisher: MICROSOFT
            .contains(&app.publisher_id.as_str())
            .then(|| "Microsoft Corporation".to_owned()),
        scope: Some(scope.clone()),
        ..Software::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_name_tells_all() {
        let told = app("Microsoft.WindowsCalculator_11.2405.2.0_x64__8wekyb3d8bbwe").unwrap();
        assert_eq!(told.name, "Microsoft.WindowsCalculator");
        assert_eq!((told.version.as_str(), told.architecture.as_str()), ("11.2405.2.0", "x64"));
        assert!(app("SpotifyAB.SpotifyMusic_1.250.0.0_neutral_~_zpdnekdrzrea0").unwrap().bundle);
        for other in ["Some.App_1.0_neutral_split.scale-100_8wekyb3d8bbwe", "nothing", ""] {
            assert_eq!(app(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name in "(\\PC{0,5}_){0,6}\\PC{0,5}") {
            let _ = app(&name);
        }
    }
}
