//! Asks the drivers of batteries. What they answer is bytes; their meaning is found elsewhere.

use windows_sys::core::GUID;

use super::answer::{self, Answers};
use crate::source::device_call::{self, Access, Device};

/// `GUID_DEVICE_BATTERY`.
const KIND: GUID = GUID::from_u128(0x7263_1e54_78a4_11d0_bcf7_00aa_00b7_b32a);
const QUERY_TAG: u32 = 0x0029_4040;
const QUERY_INFORMATION: u32 = 0x0029_4044;
const QUERY_STATUS: u32 = 0x0029_404c;
/// No computer has more.
const BATTERIES: usize = 16;

/// `BATTERY_QUERY_INFORMATION_LEVEL`.
mod level {
    pub(super) const INFORMATION: u32 = 0;
    pub(super) const MODEL: u32 = 4;
    pub(super) const MAKER: u32 = 6;
    pub(super) const SERIAL: u32 = 8;
}

/// The answers of all batteries.
pub(super) fn answers() -> Vec<Answers> {
    device_call::present(&KIND).iter().take(BATTERIES).filter_map(|path| of_battery(path)).collect()
}

fn of_battery(path: &str) -> Option<Answers> {
    let battery = Device::open(path, Access::ReadAndWrite).ok()?;
    // Whoever asks waits for no time at all. An empty bay has no number.
    let tag = battery.ask(QUERY_TAG, &[0; 4], 4).ok().filter(|tag| tag.iter().any(|b| *b != 0))?;
    let about = |level: u32, room: usize| {
        let question = [&tag[..], &level.to_le_bytes(), &[0; 4]].concat();
        battery.ask(QUERY_INFORMATION, &question, room).unwrap_or_default()
    };
    let now = [&tag[..], &[0; 16]].concat();
    Some(Answers {
        name: answer::name(path),
        information: about(level::INFORMATION, 36),
        maker: about(level::MAKER, 512),
        model: about(level::MODEL, 512),
        serial: about(level::SERIAL, 512),
        status: battery.ask(QUERY_STATUS, &now, 16).unwrap_or_default(),
    })
}
