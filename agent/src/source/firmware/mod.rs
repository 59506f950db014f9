//! BIOS or UEFI, secure boot, TPM.

use crate::source::{Platform, Privilege, Source};

mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::smbios_table;
pub use windows::WINDOWS;

cfg_select! {
    target_os = "linux" => {
        mod linux;
        use linux as sys;
    }
    _ => {
        use crate::source::unsupported as sys;
    }
}

/// BIOS or UEFI, secure boot, TPM.
pub const SOURCE: Source = Source {
    name: "firmware",
    section: "firmware",
    about: "Firmware facts from /sys/class/dmi/id, /sys/firmware/efi and /sys/class/tpm",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather: sys::gather,
};
