//! Virtual machines that people made for themselves. They lie in homes, which are looked into only
//! where this computer's own configuration says so, and some in a folder for everybody.

use std::collections::BTreeSet;

use rollcall_shared::section::VirtualMachine;
use rollcall_shared::{Note, NoteKind};

use super::{Search, personal};
use crate::host::{Host, HostError};
use crate::plist::Value;
use crate::source::homes;
use crate::source::processes::Processes;
use crate::source::text::has_ending;

/// Files of machines in one home that are looked at, of each program.
const FILES_LIMIT: usize = 500;
/// Names in folders of machines that are looked at for them.
const NAMES_LIMIT: usize = 5_000;

/// Lists that `VirtualBox` keeps of its machines, each in the folder that short paths begin at.
const VIRTUAL_BOX_LISTS: &[&str] = &[".config/VirtualBox", ".VirtualBox", "Library/VirtualBox"];
const VIRTUAL_BOX: &str = "VirtualBox VMs";
/// Lists that `VMware` keeps of its machines.
const VMWARE_LISTS: &[&str] =
    &[".vmware/inventory.vmls", "Library/Application Support/VMware Fusion/vmInventory"];
const VMWARE: &[&str] = &["vmware", "Virtual Machines.localized", "Virtual Machines"];
const PARALLELS: &str = "Parallels";
const UTM: &str = "Library/Containers/com.utmapp.UTM/Data/Documents";
const PODMAN: &str = ".config/containers/podman/machine";
/// What runs a machine of Podman; each has a folder there.
const PODMAN_PROVIDERS: &[&str] = &["applehv", "libkrun", "qemu"];
const LIMA: &[(&str, &str)] = &[("lima", ".lima"), ("colima", ".colima/_lima")];

/// A folder that people fill, so that no link on the way from it is followed.
struct Folder<'a> {
    host: &'a Host,
    top: &'a str,
}

impl Folder<'_> {
    fn names(&self, path: &str) -> Vec<String> {
        let path =
            if path.is_empty() { self.top.to_owned() } else { format!("{}/{path}", self.top) };
        self.host.list(&path).unwrap_or_default()
    }

    fn read(&self, path: &str) -> Option<String> {
        // A path from a list may be anything.
        let plain = path.split('/').all(|name| !matches!(name, "" | "." | ".."));
        if plain { self.host.read_text_below(self.top, path).ok() } else { None }
    }

    /// A path as a list tells it, from `base` where it is short; nothing for what lies elsewhere.
    fn within(&self, base: &str, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return path.strip_prefix(self.top)?.strip_prefix('/').map(str::to_owned);
        }
        Some(format!("{base}/{path}"))
    }

    /// Files of this ending in the folders below, so many levels deep.
    fn files(&self, top: &str, ending: &str, levels: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut left = vec![(top.to_owned(), levels)];
        let mut seen = 0;
        while let Some((folder, levels)) = left.pop() {
            for name in self.names(&folder) {
                seen += 1;
                if seen > NAMES_LIMIT || found.len() >= FILES_LIMIT {
                    return found;
                }
                let path = format!("{folder}/{name}");
                if has_ending(&name, ending) {
                    found.push(path);
                } else if levels > 0 {
                    left.push((path, levels - 1));
                }
            }
        }
        found
    }
}

/// Machines in a folder for everybody on a Mac.
pub(super) fn shared(search: &mut Search<'_, VirtualMachine>) {
    let folder = Folder { host: search.host, top: "/Users/Shared" };
    parallels(&folder, &mut search.found);
    vmware(&folder, &mut search.found);
}

