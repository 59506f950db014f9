//! Network interfaces of a Mac, from the system's configuration and the kernel's list of addresses.

use std::collections::BTreeMap;

use rollcall_shared::section::network::{Interface, InterfaceKind, Route};
use rollcall_shared::section::{Network, Section};
use rollcall_shared::{Note, NoteKind};

use super::parse;
use crate::host::Host;
use crate::plist::Value;
use crate::source::text::{clip, number, some};
use crate::source::{Gathered, Platform, Privilege, Source};

const INTERFACES: &str = "/Library/Preferences/SystemConfiguration/NetworkInterfaces.plist";
const CONFIGURATION: &str = "/Library/Preferences/SystemConfiguration/preferences.plist";
const LEASES: &str = "/private/var/db/dhcpclient/leases";
/// Networks that were joined once, with the time; their passwords lie elsewhere.
const KNOWN_NETWORKS: &str = "/Library/Preferences/com.apple.wifi.known-networks.plist";
const RESOLVERS: &str = "/private/var/run/resolv.conf";

/// The declaration.
pub const MACOS: Source = Source {
    name: "network_configuration",
    section: "network",
    about: "Interfaces from SystemConfiguration/NetworkInterfaces.plist, addresses as the kernel tells them, services from preferences.plist, routes and the name of the wireless network from leases of DHCP or the list of known networks, resolvers from resolv.conf",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// An interface as the kernel tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Told {
    mac: Option<String>,
    mtu: Option<u32>,
    up: bool,
    addresses: Vec<String>,
}

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let mut list = |path: &str| {
        host.property_list(path).unwrap_or_else(|error| {
            notes.push(Note::from(error));
            Value::Other
        })
    };
    let (known, configuration) = (list(INTERFACES), list(CONFIGURATION));
    let told = told(host);
    let services = services(&configuration);
    let mut network = Network::default();
    for (name, told) in &told {
        let known = known
            .list("Interfaces")
            .iter()
            .find(|known| known.text("BSD Name").as_ref() == Some(name));
        let Some(mut interface) = interface(name, told, known) else { continue };
        interface.dhcp = services.get(name).and_then(|service| service.dhcp);
        network.interfaces.push(interface);
    }
    if network.interfaces.is_empty() {
        let why = "the kernel tells of no network interface";
        notes.push(Note::new(NoteKind::Failed).with_detail(why));
        return Gathered { section: None, notes };
    }
    notes.extend(routes(host, &services, &mut network));
    notes.extend(name_of_network(host, &mut network));
    let text = host.read_text(RESOLVERS).unwrap_or_default();
    (network.resolvers, network.search_domains) = parse::resolvers(&text);
    Gathered { section: Some(Section::Network(network)), notes }
}

/// What a person would call one. The system makes others for itself, which come and go; of those
/// only such with addresses of their own are told, which are tunnels.
fn interface(name: &str, told: &Told, known: Option<&Value>) -> Option<Interface> {
    let is_set = |name: &str| known.and_then(|known| known.flag(name)) == Some(true);
    let hidden = is_set("HiddenInterface") || is_set("HiddenConfiguration");
    let beyond = |address: &&String| !address.starts_with("fe80:");
    let is_told = known.is_some() || told.addresses.iter().any(|address| beyond(&address));
    if hidden || !is_told {
        return None;
    }
    let kind = kind(name, known);
    let path = known.and_then(|known| known.text("IOPathMatch")).unwrap_or_default();
    let permanent = known.and_then(|known| known.bytes("IOMACAddress")).and_then(mac);
    let virtual_interface = known.is_none() || matches!(kind, Some(InterfaceKind::Bridge));
    Some(Interface {
        name: name.to_owned(),
        virtual_interface,
        removable: !virtual_interface
            && known.and_then(|known| known.flag("IOBuiltin")) != Some(true)
            && (path.contains("USB") || path.contains("usb")),
        up: (!virtual_interface).then_some(told.up),
        mac: told.mac.clone().or_else(|| permanent.clone()),
        permanent_mac: permanent.filter(|_| !virtual_interface),
        mtu: told.mtu,
        addresses: told.addresses.clone(),
        kind,
        ..Interface::default()
    })
}

