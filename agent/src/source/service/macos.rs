//! Services of a Mac: what launchd starts for the whole computer, and what others than Apple gave it
//! to start for each person.
//!
//! A program is told by its path alone: arguments and environments hold passwords. Whether a service
//! runs is seen by its program.

use std::collections::BTreeMap;
use std::io::Read as _;

use rollcall_shared::section::service::{ServiceStart, ServiceState};
use rollcall_shared::section::{Section, Service};
use rollcall_shared::{Note, NoteKind};

use crate::host::{Host, HostError};
use crate::order;
use crate::plist::Value;
use crate::source::processes::Processes;
use crate::source::text::{clip, has_ending};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Folders, and whether what lies there is started once for each person who signs in.
const FOLDERS: &[(&str, bool)] =
    &[(OF_APPLE, false), (DAEMONS, false), ("/Library/LaunchAgents", true)];
/// What is part of the system, and changes only with it.
const OF_APPLE: &str = "/System/Library/LaunchDaemons";
/// What is started for the computer itself.
const DAEMONS: &str = "/Library/LaunchDaemons";
/// What the administrator switched on and off, which counts more than what the services say.
const SWITCHES: &str = "/private/var/db/com.apple.xpc.launchd/disabled.plist";
const SERVICES_LIMIT: usize = 5_000;
/// Folders of programs that are there for everything, so that one that runs tells of no service.
const FOR_EVERYTHING: &[&str] = &["/bin/", "/usr/bin/"];
/// What makes a service come and go by itself.
const PASSING: &[&str] =
    &["StartInterval", "StartCalendarInterval", "WatchPaths", "QueueDirectories", "StartOnMount"];

/// The declaration.
pub const MACOS: Source = Source {
    name: "launchd",
    section: "service",
    about: "Services from LaunchDaemons of the system and of others and from /Library/LaunchAgents, switched off by launchd's disabled.plist; whether those that are to run do so, by the programs that run",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// A service as its file tells it.
struct Told {
    row: Service,
    /// It is started again whenever it ends.
    kept: bool,
    /// It is to run from the start of the system on.
    stays: bool,
}

fn gather(host: &Host) -> Gathered {
    let told = host.keep("services of launchd", told);
    let processes = Processes::of(host);
    let mut programs: BTreeMap<&str, usize> = BTreeMap::new();
    for path in told.0.iter().filter_map(|told| told.row.path.as_deref()) {
        *programs.entry(path).or_default() += 1;
    }
    let row = |told: &Told| {
        let path = told.row.path.as_deref().filter(|_| told.stays);
        // Of several services with one program it is not seen which of them runs.
        let path = path.filter(|path| programs.get(path) == Some(&1));
        let state = path.and_then(|path| state(host, &processes, path, told.kept));
        Service { state, ..told.row.clone() }
    };
    let mut rows: Vec<Service> = told.0.iter().map(row).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::Service(rows)), notes: told.1.clone() }
}

/// Whether a service that is to run does so. One that is not seen has stopped only if it is kept
/// running: others may have done their work.
fn state(host: &Host, processes: &Processes, path: &str, kept: bool) -> Option<ServiceState> {
    if FOR_EVERYTHING.iter().any(|folder| path.starts_with(folder)) {
        return None;
    }
    // The kernel names a program by where it really lies.
    let real = host.real_path(path);
    let places = [Some(path), real.as_deref()];
    let seen: Vec<bool> =
        places.into_iter().flatten().filter_map(|path| processes.run_program(path)).collect();
    if seen.contains(&true) {
        return Some(ServiceState::Running);
    }
    let could_run = kept && !seen.is_empty() && real.is_some_and(|path| !is_script(host, &path));
    could_run.then_some(ServiceState::Stopped)
}

/// A script runs as the program that reads it, under that name.
fn is_script(host: &Host, path: &str) -> bool {
    let mut head = [0; 2];
    let read = host.open(path).map(|mut file| file.read(&mut head).is_ok());
    read.unwrap_or(false) && head == *b"#!"
}

fn told(host: &Host) -> (Vec<Told>, Vec<Note>) {
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
        if *folder == OF_APPLE {
            host.takes_as_whole(folder);
        }
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
    (rows, notes)
}

