//! A folder of `/sys/class/power_supply`, each file a field.

use rollcall_shared::report::BatteryCharge;
use rollcall_shared::section::Battery;

/// The battery in a folder; `None` for mains adapters, mice and empty bays.
pub fn battery(name: &str, field: impl Fn(&str) -> Option<String>) -> Option<Battery> {
    if !is_own_battery(&field) {
        return None;
    }
    let number = |file: &str| field(file)?.parse::<u64>().ok();
    // Some report energy (µWh), some charge (µAh) that only the voltage (µV) makes into energy.
    let charge_mwh = |file: &str| {
        let volts = number("voltage_min_design")?;
        let mwh = u128::from(number(file)?) * u128::from(volts) / 1_000_000_000;
        u64::try_from(mwh).ok()
    };
    let capacity_mwh = |energy: &str, charge: &str| {
        number(energy).map(|uwh| uwh / 1000).or_else(|| charge_mwh(charge))
    };
    Some(Battery {
        name: name.to_owned(),
        manufacturer: field("manufacturer"),
        model: field("model_name"),
        serial: field("serial_number").filter(|serial| !serial.trim_matches('0').is_empty()),
        chemistry: field("technology").and_then(|word| chemistry(&word)),
        design_capacity_mwh: capacity_mwh("energy_full_design", "charge_full_design"),
        full_capacity_mwh: capacity_mwh("energy_full", "charge_full"),
        cycles: number("cycle_count").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
    })
}

/// How full the battery in a folder is.
pub fn charge(name: &str, field: impl Fn(&str) -> Option<String>) -> Option<BatteryCharge> {
    if !is_own_battery(&field) {
        return None;
    }
    let percent: u8 = field("capacity")?.parse().ok()?;
    Some(BatteryCharge {
        name: name.to_owned(),
        percent: percent.min(100),
        charging: field("status").is_some_and(|status| status == "Charging"),
    })
}

fn is_own_battery(field: &impl Fn(&str) -> Option<String>) -> bool {
    let is = |file: &str, value: &str| field(file).is_some_and(|text| text == value);
    is("type", "Battery") && !is("scope", "Device") && !is("present", "0")
}

fn chemistry(word: &str) -> Option<String> {
    let plain = word.to_ascii_lowercase().replace(['-', ' '], "_");
    (plain != "unknown").then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder<'a>(fields: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn charge_and_voltage_make_energy() {
        let fields = [
            ("type", "Battery"),
            ("present", "1"),
            ("technology", "Li-ion"),
            ("charge_full_design", "5200000"),
            ("charge_full", "4100000"),
            ("voltage_min_design", "11400000"),
            ("cycle_count", "0"),
            ("capacity", "103"),
            ("status", "Charging"),
        ];
        let found = battery("BAT1", folder(&fields)).unwrap();
        assert_eq!(found.design_capacity_mwh, Some(59_280));
        assert_eq!(found.full_capacity_mwh, Some(46_740));
        assert_eq!(found.chemistry.as_deref(), Some("li_ion"));
        assert_eq!(found.cycles, None);
        let charge = charge("BAT1", folder(&fields)).unwrap();
        assert_eq!((charge.percent, charge.charging), (100, true));
    }

    #[test]
    fn mains_mice_and_empty_bays_are_no_batteries() {
        assert!(battery("AC", folder(&[("type", "Mains")])).is_none());
        let mouse = [("type", "Battery"), ("scope", "Device"), ("capacity", "55")];
        assert!(battery("hidpp_battery_0", folder(&mouse)).is_none());
        assert!(charge("hidpp_battery_0", folder(&mouse)).is_none());
        assert!(battery("BAT1", folder(&[("type", "Battery"), ("present", "0")])).is_none());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9]{1,25}") {
            let field = |name: &str| {
                Some(if name == "type" { "Battery".to_owned() } else { text.clone() })
            };
            let _ = battery("BAT0", field);
            let _ = charge("BAT0", field);
            let _ = battery("BAT0", |name| field(name).filter(|_| !name.starts_with("energy")));
        }
    }
}
