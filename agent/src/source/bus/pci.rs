//! Devices on the PCI bus.

use rollcall_shared::section::{PciDevice, Section};

use super::digits;
use crate::host::Host;
use crate::order;
use crate::source::{Gathered, Platform, Privilege, Source, names};

const FOLDER: &str = "/sys/bus/pci/devices";

/// Devices on the PCI bus.
pub const PCI: Source = Source {
    name: "pci",
    section: "pci",
    about: "Devices in /sys/bus/pci/devices, names from the system's pci.ids",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    // Small boards and containers have no such bus.
    let addresses = host.list(FOLDER).unwrap_or_default();
    let mut rows: Vec<(PciDevice, String)> =
        addresses.into_iter().filter_map(|address| device(host, address)).collect();
    let ids: Vec<String> = rows.iter().map(|(row, _)| row.id.clone()).collect();
    let classes: Vec<String> = rows.iter().map(|(_, class)| class.clone()).collect();
    let names = names::read(host, names::PCI, &ids, &classes);
    for (row, class) in &mut rows {
        row.vendor = row.id.get(..4).and_then(|vendor| names.vendors.get(vendor).cloned());
        row.name = names.devices.get(&row.id).cloned();
        row.class = names.classes.get(class).cloned().or_else(|| well_known(class));
    }
    let mut rows: Vec<PciDevice> = rows.into_iter().map(|(row, _)| row).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Pci(rows))
}

/// The device and the four digits of its class.
fn device(host: &Host, address: String) -> Option<(PciDevice, String)> {
    let value = |file: &str| host.value(&format!("{FOLDER}/{address}/{file}"));
    let id = |vendor: &str, device: &str| {
        Some(format!("{}:{}", digits(&value(vendor)?)?, digits(&value(device)?)?))
    };
    let class = value("class")?;
    let class = class.trim_start_matches("0x").get(..4)?.to_ascii_lowercase();
    let row = PciDevice {
        id: id("vendor", "device")?,
        subsystem: id("subsystem_vendor", "subsystem_device").filter(|id| id != "0000:0000"),
        driver: host.link_name(&format!("{FOLDER}/{address}/driver")),
        address,
        ..PciDevice::default()
    };
    Some((row, class))
}

/// Kinds of devices where the system has no list of names.
pub(super) fn well_known(class: &str) -> Option<String> {
    let name = match class {
        "0106" => "SATA controller",
        "0108" => "Non-Volatile memory controller",
        "0200" => "Ethernet controller",
        "0280" => "Network controller",
        "0300" => "VGA compatible controller",
        "0403" => "Audio device",
        "0600" => "Host bridge",
        "0604" => "PCI bridge",
        "0c03" => "USB controller",
        _ => match class.get(..2)? {
            "01" => "Mass storage controller",
            "02" => "Network controller",
            "03" => "Display controller",
            "04" => "Multimedia controller",
            "05" => "Memory controller",
            "06" => "Bridge",
            "07" => "Communication controller",
            "08" => "Generic system peripheral",
            "09" => "Input device controller",
            "0b" => "Processor",
            "0c" => "Serial bus controller",
            "0d" => "Wireless controller",
            "10" => "Encryption controller",
            "11" => "Signal processing controller",
            "12" => "Processing accelerators",
            _ => return None,
        },
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> Vec<String> {
        let root = format!("{}/../tests/fixtures/{system}", env!("CARGO_MANIFEST_DIR"));
        let Some(Section::Pci(rows)) = gather(&Host::at(root)).section else { panic!("no rows") };
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let row = |row: &PciDevice| {
            let texts = [&row.class, &row.vendor, &row.name, &row.subsystem, &row.driver];
            let texts: Vec<String> = texts.into_iter().map(word).collect();
            format!("{} {} {}", row.address, row.id, texts.join(" | "))
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("firecracker-guest", told("host/firecracker-guest"));
        insta::assert_debug_snapshot!("thinkpad", told("pci/thinkpad-t14"));
        insta::assert_debug_snapshot!("server", told("pci/server"));
    }
}
