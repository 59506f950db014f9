//! Memory and times, for people.

use std::time::Duration;

/// Resident memory of a process in MiB; 0 where the system does not say.
pub fn rss_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    rss.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// The time below which this part in a thousand of all times lie.
pub fn permille(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    let index = (times.len().max(1) - 1) * part / 1000;
    times.get(index).copied().unwrap_or_default()
}

/// How many a second.
pub fn rate(count: u64, time: Duration) -> f64 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    f64::from(count) / time.as_secs_f64().max(0.001)
}
