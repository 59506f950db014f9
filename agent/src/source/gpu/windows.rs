//! Graphics adapters of a Windows computer, as the registry knows them and their drivers.

use rollcall_shared::section::{Gpu, Section};

use super::parse;
use crate::host::Host;
use crate::registry::{Key, Value};
use crate::source::devices::{self, Device};
use crate::source::{Gathered, Platform, Privilege, Source};

const CLASS: &str = "{4d36e968-e325-11ce-bfc1-08002be10318}";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "display_adapter",
    section: "gpu",
    about: r"Display adapters that are present, from the registry (Enum and the settings of their drivers in Control\Class)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    // That of a remote session comes and goes with it.
    let adapters =
        present.devices.iter().filter(|one| one.is_of_class(CLASS) && one.bus() != "SWD");
    Gathered::of(Section::Gpu(adapters.filter_map(|one| adapter(host, one)).collect()))
}

fn adapter(host: &Host, device: &Device) -> Option<Gpu> {
    let driver = device.driver_key(host).unwrap_or_default();
    let vendor = device.digits_after("VEN_");
    let pci_id = vendor.clone().zip(device.digits_after("DEV_"));
    let pci_id = pci_id.map(|(vendor, device)| format!("{vendor}:{device}"));
    let known = vendor.and_then(|vendor| parse::well_known(&vendor)).map(str::to_owned);
    Some(Gpu {
        name: driver.text("DriverDesc").or_else(|| device.name()).or_else(|| pci_id.clone())?,
        vendor: known.or_else(|| device.maker()).or_else(|| driver.text("ProviderName")),
        pci_id,
        pci_address: device.pci_address(),
        driver: device.service.as_ref().map(|service| match driver.text("DriverVersion") {
            Some(version) => format!("{service} {version}"),
            None => service.clone(),
        }),
        memory_bytes: memory(&driver),
    })
}

/// Memory of the adapter; older drivers tell it in 32 bits, and both as a number or as bytes.
fn memory(driver: &Key) -> Option<u64> {
    let names = ["hardwareinformation.qwmemorysize", "hardwareinformation.memorysize"];
    let number = |name: &&str| match driver.values.get(*name)? {
        Value::Number(number) => Some(*number),
        Value::Bytes(bytes) if matches!(bytes.len(), 4 | 8) => {
            let mut number = [0; 8];
            number.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(u64::from_le_bytes(number))
        }
        _ => None,
    };
    names.iter().filter_map(number).find(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_several_ways() {
        let key = |values: &[(&str, Value)]| Key {
            values: values.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect(),
            ..Key::default()
        };
        let new = ("hardwareinformation.qwmemorysize", Value::Number(8 << 30));
        let old = ("hardwareinformation.memorysize", Value::Bytes(vec![0, 0, 0, 0x40]));
        assert_eq!(memory(&key(&[new, old.clone()])), Some(8 << 30));
        assert_eq!(memory(&key(&[old])), Some(1 << 30));
        let odd = ("hardwareinformation.memorysize", Value::Bytes(vec![1; 3]));
        assert_eq!(memory(&key(&[odd])), None);
    }
}
