//! What runs inside this computer: containers and virtual machines, from the files of what runs
//! them. Their environment and command lines are never kept.

use std::collections::BTreeSet;

use rollcall_shared::Note;
use rollcall_shared::section::{Container, Section, VirtualMachine};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::{Host, HostError};
use crate::order;

mod containers;
mod hyper_v;
mod machines;
mod macos;
pub mod parse;
mod people;
pub mod personal;
mod windows;

pub use hyper_v::HYPER_V;
pub use macos::MACHINES_MACOS;
pub use windows::{DOCKER_WINDOWS, WSL};

/// Containers.
pub const CONTAINER: Source = Source {
    name: "container",
    section: "container",
    about: "Containers from the files of Docker, Podman, containerd, LXD, Incus, LXC and Proxmox; \
            never their environment or command lines",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: containers,
};

/// Virtual machines.
pub const VIRTUAL_MACHINE: Source = Source {
    name: "virtual_machine",
    section: "virtual_machine",
    about: "Virtual machines from the files of libvirt, Proxmox, LXD and Incus, and those of \
            VirtualBox, VMware, Lima, Colima and Podman in the homes of people, only where the \
            configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: machines,
};

/// Guests of one kind that are told at most.
const GUESTS_LIMIT: usize = 10_000;

fn containers(host: &Host) -> Gathered {
    let mut search = Search::new(host);
    search.kept("containers of Docker", containers::docker);
    containers::podman(&mut search);
    search.kept("containers of containerd", containers::containerd);
    containers::folders(&mut search);
    containers::proxmox(&mut search);
    let mut rows: Vec<Container> = search.found;
    order::sort(&mut rows, Ord::cmp);
    rows.truncate(GUESTS_LIMIT);
    finish(Section::Container(rows), search.notes)
}

fn machines(host: &Host) -> Gathered {
    let mut search = Search::new(host);
    search.kept("machines of libvirt", machines::libvirt);
    machines::proxmox(&mut search);
    machines::folders(&mut search);
    if host.may_enter_homes() {
        search.kept("machines in homes", people::in_homes);
        people::lima(&mut search);
    }
    let mut rows: Vec<VirtualMachine> = search.found;
    order::sort(&mut rows, Ord::cmp);
    rows.truncate(GUESTS_LIMIT);
    finish(Section::VirtualMachine(rows), search.notes)
}

/// An empty list is an answer only where nothing was hidden.
fn finish(section: Section, notes: Vec<Note>) -> Gathered {
    let is_empty = match &section {
        Section::Container(rows) => rows.is_empty(),
        Section::VirtualMachine(rows) => rows.is_empty(),
        _ => false,
    };
    let section = (!is_empty || notes.is_empty()).then_some(section);
    Gathered { section, notes }
}

/// What was found so far, and what could not be looked at.
struct Search<'a, T> {
    host: &'a Host,
    found: Vec<T>,
    notes: Vec<Note>,
}

impl<'a, T: Clone + Send + Sync + 'static> Search<'a, T> {
    fn new(host: &'a Host) -> Self {
        Self { host, found: Vec::new(), notes: Vec::new() }
    }

    /// What a search finds in files alone holds as long as none of them changes.
    fn kept(&mut self, name: &'static str, search: fn(&mut Search<'_, T>)) {
        let told = self.host.keep(name, |host| {
            let mut here = Search::new(host);
            search(&mut here);
            (here.found, here.notes)
        });
        self.found.extend(told.0.iter().cloned());
        self.notes.extend(told.1.iter().cloned());
    }

    /// Names in a folder; that it is not there is no news.
    fn list(&mut self, folder: &str) -> Vec<String> {
        match self.host.list(folder) {
            Ok(names) => names,
            Err(error) => {
                self.missed(error);
                Vec::new()
            }
        }
    }

    fn missed(&mut self, error: HostError) {
        if !error.is_not_found() {
            self.notes.push(error.into());
        }
    }
}

/// Names of control groups at the top and in the slice of machines.
fn groups(host: &Host) -> BTreeSet<String> {
    let folders = ["", "/machine.slice", "/system.slice", "/systemd/machine.slice", "/unified"];
    let names = folders
        .iter()
        .flat_map(|folder| host.list(&format!("/sys/fs/cgroup{folder}")).unwrap_or_default());
    names.collect()
}

