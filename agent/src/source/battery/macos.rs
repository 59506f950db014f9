//! The battery of a Mac, from the I/O registry.

use rollcall_shared::report::BatteryCharge;
use rollcall_shared::section::{Battery, Section};

use crate::host::Host;
use crate::io_registry::{Entry, number_of};
use crate::source::{Gathered, Platform, Privilege, Source};

const CLASS: &str = "AppleSmartBattery";
/// The name that the system's own programs give it.
const NAME: &str = "InternalBattery-0";
/// What a cell of this kind is rated at. The voltage of the moment would make another capacity of
/// the same charge each time.
const CELL_MV: u64 = 3_800;
/// No battery of a Mac holds less; smaller numbers are percent.
const LEAST_MAH: u64 = 200;

/// The declaration.
pub const MACOS: Source = Source {
    name: "smart_battery",
    section: "battery",
    about: "The battery in the I/O registry (AppleSmartBattery); its capacity from charge and the rated voltage of its cells",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    match host.io_registry(CLASS, 0) {
        Ok(found) => {
            Gathered::of(Section::Battery(found.iter().filter_map(battery).take(1).collect()))
        }
        Err(error) => Gathered::absent(error.into()),
    }
}

/// How full it is.
pub(crate) fn charges(host: &Host) -> Vec<BatteryCharge> {
    let found = host.io_registry(CLASS, 0).unwrap_or_default();
    found.iter().filter_map(charge).take(1).collect()
}

fn battery(entry: &Entry) -> Option<Battery> {
    if entry.properties.flag("BatteryInstalled") != Some(true) {
        return None;
    }
    // Newer systems keep some of it one level deeper.
    let data = entry.properties.get("BatteryData");
    let number = |name: &str| entry.number(name).or_else(|| number_of(data?.get(name)?));
    let text = |name: &str| entry.text(name).or_else(|| data?.text(name));
    let cells = data.map_or(0, |data| data.list("CellVoltage").len()) as u64;
    let energy_mwh = |mah: u64| {
        (cells > 0 && mah >= LEAST_MAH).then(|| mah.saturating_mul(cells * CELL_MV) / 1000)
    };
    let full =
        ["AppleRawMaxCapacity", "NominalChargeCapacity", "FullChargeCapacity", "MaxCapacity"]
            .iter()
            .find_map(|name| number(name).filter(|mah| *mah >= LEAST_MAH));
    Some(Battery {
        name: NAME.to_owned(),
        manufacturer: text("Manufacturer"),
        model: text("DeviceName"),
        serial: text("Serial").or_else(|| text("BatterySerialNumber")),
        chemistry: Some("li_poly".to_owned()),
        design_capacity_mwh: number("DesignCapacity").and_then(energy_mwh),
        full_capacity_mwh: full.and_then(energy_mwh),
        cycles: number("CycleCount").and_then(|cycles| u32::try_from(cycles).ok()),
    })
}

fn charge(entry: &Entry) -> Option<BatteryCharge> {
    if entry.properties.flag("BatteryInstalled") != Some(true) {
        return None;
    }
    let (now, full) = (entry.number("CurrentCapacity")?, entry.number("MaxCapacity")?);
    let percent = now.saturating_mul(100).checked_div(full)?.min(100);
    Some(BatteryCharge {
        name: NAME.to_owned(),
        percent: u8::try_from(percent).ok()?,
        charging: entry.properties.flag("IsCharging") == Some(true),
    })
}
