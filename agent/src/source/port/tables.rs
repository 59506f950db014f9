//! Asks Windows for its tables of sockets, processes and services. Their meaning is found
//! elsewhere.

#![expect(unsafe_code, reason = "Windows tells its tables only through its C interface")]

use std::collections::BTreeMap;
use std::ptr;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_INSUFFICIENT_BUFFER, INVALID_HANDLE_VALUE, NO_ERROR,
};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, GetExtendedUdpTable, TCP_TABLE_OWNER_PID_LISTENER, UDP_TABLE_OWNER_PID,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    SC_ENUM_PROCESS_INFO, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_ACTIVE, SERVICE_WIN32,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION, QueryFullProcessImageNameW,
};

use super::windows::Tables;
use crate::registry::export::text_of_units;

/// `AF_INET` and `AF_INET6`.
const FOUR: u32 = 2;
const SIX: u32 = 23;
/// A table grows between the question for its length and the one for it.
const TRIES: usize = 4;
const TABLE_LIMIT_BYTES: u32 = 16 * 1024 * 1024;
const PROCESSES_LIMIT: usize = 50_000;
/// The longest list of services that Windows gives at once.
const SERVICES_BYTES: usize = 256 * 1024;
const PATH_UNITS: u32 = 1024;

type Ask = fn(*mut core::ffi::c_void, *mut u32, u32) -> u32;

/// Everything that is asked for.
pub(super) fn tables() -> Tables {
    let mut missing = Vec::new();
    let mut one = |name: &'static str, ask: Ask, family: u32| {
        table(ask, family).unwrap_or_else(|| {
            missing.push(name);
            Vec::new()
        })
    };
    let (of_tcp, of_udp): (Ask, Ask) = (ask_tcp, ask_udp);
    let (tcp, tcp6) = (one("TCP", of_tcp, FOUR), one("TCP on IPv6", of_tcp, SIX));
    let (udp, udp6) = (one("UDP", of_udp, FOUR), one("UDP on IPv6", of_udp, SIX));
    let programs = programs();
    let paths = programs.keys().filter_map(|id| Some((*id, path(*id)?))).collect();
    Tables { tcp, tcp6, udp, udp6, programs, paths, services: services(), missing }
}

fn ask_tcp(place: *mut core::ffi::c_void, length: *mut u32, family: u32) -> u32 {
    // SAFETY: the caller's place is as long as it says, or none.
    unsafe { GetExtendedTcpTable(place, length, 0, family, TCP_TABLE_OWNER_PID_LISTENER, 0) }
}

fn ask_udp(place: *mut core::ffi::c_void, length: *mut u32, family: u32) -> u32 {
    // SAFETY: the caller's place is as long as it says, or none.
    unsafe { GetExtendedUdpTable(place, length, 0, family, UDP_TABLE_OWNER_PID, 0) }
}

fn table(ask: Ask, family: u32) -> Option<Vec<u8>> {
    let mut length = 0;
    let mut told = ask(ptr::null_mut(), &raw mut length, family);
    for _ in 0..TRIES {
        if told != ERROR_INSUFFICIENT_BUFFER || length > TABLE_LIMIT_BYTES {
            break;
        }
        // Numbers of four bytes lie where the table wants to lie.
        let mut place = vec![0_u32; (length as usize).div_ceil(4)];
        length = u32::try_from(place.len() * 4).unwrap_or_default();
        told = ask(place.as_mut_ptr().cast(), &raw mut length, family);
        if told == NO_ERROR {
            let mut bytes: Vec<u8> = place.iter().flat_map(|word| word.to_ne_bytes()).collect();
            bytes.truncate(length as usize);
            return Some(bytes);
        }
    }
    None
}

/// Names of the programs of all processes.
pub(crate) fn programs() -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    // SAFETY: it takes numbers alone.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return found;
    }
    let mut entry = PROCESSENTRY32W {
        dwSize: u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or_default(),
        ..PROCESSENTRY32W::default()
    };
    // SAFETY: the snapshot is open, and the entry says how long it is.
    let mut told = unsafe { Process32FirstW(snapshot, &raw mut entry) };
    while told != 0 && found.len() < PROCESSES_LIMIT {
        found.insert(entry.th32ProcessID, text_of_units(&entry.szExeFile));
        // SAFETY: as above.
        told = unsafe { Process32NextW(snapshot, &raw mut entry) };
    }
    // SAFETY: it was opened above and is closed once.
    unsafe { CloseHandle(snapshot) };
    found
}

/// Where the program of a process lies.
fn path(id: u32) -> Option<String> {
    // SAFETY: it takes numbers alone.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, id) };
    if process.is_null() {
        return None;
    }
    let (mut place, mut length) = ([0_u16; PATH_UNITS as usize], PATH_UNITS);
    // SAFETY: the process is open, and the place is as long as is said and outlives the call.
    let told = unsafe {
        QueryFullProcessImageNameW(process, PROCESS_NAME_WIN32, place.as_mut_ptr(), &raw mut length)
    };
    // SAFETY: it was opened above and is closed once.
    unsafe { CloseHandle(process) };
    (told != 0).then(|| text_of_units(place.get(..length as usize).unwrap_or_default()))
}

/// Names of the services that run, by their processes.
fn services() -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    // SAFETY: the manager of this computer has no name to point to.
    let manager = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    if manager.is_null() {
        return found;
    }
    let mut resume = 0;
    loop {
        // Numbers of eight bytes lie where the list wants to lie.
        let mut place = vec![0_u64; SERVICES_BYTES / 8];
        let (mut needed, mut count) = (0, 0);
        // SAFETY: the manager is open, and all places are as long as is said and outlive the call.
        let told = unsafe {
            EnumServicesStatusExW(
                manager,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_ACTIVE,
                place.as_mut_ptr().cast(),
                u32::try_from(SERVICES_BYTES).unwrap_or_default(),
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                ptr::null(),
            )
        };
        let room = SERVICES_BYTES / size_of::<ENUM_SERVICE_STATUS_PROCESSW>();
        let count = (count as usize).min(room);
        // SAFETY: Windows has just written so many entries to the beginning of the place.
        let entries = unsafe {
            std::slice::from_raw_parts(place.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>(), count)
        };
        for entry in entries {
            // SAFETY: names lie in the place, which lives until the end of the loop, and end in NUL.
            let name = unsafe { name_at(entry.lpServiceName) };
            found.entry(entry.ServiceStatusProcess.dwProcessId).or_default().push(name);
        }
        // More follows where the call says that the place was too small.
        if told != 0 || count == 0 || resume == 0 {
            break;
        }
    }
    // SAFETY: it was opened above and is closed once.
    unsafe { CloseServiceHandle(manager) };
    for names in found.values_mut() {
        names.sort_unstable();
    }
    found
}

/// A text that ends in NUL.
///
/// # Safety
///
/// There must be one, or no place at all.
unsafe fn name_at(place: *const u16) -> String {
    /// The longest name of a service.
    const UNITS: usize = 256;
    let mut units = Vec::new();
    if !place.is_null() {
        for at in 0..UNITS {
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
