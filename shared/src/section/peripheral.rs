//! Sound, cameras, keyboards, pointers and printers.

use serde::{Deserialize, Serialize};

/// One sound card.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audio {
    /// Name, e.g. `HDA Intel PCH`.
    pub name: String,
    /// Short name, e.g. `PCH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Driver, e.g. `HDA-Intel`, `USB-Audio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Chip on it, e.g. `Realtek ALC257`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
}

/// One camera.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Camera {
    /// Name, e.g. `Integrated Camera`.
    pub name: String,
    /// Maker and product as numbers, e.g. `04f2:b6cb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Driver, e.g. `uvcvideo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
}

/// One keyboard, pointer or the like.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Input {
    /// Name, e.g. `AT Translated Set 2 keyboard`.
    pub name: String,
    /// `keyboard`, `mouse`, `touchpad`, `touchscreen`, `tablet` or `joystick`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// How it is attached, e.g. `usb`, `bluetooth`, `ps2`, `i2c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
    /// Maker and product as numbers, e.g. `046d:c52b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// One printer queue. Names and passwords in its address are never told.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Printer {
    /// Name of the queue, e.g. `hp-floor-2`.
    pub name: String,
    /// What people call it, e.g. `HP LaserJet second floor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Maker and model, e.g. `HP LaserJet M507, driverless`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it is reached, e.g. `ipp://10.1.2.30/ipp/print`, `usb://HP/LaserJet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Serial number, where the address tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The one that is taken when nobody chooses.
    pub is_default: bool,
    /// Offered to other computers.
    pub shared: bool,
}
