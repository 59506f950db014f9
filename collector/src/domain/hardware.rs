//! What lists show of a device, drawn from its sections: kind, names, the person, addresses.

use std::net::IpAddr;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DeviceClass;
use rollcall_shared::junk;
use rollcall_shared::report::Vitals;
use rollcall_shared::section::network::{Interface, InterfaceKind};
use rollcall_shared::section::os::OsFamily;
use rollcall_shared::section::system::Chassis;
use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{Manager, Network, Os, System, Users};

/// The kind of device, which decides when it counts as missing. A server system makes a server of
/// any chassis; a virtual computer is a server.
pub fn class_of(system: &System, os: &Os) -> DeviceClass {
    let server_system = os.windows.as_ref().is_some_and(|windows| {
        windows.installation_type.as_deref().is_some_and(|kind| kind.contains("Server"))
    });
    if server_system {
        return DeviceClass::Server;
    }
    match &system.chassis {
        Some(Chassis::Laptop | Chassis::Convertible | Chassis::Tablet) => DeviceClass::Laptop,
        Some(Chassis::Desktop | Chassis::AllInOne) => DeviceClass::Desktop,
        Some(Chassis::Server | Chassis::VirtualMachine) => DeviceClass::Server,
        Some(Chassis::Container | Chassis::EmbeddedDevice) => DeviceClass::Other,
        Some(Chassis::Other(_)) | None => guess_class(system, os),
    }
}

fn guess_class(system: &System, os: &Os) -> DeviceClass {
    if system.virtualization.is_some() {
        return DeviceClass::Server;
    }
    let model = os
        .macos
        .as_ref()
        .and_then(|macos| macos.model.as_deref())
        .or(system.model.as_deref())
        .unwrap_or_default();
    match os.family {
        OsFamily::Macos if model.starts_with("MacBook") => DeviceClass::Laptop,
        OsFamily::Macos => DeviceClass::Desktop,
        _ => DeviceClass::Other,
    }
}

/// The operating system as lists group it: name and version without code names and patch levels.
pub fn os_display(os: &Os) -> String {
    match &os.family {
        OsFamily::Linux => {
            let value = |key: &str| os.release.get(key).filter(|value| !value.is_empty());
            match (value("NAME"), value("VERSION_ID"), value("PRETTY_NAME")) {
                (Some(name), Some(version), _) => format!("{name} {version}"),
                (_, _, Some(pretty)) => pretty.clone(),
                (Some(name), None, None) => name.clone(),
                _ => os.name.clone(),
            }
        }
        OsFamily::Windows => windows_display(os),
        OsFamily::Macos => match &os.macos {
            Some(macos) => format!("macOS {}", macos.version),
            None => os.name.clone(),
        },
        OsFamily::Other(_) => os.name.clone(),
    }
}

/// `ProductName` says Windows 10 on Windows 11 as well; the build decides.
fn windows_display(os: &Os) -> String {
    let Some(windows) = &os.windows else { return os.name.clone() };
    let mut name = windows.product_name.clone().unwrap_or_else(|| os.name.clone());
    let client = windows.installation_type.as_deref().is_none_or(|kind| kind == "Client");
    if client && windows.build >= 22_000 {
        name = name.replace("Windows 10", "Windows 11");
    }
    match windows.display_version.as_deref() {
        Some(version) if !version.is_empty() && !name.contains(version) => {
            format!("{name} {version}")
        }
        _ => name,
    }
}

/// The maker as people call it; `None` where the firmware holds a placeholder.
pub fn display_manufacturer(system: &System) -> Option<String> {
    let raw = real(system.manufacturer.as_deref())?;
    let known = match raw.to_ascii_lowercase().as_str() {
        "lenovo" => "Lenovo",
        "dell inc." | "dell" | "dell computer corporation" => "Dell",
        "hp" | "hewlett-packard" | "hewlett packard" => "HP",
        "hpe" | "hewlett packard enterprise" => "HPE",
        "apple inc." | "apple" => "Apple",
        "asustek computer inc." | "asus" => "ASUS",
        "fujitsu" | "fujitsu client computing limited" | "fujitsu limited" => "Fujitsu",
        "microsoft corporation" => "Microsoft",
        "vmware, inc." => "VMware",
        "supermicro" | "super micro computer, inc." => "Supermicro",
        "acer" => "Acer",
        "intel(r) client systems" | "intel corporation" => "Intel",
        "gigabyte technology co., ltd." => "Gigabyte",
        "micro-star international co., ltd." => "MSI",
        _ => raw,
    };
    Some(known.to_owned())
}

/// The model as people call it. Lenovo writes its machine type where others write the model, and
/// the model into the family.
pub fn display_model(system: &System) -> Option<String> {
    let model = real(system.model.as_deref());
    let family = real(system.family.as_deref());
    let lenovo = system
        .manufacturer
        .as_deref()
        .is_some_and(|maker| maker.to_ascii_lowercase().contains("lenovo"));
    let machine_type = |text: &str| {
        !text.contains(' ') && text.len() >= 4 && text.starts_with(|c: char| c.is_ascii_digit())
    };
    match (model, family) {
        (Some(model), Some(family)) if lenovo && machine_type(model) => Some(family.to_owned()),
        (None, Some(family)) => Some(family.to_owned()),
        (model, _) => model.map(str::to_owned),
    }
}

