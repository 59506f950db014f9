//! Reads `/sys/class/power_supply`.

use rollcall_shared::report::BatteryCharge;
use rollcall_shared::section::Section;

use super::parse;
use crate::host::Host;
use crate::source::Gathered;

const FOLDER: &str = "/sys/class/power_supply";

pub(crate) fn gather(host: &Host) -> Gathered {
    let names = match host.list(FOLDER) {
        Ok(names) => names,
        // A kernel without support for batteries; most servers.
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Gathered::absent(error.into()),
    };
    let field = |name: &str, file: &str| host.value(&format!("{FOLDER}/{name}/{file}"));
    let found = names.iter().filter_map(|name| parse::battery(name, |file| field(name, file)));
    Gathered::of(Section::Battery(found.collect()))
}

/// Charge of the batteries, sorted by name.
pub fn charges(host: &Host) -> Vec<BatteryCharge> {
    let names = host.list(FOLDER).unwrap_or_default();
    let field = |name: &str, file: &str| host.value(&format!("{FOLDER}/{name}/{file}"));
    names.iter().filter_map(|name| parse::charge(name, |file| field(name, file))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_laptop_that_tells_charge_is_read() {
        let root = format!("{}/../tests/fixtures/battery/framework-13", env!("CARGO_MANIFEST_DIR"));
        let host = Host::at(root);
        let Some(Section::Battery(found)) = gather(&host).section else { panic!("no batteries") };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "BAT1");
        assert_eq!(found[0].design_capacity_mwh, Some(55_294));
        assert_eq!(found[0].full_capacity_mwh, Some(50_789));
        assert_eq!(found[0].cycles, Some(112));
        let charges = charges(&host);
        assert_eq!((charges.len(), charges[0].percent, charges[0].charging), (1, 64, false));
    }
}
