//! Devices on the USB.

use std::collections::BTreeSet;

use rollcall_shared::section::{Section, UsbDevice};

use super::digits;
use crate::host::Host;
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source, names};

const FOLDER: &str = "/sys/bus/usb/devices";

/// Devices on the USB.
pub const USB: Source = Source {
    name: "usb",
    section: "usb",
    about: "Devices in /sys/bus/usb/devices, names from the devices and the system's usb.ids",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let folders = host.list(FOLDER).unwrap_or_default();
    // `1-4:1.0` is a function of `1-4`; `usb1` is the computer's own end of a bus.
    let ports = folders.iter().filter(|name| !name.contains(':') && !name.starts_with("usb"));
    let mut rows: Vec<UsbDevice> = ports.filter_map(|port| device(host, port, &folders)).collect();
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let names = names::read(host, names::USB, &ids, &[]);
    for row in &mut rows {
        // What the device says of itself often names no maker, or its chip's.
        let vendor = row.id.get(..4).and_then(|vendor| names.vendors.get(vendor).cloned());
        row.vendor = row.vendor.take().or(vendor);
        row.name = row.name.take().or_else(|| names.devices.get(&row.id).cloned());
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Usb(rows))
}

fn device(host: &Host, port: &str, folders: &[String]) -> Option<UsbDevice> {
    let value = |file: &str| host.value(&format!("{FOLDER}/{port}/{file}"));
    let functions = folders
        .iter()
        .filter(|name| name.strip_prefix(port).is_some_and(|rest| rest.starts_with(':')));
    let functions: Vec<&String> = functions.collect();
    let drivers: BTreeSet<String> = functions
        .iter()
        .filter_map(|name| host.link_name(&format!("{FOLDER}/{name}/driver")))
        .collect();
    let mut classes: BTreeSet<&'static str> = functions
        .iter()
        .filter_map(|name| host.value(&format!("{FOLDER}/{name}/bInterfaceClass")))
        .filter_map(|class| class_name(&class))
        .collect();
    classes.extend(value("bDeviceClass").and_then(|class| class_name(&class)));
    let joined = |words: Vec<&str>| (!words.is_empty()).then(|| words.join(", "));
    Some(UsbDevice {
        id: format!("{}:{}", digits(&value("idVendor")?)?, digits(&value("idProduct")?)?),
        vendor: value("manufacturer").filter(|text| is_name(text)),
        name: value("product").filter(|text| is_name(text)),
        serial: value("serial").filter(|text| !text.trim_matches('0').is_empty()),
        class: joined(classes.into_iter().collect()),
        driver: joined(drivers.iter().map(String::as_str).collect()),
        removable: value("removable").and_then(|word| match word.as_str() {
            "removable" => Some(true),
            "fixed" => Some(false),
            _ => None,
        }),
        port: port.to_owned(),
    })
}

/// Devices give all kinds of things as their name.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().any(char::is_alphabetic) && !text.chars().any(char::is_control)
}

pub(super) fn class_name(class: &str) -> Option<&'static str> {
    Some(match class {
        "01" => "audio",
        "02" | "0a" => "communication",
        "03" => "input",
        "06" => "image",
        "07" => "printer",
        "08" => "storage",
        "09" => "hub",
        "0b" => "smart card",
        "0e" => "video",
        "e0" => "wireless",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> Vec<UsbDevice> {
        let root = format!("{}/../tests/fixtures/usb/{system}", env!("CARGO_MANIFEST_DIR"));
        match gather(&Host::at(root)).section {
            Some(Section::Usb(rows)) => rows,
            other => panic!("no devices: {other:?}"),
        }
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("laptop-at-dock", told("laptop-at-dock"));
        insta::assert_debug_snapshot!("raspberry-pi-4", told("raspberry-pi-4"));
        insta::assert_debug_snapshot!("virtual-machine", told("virtual-machine"));
    }
}
