//! What this computer is: its name, maker, model, serial numbers and kind.

use serde::{Deserialize, Serialize};

/// The computer as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct System {
    /// Short host name as the system has it, e.g. `lt-0042`, `WIN-7QK2`.
    pub hostname: String,
    /// Fully qualified name where the system knows one, e.g. `lt-0042.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// DNS domain, Windows domain or workgroup, e.g. `example.org`, `WORKGROUP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Kind of computer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chassis: Option<Chassis>,
    /// Maker of the system, e.g. `LENOVO`, `Dell Inc.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Model as people know it, e.g. `ThinkPad T14 Gen 3`, `PowerEdge R650`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The maker's order or machine type number, e.g. `LENOVO_MT_21AH`, `0A5D`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Product family, e.g. `ThinkPad T14 Gen 3`, `Latitude`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Serial number of the system, e.g. `PF3A1B2C`, `7XK2VL3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// SMBIOS UUID in lower case, e.g. `4c4c4544-0042-3510-8056-b9c04f4e4d32`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Asset tag typed into the firmware, e.g. `A-10042`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset_tag: Option<String>,
    /// The main board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<Board>,
    /// Set when this computer is a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtualization: Option<Virtualization>,
    /// Instance id of a cloud, e.g. `i-0abcd1234ef567890`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_instance_id: Option<String>,
}

/// The main board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Board {
    /// Maker, e.g. `LENOVO`, `ASUSTeK COMPUTER INC.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<String>,
    /// Board model, e.g. `21AHCTO1WW`, `PRIME B550-PLUS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Serial number of the board, e.g. `L1HF2AB00CD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// How this computer is virtual.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Virtualization {
    /// Hypervisor or container runtime, e.g. `kvm`, `vmware`, `hyper-v`, `docker`, `lxc`, `wsl`.
    pub kind: String,
    /// What kind of guest it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<VirtualizationRole>,
}

/// Kinds of guest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VirtualizationRole {
    /// A whole virtual computer.
    VirtualMachine,
    /// A container that shares its host's kernel.
    Container,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}

/// Kinds of computer, from the SMBIOS chassis type or the hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Chassis {
    /// Notebook, laptop, sub-notebook.
    Laptop,
    /// Convertible or detachable.
    Convertible,
    /// Tablet.
    Tablet,
    /// Desktop, tower, all-in-one, mini PC.
    Desktop,
    /// Screen and computer in one.
    AllInOne,
    /// Rack mount, blade, tower server.
    Server,
    /// Single-board computer, gateway, appliance.
    EmbeddedDevice,
    /// A virtual computer.
    VirtualMachine,
    /// A container.
    Container,
    /// What the system said, where this version has no word for it.
    #[serde(untagged)]
    Other(String),
}
