//! Folders that only the system, administrators and their owner may enter, on Windows.
//!
//! The list of who may is given when the folder is made, before anything secret is in it.

#![expect(unsafe_code, reason = "Windows takes lists of access only through its C interface")]

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetTokenInformation,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SECURITY_ATTRIBUTES, TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER,
    TokenElevation, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

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

/// Makes the folder. What an administrator makes belongs to all of them, and so to the service.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    /// `ERROR_INVALID_OWNER`: this account may not give it to them.
    const INVALID_OWNER: i32 = 1307;
    if is_elevated() {
        let of_administrators = format!("O:BA{}", sddl::PRIVATE);
        match create_with(path, &of_administrators) {
            Err(error) if error.raw_os_error() == Some(INVALID_OWNER) => {}
            other => return other,
        }
    }
    create_with(path, sddl::PRIVATE)
}

fn create_with(path: &Path, list: &str) -> io::Result<()> {
    let descriptor = descriptor(list)?;
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

/// Shuts others out of a folder and of what is in it.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    let descriptor = descriptor(sddl::PRIVATE)?;
    let path = wide(path.as_os_str().encode_wide());
    let (mut is_there, mut by_default) = (0, 0);
    let mut list: *mut ACL = ptr::null_mut();
    // SAFETY: Windows has just made the descriptor, and the places outlive the call.
    let told = unsafe {
        GetSecurityDescriptorDacl(
            descriptor.0,
            &raw mut is_there,
            &raw mut list,
            &raw mut by_default,
        )
    };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the path ends in NUL, and the list is part of the descriptor, which lives until the
    // end.
    let set = unsafe {
        SetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            list,
            ptr::null(),
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(set.cast_signed())) }
}

/// A list in its written form as Windows wants it.
fn descriptor(list: &str) -> io::Result<Local> {
    let list = wide(list.encode_utf16());
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
    Ok(Local(descriptor))
}

/// Whether this process has the rights of an administrator, as services of the system have them.
pub(crate) fn is_elevated() -> bool {
    let mut elevation = TOKEN_ELEVATION::default();
    let size = size_of::<TOKEN_ELEVATION>();
    let told = of_this_process(TokenElevation, (&raw mut elevation).cast(), size);
    told.is_ok() && elevation.TokenIsElevated != 0
}

/// The id of the account that runs this process, e.g. `S-1-5-18`.
pub(super) fn own_id() -> io::Result<String> {
    // The longest id has 68 bytes, and what points to it 16. Numbers of 8 bytes lie where a
    // pointer may lie.
    let mut place = [0_u64; 16];
    of_this_process(TokenUser, place.as_mut_ptr().cast(), size_of_val(&place))?;
    // SAFETY: Windows has just written this structure to the beginning of the place.
    let user = unsafe { place.as_ptr().cast::<TOKEN_USER>().read() };
    let mut text = ptr::null_mut();
    // SAFETY: the id lies in the place, and the place for the answer outlives the call.
    if unsafe { ConvertSidToStringSidW(user.User.Sid, &raw mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let text = Local(text.cast());
    let mut units = Vec::new();
    // SAFETY: Windows ends the text with NUL, and no unit behind it is read.
    unsafe {
        let mut at = text.0.cast::<u16>();
        while *at != 0 {
            units.push(*at);
            at = at.add(1);
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

/// Writes what Windows knows of the rights of this process to a place of this size.
fn of_this_process(
    what: TOKEN_INFORMATION_CLASS,
    place: *mut core::ffi::c_void,
    size: usize,
) -> io::Result<()> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the handle of the own process needs no care, and the place outlives the call.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let (size, mut length) = (u32::try_from(size).unwrap_or_default(), 0);
    // SAFETY: the caller's place is as large as is said and outlives the call.
    let told = unsafe { GetTokenInformation(token, what, place, size, &raw mut length) };
    let result = if told == 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
    // SAFETY: the handle was opened above and is closed once.
    unsafe { CloseHandle(token) };
    result
}

/// Who owns a folder and the list of who may do what with it, in its written form.
pub(super) fn access_list(path: &Path) -> io::Result<String> {
    let path = wide(path.as_os_str().encode_wide());
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the path ends in NUL, and the place for the answer outlives the call.
    let told = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
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
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
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
