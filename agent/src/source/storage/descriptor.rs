//! What the driver of a drive answers on Windows, as the bytes of its structures.

use std::fmt::Write as _;

use rollcall_shared::section::Disk;
use rollcall_shared::section::storage::DiskHealth;

use super::parse;
use crate::source::text::some;

/// The answers of one drive; empty where it gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// E.g. `PhysicalDrive0`, `CdRom0`.
    pub(crate) name: String,
    /// `STORAGE_DEVICE_DESCRIPTOR`: maker, model, serial number, bus.
    pub(crate) descriptor: Vec<u8>,
    /// `DISK_GEOMETRY_EX`: how large it is.
    pub(crate) geometry: Vec<u8>,
    /// `DEVICE_SEEK_PENALTY_DESCRIPTOR`: whether it rotates.
    pub(crate) seek_penalty: Vec<u8>,
    /// `STORAGE_DEVICE_ID_DESCRIPTOR`: its world wide name.
    pub(crate) identifiers: Vec<u8>,
    /// `STORAGE_PROTOCOL_DATA_DESCRIPTOR` with what the controller of an NVMe drive says of itself.
    pub(crate) controller: Vec<u8>,
    /// `STORAGE_PREDICT_FAILURE`.
    pub(crate) failure: Vec<u8>,
    /// `DRIVE_LAYOUT_INFORMATION_EX`: its partitions.
    pub(crate) layout: Vec<u8>,
}

/// What the driver says of a drive.
struct Descriptor<'a> {
    bytes: &'a [u8],
}

/// `STORAGE_BUS_TYPE`.
mod bus {
    pub(super) const USB: u32 = 7;
    pub(super) const RAID: u32 = 8;
    pub(super) const SAS: u32 = 10;
    pub(super) const FILE_BACKED: u32 = 15;
    pub(super) const SPACES: u32 = 16;
    pub(super) const NVME: u32 = 17;
}

impl Descriptor<'_> {
    fn kind(&self) -> Option<u8> {
        self.bytes.get(8).copied()
    }

    fn is_removable(&self) -> bool {
        self.bytes.get(10).is_some_and(|byte| *byte != 0)
    }

    fn bus(&self) -> Option<u32> {
        word(self.bytes, 28)
    }

    /// The text whose place stands at `place`.
    fn text(&self, place: usize) -> Option<String> {
        let at = usize::try_from(word(self.bytes, place)?).ok().filter(|at| *at != 0)?;
        text(self.bytes.get(at..)?)
    }

    fn vendor(&self) -> Option<String> {
        self.text(12)
    }

    fn product(&self) -> Option<String> {
        self.text(16)
    }

    fn revision(&self) -> Option<String> {
        self.text(20)
    }

    fn serial(&self) -> Option<String> {
        self.text(24)
    }
}

/// The drive; `None` for one that holds what other drives hold, and for a reader without a card.
pub(crate) fn disk(answers: &Answers) -> Option<Disk> {
    const OPTICAL: u8 = 5;
    let told = Descriptor { bytes: &answers.descriptor };
    let bus_number = told.bus()?;
    if matches!(bus_number, bus::FILE_BACKED | bus::SPACES) {
        return None;
    }
    let optical = told.kind()? == OPTICAL;
    let removable = told.is_removable();
    let size_bytes = size_bytes(&answers.geometry);
    if size_bytes.is_none() && removable && !optical {
        return None;
    }
    let controller = Controller::of(&answers.controller);
    // These say how the drive is spoken to.
    let vendor = told.vendor().filter(|maker| !matches!(maker.as_str(), "ATA" | "NVMe" | "USB"));
    let product = told.product();
    let bus = bus_of(bus_number, vendor.as_deref(), product.as_deref());
    let (serial, by_serial) = match told.serial() {
        Some(serial) if bus_number == bus::NVME => match extended_identifier(&serial) {
            Some(identifier) => (None, Some(identifier)),
            None => (Some(serial), None),
        },
        serial => (serial, None),
    };
    let rotational = answers.seek_penalty.get(8).map(|byte| *byte != 0);
    Some(Disk {
        name: answers.name.clone(),
        kind: parse::kind(optical, bus, rotational, removable, vendor.as_deref()),
        model: controller.as_ref().and_then(|it| it.model.clone()).or(product),
        serial: controller.as_ref().and_then(|it| it.serial.clone()).or(serial),
        wwn: world_wide_name(&answers.identifiers).or(by_serial),
        firmware: controller.and_then(|it| it.firmware).or_else(|| told.revision()),
        // What is in an optical drive belongs to nobody's inventory.
        size_bytes: if optical { 0 } else { size_bytes.unwrap_or_default() },
        bus: bus.map(str::to_owned),
        removable,
        health: word(&answers.failure, 0).map(|predicted| match predicted {
            0 => DiskHealth::Good,
            _ => DiskHealth::Failing,
        }),
        vendor,
    })
}

