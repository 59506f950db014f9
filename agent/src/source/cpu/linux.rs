//! Reads `/proc/cpuinfo` and `/sys/devices/system/cpu`.

use std::collections::BTreeMap;

use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use super::parse::{self, Extra};
use crate::host::Host;
use crate::source::Gathered;

const FOLDER: &str = "/sys/devices/system/cpu";

pub(crate) fn gather(host: &Host) -> Gathered {
    let cpuinfo = match host.read_text("/proc/cpuinfo") {
        Ok(text) => text,
        Err(error) => return Gathered::absent(error.into()),
    };
    let khz = |file: &str| host.value(&format!("{FOLDER}/cpu0/{file}"))?.parse::<u64>().ok();
    let nominal_mhz = || khz("acpi_cppc/nominal_freq").filter(|mhz| *mhz > 0);
    let extra = Extra {
        // x86 tells it already; hundreds of small files are not free.
        topology: if cpuinfo.contains("core id") { BTreeMap::new() } else { topology(host) },
        base_khz: khz("cpufreq/base_frequency").or_else(|| Some(nominal_mhz()? * 1000)),
        max_khz: khz("cpufreq/cpuinfo_max_freq"),
        scaling: host.exists(&format!("{FOLDER}/cpu0/cpufreq")),
    };
    let found = parse::processors(&cpuinfo, &extra);
    if found.is_empty() {
        return Gathered::absent(
            Note::new(NoteKind::Failed).with_detail("/proc/cpuinfo names no processor"),
        );
    }
    Gathered::of(Section::Cpu(found))
}

fn topology(host: &Host) -> BTreeMap<u32, (u32, u32)> {
    let names = host.list(FOLDER).unwrap_or_default();
    let read = |name: &str, file: &str| {
        host.value(&format!("{FOLDER}/{name}/topology/{file}"))?.parse::<i64>().ok()
    };
    let place = |name: &String| {
        let id = name.strip_prefix("cpu")?.parse().ok()?;
        let core = u32::try_from(read(name, "core_id")?).ok()?;
        // -1 where the firmware does not tell sockets.
        let package = read(name, "physical_package_id").and_then(|id| u32::try_from(id).ok());
        Some((id, (package.unwrap_or(0), core)))
    };
    names.iter().filter_map(place).collect()
}