fn kind(name: &str, known: Option<&Value>) -> Option<InterfaceKind> {
    let told = known.and_then(|known| known.text("SCNetworkInterfaceType"));
    let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    Some(match (told.as_deref(), letters) {
        (Some("IEEE80211"), _) => InterfaceKind::Wifi,
        (Some("WWAN" | "Modem"), _) => InterfaceKind::Mobile,
        (Some("Bluetooth"), _) => InterfaceKind::Bluetooth,
        (Some("Bridge"), _) | (_, "bridge") => InterfaceKind::Bridge,
        (Some("Bond"), _) | (_, "bond") => InterfaceKind::Bond,
        (Some("VLAN"), _) | (_, "vlan") => InterfaceKind::Vlan,
        (Some("Ethernet"), _) => InterfaceKind::Ethernet,
        (_, "lo") => InterfaceKind::Loopback,
        (_, "utun" | "tun" | "tap" | "ppp" | "ipsec" | "gif" | "stf") => InterfaceKind::Tunnel,
        (_, "vmenet" | "feth") => InterfaceKind::Container,
        _ => return None,
    })
}

/// `8c:85:90:12:34:56` of six bytes.
fn mac(bytes: &[u8]) -> Option<String> {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    (bytes.len() == 6).then(|| digits.join(":"))
}

/// How an interface is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Service {
    dhcp: Option<bool>,
    router: Option<String>,
}

/// The services that are in use, by the name of their interface.
fn services(configuration: &Value) -> BTreeMap<String, Service> {
    let mut found = BTreeMap::new();
    let Some(services) = configuration.get("NetworkServices") else { return found };
    for (_, service) in services.entries() {
        let name = service.get("Interface").and_then(|interface| interface.text("DeviceName"));
        let (Some(name), Some(v4)) = (name, service.get("IPv4")) else { continue };
        if service.flag("__INACTIVE__") == Some(true) || v4.flag("__INACTIVE__") == Some(true) {
            continue;
        }
        let method = v4.text("ConfigMethod");
        found.insert(
            name,
            Service {
                dhcp: method.as_deref().map(|method| method == "DHCP"),
                router: v4.text("Router").filter(|_| method.as_deref() == Some("Manual")),
            },
        );
    }
    found
}

/// Gateways that were set by hand, and those of leases whose address is in use, which also name the
/// wireless network they came from.
fn routes(
    host: &Host,
    services: &BTreeMap<String, Service>,
    network: &mut Network,
) -> Option<Note> {
    let (files, note) = match host.list(LEASES) {
        Ok(files) => (files, None),
        Err(error) if error.is_not_found() => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(Note::from(error))),
    };
    for interface in &mut network.interfaces {
        let lease = lease_in_use(host, &files, interface).unwrap_or(Value::Other);
        if interface.kind == Some(InterfaceKind::Wifi) {
            interface.wifi_ssid = lease.text("SSID").filter(|name| !is_hidden(name));
        }
        let name = &interface.name;
        let by_hand = services.get(name).and_then(|service| service.router.clone());
        let gateway = by_hand.or_else(|| lease.text("RouterIPAddress"));
        if let Some(gateway) = gateway.filter(|_| interface.up == Some(true)) {
            let gateway = Some(clip(gateway.as_bytes()));
            network.default_routes.push(Route { gateway, interface: name.clone() });
        }
    }
    note
}

/// The lease whose address an interface has now.
fn lease_in_use(host: &Host, files: &[String], interface: &Interface) -> Option<Value> {
    // `en0.plist`, on older systems `en0-1,8c:85:90:12:34:56`.
    let is_its = |file: &&String| {
        file.strip_prefix(interface.name.as_str()).is_some_and(|rest| rest.starts_with(['.', '-']))
    };
    files.iter().filter(is_its).find_map(|file| {
        let lease = host.property_list(&format!("{LEASES}/{file}")).ok()?;
        let own = format!("{}/", lease.text("IPAddress")?);
        interface.addresses.iter().any(|address| address.starts_with(&own)).then_some(lease)
    })
}

/// Newer systems put this in place of the name for programs that must not know it.
fn is_hidden(name: &str) -> bool {
    name.starts_with('<') && name.contains("edacted")
}

