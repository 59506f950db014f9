//! What a Mac says of itself, and its names from the system's configuration.

use rollcall_shared::section::system::{Board, Chassis, Virtualization, VirtualizationRole};
use rollcall_shared::section::{Section, System};

use super::guest::{Evidence, virtualization};
use super::parse;
use crate::host::Host;
use crate::io_registry::Entry;
use crate::plist::Value;
use crate::source::bus::pci_id;
use crate::source::text::some;
use crate::source::{Gathered, Platform, Privilege, Source};

const PLATFORM: &str = "IOPlatformExpertDevice";
const CONFIGURATION: &str = "/Library/Preferences/SystemConfiguration/preferences.plist";

/// The declaration.
pub const MACOS: Source = Source {
    name: "platform_expert",
    section: "system",
    about: "Names and numbers from the I/O registry (IOPlatformExpertDevice) and the device tree, host name from SystemConfiguration/preferences.plist",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

/// The model of this Mac as a number of its maker, e.g. `MacBookPro18,3`.
pub(crate) fn model_identifier(host: &Host) -> Option<String> {
    host.io_registry(PLATFORM, 0).ok()?.first()?.text("model")
}

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let mut system = match host.io_registry(PLATFORM, 0) {
        Ok(found) => {
            let product = host.device_tree("product").ok();
            let mut told =
                found.first().map(|expert| system(expert, product.as_ref())).unwrap_or_default();
            if told.virtualization.is_none()
                && let Some(kind) =
                    host.io_registry("IOPCIDevice", 0).ok().as_deref().and_then(made_up)
            {
                let role = Some(VirtualizationRole::VirtualMachine);
                told.virtualization = Some(Virtualization { kind: kind.to_owned(), role });
                told.chassis = Some(Chassis::VirtualMachine);
            }
            told
        }
        Err(error) => {
            notes.push(error.into());
            System::default()
        }
    };
    match host.property_list(CONFIGURATION) {
        Ok(list) => names(&list, &mut system),
        Err(error) => notes.push(error.into()),
    }
    Gathered { section: Some(Section::System(system)), notes }
}

fn system(expert: &Entry, product: Option<&Entry>) -> System {
    let manufacturer = expert.text("manufacturer");
    let identifier = expert.text("model");
    let mac = identifier.as_deref().unwrap_or_default();
    // Macs with a chip of Apple know the name they are sold under.
    let name = product.and_then(|product| product.text("product-name"));
    let guest = virtualization(&Evidence {
        vendor: manufacturer.clone(),
        product: if mac.starts_with("VirtualMac") {
            Some("Apple Virtualization".to_owned())
        } else {
            identifier.clone()
        },
        first_namespace: Some(true),
        ..Evidence::default()
    });
    let number = expert.text("model-number");
    let region = expert.text("region-info").unwrap_or_default();
    System {
        chassis: match &guest {
            Some(_) => Some(Chassis::VirtualMachine),
            None => chassis(name.as_deref().unwrap_or(mac)),
        },
        sku: number.map(|number| format!("{number}{region}")),
        board: expert.text("board-id").map(|id| Board {
            manufacturer: manufacturer.clone(),
            model: Some(id),
            serial: None,
        }),
        manufacturer,
        model: name.or(identifier),
        serial: expert.text("IOPlatformSerialNumber").filter(|serial| serial != "0"),
        uuid: expert.text("IOPlatformUUID").and_then(|uuid| parse::uuid(&uuid)),
        virtualization: guest,
        ..System::default()
    }
}

/// Makers of devices that no real computer has. Some hypervisors let their guests look like a Mac.
const MADE_UP: &[(&str, &str)] = &[
    ("1234", "kvm"),
    ("15ad", "vmware"),
    ("1ab8", "parallels"),
    ("1af4", "kvm"),
    ("1b36", "kvm"),
    ("80ee", "virtualbox"),
];

