//! Asks the drivers of Windows: opens a device and hands over what it answers, bytes without
//! meaning.

#![expect(unsafe_code, reason = "Windows lets its drivers be asked only through its C interface")]

use std::io;
use std::ptr;

use windows_sys::Win32::Devices::DeviceAndDriverInstallation::{
    CM_Get_Device_ID_List_SizeW, CM_Get_Device_ID_ListW, CM_Get_Device_Interface_List_SizeW,
    CM_Get_Device_Interface_ListW,
};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_SHARE_READ, FILE_SHARE_WRITE, OPEN_EXISTING,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Power::GetDevicePowerState;
use windows_sys::core::GUID;

/// No answer that an inventory asks for is longer.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024;
/// The longest list of devices, in units of two bytes.
const LIST_LIMIT_UNITS: u32 = 4 * 1024 * 1024;

/// What may be done with a device that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing but questions about the device itself, which every user may ask.
    Questions,
    /// Reading and writing, which some drivers want for their questions as well.
    ReadAndWrite,
}

/// An open device.
#[derive(Debug)]
pub(crate) struct Device(HANDLE);

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: the handle was opened below and is closed once.
        unsafe { CloseHandle(self.0) };
    }
}

impl Device {
    /// Opens a device by its path, e.g. `\\.\PhysicalDrive0`.
    pub(crate) fn open(path: &str, access: Access) -> io::Result<Self> {
        const READ_AND_WRITE: u32 = 0xc000_0000;
        let path: Vec<u16> = path.encode_utf16().chain([0]).collect();
        let rights = match access {
            Access::Questions => 0,
            Access::ReadAndWrite => READ_AND_WRITE,
        };
        // SAFETY: the path ends in NUL and outlives the call; nothing else is pointed to.
        let handle = unsafe {
            CreateFileW(
                path.as_ptr(),
                rights,
                FILE_SHARE_READ | FILE_SHARE_WRITE,
                ptr::null(),
                OPEN_EXISTING,
                0,
                ptr::null_mut(),
            )
        };
        if handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(handle))
    }

    /// The answer to a question; a longer one is cut at `room_bytes`.
    pub(crate) fn ask(&self, code: u32, question: &[u8], room_bytes: usize) -> io::Result<Vec<u8>> {
        let mut answer = vec![0_u8; room_bytes.min(ANSWER_LIMIT_BYTES)];
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or_default();
        let (asked, room) = (length(question), length(&answer));
        let mut told = 0;
        // SAFETY: both places are as long as is said and outlive the call, which waits for its end.
        let done = unsafe {
            DeviceIoControl(
                self.0,
                code,
                question.as_ptr().cast(),
                asked,
                answer.as_mut_ptr().cast(),
                room,
                &raw mut told,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        answer.truncate(told as usize);
        Ok(answer)
    }

    /// Whether the device is awake; `None` where it does not say.
    pub(crate) fn is_awake(&self) -> Option<bool> {
        let mut awake = 0;
        // SAFETY: the handle is open, and the place outlives the call.
        let told = unsafe { GetDevicePowerState(self.0, &raw mut awake) };
        (told != 0).then_some(awake != 0)
    }
}

/// Paths of the devices of a kind that are present.
pub(crate) fn present(kind: &GUID) -> Vec<String> {
    /// `CM_GET_DEVICE_INTERFACE_LIST_PRESENT`.
    const PRESENT: u32 = 0;
    list(
        // SAFETY: the number of the kind and the place outlive the call.
        |length| unsafe { CM_Get_Device_Interface_List_SizeW(length, kind, ptr::null(), PRESENT) },
        // SAFETY: the place is as long as is said and outlives the call.
        |place, length| unsafe {
            CM_Get_Device_Interface_ListW(kind, ptr::null(), place, length, PRESENT)
        },
    )
}

/// Names of all devices that are present.
pub(crate) fn present_devices() -> Vec<String> {
    /// `CM_GETIDLIST_FILTER_PRESENT`.
    const PRESENT: u32 = 0x100;
    list(
        // SAFETY: all devices are meant, without a name to point to; the place outlives the call.
        |length| unsafe { CM_Get_Device_ID_List_SizeW(length, ptr::null(), PRESENT) },
        // SAFETY: the place is as long as is said and outlives the call.
        |place, length| unsafe { CM_Get_Device_ID_ListW(ptr::null(), place, length, PRESENT) },
    )
}

/// The texts of a list, which is asked for its length first; none where it is not told.
fn list(length_of: impl Fn(*mut u32) -> u32, write: impl Fn(*mut u16, u32) -> u32) -> Vec<String> {
    /// `CR_SUCCESS`, and `CR_BUFFER_SMALL`: it grew meanwhile.
    const SUCCESS: u32 = 0;
    const TOO_SMALL: u32 = 26;
    const TRIES: usize = 4;
    for _ in 0..TRIES {
        let mut length = 0;
        if length_of(&raw mut length) != SUCCESS || length == 0 || length > LIST_LIMIT_UNITS {
            return Vec::new();
        }
        let mut place = vec![0_u16; length as usize];
        match write(place.as_mut_ptr(), length) {
            SUCCESS => {
                let texts = place.split(|unit| *unit == 0).filter(|text| !text.is_empty());
                return texts.map(String::from_utf16_lossy).collect();
            }
            TOO_SMALL => {}
            _ => return Vec::new(),
        }
    }
    Vec::new()
}
