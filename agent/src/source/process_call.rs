//! Asks the kernel of macOS which processes there are and where their programs lie; never for their
//! arguments.

#![expect(unsafe_code, reason = "macOS tells of processes only through its C interface")]

use std::ffi::c_void;

/// `PROC_ALL_PIDS`.
const ALL: u32 = 1;
const PROCESSES_LIMIT: usize = 100_000;
/// `PROC_PIDPATHINFO_MAXSIZE`.
const PATH_BYTES: usize = 4096;

/// Lets a call fill a place, and gives how many bytes it filled.
pub(super) fn fill<T>(place: &mut [T], call: impl FnOnce(*mut c_void, i32) -> i32) -> usize {
    let room = i32::try_from(size_of_val(place)).unwrap_or(0);
    let filled = call(place.as_mut_ptr().cast(), room);
    usize::try_from(filled.min(room)).unwrap_or(0)
}

/// Numbers of all processes.
pub(super) fn processes() -> Vec<i32> {
    // SAFETY: without a place to write to, only the length is told.
    let bytes = unsafe { libc::proc_listpids(ALL, 0, std::ptr::null_mut(), 0) };
    // Some may begin meanwhile.
    let count = usize::try_from(bytes).unwrap_or(0) / size_of::<i32>() + 64;
    let mut found = vec![0_i32; count.min(PROCESSES_LIMIT)];
    let filled = fill(&mut found, |place, room| {
        // SAFETY: the place is as long as is said and outlives the call.
        unsafe { libc::proc_listpids(ALL, 0, place, room) }
    });
    found.truncate(filled / size_of::<i32>());
    found.retain(|process| *process > 0);
    found
}

/// Where the program of a process lies.
pub(super) fn path(process: i32) -> Option<String> {
    let mut place = [0_u8; PATH_BYTES];
    let length = fill(&mut place, |place, _| {
        let room = u32::try_from(PATH_BYTES).unwrap_or(0);
        // SAFETY: the place is as long as is said and outlives the call.
        unsafe { libc::proc_pidpath(process, place, room) }
    });
    let path = place.get(..length).filter(|path| !path.is_empty())?;
    Some(String::from_utf8_lossy(path).into_owned())
}
