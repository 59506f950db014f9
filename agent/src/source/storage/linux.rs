//! Reads `/sys/block` and udev's notes in `/run/udev/data`.

use rollcall_shared::section::Section;

use super::parse;
use crate::host::Host;
use crate::source::Gathered;

const FOLDER: &str = "/sys/block";

pub(crate) fn gather(host: &Host) -> Gathered {
    let names = match host.list(FOLDER) {
        Ok(names) => names,
        Err(error) => return Gathered::absent(error.into()),
    };
    let disk = |name: &String| {
        let field = |file: &str| host.value(&format!("{FOLDER}/{name}/{file}"));
        let notes = field("dev")
            .and_then(|number| host.read_text(&format!("/run/udev/data/b{number}")).ok())
            .unwrap_or_default();
        let udev = |key: &str| parse::udev_property(&notes, key).map(str::to_owned);
        let path = host.link(&format!("{FOLDER}/{name}")).unwrap_or_default();
        parse::disk(name, &path.to_string_lossy(), field, udev)
    };
    let found = names.iter().filter(|name| parse::is_disk_name(name)).filter_map(disk).collect();
    Gathered::of(Section::Storage(found))
}
