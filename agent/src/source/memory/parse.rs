//! `/proc/meminfo`, put together with the firmware's table.

use rollcall_shared::section::Memory;

use crate::smbios::Smbios;

/// Main memory; `None` when the text does not tell its size.
pub fn memory(meminfo: &str, smbios: &Smbios) -> Option<Memory> {
    Some(Memory {
        total_bytes: bytes_of(meminfo, "MemTotal")?,
        installed_bytes: smbios.installed_bytes(),
        swap_bytes: bytes_of(meminfo, "SwapTotal").unwrap_or(0),
        slots: smbios.slots,
        error_correction: smbios.error_correction.clone(),
        modules: smbios.modules.clone(),
    })
}

/// A line of `/proc/meminfo` in bytes, e.g. of `MemAvailable`.
pub fn bytes_of(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_lines_it_needs() {
        let text = "MemTotal:       16254904 kB\nMemFree:   1 kB\nSwapTotal:       8388604 kB\n";
        let memory = memory(text, &Smbios::default()).unwrap();
        assert_eq!(memory.total_bytes, 16_254_904 * 1024);
        assert_eq!(memory.swap_bytes, 8_388_604 * 1024);
        assert_eq!(memory.installed_bytes, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(MemTotal: *[0-9]{0,30} ?(kB)?\n?|\\PC|\n)*") {
            let _ = memory(&text, &Smbios::default());
        }
    }
}
