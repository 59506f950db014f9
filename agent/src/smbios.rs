//! The firmware's table of parts (SMBIOS), as far as an inventory needs it.
//!
//! Pure: raw bytes in, facts out. Linux and Windows give the same bytes. Firmware is sloppy, so
//! whatever is cut off or out of range is simply not told.

use rollcall_shared::section::memory::MemoryModule;

/// The structures that are used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Smbios {
    /// Number of memory slots, over all arrays of main memory.
    pub slots: Option<u32>,
    /// Error correction of main memory, e.g. `multi_bit_ecc`.
    pub error_correction: Option<String>,
    /// The memory modules that are plugged in.
    pub modules: Vec<MemoryModule>,
    /// What the firmware says of the computer as a whole.
    pub described: Described,
    /// Sockets with a processor in them.
    pub sockets: Vec<Socket>,
}

/// What the firmware says of the computer, each as it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields are those of the table")]
pub struct Described {
    pub bios_vendor: Option<String>,
    pub bios_version: Option<String>,
    pub bios_date: Option<String>,
    pub manufacturer: Option<String>,
    pub product: Option<String>,
    pub version: Option<String>,
    pub serial: Option<String>,
    pub uuid: Option<String>,
    pub sku: Option<String>,
    pub family: Option<String>,
    pub board_manufacturer: Option<String>,
    pub board_product: Option<String>,
    pub board_serial: Option<String>,
    pub chassis: Option<u8>,
    pub asset_tag: Option<String>,
}

/// A processor as the firmware describes its socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Socket {
    /// Physical cores.
    pub cores: Option<u32>,
    /// Hardware threads.
    pub threads: Option<u32>,
    /// Highest frequency in MHz.
    pub max_mhz: Option<u32>,
}

impl Smbios {
    /// Sum of the modules, when there is any.
    pub fn installed_bytes(&self) -> Option<u64> {
        let sum = self.modules.iter().fold(0_u64, |sum, one| sum.saturating_add(one.size_bytes));
        (sum > 0).then_some(sum)
    }
}

/// What an array of memory is for.
const MAIN_MEMORY: u8 = 3;

/// One structure: its type, its fixed part with the header, its strings.
struct Structure<'a> {
    kind: u8,
    fixed: &'a [u8],
    strings: &'a [u8],
}

impl Structure<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.fixed.get(at).copied()
    }

    fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.fixed.get(at..at + 2)?.try_into().ok()?))
    }

    fn double_word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.fixed.get(at..at + 4)?.try_into().ok()?))
    }

    /// The string whose number stands at this place; strings count from 1.
    fn text(&self, at: usize) -> Option<String> {
        let number = usize::from(self.byte(at)?).checked_sub(1)?;
        let bytes = self.strings.split(|byte| *byte == 0).nth(number)?;
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Reads the whole table. Never fails: what cannot be understood is left out.
pub fn parse(table: &[u8]) -> Smbios {
    let mut found = Smbios::default();
    let mut banks = Vec::new();
    let mut other_arrays = Vec::new();
    for structure in structures(table).filter(|structure| structure.kind == 16) {
        if structure.byte(0x05).is_some_and(|usage| usage != MAIN_MEMORY) {
            other_arrays.extend(structure.word(0x02));
        }
    }
    for structure in structures(table) {
        match structure.kind {
            0..=3 => describe(&structure, &mut found.described),
            4 => found.sockets.extend(socket(&structure)),
            16 => memory_array(&structure, &mut found),
            17 => {
                // The chip of the firmware is described like a module.
                if structure.word(0x04).is_some_and(|array| other_arrays.contains(&array)) {
                    continue;
                }
                if let Some(module) = memory_device(&structure) {
                    banks.push(structure.text(0x11));
                    found.modules.push(module);
                }
            }
            _ => {}
        }
    }
    tell_apart(&mut found.modules, &banks);
    found
}

/// BIOS, system, board and chassis; of each the first one counts.
fn describe(structure: &Structure<'_>, found: &mut Described) {
    let fill = |place: &mut Option<String>, at: usize| {
        if place.is_none() {
            *place = structure.text(at);
        }
    };
    match structure.kind {
        0 => {
            fill(&mut found.bios_vendor, 0x04);
            fill(&mut found.bios_version, 0x05);
            fill(&mut found.bios_date, 0x08);
        }
        1 => {
            fill(&mut found.manufacturer, 0x04);
            fill(&mut found.product, 0x05);
            fill(&mut found.version, 0x06);
            fill(&mut found.serial, 0x07);
            fill(&mut found.sku, 0x19);
            fill(&mut found.family, 0x1A);
            found.uuid = found.uuid.take().or_else(|| uuid(structure.fixed.get(0x08..0x18)?));
        }
        2 => {
            fill(&mut found.board_manufacturer, 0x04);
            fill(&mut found.board_product, 0x05);
            fill(&mut found.board_serial, 0x07);
        }
        _ => {
            // The highest bit tells of a lock.
            found.chassis = found.chassis.or_else(|| Some(structure.byte(0x05)? & 0x7F));
            fill(&mut found.asset_tag, 0x08);
        }
    }
}

/// The first three parts are written with the little end first.
fn uuid(bytes: &[u8]) -> Option<String> {
    let all = |value: u8| bytes.iter().all(|byte| *byte == value);
    if all(0) || all(0xFF) {
        return None;
    }
    let uuid = uuid::Uuid::from_bytes_le(bytes.try_into().ok()?);
    Some(uuid.to_string())
}

fn socket(structure: &Structure<'_>) -> Option<Socket> {
    const POPULATED: u8 = 0x40;
    const CENTRAL: u8 = 3;
    if structure.byte(0x05)? != CENTRAL || structure.byte(0x18)? & POPULATED == 0 {
        return None;
    }
    // More than 254 stand in a wider field.
    let count = |short: usize, long: usize| match structure.byte(short)? {
        0 => None,
        0xFF => structure.word(long).map(u32::from),
        count => Some(u32::from(count)),
    };
    Some(Socket {
        cores: count(0x23, 0x2A),
        threads: count(0x25, 0x2E),
        max_mhz: structure.word(0x14).filter(|mhz| *mhz > 0).map(u32::from),
    })
}

fn structures(mut rest: &[u8]) -> impl Iterator<Item = Structure<'_>> {
    std::iter::from_fn(move || {
        let (kind, length) = (*rest.first()?, usize::from(*rest.get(1)?));
        // 127 ends the table; a header is four bytes.
        if kind == 127 || length < 4 {
            return None;
        }
        let fixed = rest.get(..length)?;
        let behind = rest.get(length..)?;
        let end = behind.windows(2).position(|pair| pair == [0, 0])?;
        rest = behind.get(end + 2..)?;
        Some(Structure { kind, fixed, strings: behind.get(..end)? })
    })
}

