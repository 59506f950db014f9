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
pub mod parse;
mod windows;

pub use hyper_v::HYPER_V;
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
    about: "Virtual machines from the files of libvirt, Proxmox, LXD and Incus",
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

    #[test]
    fn a_computer_without_guests_has_empty_lists() {
        let host = Host::at("/nonexistent-root");
        assert_eq!(containers(&host).section, Some(Section::Container(Vec::new())));
        assert_eq!(machines(&host).section, Some(Section::VirtualMachine(Vec::new())));
    }
}