/// The serial number, unless it is a placeholder.
pub fn display_serial(system: &System) -> Option<String> {
    let serial = system.serial.as_deref()?.trim();
    (junk::grade(junk::IdKind::Serial, serial) != junk::Grade::Junk).then(|| serial.to_owned())
}

fn real(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !junk::is_placeholder(text))
}

/// A person seen on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSeen {
    /// Sign-in name.
    pub user: String,
    /// Name, where the account holds one.
    pub full_name: Option<String>,
    /// Start of the session or last sign-in, where known.
    pub at: Option<Timestamp>,
}

/// The person who uses the device: who sits at it now, else who signed in last. Administrators'
/// and services' accounts do not count.
pub fn person_of(users: Option<&Users>, vitals: &Vitals) -> Option<PersonSeen> {
    let accounts = users.map(|users| users.accounts.as_slice()).unwrap_or_default();
    let account = |name: &str| accounts.iter().find(|account| account.name == name);
    let session = vitals
        .sessions
        .iter()
        .filter(|session| {
            !is_service(&session.user) && account(&session.user).is_none_or(is_person)
        })
        .max_by_key(|session| (session.remote_host.is_none(), session.since));
    if let Some(session) = session {
        let full_name = account(&session.user).and_then(|account| account.full_name.clone());
        return Some(PersonSeen { user: session.user.clone(), full_name, at: session.since });
    }
    accounts
        .iter()
        .filter(|account| is_person(account) && account.last_sign_in_at.is_some())
        .max_by_key(|account| account.last_sign_in_at)
        .map(|account| PersonSeen {
            user: account.name.clone(),
            full_name: account.full_name.clone(),
            at: account.last_sign_in_at,
        })
}

fn is_person(account: &Account) -> bool {
    let kind = matches!(account.kind, Some(AccountKind::Person | AccountKind::Directory) | None);
    kind && !is_service(&account.name)
}

fn is_service(name: &str) -> bool {
    let bare = name.rsplit('\\').next().unwrap_or(name).to_ascii_lowercase();
    let services = [
        "",
        "root",
        "system",
        "administrator",
        "gdm",
        "sddm",
        "lightdm",
        "defaultaccount",
        "guest",
    ];
    services.contains(&bare.as_str()) || bare.starts_with("gdm-") || bare.starts_with("dwm-")
}

/// Addresses by which the device can be reached, without prefix length: no loopback, no
/// link-local, no bridges of containers. The interface of the default route comes first.
pub fn addresses(network: &Network) -> Vec<String> {
    let default = |interface: &Interface| {
        network.default_routes.iter().any(|route| route.interface == interface.name)
    };
    let mut interfaces: Vec<_> = network
        .interfaces
        .iter()
        .filter(|interface| default(interface) || !inner(interface))
        .collect();
    interfaces.sort_by_key(|interface| !default(interface));
    let mut found: Vec<String> = Vec::new();
    for text in interfaces.iter().flat_map(|interface| &interface.addresses) {
        let bare = text.split(['/', '%']).next().unwrap_or_default();
        let reachable = bare.parse().is_ok_and(is_reachable);
        if reachable && !found.iter().any(|known| known == bare) {
            found.push(bare.to_owned());
        }
    }
    found
}

/// MAC addresses of all interfaces but loopback and inner ones, for the search.
pub fn macs(network: &Network) -> Vec<String> {
    let mut macs: Vec<String> = network
        .interfaces
        .iter()
        .filter(|interface| !inner(interface))
        .flat_map(|interface| interface.mac.iter().chain(&interface.permanent_mac))
        .filter(|mac| mac.as_str() != "00:00:00:00:00:00")
        .map(|mac| mac.to_ascii_lowercase())
        .collect();
    macs.sort();
    macs.dedup();
    macs
}

/// Interfaces that lead into this computer only.
fn inner(interface: &Interface) -> bool {
    match &interface.kind {
        Some(InterfaceKind::Loopback | InterfaceKind::Container) => true,
        Some(InterfaceKind::Bridge) => interface.virtual_interface,
        _ => false,
    }
}

fn is_reachable(address: IpAddr) -> bool {
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    }
}

/// A size for people, e.g. `512.0 GB`, in the decimal units that makers of disks use.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", bytes / size, bytes % size * 10 / size),
        None => format!("{bytes} B"),
    }
}

/// The domain of a computer and the realms of the directories it is joined to, each once, in order.
pub fn directories(system: Option<&System>, managers: Option<&[Manager]>) -> Vec<String> {
    let realms = managers.unwrap_or_default().iter().filter_map(|manager| manager.realm.as_ref());
    let all = system.and_then(|system| system.domain.as_ref()).into_iter().chain(realms);
    let mut names: Vec<String> = all.filter(|name| !name.is_empty()).cloned().collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
#[path = "hardware_tests.rs"]
mod tests;
