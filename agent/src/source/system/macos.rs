//! What a Mac says of itself, and its names from the system's configuration.

use rollcall_shared::section::system::{Board, Chassis};
use rollcall_shared::section::{Section, System};

use super::guest::{Evidence, virtualization};
use super::parse;
use crate::host::Host;
use crate::io_registry::Entry;
use crate::plist::Value;
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
            found.first().map(|expert| system(expert, product.as_ref())).unwrap_or_default()
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
