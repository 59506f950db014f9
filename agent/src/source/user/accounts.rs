//! Asks Windows for its accounts and groups. Their meaning is found elsewhere.

#![expect(unsafe_code, reason = "Windows tells its accounts only through its C interface")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, LocalFree};
use windows_sys::Win32::NetworkManagement::NetManagement::{
    FILTER_NORMAL_ACCOUNT, LOCALGROUP_INFO_0, LOCALGROUP_MEMBERS_INFO_2, NetApiBufferFree,
    NetLocalGroupEnum, NetLocalGroupGetMembers, NetUserEnum, NetUserModalsGet, USER_INFO_3,
    USER_MODALS_INFO_2,
};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{LookupAccountNameW, PSID};

use super::local::{RawAccount, RawGroup, RawMember, Told};

/// Bytes of one answer.
const ANSWER_BYTES: u32 = 256 * 1024;
/// Accounts, groups and members of one group that are looked at.
const ROWS_LIMIT: usize = 10_000;
/// The longest text that is read.
const TEXT_UNITS: usize = 1024;

/// Everything that is asked for.
pub(super) fn told() -> Told {
    let mut told = Told::default();
    match own_id() {
        Ok(own) => match accounts(&own) {
            Ok(accounts) => told.accounts = accounts,
            Err(error) => told.failures.push(format!("listing local accounts failed: {error}")),
        },
        Err(error) => told.failures.push(format!("asking for the computer's id failed: {error}")),
    }
    match groups() {
        Ok(names) => {
            for name in names {
                match members(&name) {
                    Ok(members) => {
                        told.groups.push(RawGroup {
                            id: id_of(&name).unwrap_or_default(),
                            name,
                            members,
                        });
                    }
                    Err(error) => told
                        .failures
                        .push(format!("listing the members of group {name} failed: {error}")),
                }
            }
        }
        Err(error) => told.failures.push(format!("listing local groups failed: {error}")),
    }
    told
}

/// An answer that Windows made and wants back.
struct Answer(*mut u8);

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: Windows made it for this purpose, and it is given back once.
            unsafe { NetApiBufferFree(self.0.cast()) };
        }
    }
}

impl Answer {
    /// The rows of the answer.
    ///
    /// # Safety
    ///
    /// Windows must have written so many rows of this kind.
    unsafe fn rows<T>(&self, count: u32) -> &[T] {
        if self.0.is_null() {
            return &[];
        }
        // SAFETY: as promised by the caller; Windows aligns its answers for every kind of row.
        unsafe { std::slice::from_raw_parts(self.0.cast::<T>(), count as usize) }
    }
}

/// The part of the ids of accounts that is the computer's own.
fn own_id() -> io::Result<String> {
    let mut answer = Answer(ptr::null_mut());
    // SAFETY: this computer has no name to point to, and the place outlives the call.
    let told = unsafe { NetUserModalsGet(ptr::null(), 2, &raw mut answer.0) };
    if told != 0 {
        return Err(io::Error::from_raw_os_error(told.cast_signed()));
    }
    // SAFETY: level 2 is one row of this kind.
    let rows: &[USER_MODALS_INFO_2] = unsafe { answer.rows(1) };
    let id = rows.first().map_or(ptr::null_mut(), |row| row.usrmod2_domain_id);
    // SAFETY: the id lies in the answer, which lives until the end.
    unsafe { written(id) }
}

/// All rows of a list, in as many answers as it takes. The call is given the places for an answer,
/// for the number of its rows and for the number of all.
///
/// # Safety
///
/// The call must write rows of this kind, and say how many.
unsafe fn all<T, R>(
    mut ask: impl FnMut(*mut *mut u8, *mut u32, *mut u32) -> u32,
    mut meant: impl FnMut(&T) -> R,
) -> io::Result<Vec<R>> {
    let mut found = Vec::new();
    loop {
        let mut answer = Answer(ptr::null_mut());
        let (mut count, mut total) = (0, 0);
        let told = ask(&raw mut answer.0, &raw mut count, &raw mut total);
        if told != 0 && told != ERROR_MORE_DATA {
            return Err(io::Error::from_raw_os_error(told.cast_signed()));
        }
        // SAFETY: as promised by the caller.
        found.extend(unsafe { answer.rows::<T>(count) }.iter().map(&mut meant));
        if told == 0 || count == 0 || found.len() >= ROWS_LIMIT {
            return Ok(found);
        }
    }
}

