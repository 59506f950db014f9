//! Main memory of a Mac.

use rollcall_shared::section::memory::MemoryModule;
use rollcall_shared::section::{Memory, Section};

use super::windows::told;
use crate::host::Host;
use crate::smbios;
use crate::source::firmware::smbios_table;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const MACOS: Source = Source {
    name: "mac_memory",
    section: "memory",
    about: "Size as the kernel tells it; modules of Macs with a processor of Intel from AppleSMBIOS",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    // Chips of Apple hold their memory themselves: it has no modules and no such table.
    let table = smbios_table(host).map(|table| smbios::parse(&table)).unwrap_or_default();
    let (total_bytes, _) = told(host);
    let installed_bytes = table.installed_bytes();
    Gathered::of(Section::Memory(Memory {
        total_bytes: total_bytes.or(installed_bytes).unwrap_or(0),
        installed_bytes,
        // The system makes and removes files for it all the time.
        swap_bytes: 0,
        slots: table.slots,
        error_correction: table.error_correction,
        modules: table.modules.into_iter().map(plain).collect(),
    }))
}

/// Makers of modules by their number, as far as Macs came with theirs.
const MAKERS: &[(&str, &str)] = &[
    ("0x0198", "Kingston"),
    ("0x802C", "Micron"),
    ("0x80AD", "SK hynix"),
    ("0x80CE", "Samsung"),
    ("0x859B", "Crucial"),
];

/// Macs write names of modules as the digits of their letters, and makers as numbers.
fn plain(module: MemoryModule) -> MemoryModule {
    let maker = module.manufacturer.map(|told| {
        let known = MAKERS.iter().find(|(number, _)| told.eq_ignore_ascii_case(number));
        known.map_or(told, |(_, name)| (*name).to_owned())
    });
    let part_number = module.part_number.map(|told| letters(&told).unwrap_or(told));
    MemoryModule { manufacturer: maker, part_number, ..module }
}

/// `8ATF` of `0x38415446`.
fn letters(digits: &str) -> Option<String> {
    let digits = digits.strip_prefix("0x")?.as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let letter = |pair: &[u8; 2]| {
        let byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        (byte.is_ascii_graphic() || matches!(byte, b' ' | 0)).then_some(char::from(byte))
    };
    let text: String = pairs.iter().map(letter).collect::<Option<_>>()?;
    let text = text.trim_matches([' ', '\0']);
    (rest.is_empty() && text.len() >= 4).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_letters() {
        assert_eq!(letters("0x384154462d3247000000").as_deref(), Some("8ATF-2G"));
        for other in ["0x1E7A1B2C", "8ATF", "0x", "0x384", "0xé1"] {
            assert_eq!(letters(other), None, "{other}");
        }
    }
}
