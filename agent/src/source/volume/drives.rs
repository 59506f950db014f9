//! Asks Windows for its drives.

#![expect(unsafe_code, reason = "Windows tells of its drives only through its C interface")]

use std::ptr;

use windows_sys::Win32::Storage::FileSystem::{
    GetDiskFreeSpaceExW, GetDriveTypeW, GetLogicalDrives, GetVolumeInformationW,
};

use super::windows::Drive;
use crate::registry::export::text_of_units;

/// `DRIVE_REMOVABLE` and `DRIVE_FIXED`.
const OWN: [u32; 2] = [2, 3];
/// `FILE_READ_ONLY_VOLUME`.
const READ_ONLY: u32 = 0x0008_0000;
/// The longest name of a volume or file system, and a NUL.
const NAME_UNITS: usize = 261;

/// Drives that hold something.
pub(super) fn drives() -> Vec<Drive> {
    // SAFETY: it takes nothing.
    let present = unsafe { GetLogicalDrives() };
    let letters = (b'A'..=b'Z').zip(0_u32..).filter(|(_, bit)| present >> bit & 1 == 1);
    letters.filter_map(|(letter, _)| drive(letter)).collect()
}

fn drive(letter: u8) -> Option<Drive> {
    let root: Vec<u16> = [letter, b':', b'\\', 0].into_iter().map(u16::from).collect();
    // SAFETY: the path ends in NUL.
    let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
    if !OWN.contains(&kind) {
        return None;
    }
    let (mut label, mut file_system) = ([0_u16; NAME_UNITS], [0_u16; NAME_UNITS]);
    let (mut serial, mut flags) = (0, 0);
    let units = u32::try_from(NAME_UNITS).unwrap_or_default();
    // SAFETY: the path ends in NUL, and the places are as long as is said and outlive the call.
    let told = unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            label.as_mut_ptr(),
            units,
            &raw mut serial,
            ptr::null_mut(),
            &raw mut flags,
            file_system.as_mut_ptr(),
            units,
        )
    };
    if told == 0 {
        // A slot without a card.
        return None;
    }
    let (mut available, mut size) = (0, 0);
    // SAFETY: the path ends in NUL, and the places outlive the call.
    let told = unsafe {
        GetDiskFreeSpaceExW(root.as_ptr(), &raw mut available, &raw mut size, ptr::null_mut())
    };
    Some(Drive::told(
        format!("{}:", char::from(letter)),
        (text_of_units(&file_system), text_of_units(&label)),
        serial,
        flags & READ_ONLY != 0,
        (told != 0).then_some((size, available)),
    ))
}
