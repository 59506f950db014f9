//! When a system was started and the memory that is free, where only calls tell them and no files.

use rollcall_shared::Timestamp;

use crate::host::Host;

/// When the system was started and the memory that is free, in bytes.
pub(super) fn start_and_memory(host: &Host) -> (Option<Timestamp>, Option<u64>) {
    if !host.is_live() {
        let captured = host.captured_call("vitals").unwrap_or_default();
        let mut numbers = captured.split_whitespace().map(|number| number.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let booted = next().and_then(|seconds| i64::try_from(seconds).ok());
        return (booted.map(Timestamp::from_seconds), next());
    }
    cfg_select! {
        any(windows, target_os = "macos") => {
            let booted = sysinfo::System::boot_time().ok().and_then(|at| i64::try_from(at).ok());
            let booted = booted.map(Timestamp::from_seconds);
            let Ok(mut system) = sysinfo::System::new() else { return (booted, None) };
            system.refresh_memory();
            (booted, Some(system.available_memory()))
        }
        _ => (None, None),
    }
}
