//! Graphics adapters of a Mac, from the I/O registry.

use rollcall_shared::section::{Gpu, Section};

use super::parse::{self, PciDevice};
use crate::host::Host;
use crate::io_registry::Entry;
use crate::order;
use crate::source::bus::{pci_address, pci_class, pci_id};
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const MACOS: Source = Source {
    name: "accelerator",
    section: "gpu",
    about: "Display devices on the PCI bus and accelerators of Apple's chips in the I/O registry (IOPCIDevice, IOAccelerator)",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let accelerators = match host.io_registry("IOAccelerator", 0) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let devices = match host.io_registry("IOPCIDevice", 1) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows: Vec<Gpu> = devices.iter().filter_map(on_bus).collect();
    rows.extend(accelerators.iter().filter_map(in_chip));
    order::sort(&mut rows, |a, b| (&a.pci_address, &a.name).cmp(&(&b.pci_address, &b.name)));
    Gathered::of(Section::Gpu(rows))
}

fn on_bus(device: &Entry) -> Option<Gpu> {
    if !pci_class(device)?.starts_with("03") {
        return None;
    }
    let megabytes = device.number("VRAM,totalMB");
    let bytes = megabytes.and_then(|megabytes| megabytes.checked_mul(1024 * 1024));
    let driver = device.below.iter().find_map(|below| below.text("CFBundleIdentifier"));
    Some(parse::gpu(
        PciDevice {
            address: pci_address(device)?,
            vendor: pci_id(device, "vendor-id")?,
            device: pci_id(device, "device-id")?,
            driver,
            memory_bytes: bytes.or_else(|| device.number("VRAM,totalsize")),
            driver_name: device.text("model"),
        },
        "",
    ))
}

/// The part of a chip of Apple; adapters on the bus have no name here.
fn in_chip(accelerator: &Entry) -> Option<Gpu> {
    let of_apple = pci_id(accelerator, "vendor-id").is_some_and(|vendor| vendor == "106b");
    Some(Gpu {
        name: accelerator.text("model")?,
        vendor: of_apple.then(|| "Apple Inc.".to_owned()),
        driver: accelerator.text("CFBundleIdentifier"),
        ..Gpu::default()
    })
}
