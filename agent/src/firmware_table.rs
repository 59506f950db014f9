//! The firmware's table (SMBIOS) as the system gives it out: bytes, without meaning.

use crate::host::{Host, HostError};

/// Where Linux has it.
const LINUX: &str = "/sys/firmware/dmi/tables/DMI";
/// Where a folder of captures of a Windows computer has it.
const CAPTURED: &str = "/firmware/RSMB.bin";
/// The table follows a head of eight bytes.
const HEAD_BYTES: usize = 8;

impl Host {
    /// The table's structures.
    pub(crate) fn firmware_table(&self) -> Result<Vec<u8>, HostError> {
        if self.is_live() {
            #[cfg(windows)]
            return Ok(without_head(live::read().map_err(|error| HostError::Failed {
                path: "the firmware's table".to_owned(),
                why: error.to_string(),
            })?));
        } else if let Ok(bytes) = self.read(CAPTURED) {
            return Ok(without_head(bytes));
        }
        self.read(LINUX)
    }
}

fn without_head(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.drain(..HEAD_BYTES.min(bytes.len()));
    bytes
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "Windows has no other way to the firmware's table")]
mod live {
    use std::io;

    use windows_sys::Win32::System::SystemInformation::{GetSystemFirmwareTable, RSMB};

    /// No table is longer: its length is told in 16 or 32 bits, and memory is not endless.
    const LIMIT_BYTES: u32 = 1024 * 1024;

    pub(super) fn read() -> io::Result<Vec<u8>> {
        // SAFETY: without a place to write to, only the length is told.
        let length = unsafe { GetSystemFirmwareTable(RSMB, 0, std::ptr::null_mut(), 0) };
        if length == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut bytes = vec![0_u8; length.min(LIMIT_BYTES) as usize];
        let room = u32::try_from(bytes.len()).unwrap_or(LIMIT_BYTES);
        // SAFETY: the place is `room` bytes long and outlives the call.
        let told = unsafe { GetSystemFirmwareTable(RSMB, 0, bytes.as_mut_ptr().cast(), room) };
        if told == 0 || told > room {
            return Err(io::Error::last_os_error());
        }
        bytes.truncate(told as usize);
        Ok(bytes)
    }
}
