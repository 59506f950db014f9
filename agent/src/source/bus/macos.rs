//! Devices on PCI and USB of a Mac, from the I/O registry.

use std::collections::BTreeSet;

use rollcall_shared::section::{PciDevice, Section, UsbDevice};

use super::pci::well_known;
use super::usb::{class_name, is_name};
use crate::host::Host;
use crate::io_registry::Entry;
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source};

/// Devices on the PCI bus.
pub const PCI_MACOS: Source = Source {
    name: "pci_device",
    section: "pci",
    about: "Devices in the I/O registry (IOPCIDevice); names only where the device or its driver gives one",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: pci,
};

/// Devices on the USB.
pub const USB_MACOS: Source = Source {
    name: "usb_device",
    section: "usb",
    about: "Devices in the I/O registry (IOUSBHostDevice), names from the devices",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: usb,
};

fn pci(host: &Host) -> Gathered {
    let found = match host.io_registry("IOPCIDevice", 1) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let device = |entry: &Entry| {
        let id = |vendor: &str, device: &str| {
            Some(format!("{}:{}", pci_id(entry, vendor)?, pci_id(entry, device)?))
        };
        Some(PciDevice {
            address: pci_address(entry)?,
            id: id("vendor-id", "device-id")?,
            class: pci_class(entry).and_then(|class| well_known(&class)),
            vendor: None,
            name: entry.text("model"),
            subsystem: id("subsystem-vendor-id", "subsystem-id").filter(|id| id != "0000:0000"),
            driver: entry.below.iter().find_map(|below| below.text("CFBundleIdentifier")),
        })
    };
    let mut rows: Vec<PciDevice> = found.iter().filter_map(device).collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Gathered::of(Section::Pci(rows))
}

/// Four digits of a number that stands there with the small end first.
pub(crate) fn pci_id(entry: &Entry, name: &str) -> Option<String> {
    let number = u16::try_from(entry.number(name)? & 0xffff).ok()?;
    Some(format!("{number:04x}"))
}

/// Four digits: the kind of device and its kind among those.
pub(crate) fn pci_class(entry: &Entry) -> Option<String> {
    Some(format!("{:04x}", entry.number("class-code")? >> 8 & 0xffff))
}

/// `0000:01:00.0` of `1:0:0(2:2)`.
pub(crate) fn pci_address(entry: &Entry) -> Option<String> {
    let text = entry.text("pcidebug")?;
    let place = text.split('(').next().unwrap_or_default();
    let mut numbers = place.split(':').map(|part| part.trim().parse::<u8>().ok());
    let mut next = || numbers.next().flatten();
    let (bus, device, function) = (next()?, next()?, next()?);
    Some(format!("0000:{bus:02x}:{device:02x}.{function:x}"))
}

fn usb(host: &Host) -> Gathered {
    match usb_entries(host) {
        Ok(found) => {
            let mut rows: Vec<UsbDevice> = found.iter().filter_map(usb_device).collect();
            order::sort(&mut rows, Ord::cmp);
            rows.dedup();
            Gathered::of(Section::Usb(rows))
        }
        Err(error) => Gathered::absent(error.into()),
    }
}

/// Devices with their functions below them.
pub(crate) fn usb_entries(host: &Host) -> Result<Vec<Entry>, crate::host::HostError> {
    host.io_registry("IOUSBHostDevice", 1)
}

/// Maker and product as numbers.
pub(crate) fn usb_id(entry: &Entry) -> Option<String> {
    let part = |name: &str| u16::try_from(entry.number(name)?).ok();
    Some(format!("{:04x}:{:04x}", part("idVendor")?, part("idProduct")?))
}

/// What a device is called.
pub(crate) fn usb_name(entry: &Entry) -> Option<String> {
    let told = entry.text("USB Product Name").or_else(|| entry.text("kUSBProductString"));
    told.filter(|text| is_name(text))
}

/// Codes of what a device and its functions are, as two digits.
pub(crate) fn usb_classes(entry: &Entry) -> BTreeSet<String> {
    let own = entry.number("bDeviceClass");
    let functions = entry.below.iter().filter_map(|below| below.number("bInterfaceClass"));
    own.into_iter().chain(functions).map(|class| format!("{class:02x}")).collect()
}

fn usb_device(entry: &Entry) -> Option<UsbDevice> {
    let classes: BTreeSet<&str> =
        usb_classes(entry).iter().filter_map(|class| class_name(class)).collect();
    let drivers: BTreeSet<String> = entry
        .below
        .iter()
        .flat_map(|function| &function.below)
        .filter_map(|driver| driver.text("CFBundleIdentifier"))
        .collect();
    let joined = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(", "));
    let told = |names: [&str; 2]| names.iter().find_map(|name| entry.text(name));
    let fixed = entry.properties.flag("Built-In") == Some(true)
        || entry.text("non-removable").is_some_and(|word| word == "yes");
    Some(UsbDevice {
        id: usb_id(entry)?,
        port: port(entry.number("locationID")?)?,
        vendor: told(["USB Vendor Name", "kUSBVendorString"]).filter(|text| is_name(text)),
        name: usb_name(entry),
        serial: told(["USB Serial Number", "kUSBSerialNumberString"])
            .filter(|text| !text.trim_matches('0').is_empty()),
        class: joined(classes.into_iter().collect()),
        driver: joined(drivers.iter().map(String::as_str).collect()),
        removable: fixed.then_some(false),
    })
}

/// `20-2.1` of `0x14210000`: the number of the bus, and a digit for each port on the way. The
/// computer's own end of a bus has no port.
fn port(location: u64) -> Option<String> {
    let location = u32::try_from(location).ok()?;
    let digits = format!("{:06x}", location & 0x00ff_ffff);
    let ports: Vec<String> = digits
        .chars()
        .take_while(|digit| *digit != '0')
        .filter_map(|digit| Some(digit.to_digit(16)?.to_string()))
        .collect();
    (!ports.is_empty()).then(|| format!("{}-{}", location >> 24, ports.join(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_on_the_usb() {
        assert_eq!(port(0x1421_0000).as_deref(), Some("20-2.1"));
        assert_eq!(port(0x0110_0000).as_deref(), Some("1-1"));
        assert_eq!(port(0x1400_0000), None);
        assert_eq!(port(u64::MAX), None);
    }
}
