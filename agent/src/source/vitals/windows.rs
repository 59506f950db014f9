//! Where a Windows system keeps the numbers that move.

use rollcall_shared::report::{Reboot, Session, Vitals};

use super::system_calls::start_and_memory;
use crate::host::Host;
use crate::order;
use crate::source::battery::charges_by_drivers;
use crate::source::volume::drive_spaces;

const RESTART_FOR_UPDATES: &str =
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired";
const RESTART_FOR_PARTS: &str =
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending";
const NAMES: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName";

/// Looks at the numbers that move. What cannot be read is left out.
pub(super) fn vitals(host: &Host) -> Vitals {
    let (booted_at, memory_available_bytes) = start_and_memory(host);
    Vitals {
        booted_at,
        volumes: drive_spaces(host),
        memory_available_bytes,
        batteries: charges_by_drivers(host),
        sessions: sessions(host),
        reboot: Some(reboot(host)),
        ..Vitals::default()
    }
}

/// Who is signed in: everybody's part of the registry that is in use has the names that hold for
/// this sign-in alone.
fn sessions(host: &Host) -> Vec<Session> {
    let people = host.registry("HKU").map(|users| users.keys).unwrap_or_default();
    let people = people.iter().filter(|id| id.starts_with("S-1-") && !id.ends_with("_Classes"));
    let mut sessions = Vec::new();
    for id in people {
        let path = format!(r"HKU\{id}\Volatile Environment");
        let Ok(names) = host.registry(&path) else { continue };
        let Some(name) = names.text("USERNAME") else { continue };
        let user = match names.text("USERDOMAIN") {
            Some(domain) => format!(r"{domain}\{name}"),
            None => name,
        };
        // One key for each session of this person, named by its number.
        for (_, session) in host.registry_below(&path).unwrap_or_default() {
            let terminal = session.text("SESSIONNAME");
            sessions.push(Session {
                user: user.clone(),
                // The name is that of the computer somebody sits at.
                remote_host: session
                    .text("CLIENTNAME")
                    .filter(|_| terminal.as_deref() != Some("Console")),
                terminal,
                since: None,
            });
        }
    }
    order::sort(&mut sessions, |a, b| (&a.user, &a.terminal).cmp(&(&b.user, &b.terminal)));
    sessions
}

fn reboot(host: &Host) -> Reboot {
    let is_there = |path: &str| host.registry(path).is_ok();
    let name = |which: &str| host.registry(&format!(r"{NAMES}\{which}")).ok()?.text("ComputerName");
    let mut reasons = Vec::new();
    if is_there(RESTART_FOR_UPDATES) {
        reasons.push("Windows Update".to_owned());
    }
    if is_there(RESTART_FOR_PARTS) {
        reasons.push("parts of Windows were changed".to_owned());
    }
    if let (Some(is), Some(will_be)) = (name("ActiveComputerName"), name("ComputerName"))
        && !is.eq_ignore_ascii_case(&will_be)
    {
        reasons.push(format!("the computer gets the name {will_be}"));
    }
    Reboot { pending: !reasons.is_empty(), reasons }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> Vitals {
        let root = format!("{}/../tests/fixtures/host/{system}", env!("CARGO_MANIFEST_DIR"));
        vitals(&Host::at(root))
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("windows-11-laptop", told("windows-11-laptop"));
        insta::assert_debug_snapshot!("windows-server-2019", told("windows-server-2019"));
    }
}
