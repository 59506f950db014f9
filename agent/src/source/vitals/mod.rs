//! The numbers that move all the time. They are looked at with every check-in, so nothing here
//! may cost more than reading a few small files.

use rollcall_shared::report::Vitals;

use crate::host::Host;

mod linux;
mod macos;
mod parse;
mod system_calls;
mod times;
mod windows;

/// Looks at the numbers that move. What cannot be read is left out.
pub fn vitals(host: &Host) -> Vitals {
    if cfg!(windows) {
        windows::vitals(host)
    } else if cfg!(target_os = "macos") {
        macos::vitals(host)
    } else {
        linux::vitals(host)
    }
}

#[cfg(test)]
mod tests;
