//! Devices of a Windows computer as its registry tells them.
//!
//! The registry keeps every device that was ever plugged in. Which of them are here now the system
//! tells when it is asked. Where it does not, there are lists that it makes anew at each start: one
//! for each driver, with the devices it runs. A device that has no driver is in none of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::{Note, NoteKind};

use crate::host::{Host, HostError};
use crate::registry::{Key, Value};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const ENUM: &str = r"HKLM\SYSTEM\CurrentControlSet\Enum";
const CLASSES: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Class";
/// Devices that are looked at; no computer has so many.
const DEVICES_LIMIT: usize = 5_000;

/// A device that is here and runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Device {
    /// Its name in the tree of devices, e.g. `PCI\VEN_8086&DEV_A0C8&SUBSYS_22E617AA&REV_20\3&11583659&0&FB`.
    pub(crate) instance: String,
    /// The driver that runs it, e.g. `IntcAudioBus`; `None` for one that has none.
    pub(crate) service: Option<String>,
    /// What the system knows of it.
    pub(crate) key: Key,
}

/// The devices that are here, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Present {
    pub(crate) devices: Vec<Device>,
    /// Those without a driver are among them.
    complete: bool,
}

impl Present {
    /// What is to be said where devices without a driver are left out.
    pub(crate) fn note(&self) -> Option<Note> {
        let why = "devices without a driver are left out: the registry does not tell which of them are present";
        (!self.complete).then(|| Note::new(NoteKind::Unsupported).with_detail(why))
    }
}

/// The devices that are here.
pub(crate) fn present(host: &Host) -> Arc<Result<Present, Note>> {
    host.keep("present devices", |host| look(host).map_err(Note::from))
}

fn look(host: &Host) -> Result<Present, HostError> {
    let told = told(host);
    let complete = !told.is_empty();
    let instances = if complete { told } else { in_lists(host)? };
    let mut found: BTreeMap<String, Device> = BTreeMap::new();
    for instance in instances {
        let upper = instance.to_ascii_uppercase();
        if found.contains_key(&upper) || found.len() >= DEVICES_LIMIT {
            continue;
        }
        let Ok(key) = host.registry(&format!(r"{ENUM}\{instance}")) else { continue };
        found.insert(upper, Device { instance, service: key.text("Service"), key });
    }
    if found.is_empty() {
        return Err(HostError::NotFound {
            path: "the list of devices that are present".to_owned(),
        });
    }
    Ok(Present { devices: found.into_values().collect(), complete })
}

/// Names of the devices that are here, as the system tells them.
fn told(host: &Host) -> Vec<String> {
    if host.is_live() {
        return cfg_select! {
            windows => super::device_call::present_devices(),
            _ => Vec::new(),
        };
    }
    let captured = host.captured_call("present_devices").unwrap_or_default();
    captured.lines().map(str::to_owned).collect()
}

/// Names of the devices in the lists of their drivers.
fn in_lists(host: &Host) -> Result<Vec<String>, HostError> {
    let services = host.registry(SERVICES)?.keys;
    let lists = services
        .iter()
        .filter_map(|service| host.registry(&format!(r"{SERVICES}\{service}\Enum")).ok());
    Ok(lists.flat_map(|list| instances(&list)).collect())
}

/// The devices in the list of a driver: its values have numbers for names.
fn instances(list: &Key) -> Vec<String> {
    let numbered = |(name, value): (&String, &Value)| match value {
        Value::Text(instance) if name.bytes().all(|byte| byte.is_ascii_digit()) => {
            (instance.split('\\').count() == 3).then(|| instance.clone())
        }
        _ => None,
    };
    list.values.iter().filter_map(numbered).collect()
}

impl Device {
    /// The first part of its name, e.g. `PCI`, `USB`, `HID`, in capitals.
    pub(crate) fn bus(&self) -> String {
        self.instance.split('\\').next().unwrap_or_default().to_ascii_uppercase()
    }

    /// The last part of its name, which tells it from others of its kind.
    pub(crate) fn last(&self) -> &str {
        self.instance.rsplit('\\').next().unwrap_or_default()
    }

    /// Whether it is of the class with this number, e.g. `{4d36e968-e325-11ce-bfc1-08002be10318}`.
    pub(crate) fn is_of_class(&self, class: &str) -> bool {
        self.key.text("ClassGUID").is_some_and(|told| told.eq_ignore_ascii_case(class))
    }

    /// Whether only programs make it be here.
    pub(crate) fn is_made_up(&self) -> bool {
        matches!(
            self.bus().as_str(),
            "ROOT" | "SWD" | "SW" | "UMB" | "TERMINPUT_BUS" | "TS_USB_HUB"
        )
    }

    /// What people know it by.
    pub(crate) fn name(&self) -> Option<String> {
        self.words("FriendlyName").or_else(|| self.words("DeviceDesc"))
    }