fn accounts(own_id: &str) -> io::Result<Vec<RawAccount>> {
    let mut resume = 0_u32;
    let resume = &raw mut resume;
    let ask = |answer, count, total| {
        // SAFETY: this computer has no name to point to, and all places outlive the call.
        unsafe {
            NetUserEnum(
                ptr::null(),
                3,
                FILTER_NORMAL_ACCOUNT,
                answer,
                ANSWER_BYTES,
                count,
                total,
                resume,
            )
        }
    };
    let account = |row: &USER_INFO_3| RawAccount {
        // SAFETY: texts lie in the answer and end in NUL.
        name: unsafe { text(row.usri3_name) },
        // SAFETY: as above.
        full_name: unsafe { text(row.usri3_full_name) },
        id: format!("{own_id}-{}", row.usri3_user_id),
        flags: row.usri3_flags,
        last_sign_in_s: row.usri3_last_logon,
    };
    // SAFETY: level 3 has rows of this kind.
    unsafe { all(ask, account) }
}

fn groups() -> io::Result<Vec<String>> {
    let mut resume = 0_usize;
    let resume = &raw mut resume;
    let ask = |answer, count, total| {
        // SAFETY: this computer has no name to point to, and all places outlive the call.
        unsafe { NetLocalGroupEnum(ptr::null(), 0, answer, ANSWER_BYTES, count, total, resume) }
    };
    // SAFETY: texts lie in the answer and end in NUL.
    let name = |row: &LOCALGROUP_INFO_0| unsafe { text(row.lgrpi0_name) };
    // SAFETY: level 0 has rows of this kind.
    unsafe { all(ask, name) }
}

fn members(group: &str) -> io::Result<Vec<RawMember>> {
    let group: Vec<u16> = group.encode_utf16().chain([0]).collect();
    let mut resume = 0_usize;
    let resume = &raw mut resume;
    let ask = |answer, count, total| {
        // SAFETY: the name ends in NUL, and all places outlive the call.
        unsafe {
            NetLocalGroupGetMembers(
                ptr::null(),
                group.as_ptr(),
                2,
                answer,
                ANSWER_BYTES,
                count,
                total,
                resume,
            )
        }
    };
    let member = |row: &LOCALGROUP_MEMBERS_INFO_2| RawMember {
        // SAFETY: the id lies in the answer.
        id: unsafe { written(row.lgrmi2_sid) }.unwrap_or_default(),
        kind: row.lgrmi2_sidusage.cast_unsigned(),
        // SAFETY: texts lie in the answer and end in NUL.
        name: unsafe { text(row.lgrmi2_domainandname) },
    };
    // SAFETY: level 2 has rows of this kind.
    unsafe { all(ask, member) }
}

/// The id of a group.
fn id_of(group: &str) -> io::Result<String> {
    let group: Vec<u16> = group.encode_utf16().chain([0]).collect();
    // The longest id has 68 bytes; numbers of 8 bytes lie where it may lie.
    let mut id = [0_u64; 9];
    let mut id_bytes = u32::try_from(size_of_val(&id)).unwrap_or_default();
    let mut domain = [0_u16; 256];
    let mut domain_units = 256;
    let mut kind = 0;
    // SAFETY: the name ends in NUL, and all places are as long as is said and outlive the call.
    let told = unsafe {
        LookupAccountNameW(
            ptr::null(),
            group.as_ptr(),
            id.as_mut_ptr().cast(),
            &raw mut id_bytes,
            domain.as_mut_ptr(),
            &raw mut domain_units,
            &raw mut kind,
        )
    };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: Windows has just written the id.
    unsafe { written(id.as_mut_ptr().cast()) }
}

/// An id in its written form, e.g. `S-1-5-32-544`.
///
/// # Safety
///
/// There must be one, or no place at all.
unsafe fn written(id: PSID) -> io::Result<String> {
    if id.is_null() {
        return Err(io::Error::other("there is no id"));
    }
    let mut place = ptr::null_mut();
    // SAFETY: as promised by the caller; the place for the answer outlives the call.
    if unsafe { ConvertSidToStringSidW(id, &raw mut place) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: Windows has just written it and ended it with NUL.
    let told = unsafe { text(place) };
    // SAFETY: it was made by Windows for this purpose and is given back once.
    unsafe { LocalFree(place.cast()) };
    Ok(told)
}

/// A text that ends in NUL.
///
/// # Safety
///
/// There must be one, or no place at all.
unsafe fn text(place: *const u16) -> String {
    let mut units = Vec::new();
    if !place.is_null() {
        for at in 0..TEXT_UNITS {
            // SAFETY: no unit behind the NUL is read.
            let unit = unsafe { place.add(at).read() };
            if unit == 0 {
                break;
            }
            units.push(unit);
        }
    }
    String::from_utf16_lossy(&units)
}