/// The hypervisor whose devices these are.
fn made_up(devices: &[Entry]) -> Option<&'static str> {
    let makers: Vec<String> =
        devices.iter().filter_map(|device| pci_id(device, "vendor-id")).collect();
    // Some use devices of others besides their own.
    let own = |kind: &&(&str, &str)| makers.iter().any(|maker| maker == kind.0);
    let found = MADE_UP.iter().filter(own);
    found.max_by_key(|(_, kind)| *kind != "kvm").map(|(_, kind)| *kind)
}

/// Kind of computer by the name it is sold under, or the number of its model.
fn chassis(name: &str) -> Option<Chassis> {
    let starts = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if starts(&["MacBook", "PowerBook"]) {
        Some(Chassis::Laptop)
    } else if starts(&["iMac"]) {
        Some(Chassis::AllInOne)
    } else if starts(&["Mac mini", "Macmini", "Mac Studio", "Mac Pro", "MacPro"]) {
        Some(Chassis::Desktop)
    } else if starts(&["Xserve"]) {
        Some(Chassis::Server)
    } else {
        None
    }
}

/// The name that was set for the network counts more than the one that people gave.
fn names(list: &Value, system: &mut System) {
    let part = |way: &[&str]| way.iter().try_fold(list, |list, name| list.get(name));
    let own = part(&["System", "System"]);
    let text = |list: Option<&Value>, name: &str| {
        list.and_then(|list| list.text(name)).and_then(|text| some(text.as_bytes()))
    };
    let full = text(own, "HostName");
    let local = text(part(&["System", "Network", "HostNames"]), "LocalHostName");
    let Some(name) = full.or(local).or_else(|| text(own, "ComputerName")) else { return };
    (system.hostname, system.fqdn, system.domain) = parse::names(&name, "", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_macs() {
        for (name, kind) in [
            ("MacBook Air (M1, 2020)", Some(Chassis::Laptop)),
            ("MacBookPro12,1", Some(Chassis::Laptop)),
            ("iMac (24-inch, M1, 2021)", Some(Chassis::AllInOne)),
            ("iMacPro1,1", Some(Chassis::AllInOne)),
            ("Macmini8,1", Some(Chassis::Desktop)),
            ("Mac Studio (2022)", Some(Chassis::Desktop)),
            ("Xserve3,1", Some(Chassis::Server)),
            ("Mac14,3", None),
        ] {
            assert_eq!(chassis(name), kind, "{name}");
        }
    }

    #[test]
    fn guests_that_look_like_macs_are_told_by_their_devices() {
        let kind = |makers: &[&str]| {
            let text: Vec<String> = makers
                .iter()
                .map(|data| format!("<dict><key>vendor-id</key><data>{data}</data></dict>"))
                .collect();
            let list =
                Value::read(format!("<plist><array>{}</array></plist>", text.concat()).as_bytes());
            made_up(&Entry::read_all(list.unwrap()))
        };
        let (intel, virtio, virtualbox) = ("hoAAAA==", "9BoAAA==", "7oAAAA==");
        assert_eq!(kind(&[intel]), None);
        assert_eq!(kind(&[intel, virtio]), Some("kvm"));
        assert_eq!(kind(&[virtio, virtualbox]), Some("virtualbox"));
    }

    #[test]
    fn a_name_of_the_network_counts_most() {
        let told = |keys: &str| {
            let list = Value::read(format!("<plist><dict>{keys}</dict></plist>").as_bytes());
            let mut system = System::default();
            names(&list.unwrap(), &mut system);
            (system.hostname, system.fqdn)
        };
        let own = "<key>ComputerName</key><string>Annas Mac</string>";
        let full = "<key>HostName</key><string>mac-7.example.org</string>";
        let system = |keys: &str| {
            format!("<key>System</key><dict><key>System</key><dict>{keys}</dict></dict>")
        };
        assert_eq!(told(&system(own)), ("Annas Mac".to_owned(), None));
        let name = Some("mac-7.example.org".to_owned());
        assert_eq!(told(&system(&format!("{own}{full}"))), ("mac-7".to_owned(), name));
        assert_eq!(told(""), (String::new(), None));
    }
}