/// How an array that the firmware of the computer makes spreads its data, e.g. `raid1`: the driver
/// calls it `Intel Raid 1 Volume`. Single drives behind the same driver keep their own names.
pub(crate) fn firmware_raid(answers: &Answers) -> Option<String> {
    let told = Descriptor { bytes: &answers.descriptor };
    if told.bus() != Some(bus::RAID) || !told.vendor()?.eq_ignore_ascii_case("Intel") {
        return None;
    }
    let product = told.product()?.to_ascii_lowercase();
    let level = product.strip_prefix("raid ")?.strip_suffix(" volume")?;
    let is_level = (1..=2).contains(&level.len()) && level.bytes().all(|b| b.is_ascii_digit());
    is_level.then(|| format!("raid{level}"))
}

fn bus_of(number: u32, vendor: Option<&str>, product: Option<&str>) -> Option<&'static str> {
    // Drives of virtual machines name the bus that their driver stands for.
    match (vendor, product) {
        (Some("Red Hat"), Some(product)) if product.starts_with("VirtIO") => return Some("virtio"),
        (Some("Msft"), Some(product)) if product.starts_with("Virtual D") => {
            return Some("hyper-v");
        }
        (Some("XENSRC"), _) => return Some("xen"),
        _ => {}
    }
    Some(match number {
        1 => "scsi",
        2 | 3 | 11 => "sata",
        4 => "firewire",
        6 => "fibre_channel",
        bus::USB => "usb",
        bus::RAID => "raid",
        9 => "iscsi",
        bus::SAS => "sas",
        12 | 13 => "mmc",
        14 => "virtual",
        bus::NVME => "nvme",
        18 => "pmem",
        19 => "ufs",
        _ => return None,
    })
}

/// The size that follows the geometry in 24 bytes.
fn size_bytes(geometry: &[u8]) -> Option<u64> {
    let bytes = geometry.get(24..32)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes)).filter(|size| *size > 0)
}

/// What the controller of an NVMe drive says of itself.
struct Controller {
    serial: Option<String>,
    model: Option<String>,
    firmware: Option<String>,
}

impl Controller {
    /// The answer has a head of 8 bytes, then one of 40 that tells where the data are.
    fn of(answer: &[u8]) -> Option<Self> {
        const HEAD_BYTES: usize = 8;
        const OFFSET_AT: usize = HEAD_BYTES + 16;
        let at = HEAD_BYTES.checked_add(usize::try_from(word(answer, OFFSET_AT)?).ok()?)?;
        let data = answer.get(at..)?;
        Some(Self {
            serial: text(data.get(4..24)?),
            model: text(data.get(24..64)?),
            firmware: text(data.get(64..72)?),
        })
    }
}

/// `0025_38B9_21B0_B3D1.`: where the driver has no serial number it tells this one.
fn extended_identifier(serial: &str) -> Option<String> {
    let groups: Vec<&str> = serial.strip_suffix('.')?.split('_').collect();
    let plain = |group: &&str| group.len() == 4 && group.bytes().all(|b| b.is_ascii_hexdigit());
    (matches!(groups.len(), 4 | 8) && groups.iter().all(plain))
        .then(|| format!("eui.{}", groups.concat().to_ascii_lowercase()))
}