/// Whether this computer is running, so that its control groups tell what runs.
fn has_groups(host: &Host) -> bool {
    host.exists("/sys/fs/cgroup")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(section: &str, system: &str, gather: fn(&Host) -> Gathered) -> String {
        let root = format!("{}/../tests/fixtures/{section}/{system}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{:#?}", gather(&Host::at(root)));
        assert!(!text.contains("never-to-be-told"), "a secret is in the report");
        text
    }

    #[test]
    fn containers_of_all_kinds() {
        for system in ["docker", "podman", "kubernetes", "lxd", "proxmox"] {
            insta::assert_snapshot!(
                format!("container-{system}"),
                told("container", system, containers)
            );
        }
    }

    #[test]
    fn virtual_machines_of_all_kinds() {
        for system in ["libvirt", "proxmox", "incus"] {
            insta::assert_snapshot!(
                format!("machine-{system}"),
                told("virtual_machine", system, machines)
            );
        }
    }

    /// Machines as lines, with the homes of people open or closed.
    fn of_people(system: &str, source: &Source, homes: bool) -> (Vec<String>, usize) {
        let root =
            format!("{}/../tests/fixtures/virtual_machine/{system}", env!("CARGO_MANIFEST_DIR"));
        let gathered = (source.gather)(&Host::at(root).with_homes(homes));
        let text = format!("{gathered:?}");
        assert!(!text.contains("never-to-be-told"), "a secret is in the report");
        assert!(!text.contains("anna"), "whose a machine is, is nobody's business");
        let Some(Section::VirtualMachine(rows)) = gathered.section else {
            return (Vec::new(), gathered.notes.len());
        };
        let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let line = |row: &VirtualMachine| {
            format!(
                "{} {}/{} {} {} {} {}",
                row.name,
                row.manager,
                word(row.kind.clone()),
                word(row.cpus.map(|count| count.to_string())),
                word(row.memory_bytes.map(|bytes| format!("{}M", bytes >> 20))),
                word(row.uuid.as_deref().and_then(|uuid| Some(uuid.get(..8)?.to_owned()))),
                word(row.running.map(|runs| if runs { "runs" } else { "rests" }.to_owned())),
            )
        };
        (rows.iter().map(line).collect(), gathered.notes.len())
    }

    #[test]
    fn machines_of_people_are_told_only_when_this_computer_says_so() {
        let linux = |homes| of_people("ubuntu-24.04-people", &VIRTUAL_MACHINE, homes);
        assert_eq!(linux(false), (Vec::new(), 0));
        let expected = [
            "Build box virtualbox/- 4 8192M 3f2a1c7e -",
            "Windows 11 x64 vmware/- 4 8192M 564d1c3b -",
            "ci lima/qemu 2 4096M - runs",
            "plain virtualbox/- 1 1024M 77aa0b1c -",
        ];
        assert_eq!(linux(true), (expected.map(str::to_owned).to_vec(), 0));

        let closed = of_people("macos-15-parallels-utm", &MACHINES_MACOS, false);
        let shared = ["Test \"Windows\" 11 parallels/- 4 8192M 9c27ae79 -".to_owned()];
        assert_eq!(closed, (shared.to_vec(), 1), "what lies in a folder for everybody");
        let expected = [
            "Debian 12 utm/hvf - 4096M 5b1f0c2d -",
            "Old Linux utm/qemu 2 512M - -",
            "Sequoia parallels/- 2 4096M 0d4cc6f1 -",
            "Test \"Windows\" 11 parallels/- 4 8192M 9c27ae79 -",
            "macOS 15 utm/apple 4 8192M 8e6f1a20 -",
        ];
        let open = of_people("macos-15-parallels-utm", &MACHINES_MACOS, true);
        assert_eq!(open, (expected.map(str::to_owned).to_vec(), 0));

        let expected = [
            "Windows 10 vmware/- 2 4096M 564dfe01 -",
            "client & server virtualbox/- 2 2048M 1a2b3c4d -",
            "locked vmware/- - - 564d7788 -",
        ];
        let open = of_people("macos-13-virtualbox-fusion", &MACHINES_MACOS, true);
        assert_eq!(open, (expected.map(str::to_owned).to_vec(), 0));
        let closed = of_people("macos-13-virtualbox-fusion", &MACHINES_MACOS, false);
        assert_eq!(closed, (Vec::new(), 1), "nothing, and why");

        let expected = [
            "colima colima/apple 4 8192M - runs",
            "default lima/apple - - - rests",
            "old podman/qemu 2 2048M - -",
            "podman-machine-default podman/apple 5 2048M - -",
        ];
        let open = of_people("macos-14-developer", &MACHINES_MACOS, true);
        assert_eq!(open, (expected.map(str::to_owned).to_vec(), 0));
    }

    #[test]
    fn a_computer_without_guests_has_empty_lists() {
        let host = Host::at("/nonexistent-root");
        assert_eq!(containers(&host).section, Some(Section::Container(Vec::new())));
        assert_eq!(machines(&host).section, Some(Section::VirtualMachine(Vec::new())));
    }
}
