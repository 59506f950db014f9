//! Services of a Mac: what others than Apple gave to launchd to start for the whole computer.
//!
//! A program is told by its path alone: arguments and environments hold passwords.

use rollcall_shared::section::service::ServiceStart;
use rollcall_shared::section::{Section, Service};
use rollcall_shared::{Note, NoteKind};

use crate::host::{Host, HostError};
use crate::order;
use crate::plist::Value;
use crate::source::text::{clip, has_ending};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Folders, and whether what lies there is started once for each person who signs in.
const FOLDERS: &[(&str, bool)] = &[(DAEMONS, false), ("/Library/LaunchAgents", true)];
/// What is started for the computer itself.
const DAEMONS: &str = "/Library/LaunchDaemons";
/// What the administrator switched on and off, which counts more than what the services say.
const SWITCHES: &str = "/private/var/db/com.apple.xpc.launchd/disabled.plist";
const SERVICES_LIMIT: usize = 5_000;

/// The declaration.
pub const MACOS: Source = Source {
    name: "launchd",
    section: "service",
    about: "Services from /Library/LaunchDaemons and /Library/LaunchAgents, switched off by launchd's disabled.plist; those of Apple itself and whether they run are not told",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let switches = host.property_list(SWITCHES).unwrap_or_else(|error| {
        // A new system has none.
        if !error.is_not_found() {
            notes.push(error.into());
        }
        Value::Other
    });
    let (mut rows, mut damaged) = (Vec::new(), 0_usize);
    for (folder, of_person) in FOLDERS {
        let names = match host.list(folder) {
            Ok(names) => names,
            Err(error) => {
                if !error.is_not_found() {
                    notes.push(error.into());
                }
                continue;
            }
        };
        for name in names.iter().filter(|name| has_ending(name, "plist")).take(SERVICES_LIMIT) {
            match host.property_list(&format!("{folder}/{name}")) {
                Ok(list) => rows.push(service(name, &list, &switches, *of_person)),
                Err(_) => damaged += 1,
            }
        }
    }
    if damaged > 0 {
        let why = format!("{damaged} files of services could not be read");
        notes.push(Note::new(NoteKind::Failed).with_detail(why));
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::Service(rows)), notes }
}

fn service(file: &str, list: &Value, switches: &Value, of_person: bool) -> Service {
    let label = list.text("Label");
    let label = label.unwrap_or_else(|| file.trim_end_matches(".plist").to_owned());
    let path = list
        .text("Program")
        .or_else(|| Some(list.list("ProgramArguments").first()?.as_text()?.to_owned()));
    let off = switches.flag(&label).unwrap_or(list.flag("Disabled") == Some(true));
    // A dictionary says on what it is kept alive.
    let kept = list.flag("KeepAlive") == Some(true)
        || matches!(list.get("KeepAlive"), Some(Value::Dictionary(_)));
    let start = if off {
        ServiceStart::Disabled
    } else if kept || list.flag("RunAtLoad") == Some(true) {
        ServiceStart::Automatic
    } else {
        ServiceStart::OnDemand
    };
    Service {
        name: clip(label.as_bytes()),
        description: None,
        start: Some(start),
        state: None,
        path: path.map(|path| clip(path.as_bytes())),
        account: list.text("UserName").filter(|_| !of_person).map(|name| clip(name.as_bytes())),
        manager: Some(if of_person { "launchd for each person" } else { "launchd" }.to_owned()),
    }
}

/// Whether a service of the system was switched on or off by hand; nothing where nobody did.
pub(crate) fn is_switched_on(host: &Host, label: &str) -> Result<Option<bool>, HostError> {
    match host.property_list(SWITCHES) {
        Ok(list) => Ok(list.flag(label).map(|off| !off)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether launchd starts the service of this file with the computer.
pub(crate) fn starts_with_computer(host: &Host, file: &str) -> Option<bool> {
    let list = host.property_list(&format!("{DAEMONS}/{file}")).ok()?;
    let switches = host.property_list(SWITCHES).unwrap_or(Value::Other);
    Some(service(file, &list, &switches, false).start == Some(ServiceStart::Automatic))
}

/// Files of services for the computer.
pub(crate) fn daemons(host: &Host) -> Vec<String> {
    host.list(DAEMONS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(keys: &str, switches: &str) -> Service {
        let list = |keys: &str| {
            Value::read(format!("<plist><dict>{keys}</dict></plist>").as_bytes()).unwrap()
        };
        service("org.example.plist", &list(keys), &list(switches), false)
    }

    #[test]
    fn what_starts_a_service() {
        let starts = |keys: &str, switches: &str| told(keys, switches).start.unwrap();
        let at_load = "<key>RunAtLoad</key><true/>";
        let disabled = "<key>Disabled</key><true/>";
        let on = "<key>org.example</key><false/>";
        let off = "<key>org.example</key><true/>";
        assert_eq!(starts(at_load, ""), ServiceStart::Automatic);
        assert_eq!(starts("<key>KeepAlive</key><dict/>", ""), ServiceStart::Automatic);
        assert_eq!(starts("<key>KeepAlive</key><false/>", ""), ServiceStart::OnDemand);
        assert_eq!(starts(&format!("{at_load}{disabled}"), ""), ServiceStart::Disabled);
        assert_eq!(starts(&format!("{at_load}{disabled}"), on), ServiceStart::Automatic);
        assert_eq!(starts(at_load, off), ServiceStart::Disabled);
    }

    #[test]
    fn arguments_are_never_told() {
        let keys = "<key>ProgramArguments</key><array><string>/opt/x/agent</string>\
            <string>--token=never-to-be-told</string></array><key>EnvironmentVariables</key>\
            <dict><key>TOKEN</key><string>never-to-be-told</string></dict>";
        let found = told(keys, "");
        assert_eq!(found.path.as_deref(), Some("/opt/x/agent"));
        assert!(!format!("{found:?}").contains("never-to-be-told"));
    }
}