fn memory_array(array: &Structure<'_>, found: &mut Smbios) {
    if array.byte(0x05) != Some(MAIN_MEMORY) {
        return;
    }
    if let Some(slots) = array.word(0x0D) {
        found.slots = Some(found.slots.unwrap_or(0).saturating_add(u32::from(slots)));
    }
    let correction = match array.byte(0x06) {
        Some(3) => "none",
        Some(4) => "parity",
        Some(5) => "single_bit_ecc",
        Some(6) => "multi_bit_ecc",
        Some(7) => "crc",
        _ => return,
    };
    found.error_correction = Some(correction.to_owned());
}

/// A module, or `None` for an empty slot.
fn memory_device(device: &Structure<'_>) -> Option<MemoryModule> {
    const MIB: u64 = 1024 * 1024;
    let size_bytes = match device.word(0x0C)? {
        0 | 0xFFFF => return None,
        0x7FFF => u64::from(device.double_word(0x1C)? & 0x7FFF_FFFF) * MIB,
        kib if kib & 0x8000 != 0 => u64::from(kib & 0x7FFF) * 1024,
        mib => u64::from(mib) * MIB,
    };
    let speed = |short: usize, long: usize| match device.word(short)? {
        0 => None,
        0xFFFF => device.double_word(long).map(|speed| speed & 0x7FFF_FFFF),
        speed => Some(u32::from(speed)),
    };
    Some(MemoryModule {
        locator: device.text(0x10).unwrap_or_default(),
        size_bytes,
        kind: device.byte(0x12).and_then(memory_kind).map(str::to_owned),
        form_factor: device.byte(0x0E).and_then(form_factor).map(str::to_owned),
        speed_mts: speed(0x20, 0x58).or_else(|| speed(0x15, 0x54)),
        manufacturer: device.text(0x17).filter(|text| is_told(text)),
        part_number: device.text(0x1A).filter(|text| is_told(text)),
        serial: device.text(0x18).filter(|text| is_told(text)),
    })
}

fn is_told(text: &str) -> bool {
    const EMPTY: &[&str] = &["unknown", "not specified", "none", "no dimm", "undefined"];
    let plain = text.to_ascii_lowercase();
    !EMPTY.contains(&plain.as_str()) && !plain.trim_matches('0').is_empty()
}

/// Where several modules claim one place, the bank tells them apart.
fn tell_apart(modules: &mut [MemoryModule], banks: &[Option<String>]) {
    let places: Vec<String> = modules.iter().map(|module| module.locator.clone()).collect();
    for (module, bank) in modules.iter_mut().zip(banks) {
        let twice = places.iter().filter(|place| **place == module.locator).count() > 1;
        if let (true, Some(bank)) = (twice, bank) {
            let both = format!("{bank} {}", module.locator);
            both.trim().clone_into(&mut module.locator);
        }
    }
}

fn memory_kind(code: u8) -> Option<&'static str> {
    Some(match code {
        0x03 => "DRAM",
        0x07 => "RAM",
        0x0F => "SDRAM",
        0x12 => "DDR",
        0x13 => "DDR2",
        0x14 => "DDR2 FB-DIMM",
        0x18 => "DDR3",
        0x1A => "DDR4",
        0x1B => "LPDDR",
        0x1C => "LPDDR2",
        0x1D => "LPDDR3",
        0x1E => "LPDDR4",
        0x1F => "Logical non-volatile device",
        0x20 => "HBM",
        0x21 => "HBM2",
        0x22 => "DDR5",
        0x23 => "LPDDR5",
        0x24 => "HBM3",
        _ => return None,
    })
}

