//! Units of systemd: which there are, what switches them on, and what they start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_shared::section::Service;
use rollcall_shared::section::service::{ServiceStart, ServiceState};

use super::parse::{UnitFile, for_instance, read_unit};
use crate::host::Host;
use crate::source::text::{clip, has_ending};

/// Folders of units; what lies in an earlier one hides what lies in a later one.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];
/// Of these folders, those that package managers fill, which put each file there under a name of
/// its own first; what an administrator changes lies in the others.
const PACKAGED: &[&str] = &["/usr/lib/systemd/system", "/lib/systemd/system"];
/// Targets that are reached only on the way down, to sleep, or into trouble.
const NOT_AT_START: &[&str] = &[
    "emergency",
    "exit",
    "factory-reset",
    "halt",
    "hibernate",
    "hybrid-sleep",
    "initrd",
    "kexec",
    "poweroff",
    "reboot",
    "rescue",
    "shutdown",
    "sleep",
    "soft-reboot",
    "storage-target-mode",
    "suspend",
    "system-update",
];
const UNITS_LIMIT: usize = 10_000;

/// One unit that is a service.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Name, e.g. `ssh.service`.
    pub(crate) name: String,
    pub(crate) file: UnitFile,
    pub(crate) start: ServiceStart,
}

impl Unit {
    /// The row of a report; `running` holds the names of services that run.
    pub(crate) fn service(&self, running: Option<&BTreeSet<String>>) -> Service {
        let one_shot = self.file.kind.as_deref() == Some("oneshot");
        let state = running.filter(|_| super::has_state(&self.start) && !one_shot).map(|names| {
            if names.contains(&self.name) { ServiceState::Running } else { ServiceState::Stopped }
        });
        let text = |text: &Option<String>| text.as_ref().map(|text| clip(text.as_bytes()));
        Service {
            name: clip(self.name.as_bytes()),
            description: text(&self.file.description),
            start: Some(self.start.clone()),
            state,
            path: text(&self.file.program),
            account: text(&self.file.account),
            manager: Some("systemd".to_owned()),
        }
    }
}

/// What lies in the folders of units.
#[derive(Default)]
struct Shelf {
    /// Where each unit file lies, the one that counts.
    files: BTreeMap<String, String>,
    /// Where additions to units lie.
    additions: BTreeMap<String, Vec<String>>,
    /// Units that something at the start of the system wants.
    wanted: BTreeSet<String>,
    /// Units that cannot be started.
    masked: BTreeSet<String>,
    /// Other names that stand for units.
    aliases: BTreeMap<String, String>,
}

/// What the files of units say, which holds as long as none of them changes.
#[derive(Debug)]
pub(crate) struct Units {
    /// Every service that can be started, and each instance of a template that is switched on.
    pub(crate) services: Vec<Unit>,
    /// Units that something at the start of the system wants.
    pub(crate) wanted: BTreeSet<String>,
}

/// All units of this computer.
pub(crate) fn units(host: &Host) -> Arc<Units> {
    host.keep("units", |host| {
        let shelf = shelf(host);
        Units { services: services(host, &shelf), wanted: wanted(shelf) }
    })
}

fn services(host: &Host, shelf: &Shelf) -> Vec<Unit> {
    let is_service = |name: &str| name.ends_with(".service");
    let mut names: BTreeSet<&str> = BTreeSet::new();
    names.extend(shelf.files.keys().map(String::as_str));
    names.extend(shelf.masked.iter().map(String::as_str));
    names.extend(shelf.wanted.iter().map(String::as_str).filter(|name| name.contains('@')));
    let names = names.into_iter().filter(|name| is_service(name) && !name.ends_with("@.service"));
    names.take(UNITS_LIMIT).filter_map(|name| unit(host, shelf, name)).collect()
}

fn wanted(mut shelf: Shelf) -> BTreeSet<String> {
    // What is wanted under another name is wanted.
    let aliased: Vec<String> = shelf
        .aliases
        .iter()
        .filter(|(name, _)| shelf.wanted.contains(*name))
        .map(|(_, it)| it.clone())
        .collect();
    shelf.wanted.extend(aliased);
    shelf.wanted
}

