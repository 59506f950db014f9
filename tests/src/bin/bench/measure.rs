//! What a number of requests took: times, failures, and the collector's processor time and memory.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The moment, for durations.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// The collector that is watched.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// Its process.
    pub(crate) pid: u32,
    /// Its PostgreSQL database, if it uses one.
    pub(crate) database: Option<String>,
}

/// What the collector has used since its start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time in milliseconds.
    pub(crate) cpu_ms: u64,
    /// Resident memory in bytes.
    pub(crate) rss: u64,
    /// Bytes handed to the disk; with PostgreSQL the whole server's write-ahead log.
    pub(crate) written: u64,
}

impl Watched {
    /// What was used until now, from /proc and the server.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.pid)).ok();
        let stat = read("stat")?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let number = |text: &str, name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let rss = number(&read("status")?, "VmRSS:")? * 1_024;
        let written = match &self.database {
            None => number(&read("io")?, "write_bytes:")?,
            Some(url) => sql(url, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")?,
        };
        Some(Usage { cpu_ms: ticks * 10, rss, written })
    }
}

/// One number from a PostgreSQL server, asked for through its own client.
pub(crate) fn sql(url: &str, question: &str) -> Option<u64> {
    let answer =
        std::process::Command::new("psql").args([url, "-AtXqc", question]).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
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

/// One phase of requests, which may be sent in several pieces; what is between them is not counted.
pub(crate) struct Phase {
    name: String,
    watched: Watched,
    taken: Taken,
    wall: Duration,
    cpu_ms: u64,
    written: u64,
    rss: u64,
}

/// The begin of a piece.
pub(crate) struct Begun {
    usage: Option<Usage>,
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
    /// A phase without requests.
    pub(crate) fn new(name: impl Into<String>, watched: &Watched) -> Self {
        Self {
            name: name.into(),
            watched: watched.clone(),
            taken: Taken::default(),
            wall: Duration::ZERO,
            cpu_ms: 0,
            written: 0,
            rss: 0,
        }
    }

    /// A piece begins now.
    pub(crate) fn begin(&self) -> Begun {
        Begun { usage: self.watched.usage(), start: clock() }
    }

    /// The piece ends now.
    pub(crate) fn add(&mut self, begun: &Begun, taken: Taken) {
        self.wall += begun.start.elapsed();
        if let (Some(before), Some(after)) = (begun.usage, self.watched.usage()) {
            self.cpu_ms += after.cpu_ms - before.cpu_ms;
            self.written += after.written.saturating_sub(before.written);
            self.rss = after.rss;
        }
        self.taken.add(taken);
    }

    /// Its figures in one line, and how many requests failed.
    pub(crate) fn end(self) -> (String, usize) {
        let Self { name, mut taken, wall, cpu_ms, written, rss, .. } = self;
        let count = taken.times.len();
        taken.times.sort_unstable();
        let at = |part: f64| {
            let index = ((count.max(1) - 1) as f64 * part) as usize;
            taken.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        let mut line = format!(
            "{:<24} {count:>7} {:>9.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  {:>7} B each",
            name,
            count as f64 / wall.as_secs_f64(),
            at(0.5),
            at(0.99),
            taken.bytes / count.max(1),
        );
        if taken.retries > 0 {
            let _ = write!(line, "  {} retries", taken.retries);
        }
        if rss > 0 {
            let each = cpu_ms as f64 / count.max(1) as f64;
            let written = written / count.max(1) as u64;
            let _ = write!(
                line,
                "  collector {each:.3} ms CPU and {written} B written each, {} MiB",
                rss >> 20
            );
        }
        for failure in taken.failures.iter().take(3) {
            let _ = write!(line, "\n           failed: {failure}");
        }
        (line, taken.failures.len())
    }
}
