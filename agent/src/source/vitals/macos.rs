//! Where a Mac keeps the numbers that move.

use rollcall_shared::Timestamp;
use rollcall_shared::report::Vitals;

use crate::host::Host;
use crate::source::battery::mac_charges;
use crate::source::update::mac_lists_at;
use crate::source::volume::mac_spaces;

/// Looks at the numbers that move. What cannot be read is left out.
pub(super) fn vitals(host: &Host) -> Vitals {
    let (booted_at, memory_available_bytes) = told(host);
    Vitals {
        booted_at,
        volumes: mac_spaces(host),
        memory_available_bytes,
        batteries: mac_charges(host),
        update_lists_at: mac_lists_at(host),
        ..Vitals::default()
    }
}

/// When the system was started and the memory that is free, in bytes.
fn told(host: &Host) -> (Option<Timestamp>, Option<u64>) {
    if !host.is_live() {
        let captured = host.captured_call("vitals").unwrap_or_default();
        let mut numbers = captured.split_whitespace().map(|number| number.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let booted = next().and_then(|seconds| i64::try_from(seconds).ok());
        return (booted.map(Timestamp::from_seconds), next());
    }
    cfg_select! {
        target_os = "macos" => {
            let booted = sysinfo::System::boot_time().ok().and_then(|at| i64::try_from(at).ok());
            let booted = booted.map(Timestamp::from_seconds);
            let Ok(mut system) = sysinfo::System::new() else { return (booted, None) };
            system.refresh_memory();
            (booted, Some(system.available_memory()))
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> Vitals {
        let root = format!("{}/../tests/fixtures/host/{system}", env!("CARGO_MANIFEST_DIR"));
        vitals(&Host::at(root))
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("macbook-air-m1", told("macbook-air-m1"));
        insta::assert_debug_snapshot!("macbook-pro-2015", told("macbook-pro-2015"));
        insta::assert_debug_snapshot!("mac-virtual-machine", told("mac-virtual-machine"));
    }
}
