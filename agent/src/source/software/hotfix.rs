//! Updates of Windows itself that are installed, from the list of its parts.

use rollcall_shared::section::software::SoftwareScope;
use rollcall_shared::section::{Section, Software};

use super::keep;
use crate::host::{Host, HostError};
use crate::order;
use crate::registry::{Key, moment};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where Windows keeps the list of its parts.
pub(crate) const PACKAGES: &str =
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages";
/// `CurrentState` of a package that is installed; one that a newer took the place of has another.
const INSTALLED: u64 = 0x70;

/// The declaration.
pub const HOTFIX: Source = Source {
    name: "hotfix",
    section: "software",
    about: "Updates of Windows that are installed, from the registry (Component Based Servicing)",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let names = match host.registry(PACKAGES) {
        Ok(key) => key.keys,
        Err(HostError::NotFound { .. }) => return Gathered::nothing(),
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows = Vec::new();
    for name in names {
        if let Some(row) = update(&name)
            && let Ok(key) = host.registry(&format!(r"{PACKAGES}\{name}"))
            && is_installed(&key)
        {
            keep(&mut rows, Software { installed_at: installed_at(&key), ..row });
        }
    }
    order::sort(&mut rows, |a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Gathered::of(Section::Software(rows))
}

/// `Package_for_KB5012170~31bf3856ad364e35~amd64~~19041.1880.1.1`: what it is, who signed it, for
/// which processor, for which language, and its version.
fn update(package: &str) -> Option<Software> {
    let parts: Vec<&str> = package.strip_prefix("Package_for_")?.split('~').collect();
    let [title, _, architecture, _, version] = parts.as_slice() else { return None };
    let kind = title.split('_').next().unwrap_or(title);
    let name = match kind {
        "RollupFix" => "Cumulative update for Windows",
        "DotNetRollup" => "Cumulative update for .NET Framework",
        "ServicingStack" => "Servicing stack update",
        number if is_number(number) => number,
        _ => return None,
    };
    Some(Software {
        source: "hotfix".to_owned(),
        name: name.to_owned(),
        version: (*version).to_owned(),
        architecture: Some((*architecture).to_owned()).filter(|text| !text.is_empty()),
        publisher: Some("Microsoft Corporation".to_owned()),
        scope: Some(SoftwareScope::Machine),
        ..Software::default()
    })
}

/// `KB5012170`
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix("KB").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the package in this key is there.
pub(crate) fn is_installed(package: &Key) -> bool {
    package.number("CurrentState") == Some(INSTALLED)
}

/// When it was installed.
pub(crate) fn installed_at(package: &Key) -> Option<rollcall_shared::Timestamp> {
    moment(package.number("InstallTimeHigh")?, package.number("InstallTimeLow")?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packages_of_updates_are_told_from_their_parts() {
        let told =
            |package: &str| update(package).map(|row| format!("{} {}", row.name, row.version));
        assert_eq!(
            told("Package_for_KB5012170~31bf3856ad364e35~amd64~~19041.1880.1.1").as_deref(),
            Some("KB5012170 19041.1880.1.1")
        );
        assert_eq!(
            told("Package_for_DotNetRollup_481~31bf3856ad364e35~amd64~~10.0.9277.3").as_deref(),
            Some("Cumulative update for .NET Framework 10.0.9277.3")
        );
        for other in [
            "Package_1_for_KB5012170~31bf3856ad364e35~amd64~~19041.1880.1.1",
            "Microsoft-Windows-LanguageFeatures-Basic-de-de-Package~31bf3856ad364e35~amd64~~10.0.1.1",
            "Package_for_Something~31bf3856ad364e35~amd64~~1.0",
            "Package_for_KB~x",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name in "Package_for_(KB)?\\PC{0,9}(~\\PC{0,5}){0,5}") {
            let _ = update(&name);
        }
    }
}
