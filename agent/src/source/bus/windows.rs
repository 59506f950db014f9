//! What is attached to PCI and USB on Windows, from the registry's tree of devices.

use std::collections::BTreeSet;

use rollcall_shared::section::{PciDevice, Section, UsbDevice};

use super::{pci, usb};
use crate::host::Host;
use crate::order;
use crate::source::devices::{self, Device};
use crate::source::gpu::parse::well_known;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The container of everything that cannot be taken out of the computer.
const OF_THE_COMPUTER: &str = "{00000000-0000-0000-ffff-ffffffffffff}";

/// Devices on the PCI bus.
pub const PCI_WINDOWS: Source = Source {
    name: "pci_device",
    section: "pci",
    about: r"Devices on the PCI bus that are present, from the registry (Enum\PCI)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: gather_pci,
};

/// Devices on the USB.
pub const USB_WINDOWS: Source = Source {
    name: "usb_device",
    section: "usb",
    about: r"Devices on the USB that are present, from the registry (Enum\USB); the names that they give themselves only with the rights of the system",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: gather_usb,
};

fn gather_pci(host: &Host) -> Gathered {
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let mut rows: Vec<PciDevice> = present.devices.iter().filter_map(pci_device).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::Pci(rows)), notes: present.note().into_iter().collect() }
}

fn pci_device(device: &Device) -> Option<PciDevice> {
    if device.bus() != "PCI" {
        return None;
    }
    let vendor = device.digits_after("VEN_")?;
    let model = device.digits_after("DEV_")?;
    Some(PciDevice {
        address: device.pci_address().unwrap_or_else(|| device.last().to_owned()),
        id: format!("{vendor}:{model}"),
        class: compatible(device, "CC_").and_then(|class| pci::well_known(&class)),
        vendor: device.maker().or_else(|| well_known(&vendor).map(str::to_owned)),
        name: device.name(),
        subsystem: subsystem(&device.instance),
        driver: device.service.clone(),
    })
}

/// `SUBSYS_22E617AA`: the model of the card and after it its maker.
fn subsystem(instance: &str) -> Option<String> {
    let card = devices::digits_after(instance, "SUBSYS_")?;
    let maker = devices::digits_after(instance, &format!("SUBSYS_{}", card.to_ascii_uppercase()))?;
    (maker != "0000" || card != "0000").then(|| format!("{maker}:{card}"))
}

/// Four digits behind a word in the kinds of device that this one can be taken for.
fn compatible(device: &Device, word: &str) -> Option<String> {
    device.key.texts("CompatibleIDs").iter().find_map(|id| devices::digits_after(id, word))
}

fn gather_usb(host: &Host) -> Gathered {
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let on_bus = present.devices.iter().filter(|one| one.bus() == "USB");
    let (functions, whole): (Vec<&Device>, Vec<&Device>) =
        on_bus.partition(|one| one.instance.to_ascii_uppercase().contains("&MI_"));
    let mut rows: Vec<UsbDevice> =
        whole.iter().filter_map(|one| usb_device(host, one, &functions)).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::Usb(rows)), notes: present.note().into_iter().collect() }
}

fn usb_device(host: &Host, device: &Device, functions: &[&Device]) -> Option<UsbDevice> {
    let id = |device: &Device| {
        Some(format!("{}:{}", device.digits_after("VID_")?, device.digits_after("PID_")?))
    };
    let container = |device: &Device| device.key.text("ContainerID");
    let own_id = id(device)?;
    let own =
        |one: &&&Device| id(one).as_ref() == Some(&own_id) && container(one) == container(device);
    let functions: Vec<&&Device> = functions.iter().filter(own).collect();
    let mut drivers: BTreeSet<&str> =
        functions.iter().filter_map(|one| one.service.as_deref()).collect();
    if functions.is_empty() {
        drivers.extend(device.service.as_deref());
    }
    let classes: BTreeSet<&str> = functions
        .iter()
        .map(|one| **one)
        .chain([device])
        .filter_map(|one| class(&one.key.texts("CompatibleIDs")))
        .collect();
    let joined = |words: BTreeSet<&str>| {
        let words: Vec<&str> = words.into_iter().collect();
        (!words.is_empty()).then(|| words.join(", "))
    };
    // A device without a number of its own is told by where it is plugged in.
    let last = device.last();
    let has_serial = !last.contains('&');
    let place = device.key.number("Address").map(|port| port.to_string());
    Some(UsbDevice {
        port: place.filter(|_| has_serial).unwrap_or_else(|| last.to_ascii_lowercase()),
        vendor: device.maker(),
        name: device.own_name(host).or_else(|| device.name()).filter(|text| usb::is_name(text)),
        serial: Some(last.to_owned())
            .filter(|serial| has_serial && !serial.trim_matches('0').is_empty()),
        class: joined(classes),
        driver: joined(drivers),
        removable: container(device).map(|it| !it.eq_ignore_ascii_case(OF_THE_COMPUTER)),
        id: own_id,
    })
}

/// `USB\Class_08&SubClass_06&Prot_50`, and `USB\DevClass_09` of a device as a whole.
fn class(compatible: &[String]) -> Option<&'static str> {
    compatible.iter().find_map(|id| {
        let upper = id.to_ascii_uppercase();
        let (_, rest) = upper.split_once("CLASS_")?;
        usb::class_name(&rest.get(..2)?.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_told_by_maker_and_model() {
        let instance = r"PCI\VEN_8086&DEV_15FC&SUBSYS_22E617AA&REV_20\3&11583659&0&FE";
        assert_eq!(subsystem(instance).as_deref(), Some("17aa:22e6"));
        assert_eq!(subsystem(r"PCI\VEN_8086&DEV_15FC&SUBSYS_00000000&REV_20\3&1&0&FE"), None);
        assert_eq!(subsystem(r"PCI\VEN_8086&DEV_15FC&REV_20\3&1&0&FE"), None);
    }

    #[test]
    fn what_a_device_is_stands_in_what_it_can_be_taken_for() {
        let told = |id: &str| class(&[id.to_owned()]);
        assert_eq!(told(r"USB\Class_08&SubClass_06&Prot_50"), Some("storage"));
        assert_eq!(told(r"USB\Class_E0"), Some("wireless"));
        assert_eq!(told(r"USB\DevClass_00&SubClass_00"), None);
        assert_eq!(told(r"USB\COMPOSITE"), None);
    }
}