fn shelf(host: &Host) -> Shelf {
    let mut shelf = Shelf::default();
    for folder in FOLDERS {
        // One folder under two names is read once.
        if folder.starts_with("/lib/") && host.link("/lib").is_ok() {
            continue;
        }
        let names = host.list(folder).unwrap_or_default();
        if PACKAGED.contains(folder) {
            host.takes_as_whole(folder);
        }
        for name in names {
            place(host, folder, name, &mut shelf);
        }
    }
    shelf
}

fn place(host: &Host, folder: &str, name: String, shelf: &mut Shelf) {
    let path = format!("{folder}/{name}");
    let Some((stem, ending)) = name.rsplit_once('.') else { return };
    match ending {
        "wants" | "requires" | "upholds" => {
            let target = stem.strip_suffix(".target").unwrap_or_default();
            if !NOT_AT_START.contains(&target) && !target.starts_with("initrd-") {
                shelf.wanted.extend(host.list(&path).unwrap_or_default());
            }
        }
        "d" if has_ending(stem, "service") => {
            shelf.additions.entry(stem.to_owned()).or_default().push(path);
        }
        "service" | "socket" | "timer" | "path" => {
            if shelf.files.contains_key(&name)
                || shelf.masked.contains(&name)
                || shelf.aliases.contains_key(&name)
            {
                return;
            }
            match host.link(&path) {
                Ok(target) if target.as_os_str() == "/dev/null" => {
                    shelf.masked.insert(name);
                }
                Ok(target) => {
                    let target = target.file_name().map(|name| name.to_string_lossy().into_owned());
                    match target {
                        Some(other) if other != name && other.ends_with(ending) => {
                            shelf.aliases.insert(name, other);
                        }
                        _ => {
                            shelf.files.insert(name, path);
                        }
                    }
                }
                Err(_) => {
                    shelf.files.insert(name, path);
                }
            }
        }
        _ => {}
    }
}

fn unit(host: &Host, shelf: &Shelf, name: &str) -> Option<Unit> {
    if shelf.masked.contains(name) {
        let start = ServiceStart::Disabled;
        return Some(Unit { name: name.to_owned(), file: UnitFile::default(), start });
    }
    let stem = name.strip_suffix(".service")?;
    let template = stem.split_once('@').map(|(stem, instance)| (format!("{stem}@"), instance));
    let mut file = UnitFile::default();
    let own = shelf.files.get(name);
    let of_template = || shelf.files.get(&format!("{}.service", template.as_ref()?.0));
    let text = own.or_else(of_template).map(|path| host.read_text(path));
    // Without its template an instance cannot be started.
    read_unit(&mut file, &text?.unwrap_or_default());
    let additions = template.iter().map(|(stem, _)| format!("{stem}.service"));
    for of in additions.chain([name.to_owned()]) {
        for path in additional_files(host, shelf, &of) {
            read_unit(&mut file, &host.read_text(&path).unwrap_or_default());
        }
    }
    if let Some((_, instance)) = &template {
        let told = |text: Option<String>| for_instance(&text?, instance);
        file.description = told(file.description);
        file.account = told(file.account);
        file.program = told(file.program);
    }
    let start = start(shelf, name, stem, &file);
    Some(Unit { name: name.to_owned(), file, start })
}

/// Files that add to a unit, by name; one of the same name in an earlier folder hides the others.
fn additional_files(host: &Host, shelf: &Shelf, name: &str) -> Vec<String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in shelf.additions.get(name).map(Vec::as_slice).unwrap_or_default() {
        for file in host.list(folder).unwrap_or_default() {
            if has_ending(&file, "conf") {
                let path = format!("{folder}/{file}");
                files.entry(file).or_insert(path);
            }
        }
    }
    files.into_values().collect()
}

fn start(shelf: &Shelf, name: &str, stem: &str, file: &UnitFile) -> ServiceStart {
    // The screen that people sign in at is wanted under another name.
    let stands_for = |alias: &str| shelf.aliases.get(alias).is_some_and(|unit| unit == name);
    let wanted_as_alias =
        || shelf.wanted.iter().any(|wanted| shelf.aliases.get(wanted).is_some_and(|it| it == name));
    if shelf.wanted.contains(name) || stands_for("display-manager.service") || wanted_as_alias() {
        return ServiceStart::Automatic;
    }
    let triggers = ["socket", "timer", "path"];
    if !file.can_be_enabled
        || triggers.iter().any(|kind| shelf.wanted.contains(&format!("{stem}.{kind}")))
    {
        return ServiceStart::OnDemand;
    }
    ServiceStart::Manual
}
