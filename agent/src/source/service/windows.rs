//! Services of Windows, as its service control manager keeps them in the registry.

use rollcall_shared::section::service::ServiceStart;
use rollcall_shared::section::{Section, Service};

use crate::host::Host;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
/// A program of its own, or one shared with other services; everything else is a driver.
const PROGRAMS: u64 = 0x10 | 0x20;
/// A template from which every sign-in gets services of its own, and those.
const OF_A_USER: u64 = 0x40 | 0x80;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "service_control",
    section: "service",
    about: r"Services from the registry (CurrentControlSet\Services); whether they run is not asked",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let keys = match host.registry_below(SERVICES) {
        Ok(keys) => keys,
        Err(error) => return Gathered::absent(error.into()),
    };
    let service = |(name, key): (String, Key)| {
        let parameters = || host.registry(&format!("{SERVICES}\\{name}\\Parameters")).ok();
        service(&name, &key, || parameters()?.text("ServiceDll"))
    };
    Gathered::of(Section::Service(keys.into_iter().filter_map(service).collect()))
}

fn service(name: &str, key: &Key, library: impl Fn() -> Option<String>) -> Option<Service> {
    let kind = key.number("Type")?;
    if kind & PROGRAMS == 0 || kind & OF_A_USER != 0 {
        return None;
    }
    let path = key.text("ImagePath").and_then(|line| program(&line));
    let shared = path.as_ref().is_some_and(|path| {
        path.rsplit('\\').next().is_some_and(|file| file.eq_ignore_ascii_case("svchost.exe"))
    });
    let own_library = if shared { key.text("ServiceDll").or_else(library) } else { None };
    Some(Service {
        name: name.to_owned(),
        // A name in the words of a library would have to be looked up there.
        description: key.text("DisplayName").filter(|text| !text.starts_with('@')),
        start: match key.number("Start")? {
            0..=2 => Some(ServiceStart::Automatic),
            3 if key.keys.iter().any(|below| below == "TriggerInfo") => {
                Some(ServiceStart::OnDemand)
            }
            3 => Some(ServiceStart::Manual),
            4 => Some(ServiceStart::Disabled),
            other => Some(ServiceStart::Other(other.to_string())),
        },
        state: None,
        path: own_library.or(path),
        account: key.text("ObjectName"),
        manager: Some("scm".to_owned()),
    })
}

/// The program of a command line, without its arguments, which may hold secrets.
pub(crate) fn program(line: &str) -> Option<String> {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix('"') {
        let (path, _) = rest.split_once('"')?;
        return Some(path.to_owned());
    }
    // Without quotation marks a space may be part of the path: the first ending counts.
    let lower = line.to_ascii_lowercase();
    let end = lower.find(".exe").map(|at| at + ".exe".len());
    let end = end.or_else(|| line.find(' ')).unwrap_or(line.len());
    let path = line.get(..end)?;
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_never_part_of_a_path() {
        for (line, path) in [
            (r#""C:\Program Files\A B\a.exe" --password hunter2"#, r"C:\Program Files\A B\a.exe"),
            (r"C:\Program Files\A B\a.EXE -k secret", r"C:\Program Files\A B\a.EXE"),
            (r"C:\windows\system32\svchost.exe -k netsvcs", r"C:\windows\system32\svchost.exe"),
            (r"%SystemRoot%\x secret", r"%SystemRoot%\x"),
        ] {
            assert_eq!(program(line).as_deref(), Some(path));
        }
        assert_eq!(program(""), None);
        assert_eq!(program("\"never closed"), None);
    }
}