fn service(file: &str, list: &Value, switches: &Value, of_person: bool) -> Told {
    let label = list.text("Label");
    let label = label.unwrap_or_else(|| file.trim_end_matches(".plist").to_owned());
    let path = list
        .text("Program")
        .or_else(|| Some(list.list("ProgramArguments").first()?.as_text()?.to_owned()));
    let off = switches.flag(&label).unwrap_or(list.flag("Disabled") == Some(true));
    let always = list.flag("KeepAlive") == Some(true);
    // A dictionary says on what it is kept alive.
    let kept = always || matches!(list.get("KeepAlive"), Some(Value::Dictionary(_)));
    let start = if off {
        ServiceStart::Disabled
    } else if kept || list.flag("RunAtLoad") == Some(true) {
        ServiceStart::Automatic
    } else {
        ServiceStart::OnDemand
    };
    let passing = !kept && PASSING.iter().any(|name| list.get(name).is_some());
    Told {
        kept: always,
        stays: !of_person && !passing && start == ServiceStart::Automatic,
        row: Service {
            name: clip(label.as_bytes()),
            description: None,
            start: Some(start),
            state: None,
            path: path.map(|path| clip(path.as_bytes())),
            account: list.text("UserName").filter(|_| !of_person).map(|name| clip(name.as_bytes())),
            manager: Some(if of_person { "launchd for each person" } else { "launchd" }.to_owned()),
        },
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
    Some(service(file, &list, &switches, false).row.start == Some(ServiceStart::Automatic))
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
        service("org.example.plist", &list(keys), &list(switches), false).row
    }

    /// States of the services of these files, with these programs running.
    #[cfg(unix)]
    fn states(files: &[(&str, &str)], running: &[&str]) -> Vec<Option<ServiceState>> {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (name, keys) in files {
            let text = format!("<plist><dict>{keys}</dict></plist>");
            write(&format!("Library/LaunchDaemons/{name}.plist"), &text);
        }
        write("opt/Cellar/agent/1/agent", "\u{7F}program");
        write("opt/script", "#!/bin/sh\n");
        std::os::unix::fs::symlink("Cellar/agent/1", root.path().join("opt/agent")).unwrap();
        let lines: Vec<String> = running.iter().map(|path| format!("7\t{path}")).collect();
        write("call/process_names.txt", "1\tlaunchd\n");
        write("call/process_paths.txt", &lines.join("\n"));
        match gather(&Host::at(root.path())).section {
            Some(Section::Service(rows)) => rows.into_iter().map(|row| row.state).collect(),
            other => panic!("no services: {other:?}"),
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_runs_is_seen_by_its_program() {
        let of = |program: &str, how: &str| {
            format!("<key>Program</key><string>{program}</string><key>{how}</key><true/>")
        };
        let one = |keys: &str, running: &[&str]| states(&[("a", keys)], running).remove(0);
        let (all, real) = ("/sbin/launchd", "/opt/Cellar/agent/1/agent");
        let kept = of("/opt/agent/agent", "KeepAlive");
        assert_eq!(one(&kept, &[all, real]), Some(ServiceState::Running));
        assert_eq!(one(&kept, &[all]), Some(ServiceState::Stopped));
        assert_eq!(one(&kept, &[]), None, "others are hidden");
        assert_eq!(one(&of("/opt/agent/agent", "RunAtLoad"), &[all]), None, "it may be done");
        let runs = one(&of("/opt/agent/agent", "RunAtLoad"), &[all, real]);
        assert_eq!(runs, Some(ServiceState::Running));
        assert_eq!(one(&of("/opt/script", "KeepAlive"), &[all]), None, "a script runs as another");
        assert_eq!(one(&of("/opt/gone", "KeepAlive"), &[all]), None);
        assert_eq!(one(&of("/bin/sh", "KeepAlive"), &[all, "/bin/sh"]), None);
        let hourly =
            format!("{}<key>StartInterval</key><integer>9</integer>", of(real, "RunAtLoad"));
        assert_eq!(one(&hourly, &[all, real]), None, "it comes and goes");
        assert_eq!(states(&[("a", &kept), ("b", &kept)], &[all, real]), [None, None]);
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
