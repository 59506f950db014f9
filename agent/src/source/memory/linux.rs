//! Reads `/proc/meminfo` and, where allowed, the firmware's table.

use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use super::parse;
use crate::host::{Host, HostError};
use crate::smbios::{self, Smbios};
use crate::source::Gathered;

pub(crate) fn gather(host: &Host) -> Gathered {
    let meminfo = match host.read_text("/proc/meminfo") {
        Ok(text) => text,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut notes = Vec::new();
    let smbios = match host.read("/sys/firmware/dmi/tables/DMI") {
        Ok(table) => smbios::parse(&table),
        Err(error) => {
            if let HostError::Denied { path } = &error {
                notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(format!(
                    "the memory modules stand in {path}, which only an administrator may read"
                )));
            }
            Smbios::default()
        }
    };
    let section = parse::memory(&meminfo, &smbios).map(Section::Memory);
    if section.is_none() {
        notes.push(Note::new(NoteKind::Failed).with_detail("/proc/meminfo tells no MemTotal"));
    }
    Gathered { section, notes }
}
