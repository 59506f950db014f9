//! Network interfaces of a Windows computer, from the registry and the system's list of addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use rollcall_shared::section::network::{Interface, InterfaceKind, Route};
use rollcall_shared::section::{Network, Section};

use crate::host::Host;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const TCPIP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
const CONNECTIONS: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}";
const ADAPTERS: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "tcpip",
    section: "network",
    about: r"Interfaces, addresses, routes and resolvers from the registry (Tcpip\Parameters), hardware addresses as the system tells them",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let configured = match host.registry_below(&format!("{TCPIP}\\Interfaces")) {
        Ok(configured) => configured,
        Err(error) => return Gathered::absent(error.into()),
    };
    let adapters = host.registry_below(ADAPTERS).unwrap_or_default();
    let macs = macs(host);
    let mut network = Network::default();
    for (id, key) in &configured {
        let connection = host.registry(&format!("{CONNECTIONS}\\{id}\\Connection"));
        let Ok(connection) = connection else { continue };
        let adapter = adapters.iter().find(|(_, adapter)| {
            adapter.text("NetCfgInstanceId").is_some_and(|one| one.eq_ignore_ascii_case(id))
        });
        let interface = interface(id, key, &connection, adapter.map(|(_, key)| key), &macs);
        for gateway in listed(key, "DhcpDefaultGateway", "DefaultGateway") {
            let route = Route { gateway: Some(gateway), interface: interface.name.clone() };
            network.default_routes.push(route);
        }
        for resolver in listed(key, "DhcpNameServer", "NameServer") {
            if !network.resolvers.contains(&resolver) {
                network.resolvers.push(resolver);
            }
        }
        network.interfaces.push(interface);
    }
    let parameters = host.registry(TCPIP).unwrap_or_default();
    network.search_domains = split(&parameters.text("SearchList").unwrap_or_default());
    Gathered::of(Section::Network(network))
}

fn interface(
    id: &str,
    key: &Key,
    connection: &Key,
    adapter: Option<&Key>,
    macs: &BTreeMap<String, String>,
) -> Interface {
    let name = connection.text("Name").unwrap_or_else(|| id.to_owned());
    let bus = connection.text("PnPInstanceId").or_else(|| connection.text("PnpInstanceID"));
    let bus = bus.unwrap_or_default().to_ascii_uppercase();
    let driver = adapter.and_then(|adapter| adapter.text("DriverDesc"));
    let wireless = connection.number("MediaSubType") == Some(2);
    Interface {
        kind: if wireless { Some(InterfaceKind::Wifi) } else { Some(InterfaceKind::Ethernet) },
        virtual_interface: bus.starts_with("ROOT\\") || bus.starts_with("SWD\\"),
        removable: bus.starts_with("USB\\"),
        mac: macs.get(&name).cloned(),
        driver,
        addresses: addresses(key),
        dhcp: key.number("EnableDHCP").map(|on| on == 1),
        name,
        ..Interface::default()
    }
}

/// Addresses with the length of their prefix, e.g. `10.1.2.3/24`.
fn addresses(key: &Key) -> Vec<String> {
    let (addresses, masks) = if key.number("EnableDHCP") == Some(1) {
        (key.texts("DhcpIPAddress"), key.texts("DhcpSubnetMask"))
    } else {
        (key.texts("IPAddress"), key.texts("SubnetMask"))
    };
    let mut told: Vec<String> = addresses
        .iter()
        .zip(&masks)
        .filter_map(|(address, mask)| {
            let address: Ipv4Addr =
                address.parse().ok().filter(|one: &Ipv4Addr| !one.is_unspecified())?;
            let mask: Ipv4Addr = mask.parse().ok()?;
            Some(format!("{address}/{}", u32::from(mask).count_ones()))
        })
        .collect();
    told.sort_unstable();
    told
}

/// What was set by a person, or else what DHCP said.
fn listed(key: &Key, by_dhcp: &str, by_hand: &str) -> Vec<String> {
    let all = |name: &str| -> Vec<String> {
        let texts = key.texts(name);
        texts.iter().flat_map(|text| split(text)).filter(|one| one != "0.0.0.0").collect()
    };
    let set = all(by_hand);
    if set.is_empty() { all(by_dhcp) } else { set }
}

fn split(text: &str) -> Vec<String> {
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// Hardware addresses by the names of the connections.
fn macs(host: &Host) -> BTreeMap<String, String> {
    if !host.is_live() {
        let captured = host.captured_call("macs").unwrap_or_default();
        let pair = |line: &str| {
            let (name, mac) = line.split_once('\t')?;
            Some((name.to_owned(), mac.to_owned()))
        };
        return captured.lines().filter_map(pair).collect();
    }
    cfg_select! {
        windows => {
            let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else {
                return BTreeMap::new();
            };
            let told = networks.iter().map(|(name, data)| (name.to_string_lossy().into_owned(), data.mac_address()));
            told.filter(|(_, mac)| *mac != sysinfo::MacAddr::UNSPECIFIED)
                .map(|(name, mac)| (name, mac.to_string().to_ascii_lowercase()))
                .collect()
        }
        _ => BTreeMap::new(),
    }
}
