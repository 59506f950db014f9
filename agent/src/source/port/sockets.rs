//! Asks the kernel of macOS for the sockets of all processes.

#![expect(unsafe_code, reason = "macOS tells of open files only through its C interface")]

use super::macos::{LEAST_BYTES, Told};
use crate::source::process_call::{fill, path, processes};

/// `PROC_PIDFDSOCKETINFO`, `PROX_FDTYPE_SOCKET`.
const SOCKET: i32 = 3;
const IS_SOCKET: u32 = 2;
const FILES_LIMIT: usize = 1_000_000;
/// More than a row has today, so that one that grew fits.
const ROW_BYTES: usize = 2048;

/// The sockets that wait, of all processes whose files are for us; nothing when there are none.
pub(super) fn told() -> Option<Told> {
    let mut told = Told::default();
    let mut read = false;
    let is_root = rustix::process::geteuid().is_root();
    for process in processes() {
        let Some(files) = files(process) else {
            // To root nothing is hidden; such a process has ended meanwhile.
            told.hidden = !is_root;
            continue;
        };
        read = true;
        let Ok(id) = u32::try_from(process) else { continue };
        let mut waits = false;
        for file in files.iter().filter(|file| file.proc_fdtype == IS_SOCKET) {
            let mut row = [0_u8; ROW_BYTES];
            let length = fill(&mut row, |place, room| {
                // SAFETY: the place is as long as is said and outlives the call.
                unsafe { libc::proc_pidfdinfo(process, file.proc_fd, SOCKET, place, room) }
            });
            if let Some(row) = row.get(..length).filter(|row| row.len() >= LEAST_BYTES) {
                waits |= told.add(id, row);
            }
        }
        if waits && let Some(path) = path(process) {
            told.paths.insert(id, path);
        }
    }
    read.then_some(told)
}

/// The open files of a process; nothing when they are not for us, or it ended.
fn files(process: i32) -> Option<Vec<libc::proc_fdinfo>> {
    let kind = libc::PROC_PIDLISTFDS;
    // SAFETY: without a place to write to, only the length is told.
    let bytes = unsafe { libc::proc_pidinfo(process, kind, 0, std::ptr::null_mut(), 0) };
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes > 0)?;
    let count = bytes / size_of::<libc::proc_fdinfo>() + 16;
    let nothing = libc::proc_fdinfo { proc_fd: -1, proc_fdtype: 0 };
    let mut found = vec![nothing; count.min(FILES_LIMIT)];
    let filled = fill(&mut found, |place, room| {
        // SAFETY: the place is as long as is said and outlives the call.
        unsafe { libc::proc_pidinfo(process, kind, 0, place, room) }
    });
    found.truncate(filled / size_of::<libc::proc_fdinfo>());
    Some(found)
}