/// Machines in the homes of people, whatever runs there at the moment.
pub(super) fn in_homes(search: &mut Search<'_, VirtualMachine>) {
    let mut denied = false;
    for home in homes::of_people(search.host) {
        if let Err(error) = search.host.list(&home) {
            denied |= matches!(error, HostError::Denied { .. });
            continue;
        }
        let folder = Folder { host: search.host, top: &home };
        let rows = &mut search.found;
        virtual_box(&folder, rows);
        vmware(&folder, rows);
        podman(&folder, rows);
        // These make machines on a Mac alone.
        if homes::is_mac(search.host) {
            parallels(&folder, rows);
            utm(&folder, rows);
        }
    }
    if denied {
        let why = "the homes of others need administrator rights";
        search.notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
}

fn virtual_box(home: &Folder<'_>, rows: &mut Vec<VirtualMachine>) {
    let mut files = BTreeSet::new();
    for base in VIRTUAL_BOX_LISTS {
        let list = home.read(&format!("{base}/VirtualBox.xml")).unwrap_or_default();
        let known = personal::known_to_virtual_box(&list).into_iter().take(FILES_LIMIT);
        files.extend(known.filter_map(|path| home.within(base, &path)));
    }
    // Machines of a group lie in a folder of that group.
    files.extend(home.files(VIRTUAL_BOX, "vbox", 2));
    let files = files.iter().filter(|path| has_ending(path, "vbox"));
    rows.extend(files.filter_map(|path| personal::virtual_box(&home.read(path)?)));
}

fn vmware(home: &Folder<'_>, rows: &mut Vec<VirtualMachine>) {
    let mut files = BTreeSet::new();
    for list in VMWARE_LISTS {
        let list = home.read(list).unwrap_or_default();
        let known = personal::known_to_vmware(&list).into_iter().take(FILES_LIMIT);
        files.extend(
            known.filter(|path| path.starts_with('/')).filter_map(|path| home.within("", &path)),
        );
    }
    for top in VMWARE {
        files.extend(home.files(top, "vmx", 1));
    }
    let files = files.iter().filter(|path| has_ending(path, "vmx"));
    rows.extend(files.filter_map(|path| personal::vmware(&home.read(path)?)));
}

fn parallels(home: &Folder<'_>, rows: &mut Vec<VirtualMachine>) {
    let names = home.names(PARALLELS).into_iter();
    let bundles = names.filter(|name| has_ending(name, "pvm") || has_ending(name, "macvm"));
    rows.extend(bundles.take(FILES_LIMIT).filter_map(|name| {
        personal::parallels(&home.read(&format!("{PARALLELS}/{name}/config.pvs"))?)
    }));
}

fn utm(home: &Folder<'_>, rows: &mut Vec<VirtualMachine>) {
    rows.extend(home.names(UTM).iter().take(FILES_LIMIT).filter_map(|name| {
        let folder = name.strip_suffix(".utm")?;
        let list = home.read(&format!("{UTM}/{name}/config.plist"))?;
        personal::utm(folder, &Value::read(list.as_bytes())?)
    }));
}

fn podman(home: &Folder<'_>, rows: &mut Vec<VirtualMachine>) {
    for provider in PODMAN_PROVIDERS {
        let folder = format!("{PODMAN}/{provider}");
        let names = home.names(&folder).into_iter().filter(|name| has_ending(name, "json"));
        rows.extend(names.take(FILES_LIMIT).filter_map(|name| {
            personal::podman(provider, &home.read(&format!("{folder}/{name}"))?)
        }));
    }
}

/// Machines of Lima and Colima in homes, which note what runs each of them.
pub(super) fn lima(search: &mut Search<'_, VirtualMachine>) {
    let host = search.host;
    let processes = Processes::of(host);
    for home in homes::of_people(host) {
        let home = Folder { host, top: &home };
        for (manager, top) in LIMA {
            // Names with a line in front are not of machines.
            let names = home.names(top).into_iter().filter(|name| !name.starts_with(['_', '.']));
            for name in names.take(FILES_LIMIT) {
                let Some(yaml) = home.read(&format!("{top}/{name}/lima.yaml")) else { continue };
                let id = home.read(&format!("{top}/{name}/ha.pid"));
                let running = match id.as_deref().and_then(|id| id.trim().parse().ok()) {
                    Some(id) => processes.has(id),
                    None => Some(false),
                };
                let machine = personal::lima(manager, &name, &yaml);
                search.found.push(VirtualMachine { running, ..machine });
            }
        }
    }
}
