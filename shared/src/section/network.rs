//! Network interfaces, routes and resolvers.

use serde::{Deserialize, Serialize};

/// The network as this computer sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Network {
    /// Interfaces, sorted by name, without the ends of links that lead only to a container or a
    /// virtual machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// Default routes, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_routes: Vec<Route>,
    /// Addresses of DNS resolvers, in the order they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<String>,
    /// DNS search domains, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_domains: Vec<String>,
}

/// One network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interface {
    /// Name, e.g. `eth0`, `wlp2s0`, `Ethernet 2`.
    pub name: String,
    /// What kind of interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<InterfaceKind>,
    /// Made by software (bridge, container, VPN, virtual machine).
    pub virtual_interface: bool,
    /// Plugged in from outside (USB), so that it may travel to another computer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removable: bool,
    /// Up at the time of the report. Not told of interfaces made by software, which go up and down
    /// with the programs that use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// MAC address in use, lower case with colons, e.g. `8c:8c:aa:12:34:56`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// MAC address burnt in, where it differs or is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent_mac: Option<String>,
    /// Link speed in Mbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_mbps: Option<u32>,
    /// Largest packet in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Driver, e.g. `iwlwifi`, `e1000e`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Addresses with prefix length, sorted, e.g. `10.1.2.3/24`, `fe80::1/64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether its address comes from DHCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// Name of the wireless network joined; can be switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wifi_ssid: Option<String>,
}

/// A default route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Route {
    /// Address of the gateway, e.g. `10.1.2.1`; none where the interface itself leads to the other
    /// side (PPP, `WireGuard`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Interface it leaves by.
    pub interface: String,
}

/// Kinds of interfaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InterfaceKind {
    /// Wired.
    Ethernet,
    /// Wireless.
    Wifi,
    /// Mobile broadband.
    Mobile,
    /// Bluetooth network.
    Bluetooth,
    /// This computer itself.
    Loopback,
    /// A bridge.
    Bridge,
    /// Several links used as one.
    Bond,
    /// A virtual LAN on another interface.
    Vlan,
    /// A tunnel or VPN.
    Tunnel,
    /// One end of a container's or virtual machine's link.
    Container,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
