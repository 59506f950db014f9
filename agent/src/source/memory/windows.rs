//! Main memory of a Windows computer.

use rollcall_shared::section::{Memory, Section};

use crate::host::Host;
use crate::smbios;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "memory_modules",
    section: "memory",
    about: "Size as the system tells it, modules from the firmware's table (SMBIOS)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let (table, notes) = match host.firmware_table() {
        Ok(table) => (smbios::parse(&table), Vec::new()),
        Err(error) => (smbios::Smbios::default(), vec![error.into()]),
    };
    let (total_bytes, swap_bytes) = told(host);
    let installed_bytes = table.installed_bytes();
    Gathered {
        section: Some(Section::Memory(Memory {
            total_bytes: total_bytes.or(installed_bytes).unwrap_or(0),
            installed_bytes,
            swap_bytes: swap_bytes.unwrap_or(0),
            slots: table.slots,
            error_correction: table.error_correction,
            modules: table.modules,
        })),
        notes,
    }
}

/// Memory and swap in bytes, as the system tells it.
pub(super) fn told(host: &Host) -> (Option<u64>, Option<u64>) {
    if !host.is_live() {
        let captured = host.captured_call("memory").unwrap_or_default();
        let mut numbers = captured.split_whitespace().map(|number| number.parse().ok());
        return (numbers.next().flatten(), numbers.next().flatten());
    }
    cfg_select! {
        any(windows, target_os = "macos") => {
            match sysinfo::System::new() {
                Ok(mut system) => {
                    system.refresh_memory();
                    (Some(system.total_memory()), Some(system.total_swap()))
                }
                Err(_) => (None, None),
            }
        }
        _ => (None, None),
    }
}