/// The name of the wireless network where no lease tells it, as with an address that was set by
/// hand: an interface with an address is in the network that was joined last.
fn name_of_network(host: &Host, network: &mut Network) -> Option<Note> {
    let in_use =
        |address: &String| !["fe80:", "169.254."].iter().any(|own| address.starts_with(own));
    let unknown = |interface: &&mut Interface| {
        interface.kind == Some(InterfaceKind::Wifi)
            && interface.wifi_ssid.is_none()
            && interface.addresses.iter().any(in_use)
    };
    let mut unknown = network.interfaces.iter_mut().filter(unknown);
    // Which of two it was that joined is not noted.
    let (Some(interface), None) = (unknown.next(), unknown.next()) else { return None };
    match host.property_list(KNOWN_NETWORKS) {
        Ok(known) => {
            interface.wifi_ssid = joined_last(&known);
            None
        }
        Err(error) if error.is_not_found() => None,
        Err(error) => Some(error.into()),
    }
}

/// The network that was joined last, by a person or by the system itself.
fn joined_last(known: &Value) -> Option<String> {
    let joined = known.entries().filter_map(|(key, network)| {
        let at = ["JoinedByUserAt", "JoinedBySystemAt"]
            .iter()
            .filter_map(|name| network.moment(name))
            .max()?;
        Some((at, key, network))
    });
    let (_, key, network) = joined.max_by_key(|(at, _, _)| *at)?;
    let bytes = network.bytes("SSID").and_then(some);
    bytes.or_else(|| some(key.strip_prefix("wifi.network.ssid.")?.as_bytes()))
}

/// The interfaces that there are now.
fn told(host: &Host) -> BTreeMap<String, Told> {
    if !host.is_live() {
        let captured = host.captured_call("interfaces").unwrap_or_default();
        return captured.lines().filter_map(captured_interface).collect();
    }
    cfg_select! {
        target_os = "macos" => {
            let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else {
                return BTreeMap::new();
            };
            let one = |(name, data): (&std::ffi::OsString, &sysinfo::NetworkData)| {
                let mac = data.mac_address();
                let mut addresses: Vec<String> = data
                    .ip_networks()
                    .iter()
                    .map(|network| format!("{}/{}", network.addr, network.prefix))
                    .collect();
                addresses.sort_unstable();
                let told = Told {
                    mac: (mac != sysinfo::MacAddr::UNSPECIFIED)
                        .then(|| mac.to_string().to_ascii_lowercase()),
                    mtu: u32::try_from(data.mtu()).ok().filter(|mtu| *mtu > 0),
                    up: !addresses.is_empty(),
                    addresses,
                };
                (name.to_string_lossy().into_owned(), told)
            };
            networks.iter().map(one).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Name, hardware address, largest packet and addresses, with tabs between them.
fn captured_interface(line: &str) -> Option<(String, Told)> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_owned();
    let mac = fields.next().filter(|mac| !mac.is_empty()).map(str::to_owned);
    let mtu = fields.next().and_then(|mtu| number(mtu.as_bytes()));
    let addresses: Vec<String> =
        fields.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    Some((name, Told { mac, mtu, up: !addresses.is_empty(), addresses }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_interfaces() {
        for (name, expected) in [
            ("utun4", Some(InterfaceKind::Tunnel)),
            ("lo0", Some(InterfaceKind::Loopback)),
            ("bridge100", Some(InterfaceKind::Bridge)),
            ("awdl0", None),
        ] {
            assert_eq!(kind(name, None), expected, "{name}");
        }
    }

    #[test]
    fn the_network_joined_last_is_named() {
        let network = |name: &str, key: &str, at: &str| {
            format!(
                "<key>wifi.network.ssid.{name}</key><dict><key>{key}</key><date>{at}</date></dict>"
            )
        };
        let of = |networks: &[String]| {
            let list = format!("<plist><dict>{}</dict></plist>", networks.concat());
            joined_last(&Value::read(list.as_bytes()).unwrap())
        };
        let home = network("home", "JoinedBySystemAt", "2026-11-23T07:00:00Z");
        let work = network("work", "JoinedByUserAt", "2026-11-24T07:00:00Z");
        let never = network("never", "AddedAt", "2026-11-25T07:00:00Z");
        assert_eq!(of(&[home, work, never.clone()]).as_deref(), Some("work"));
        assert_eq!(of(&[never]), None);
        assert!(is_hidden("<SSID Redacted>") && !is_hidden("<3 coffee"));
    }

    #[test]
    fn what_the_system_makes_for_itself_is_not_told() {
        let told = |addresses: &[&str]| Told {
            addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
            ..Told::default()
        };
        assert_eq!(interface("awdl0", &told(&["fe80::1/64"]), None), None);
        let tunnel = interface("utun4", &told(&["10.8.0.2/32"]), None).unwrap();
        assert!(tunnel.virtual_interface && tunnel.up.is_none());
    }
}