    /// Its maker. Drivers that come with the system and fit many devices name none.
    pub(crate) fn maker(&self) -> Option<String> {
        const OF_MANY: [&str; 4] = ["(", "Compatible ", "Generic ", "Microsoft"];
        let maker = self.words("Mfg")?;
        let maker = maker.trim_end_matches("(x64)").trim_end();
        (!OF_MANY.iter().any(|word| maker.starts_with(word))).then(|| maker.to_owned())
    }

    /// A text of its key as a person reads it.
    pub(crate) fn words(&self, name: &str) -> Option<String> {
        plain(&self.key.text(name)?)
    }

    /// The four digits after a word of its name, e.g. those of `VEN_`, in small letters.
    pub(crate) fn digits_after(&self, word: &str) -> Option<String> {
        digits_after(&self.instance, word)
    }

    /// The key of its driver, e.g. `…\Control\Class\{4d36e968-…}\0000`.
    pub(crate) fn driver_key(&self, host: &Host) -> Option<Key> {
        let place = self.key.text("Driver")?;
        host.registry(&format!(r"{CLASSES}\{place}")).ok()
    }

    /// The key below it with its settings.
    pub(crate) fn parameters(&self, host: &Host) -> Option<Key> {
        host.registry(&format!(r"{ENUM}\{}\Device Parameters", self.instance)).ok()
    }

    /// The name that a device on the USB gave itself. Only the system may read it.
    pub(crate) fn own_name(&self, host: &Host) -> Option<String> {
        const TOLD_BY_BUS: &str = r"Properties\{540b947e-8b40-45bc-a8a2-6a0b894cbda2}\0004";
        let key = host.registry(&format!(r"{ENUM}\{}\{TOLD_BY_BUS}", self.instance)).ok()?;
        plain(&crate::registry::export::text(key.bytes("")?))
    }

    /// Where it sits on the PCI bus, e.g. `0000:00:1f.3`.
    pub(crate) fn pci_address(&self) -> Option<String> {
        pci_address(&self.key.text("LocationInformation")?)
    }
}

/// Texts stand in the library that knows them, with what it says behind a semicolon:
/// `@oem12.inf,%name%;Intel(R) Smart Sound`.
fn plain(text: &str) -> Option<String> {
    let told = match text.strip_prefix('@') {
        Some(rest) => rest.split_once(';')?.1,
        None => text,
    };
    let told = told.trim();
    (!told.is_empty()).then(|| told.to_owned())
}

/// Four hexadecimal digits after a word such as `VID_`.
pub(crate) fn digits_after(text: &str, word: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    let at = upper.find(word)? + word.len();
    let digits = upper.get(at..at + 4)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| digits.to_ascii_lowercase())
}

/// `@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(0,31,3)`, or in words in
/// which the numbers have the same order.
fn pci_address(place: &str) -> Option<String> {
    let numbers = place.rsplit(';').next()?;
    let numbers = numbers.split(|letter: char| !letter.is_ascii_digit());
    let numbers: Vec<u32> = numbers.filter_map(|number| number.parse().ok()).collect();
    let [bus, device, function] = numbers.as_slice() else { return None };
    // Of a large computer with several buses of the same number the upper part tells which.
    let (domain, bus) = (bus >> 8, bus & 0xff);
    (*device < 32 && *function < 8 && domain <= 0xffff)
        .then(|| format!("{domain:04x}:{bus:02x}:{device:02x}.{function}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_taken_out_of_their_libraries() {
        let told = plain("@oem12.inf,%intel_sst%;Intel(R) Smart Sound");
        assert_eq!(told.as_deref(), Some("Intel(R) Smart Sound"));
        assert_eq!(plain("USB Composite Device").as_deref(), Some("USB Composite Device"));
        assert_eq!(plain("@machine.inf,%pci%"), None);
    }

    #[test]
    fn places_on_the_pci_bus_have_an_address() {
        for (place, address) in [
            (
                r"@System32\drivers\pci.sys,#65536;PCI bus %1, device %2, function %3;(0,31,3)",
                "0000:00:1f.3",
            ),
            ("PCI-Bus 99, Gerät 0, Funktion 1", "0000:63:00.1"),
            ("PCI bus 65793, device 2, function 0", "0101:01:02.0"),
        ] {
            assert_eq!(pci_address(place).as_deref(), Some(address), "{place}");
        }
        assert_eq!(pci_address("Port_#0002.Hub_#0001"), None);
        assert_eq!(pci_address("PCI bus 0, device 99, function 0"), None);
    }

    #[test]
    fn numbers_are_found_in_a_name() {
        let name = r"USB\VID_046D&PID_c52b\5&2c0d1a3&0&2";
        assert_eq!(digits_after(name, "VID_").as_deref(), Some("046d"));
        assert_eq!(digits_after(name, "PID_").as_deref(), Some("c52b"));
        assert_eq!(digits_after("VID_04", "VID_"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(@|;|\\(|[0-9]{1,12}|,|VEN_|\\\\|é|\\PC)*") {
            let _ = plain(&text);
            let _ = pci_address(&text);
            let _ = digits_after(&text, "VEN_");
        }
    }
}
