//! Virtual machines on a Mac, which has no place of its own for them.

use rollcall_shared::section::{Section, VirtualMachine};
use rollcall_shared::{Note, NoteKind};

use super::{GUESTS_LIMIT, Search, people};
use crate::host::Host;
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const MACHINES_MACOS: Source = Source {
    name: "mac_machines",
    section: "virtual_machine",
    about: "Virtual machines of Parallels and VMware Fusion in /Users/Shared, and those of Parallels, VMware Fusion, UTM, VirtualBox, Lima, Colima and Podman in the homes of people, only where the configuration of this computer says `home_folders = true`",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut search = Search::new(host);
    search.kept("machines for everybody", people::shared);
    if host.may_enter_homes() {
        search.kept("machines in homes", people::in_homes);
        people::lima(&mut search);
    } else {
        let why = "machines in the homes of people are looked for only where the configuration of this computer says `home_folders = true`";
        search.notes.push(Note::new(NoteKind::SwitchedOff).with_detail(why));
    }
    let mut rows: Vec<VirtualMachine> = search.found;
    order::sort(&mut rows, Ord::cmp);
    // Whose they are is nobody's business.
    rows.dedup();
    rows.truncate(GUESTS_LIMIT);
    super::finish(Section::VirtualMachine(rows), search.notes)
}
