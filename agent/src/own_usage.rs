//! What this process has used, as Windows counts it.

#![expect(unsafe_code, reason = "Windows tells what a process used only through its C interface")]

use std::time::Duration;

use windows_sys::Win32::Foundation::{FILETIME, HANDLE};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, GetProcessTimes, GetThreadTimes,
};

type Times = unsafe extern "system" fn(
    HANDLE,
    *mut FILETIME,
    *mut FILETIME,
    *mut FILETIME,
    *mut FILETIME,
) -> i32;

/// Processor time of the whole process.
pub(crate) fn process_cpu() -> Duration {
    // SAFETY: the handle of the own process needs no care.
    spent(GetProcessTimes, unsafe { GetCurrentProcess() })
}

/// Processor time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    // SAFETY: the handle of the own thread needs no care.
    spent(GetThreadTimes, unsafe { GetCurrentThread() })
}

/// Time in the kernel and outside of it.
fn spent(times: Times, of: HANDLE) -> Duration {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut began, mut ended, mut kernel, mut user) = (none, none, none, none);
    // SAFETY: the handle is our own, and the places outlive the call.
    let told = unsafe { times(of, &raw mut began, &raw mut ended, &raw mut kernel, &raw mut user) };
    if told == 0 {
        return Duration::ZERO;
    }
    let units =
        |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    Duration::from_nanos(units(kernel).saturating_add(units(user)).saturating_mul(100))
}

/// The largest resident memory so far, in bytes; 0 where it is not told.
pub(crate) fn peak_rss_bytes() -> u64 {
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let room = u32::try_from(size_of::<PROCESS_MEMORY_COUNTERS>()).unwrap_or_default();
    // SAFETY: the handle of the own process needs no care, and the place is as long as is said.
    let told = unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &raw mut counters, room) };
    if told == 0 { 0 } else { counters.PeakWorkingSetSize as u64 }
}