fn form_factor(code: u8) -> Option<&'static str> {
    Some(match code {
        0x03 => "SIMM",
        0x05 => "Chip",
        0x09 => "DIMM",
        0x0A => "TSOP",
        0x0B => "Row of chips",
        0x0C => "RIMM",
        0x0D => "SODIMM",
        0x0E => "SRIMM",
        0x0F => "FB-DIMM",
        0x10 => "Die",
        0x11 => "CAMM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A structure as firmware writes it.
    fn structure(kind: u8, body: &[u8], strings: &[&str]) -> Vec<u8> {
        let mut bytes = vec![kind, u8::try_from(body.len() + 4).unwrap(), 0, 0];
        bytes.extend(body);
        for text in strings {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        if strings.is_empty() {
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    fn array(slots: u16) -> Vec<u8> {
        let mut body = vec![3, 3, 6, 0, 0, 0, 0, 0xFE, 0xFF];
        body.extend(slots.to_le_bytes());
        structure(16, &body, &[])
    }

    fn device(size: u16, extended_mib: u32, speed: u16, place: &str, bank: &str) -> Vec<u8> {
        let mut body = vec![0; 0x24];
        body[0x08..0x0A].copy_from_slice(&size.to_le_bytes());
        body[0x0A] = 0x0D;
        body[0x0C] = 1;
        body[0x0D] = 2;
        body[0x0E] = 0x22;
        body[0x11..0x13].copy_from_slice(&speed.to_le_bytes());
        body[0x13] = 3;
        body[0x14] = 4;
        body[0x16] = 5;
        body[0x18..0x1C].copy_from_slice(&extended_mib.to_le_bytes());
        structure(17, &body, &[place, bank, "Samsung", "00000000", "M425R2GA3BB0-CWMOD  "])
    }

    #[test]
    fn reads_slots_and_modules() {
        let table = [
            structure(0, &[1, 2], &["LENOVO", "N3MET15W"]),
            array(4),
            device(16 * 1024, 0, 4800, "DIMM 0", "P0 CHANNEL A"),
            device(0x7FFF, 64 * 1024, 4800, "DIMM 0", "P0 CHANNEL B"),
            device(0, 0, 0, "DIMM 1", "P0 CHANNEL B"),
            structure(127, &[], &[]),
            device(1024, 0, 4800, "behind the end", ""),
        ]
        .concat();
        let found = parse(&table);
        assert_eq!(found.slots, Some(4));
        assert_eq!(found.error_correction.as_deref(), Some("multi_bit_ecc"));
        assert_eq!(found.installed_bytes(), Some(80 << 30));
        let places: Vec<&str> = found.modules.iter().map(|one| one.locator.as_str()).collect();
        assert_eq!(places, ["P0 CHANNEL A DIMM 0", "P0 CHANNEL B DIMM 0"]);
        let module = &found.modules[0];
        assert_eq!(module.kind.as_deref(), Some("DDR5"));
        assert_eq!(module.form_factor.as_deref(), Some("SODIMM"));
        assert_eq!(module.speed_mts, Some(4800));
        assert_eq!(module.part_number.as_deref(), Some("M425R2GA3BB0-CWMOD"));
        assert_eq!(module.serial, None, "a serial of zeros is none");
    }

    /// A module of the numbered array.
    fn in_array(number: u16, place: &str) -> Vec<u8> {
        let mut bytes = device(16, 0, 0, place, "BANK");
        bytes[4..6].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    fn array_for(number: u16, usage: u8) -> Vec<u8> {
        let mut bytes = array(1);
        bytes[2..4].copy_from_slice(&number.to_le_bytes());
        bytes[5] = usage;
        bytes
    }

    #[test]
    fn chips_outside_of_main_memory_are_no_modules() {
        let (flash, main) = (6, 3);
        let table = [
            in_array(0x40, "DIMM 0"),
            in_array(0x41, "SYSTEM ROM"),
            in_array(0xFFFE, "DIMM 1"),
            array_for(0x40, main),
            array_for(0x41, flash),
        ];
        let found = parse(&table.concat());
        let places: Vec<&str> = found.modules.iter().map(|one| one.locator.as_str()).collect();
        assert_eq!(places, ["DIMM 0", "DIMM 1"]);
        assert_eq!(found.slots, Some(1));
    }

    #[test]
    fn a_table_cut_off_anywhere_gives_what_came_before() {
        let table = [array(2), device(4096, 0, 3200, "A", "B")].concat();
        for end in 0..table.len() {
            let found = parse(&table[..end]);
            assert!(found.modules.is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_memory_device_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse(&structure(17, &body, &["one", "two"]));
            let _ = parse(&structure(16, &body, &[]));
        }
    }
}
