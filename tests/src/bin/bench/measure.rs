//! What a number of requests took: times, failures, and the collector's processor time and memory.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The moment, for durations.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// Processor time in milliseconds and resident memory in bytes of a process, from /proc.
pub(crate) fn usage(pid: u32) -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss: u64 = rss.split_whitespace().next()?.parse().ok()?;
    Some((ticks * 10, rss * 1_024))
}

/// Bytes of all files of a folder.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_in(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// One phase of requests, from its first to its last.
pub(crate) struct Phase {
    name: &'static str,
    pid: u32,
    before: Option<(u64, u64)>,
    start: Instant,
}

/// What workers brought back.
#[derive(Default)]
pub(crate) struct Taken {
    /// How long each request took.
    pub(crate) times: Vec<Duration>,
    /// Bytes sent or received.
    pub(crate) bytes: usize,
    /// How often one was sent again because the collector was busy.
    pub(crate) retries: u32,
    /// What went wrong.
    pub(crate) failures: Vec<String>,
}

impl Taken {
    /// Adds what another worker brought back.
    pub(crate) fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.bytes += other.bytes;
        self.retries += other.retries;
        self.failures.extend(other.failures);
    }
}

impl Phase {
    /// Begins now.
    pub(crate) fn start(name: &'static str, pid: u32) -> Self {
        Self { name, pid, before: usage(pid), start: clock() }
    }

    /// Its figures in one line, and how many requests failed.
    pub(crate) fn end(self, mut taken: Taken) -> (String, usize) {
        let wall = self.start.elapsed();
        let after = usage(self.pid);
        let count = taken.times.len();
        taken.times.sort_unstable();
        let at = |part: f64| {
            let index = ((count.max(1) - 1) as f64 * part) as usize;
            taken.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        let mut line = format!(
            "{:<16} {count:>7} {:>9.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  {:>7} B each",
            self.name,
            count as f64 / wall.as_secs_f64(),
            at(0.5),
            at(0.99),
            taken.bytes / count.max(1),
        );
        if taken.retries > 0 {
            let _ = write!(line, "  {} retries", taken.retries);
        }
        if let (Some((cpu_before, _)), Some((cpu_after, rss))) = (self.before, after) {
            let each = (cpu_after - cpu_before) as f64 / count.max(1) as f64;
            let _ = write!(line, "  collector {each:.3} ms CPU each, {} MiB", rss >> 20);
        }
        for failure in taken.failures.iter().take(3) {
            let _ = write!(line, "\n           failed: {failure}");
        }
        (line, taken.failures.len())
    }
}
