//! Displays at a Windows computer, from what each says of itself, which the registry keeps.

use rollcall_shared::section::{Display, Section};

use super::edid;
use crate::host::Host;
use crate::order;
use crate::source::devices::{self, Device};
use crate::source::{Gathered, Platform, Privilege, Source};

/// Makers whose displays are parts of computers: they sell none to people.
const OF_PANELS: &[&str] = &["AUO", "BOE", "CMN", "CSO", "CSW", "IVO", "LGD", "NCP", "SDC", "TMA"];

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "monitor",
    section: "display",
    about: r"Displays that are present, by their EDID in the registry (Enum\DISPLAY)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let present = devices::present(host);
    let present = match &*present {
        Ok(present) => present,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let displays = present.devices.iter().filter(|one| one.bus() == "DISPLAY");
    let mut rows: Vec<Display> = displays.filter_map(|one| display(host, one)).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Display(rows))
}

fn display(host: &Host, device: &Device) -> Option<Display> {
    let parameters = device.parameters(host)?;
    let told = edid::parse(parameters.bytes("EDID")?)?;
    let last = device.last();
    let is_panel = |id: &String| OF_PANELS.iter().any(|maker| id.starts_with(maker));
    Some(Display {
        // The end of its name stands for a connector of the adapter.
        connector: last.rsplit('&').next().unwrap_or(last).to_owned(),
        built_in: told.product_id.as_ref().is_some_and(is_panel),
        ..told
    })
}