/// The name among the identifiers of a drive: each has what its bytes are, what kind of name it is,
/// its length, where the next one begins, and what it names.
fn world_wide_name(identifiers: &[u8]) -> Option<String> {
    const BINARY: u32 = 1;
    const EXTENDED: u32 = 2;
    const NETWORK_ADDRESS: u32 = 3;
    const OF_THE_DRIVE: u32 = 0;
    const HEAD_BYTES: usize = 16;
    let count = word(identifiers, 8)?;
    let mut rest = identifiers.get(12..)?;
    for _ in 0..count.min(64) {
        let half = |at: usize| {
            Some(usize::from(u16::from_le_bytes(rest.get(at..at + 2)?.try_into().ok()?)))
        };
        let (code, kind) = (word(rest, 0)?, word(rest, 4)?);
        let (length, next) = (half(8)?, half(10)?);
        if code == BINARY
            && word(rest, 12)? == OF_THE_DRIVE
            && let Some(bytes) = rest.get(HEAD_BYTES..HEAD_BYTES + length)
            && bytes.iter().any(|byte| *byte != 0)
        {
            let digits = bytes.iter().fold(String::new(), |mut digits, byte| {
                // Writing to a string cannot fail.
                let _ = write!(digits, "{byte:02x}");
                digits
            });
            match kind {
                EXTENDED => return Some(format!("eui.{digits}")),
                NETWORK_ADDRESS => return Some(format!("0x{digits}")),
                _ => {}
            }
        }
        rest = rest.get(next.max(HEAD_BYTES)..)?;
    }
    None
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

/// The text up to the first NUL; what is no text is left out.
fn text(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let bytes: Vec<u8> =
        bytes.get(..end)?.iter().copied().filter(|byte| (b' '..=b'~').contains(byte)).collect();
    some(&bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_for_a_serial_number_is_none() {
        let told = extended_identifier("0025_38B9_21B0_B3D1.");
        assert_eq!(told.as_deref(), Some("eui.002538b921b0b3d1"));
        assert_eq!(extended_identifier("S64ANX0T123456"), None);
        assert_eq!(extended_identifier("0025_38B9."), None);
    }

    #[test]
    fn drives_of_virtual_machines_are_told_by_their_makers() {
        for (number, vendor, product, bus) in [
            (1, "Red Hat", "VirtIO", Some("virtio")),
            (10, "Msft", "Virtual Disk", Some("hyper-v")),
            (10, "VMware", "Virtual disk", Some("sas")),
            (17, "", "VMware Virtual NVMe Disk", Some("nvme")),
            (99, "", "", None),
        ] {
            assert_eq!(bus_of(number, Some(vendor), Some(product)), bus, "{vendor} {product}");
        }
    }

    #[test]
    fn a_name_is_found_among_identifiers_of_other_kinds() {
        let one = |code: u32, kind: u32, of: u32, bytes: &[u8]| {
            let length = u16::try_from(bytes.len()).unwrap();
            let mut told = [code.to_le_bytes(), kind.to_le_bytes()].concat();
            told.extend([length.to_le_bytes(), (16 + length).to_le_bytes()].concat());
            told.extend(of.to_le_bytes());
            told.extend(bytes);
            told
        };
        let all = |parts: &[Vec<u8>]| {
            let count = u32::try_from(parts.len()).unwrap();
            [[12_u32, 200, count].map(u32::to_le_bytes).concat(), parts.concat()].concat()
        };
        let text = one(2, 1, 0, b"ATA     Samsung SSD 870");
        let of_port = one(1, 3, 1, &[0x50, 0, 0, 0, 0, 0, 0, 9]);
        let name = one(1, 3, 0, &[0x50, 0x02, 0x53, 0x8f, 0x41, 0x20, 0x11, 0x22]);
        let told = world_wide_name(&all(&[text.clone(), of_port, name.clone()]));
        assert_eq!(told.as_deref(), Some("0x5002538f41201122"));
        assert_eq!(world_wide_name(&all(&[text])), None);
        assert_eq!(world_wide_name(&all(&[name])[..20]), None, "cut off");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            descriptor in prop::collection::vec(any::<u8>(), 0..90),
            identifiers in prop::collection::vec(0_u8..9, 0..90),
            other: Vec<u8>,
        ) {
            let answers = Answers {
                name: "PhysicalDrive0".to_owned(),
                descriptor,
                geometry: other.clone(),
                seek_penalty: other.clone(),
                identifiers,
                controller: other.clone(),
                failure: other.clone(),
                layout: other,
            };
            let _ = disk(&answers);
            let _ = firmware_raid(&answers);
        }
    }
}
