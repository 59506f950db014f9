//! PCI identifiers and the names that `pci.ids` has for them.

use rollcall_shared::section::Gpu;

/// A display device on the PCI bus, as its folder in `/sys/bus/pci/devices` tells it.
#[derive(Debug, Clone, Default)]
pub struct PciDevice {
    /// Name of the folder, e.g. `0000:63:00.0`.
    pub address: String,
    /// Maker as four hexadecimal digits, e.g. `1002`.
    pub vendor: String,
    /// Device as four hexadecimal digits, e.g. `1681`.
    pub device: String,
    /// Kernel driver.
    pub driver: Option<String>,
    /// Dedicated memory.
    pub memory_bytes: Option<u64>,
    /// The name its driver knows.
    pub driver_name: Option<String>,
}

/// `0x1002` as `1002`.
pub fn hex_id(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix("0x")?;
    let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| digits.to_ascii_lowercase())
}

/// Whether a class as in `0x030000` is a display device.
pub fn is_display(class: &str) -> bool {
    class.trim().starts_with("0x03")
}

/// The adapter with the names from the text of a `pci.ids`, which may be empty.
pub fn gpu(device: PciDevice, pci_ids: &str) -> Gpu {
    let pci_id = format!("{}:{}", device.vendor, device.device);
    let (vendor, name) = look_up(pci_ids, &device.vendor, &device.device);
    Gpu {
        name: device
            .driver_name
            .or_else(|| name.map(|name| marketing_name(name).to_owned()))
            .unwrap_or_else(|| pci_id.clone()),
        vendor: vendor.or_else(|| well_known(&device.vendor)).map(str::to_owned),
        pci_id: Some(pci_id),
        pci_address: Some(device.address),
        driver: device.driver,
        memory_bytes: device.memory_bytes,
    }
}

/// Names of maker and device in a `pci.ids`: makers start a line, devices follow after a tab.
fn look_up<'a>(text: &'a str, vendor: &str, device: &str) -> (Option<&'a str>, Option<&'a str>) {
    let mut lines = text.lines();
    let entry = |line: &'a str, id: &str| Some(line.strip_prefix(id)?.strip_prefix("  ")?.trim());
    let Some(maker) = lines.by_ref().find_map(|line| entry(line, vendor)) else {
        return (None, None);
    };
    let name = lines
        .take_while(|line| line.starts_with('\t') || line.starts_with('#') || line.is_empty())
        .find_map(|line| entry(line.strip_prefix('\t')?, device));
    (Some(maker), name)
}

/// `Rembrandt [Radeon 680M]` is sold as `Radeon 680M`.
fn marketing_name(name: &str) -> &str {
    let inside = name.strip_suffix(']').and_then(|name| name.split_once('['));
    inside.map_or(name, |(_, inside)| inside.trim())
}

/// Makers that are met on PCI, by their number.
pub(crate) fn well_known(vendor: &str) -> Option<&'static str> {
    Some(match vendor {
        "1002" | "1022" => "Advanced Micro Devices, Inc. [AMD]",
        "102b" => "Matrox Electronics Systems Ltd.",
        "10de" => "NVIDIA Corporation",
        "106b" => "Apple Inc.",
        "1234" => "QEMU",
        "1414" => "Microsoft Corporation",
        "15ad" => "VMware",
        "1a03" => "ASPEED Technology, Inc.",
        "1af4" | "1b36" => "Red Hat, Inc.",
        "8086" => "Intel Corporation",
        "80ee" => "InnoTek Systemberatung GmbH",
        _ => return None,
    })
}

/// `Model:` in what NVIDIA's driver says of a card.
pub fn nvidia_model(information: &str) -> Option<String> {
    let line = information.lines().find_map(|line| line.strip_prefix("Model:"))?;
    let name = line.trim();
    (!name.is_empty()).then(|| name.strip_prefix("NVIDIA ").unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const IDS: &str = "# comment\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t1680  Other\n\
        \t1681  Rembrandt [Radeon 680M]\n\t\t1028 0b37  A subsystem\n\t1682  More\n\
        8086  Intel Corporation\n\t1681  Not this one\n";

    fn device(vendor: &str, device: &str) -> PciDevice {
        PciDevice { vendor: vendor.to_owned(), device: device.to_owned(), ..PciDevice::default() }
    }

    #[test]
    fn names_come_from_the_list_or_are_the_numbers() {
        let found = gpu(device("1002", "1681"), IDS);
        assert_eq!(found.name, "Radeon 680M");
        assert_eq!(found.vendor.as_deref(), Some("Advanced Micro Devices, Inc. [AMD/ATI]"));
        let unknown = gpu(device("1002", "ffff"), IDS);
        assert_eq!(unknown.name, "1002:ffff");
        let no_list = gpu(device("10de", "2504"), "");
        assert_eq!(no_list.vendor.as_deref(), Some("NVIDIA Corporation"));
    }

    #[test]
    fn the_drivers_name_counts_more() {
        let text = "Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 150\n";
        let name = nvidia_model(text);
        let card = PciDevice { driver_name: name, ..device("10de", "2504") };
        assert_eq!(gpu(card, IDS).name, "GeForce RTX 3060");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(1002  \\PC{0,9}\n|\t1681  \\PC{0,9}\n|\\PC|\n)*") {
            let _ = gpu(device("1002", "1681"), &text);
            let _ = hex_id(&text);
            let _ = nvidia_model(&text);
        }
    }
}
