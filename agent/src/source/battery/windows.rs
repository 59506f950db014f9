//! Batteries of a Windows computer, as their drivers answer.

use rollcall_shared::report::BatteryCharge;
use rollcall_shared::section::Section;

use super::answer::{self, Answers};
use crate::host::Host;
use crate::source::{Gathered, Platform, Privilege, Source};

/// Where a folder of captures has the answers of the batteries, one folder for each.
const CAPTURED: &str = "/battery";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "battery_device",
    section: "battery",
    about: "Batteries that feed the computer, as their drivers answer",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    Gathered::of(Section::Battery(answers(host).iter().filter_map(answer::battery).collect()))
}

/// Charge of the batteries.
pub(crate) fn charges(host: &Host) -> Vec<BatteryCharge> {
    answers(host).iter().filter_map(answer::charge).collect()
}

fn answers(host: &Host) -> Vec<Answers> {
    if host.is_live() {
        return cfg_select! {
            windows => super::live::answers(),
            _ => Vec::new(),
        };
    }
    let captured = |folder: String| {
        let answer = |file: &str| host.read(&format!("{CAPTURED}/{folder}/{file}.bin"));
        let answer = |file: &str| answer(file).unwrap_or_default();
        Answers {
            name: folder.replace('#', r"\"),
            information: answer("information"),
            maker: answer("maker"),
            model: answer("model"),
            serial: answer("serial"),
            status: answer("status"),
        }
    };
    host.list(CAPTURED).unwrap_or_default().into_iter().map(captured).collect()
}
