//! Folders that only the system, administrators and their owner may enter, on Windows.
//!
//! The list of who may is given when the folder is made, before anything secret is in it.

#![expect(unsafe_code, reason = "Windows takes lists of access only through its C interface")]

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;

use super::sddl;

/// Something that Windows has made and wants back.
struct Local(*mut core::ffi::c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: it was made by Windows for this purpose and is given back once.
        unsafe { LocalFree(self.0) };
    }
}

fn wide(text: impl Iterator<Item = u16>) -> Vec<u16> {
    text.chain([0]).collect()
}

/// Makes the folder.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    let list = wide(sddl::PRIVATE.encode_utf16());
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the text ends in NUL, and the place for the answer outlives the call.
    let made = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            list.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            ptr::null_mut(),
        )
    };
    if made == 0 {
        return Err(io::Error::last_os_error());
    }
    let descriptor = Local(descriptor);
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let path = wide(path.as_os_str().encode_wide());
    // SAFETY: the path ends in NUL, and what the attributes point to lives until the end.
    let made = unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) };
    if made == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The list of who may do what with a folder, in its written form.
pub(super) fn access_list(path: &Path) -> io::Result<String> {
    let path = wide(path.as_os_str().encode_wide());
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the path ends in NUL, and the place for the answer outlives the call.
    let told = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if told != 0 {
        return Err(io::Error::from_raw_os_error(told.cast_signed()));
    }
    let descriptor = Local(descriptor);
    let (mut text, mut length) = (ptr::null_mut(), 0);
    // SAFETY: Windows has just made the descriptor, and the places outlive the call.
    let told = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            &raw mut length,
        )
    };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    let text = Local(text.cast());
    // SAFETY: Windows says how many units it has written there.
    let units = unsafe { std::slice::from_raw_parts(text.0.cast::<u16>(), length as usize) };
    Ok(String::from_utf16_lossy(units).trim_end_matches('\0').to_owned())
}
