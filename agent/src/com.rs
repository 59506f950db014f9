//! Objects of Windows that are reached through COM: its beginning and end on a thread.

#![expect(unsafe_code, reason = "COM is begun and ended only through its C interface")]

use windows::Win32::System::Com::{COINIT_MULTITHREADED, CoInitializeEx, CoUninitialize};

/// COM on this thread, until it is dropped. All objects must be gone by then.
pub(crate) struct Com;

impl Com {
    /// Begins it on a thread of our own.
    pub(crate) fn begin() -> windows::core::Result<Self> {
        // SAFETY: it takes no place, and each success is undone once.
        unsafe { CoInitializeEx(None, COINIT_MULTITHREADED) }.ok()?;
        Ok(Self)
    }
}

impl Drop for Com {
    fn drop(&mut self) {
        // SAFETY: it was begun on this thread, and nothing of it is left.
        unsafe { CoUninitialize() };
    }
}
