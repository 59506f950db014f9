//! Init scripts of System V, where nothing newer stands for them.

use std::collections::BTreeSet;

use rollcall_shared::section::Service;
use rollcall_shared::section::service::{ServiceStart, ServiceState};

use super::parse::lsb_description;
use crate::host::Host;
use crate::source::text::clip;

const FOLDERS: &[&str] = &["/etc/init.d", "/etc/rc.d/init.d"];
/// Files between the scripts that are none.
const NO_SCRIPTS: &[&str] =
    &["README", "skeleton", "functions", "rc", "rcS", "killall", "halt", "single", "reboot"];

/// Scripts, but for those that a unit of the same name stands for.
pub(super) fn services(host: &Host, known: &[String]) -> Vec<Service> {
    let known: BTreeSet<&str> = known.iter().filter_map(|it| it.strip_suffix(".service")).collect();
    let scripts = host.keep("init scripts", scripts);
    let is_left = |service: &&Service| {
        let name = service.name.as_str();
        !known.contains(name) && !known.contains(name.strip_suffix(".sh").unwrap_or(name))
    };
    let with_state = |service: &Service| Service {
        state: runs(host, &service.name).then_some(ServiceState::Running),
        ..service.clone()
    };
    scripts.iter().filter(is_left).map(with_state).collect()
}

/// What the scripts say, which holds as long as none of them changes.
fn scripts(host: &Host) -> Vec<Service> {
    let Some((folder, names)) =
        FOLDERS.iter().find_map(|folder| Some((folder, host.list(folder).ok()?)))
    else {
        return Vec::new();
    };
    let automatic = automatic(host);
    let is_script = |name: &&String| {
        !NO_SCRIPTS.contains(&name.as_str()) && !name.contains(".dpkg-") && !name.contains(".rpm")
    };
    let names = names.iter().filter(is_script);
    names
        .filter_map(|name| {
            let text = host.read_text(&format!("{folder}/{name}")).ok()?;
            if !text.starts_with("#!") {
                return None;
            }
            let start = if automatic.contains(name.as_str()) {
                ServiceStart::Automatic
            } else {
                ServiceStart::Manual
            };
            Some(Service {
                name: clip(name.as_bytes()),
                description: lsb_description(&text).map(|text| clip(text.as_bytes())),
                start: Some(start),
                state: None,
                path: None,
                account: None,
                manager: Some("sysvinit".to_owned()),
            })
        })
        .collect()
}

/// Names behind the links `S20name` of the run levels.
fn automatic(host: &Host) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for level in ["S", "2", "3", "4", "5"] {
        for folder in [format!("/etc/rc{level}.d"), format!("/etc/rc.d/rc{level}.d")] {
            for link in host.list(&folder).unwrap_or_default() {
                let name = link.strip_prefix('S').map(|rest| {
                    rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).to_owned()
                });
                names.extend(name);
            }
        }
    }
    names
}

/// Whether the process whose number a script left is there. Without such a file nothing is known.
fn runs(host: &Host, name: &str) -> bool {
    let files = [format!("/run/{name}.pid"), format!("/run/{name}/{name}.pid")];
    files.iter().any(|file| {
        host.value(file)
            .and_then(|text| text.parse::<u32>().ok())
            .is_some_and(|id| host.exists(&format!("/proc/{id}")))
    })
}
