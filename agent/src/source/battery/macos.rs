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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plist::Value;

    fn entry(keys: &str) -> Entry {
        let text = format!("<plist><dict>{keys}</dict></plist>");
        Entry::read_all(Value::read(text.as_bytes()).unwrap()).remove(0)
    }

    const CELLS: &str = "<key>CellVoltage</key><array><integer>4000</integer>\
        <integer>4001</integer><integer>4002</integer></array>";

    #[test]
    fn newer_systems_keep_numbers_one_level_deeper() {
        let found = battery(&entry(&format!(
            "<key>BatteryInstalled</key><true/><key>MaxCapacity</key><integer>100</integer>\
             <key>BatteryData</key><dict>{CELLS}<key>DesignCapacity</key><integer>6000</integer>\
             <key>NominalChargeCapacity</key><integer>5000</integer><key>CycleCount</key>\
             <integer>12</integer></dict>"
        )))
        .unwrap();
        assert_eq!(found.design_capacity_mwh, Some(68_400));
        assert_eq!(found.full_capacity_mwh, Some(57_000));
        assert_eq!(found.cycles, Some(12));
    }

    #[test]
    fn percent_is_no_capacity_and_an_empty_bay_no_battery() {
        let percent = "<key>BatteryInstalled</key><true/><key>MaxCapacity</key>\
            <integer>100</integer><key>CurrentCapacity</key><integer>40</integer>";
        let found =
            battery(&entry(&format!("{percent}<key>BatteryData</key><dict>{CELLS}</dict>")));
        assert_eq!(found.unwrap().full_capacity_mwh, None);
        assert_eq!(charge(&entry(percent)).unwrap().percent, 40);
        let nothing = percent.replace("<true/>", "<false/>").replace("100", "0");
        assert!(battery(&entry(&nothing)).is_none() && charge(&entry(&nothing)).is_none());
        assert!(charge(&entry(&percent.replace("100", "0"))).is_none(), "nothing is divided by 0");
    }
}
