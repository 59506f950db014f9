//! Processors of a Windows computer: names from the registry, sockets from the firmware's table.

use rollcall_shared::section::{Processor, Section};
use rollcall_shared::{Note, NoteKind};

use crate::host::Host;
use crate::registry::Key;
use crate::smbios::{self, Socket};
use crate::source::{Gathered, Platform, Privilege, Source};

const PROCESSORS: &str = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "central_processor",
    section: "cpu",
    about: "Processors from the registry (CentralProcessor), sockets and cores from the firmware's table (SMBIOS)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let logical = match host.registry_below(PROCESSORS) {
        Ok(logical) => logical,
        Err(error) => return Gathered::absent(error.into()),
    };
    let sockets = host.firmware_table().map(|table| smbios::parse(&table).sockets);
    let found = processors(&logical, &sockets.unwrap_or_default());
    if found.is_empty() {
        let why = format!("{PROCESSORS} names no processor");
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    }
    Gathered::of(Section::Cpu(found))
}

fn processors(logical: &[(String, Key)], sockets: &[Socket]) -> Vec<Processor> {
    let Some((_, first)) = logical.first() else { return Vec::new() };
    let threads = u32::try_from(logical.len()).ok();
    let one = |number: u32, socket: Option<&Socket>| Processor {
        socket: number,
        model: first.text("ProcessorNameString").unwrap_or_default(),
        vendor: first.text("VendorIdentifier"),
        cores: socket.and_then(|socket| socket.cores),
        // A guest may have fewer than its firmware says.
        threads: match sockets.len() {
            0 | 1 => threads,
            _ => socket.and_then(|socket| socket.threads),
        },
        base_mhz: first.number("~MHz").and_then(|mhz| u32::try_from(mhz).ok()),
        max_mhz: socket.and_then(|socket| socket.max_mhz),
        microcode: first.bytes("Update Revision").and_then(microcode),
        flags: Vec::new(),
    };
    if sockets.is_empty() {
        return vec![one(0, None)];
    }
    (0..).zip(sockets).map(|(number, socket)| one(number, Some(socket))).collect()
}

/// The revision stands in the upper half on Intel and in the lower on AMD.
fn microcode(bytes: &[u8]) -> Option<String> {
    let half = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let revision = half(4).filter(|number| *number != 0).or_else(|| half(0))?;
    (revision != 0).then(|| format!("{revision:#x}"))
}
