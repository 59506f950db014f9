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
