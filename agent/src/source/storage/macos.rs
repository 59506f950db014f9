//! Disks of a Mac, from the I/O registry.

use rollcall_shared::section::storage::DiskKind;
use rollcall_shared::section::{Disk, Section};

use crate::host::Host;
use crate::io_registry::{Entry, text_of};
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source};

/// From a device over its driver to what is in it.
const LEVELS: usize = 3;

/// The declaration.
pub const MACOS: Source = Source {
    name: "block_storage",
    section: "storage",
    about: "Disks in the I/O registry (IOBlockStorageDevice) and what is in them (IOMedia); their health is not asked",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let found = match host.io_registry("IOBlockStorageDevice", LEVELS) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows: Vec<Disk> = found.iter().filter_map(disk).collect();
    order::sort(&mut rows, |a, b| a.name.cmp(&b.name));
    Gathered::of(Section::Storage(rows))
}

/// Names of disks that are only files, as parts of the system and set-up programs are.
pub(crate) fn images(host: &Host) -> Vec<String> {
    let found = host.io_registry("IOBlockStorageDevice", LEVELS).unwrap_or_default();
    let images = found.iter().filter(|device| is_image(device));
    images.filter_map(|device| medium(device)?.text("BSD Name")).collect()
}

fn is_image(device: &Entry) -> bool {
    let text = |name: &str| text_of(device.properties.get("Protocol Characteristics")?.get(name)?);
    text("Physical Interconnect Location").as_deref() == Some("File")
        || text("Physical Interconnect").as_deref() == Some("Virtual Interface")
}

/// What is in a device as a whole.
fn medium(device: &Entry) -> Option<&Entry> {
    device.walk().into_iter().skip(1).find(|entry| {
        entry.properties.flag("Whole") == Some(true) && entry.text("BSD Name").is_some()
    })
}

/// The disk of a device; nothing for images of disks and for slots with nothing in them.
fn disk(device: &Entry) -> Option<Disk> {
    let text = |group: &str, name: &str| text_of(device.properties.get(group)?.get(name)?);
    let link = text("Protocol Characteristics", "Physical Interconnect");
    if is_image(device) {
        return None;
    }
    let media = medium(device)?;
    let of_device = |name: &str| text("Device Characteristics", name);
    let is_of = |word: &str| {
        let mut classes = [device.class(), media.class()].into_iter().flatten();
        classes.any(|class| class.contains(word))
    };
    let bus = match link.as_deref() {
        _ if is_of("NVMe") => Some("nvme".to_owned()),
        _ if is_of("VirtIO") || is_of("Virtio") => Some("virtio".to_owned()),
        Some("Secure Digital") => Some("mmc".to_owned()),
        Some(link) => Some(link.to_lowercase().replace([' ', '-'], "_")),
        None => None,
    };
    let medium = of_device("Medium Type");
    let kind = if ["IOCDMedia", "IODVDMedia", "IOBDMedia"].into_iter().any(is_of) {
        Some(DiskKind::Optical)
    } else if bus.as_deref() == Some("mmc") {
        Some(DiskKind::Flash)
    } else if bus.as_deref() == Some("nvme") {
        Some(DiskKind::Nvme)
    } else {
        match medium.as_deref() {
            Some("Solid State") => Some(DiskKind::Ssd),
            Some("Rotational") => Some(DiskKind::Hdd),
            _ => None,
        }
    };
    Some(Disk {
        name: media.text("BSD Name")?,
        model: of_device("Product Name"),
        vendor: of_device("Vendor Name"),
        serial: of_device("Serial Number"),
        firmware: of_device("Product Revision Level"),
        size_bytes: media.number("Size").unwrap_or(0),
        kind,
        bus,
        removable: media.properties.flag("Removable") == Some(true),
        ..Disk::default()
    })
}
