//! Reads `/sys/block`, udev's notes in `/run/udev/data`, and what smartd keeps of the disks it
//! watches: asking a disk itself takes raw requests, which this program never sends.

use rollcall_shared::section::Section;
use rollcall_shared::section::storage::DiskHealth;

use super::parse;
use crate::host::Host;
use crate::source::Gathered;

const FOLDER: &str = "/sys/block";
const WATCHED: &str = "/var/lib/smartmontools";

pub(crate) fn gather(host: &Host) -> Gathered {
    let names = match host.list(FOLDER) {
        Ok(names) => names,
        Err(error) => return Gathered::absent(error.into()),
    };
    let states = host.list(WATCHED).unwrap_or_default();
    let disk = |name: &String| {
        let field = |file: &str| host.value(&format!("{FOLDER}/{name}/{file}"));
        let notes = field("dev")
            .and_then(|number| host.read_text(&format!("/run/udev/data/b{number}")).ok())
            .unwrap_or_default();
        let udev = |key: &str| parse::udev_property(&notes, key).map(str::to_owned);
        let path = host.link(&format!("{FOLDER}/{name}")).unwrap_or_default();
        let mut disk = parse::disk(name, &path.to_string_lossy(), field, udev)?;
        let warned = || is_warned_of(host, &states, disk.serial.as_deref()?);
        if disk.health.is_none() && warned() == Some(true) {
            disk.health = Some(DiskHealth::Failing);
        }
        Some(disk)
    };
    let found = names.iter().filter(|name| parse::is_disk_name(name)).filter_map(disk).collect();
    Gathered::of(Section::Storage(found))
}

/// Whether smartd has warned that the disk of this serial fails; `None` when it does not watch it.
fn is_warned_of(host: &Host, states: &[String], serial: &str) -> Option<bool> {
    let file = states.iter().find(|file| parse::is_state_of(file, serial))?;
    let text = host.read_text(&format!("{WATCHED}/{file}")).ok()?;
    Some(parse::warns_of_failure(&text))
}
