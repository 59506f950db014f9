//! What looking costs, measured by the agent itself, and what a source may use of it.
//!
//! Every read through [`Host`](crate::host::Host) is counted here. A source that went over its
//! budget reads nothing more, so that it ends by itself wherever it is.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rollcall_shared::{Note, NoteKind};

use crate::clock;

/// What one source may use in one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Time from its start to its end; a source that hangs is left behind then.
    pub(crate) wall: Duration,
    /// Processor time. On the slowest computers that are known a source takes a tenth of it.
    pub(crate) cpu: Duration,
    /// Bytes read from files and programs.
    pub(crate) read_bytes: u64,
}

/// The budget of every source.
pub(crate) const BUDGET: Budget = Budget {
    wall: Duration::from_secs(60),
    cpu: Duration::from_secs(3),
    read_bytes: 256 * 1024 * 1024,
};

/// The processor time is asked of the system at every so many reads, because that costs more than a
/// small read.
const READS_BETWEEN: u32 = 16;
/// And at every read of at least so many bytes.
const LARGE_READ_BYTES: usize = 32 * 1024;

/// For those who look without a limit, such as tests of single sources.
const UNLIMITED: Budget = Budget { wall: Duration::MAX, cpu: Duration::MAX, read_bytes: u64::MAX };

/// What a source went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Cpu(Duration),
    Read(u64),
}

impl Over {
    /// What the report says of a source that was cut short.
    pub(crate) fn note(self) -> Note {
        let (kind, limit) = match self {
            Self::Cpu(limit) => {
                (NoteKind::TimedOut, format!("{} ms of processor time", limit.as_millis()))
            }
            Self::Read(bytes) => (NoteKind::Failed, format!("{} KiB to read", bytes / 1024)),
        };
        Note::new(kind).with_detail(format!(
            "it was cut short, because it needs more than its budget of {limit}; it is left out \
             until everything is looked at anew"
        ))
    }
}

/// Counts what one source uses.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Budget,
    read_bytes: AtomicU64,
    reads: AtomicU32,
    /// What the thread had used before the source began.
    before: OnceLock<Duration>,
    over: OnceLock<Over>,
    /// Everything that was looked for, where somebody wants to know.
    paths: Option<Mutex<BTreeSet<String>>>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(UNLIMITED)
    }
}

impl Meter {
    pub(crate) fn new(budget: Budget) -> Self {
        Self {
            budget,
            read_bytes: AtomicU64::new(0),
            reads: AtomicU32::new(0),
            before: OnceLock::new(),
            over: OnceLock::new(),
            paths: None,
        }
    }

    /// One that also remembers every path.
    pub(crate) fn with_paths(budget: Budget) -> Self {
        Self { paths: Some(Mutex::default()), ..Self::new(budget) }
    }

    /// The source begins now, on this thread.
    pub(crate) fn begin(&self) {
        let _ = self.before.set(clock::thread_cpu());
    }

    /// Processor time that the source has used on this thread.
    pub(crate) fn cpu(&self) -> Duration {
        clock::thread_cpu().saturating_sub(self.before.get().copied().unwrap_or_default())
    }

    /// Counts what was read by the thread of the source.
    pub(crate) fn count(&self, bytes: usize) -> Result<(), Over> {
        let read = self.read_bytes.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if read > self.budget.read_bytes {
            let _ = self.over.set(Over::Read(self.budget.read_bytes));
        } else if self.budget.cpu != Duration::MAX {
            let turn = self.reads.fetch_add(1, Ordering::Relaxed).is_multiple_of(READS_BETWEEN);
            if (turn || bytes >= LARGE_READ_BYTES) && self.cpu() > self.budget.cpu {
                let _ = self.over.set(Over::Cpu(self.budget.cpu));
            }
        }
        self.over().map_or(Ok(()), Err)
    }

    pub(crate) fn saw(&self, path: &str) {
        if let Some(paths) = &self.paths {
            paths.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        }
    }

    pub(crate) fn over(&self) -> Option<Over> {
        self.over.get().copied()
    }

    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }

    /// What was looked for, sorted; empty unless it was to be remembered.
    pub(crate) fn paths(&self) -> Vec<String> {
        let Some(paths) = &self.paths else { return Vec::new() };
        paths.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// An open file whose bytes are counted; over the budget it gives an error.
#[derive(Debug)]
pub struct Counted {
    file: File,
    told_bytes: u64,
    meter: Arc<Meter>,
}

impl Counted {
    pub(crate) fn new((file, told_bytes): (File, u64), meter: Arc<Meter>) -> Self {
        Self { file, told_bytes, meter }
    }

    /// Size as the system told it when the file was opened, in bytes; 0 for files of the kernel.
    pub(crate) fn told_bytes(&self) -> u64 {
        self.told_bytes
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let over = |_| io::Error::other("the source is over its budget");
        self.meter.over().map_or(Ok(()), Err).map_err(over)?;
        let count = self.file.read(buffer)?;
        self.meter.count(count).map_err(over)?;
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The largest resident memory of this process so far, in bytes; 0 where the system does not say.
pub(crate) fn peak_rss_bytes() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // One read gives the whole text, and the line stands in its first quarter.
        let mut status = [0; 4096];
        let read = File::open("/proc/self/status").and_then(|mut file| file.read(&mut status));
        let status = String::from_utf8_lossy(&status[..read.unwrap_or_default()]);
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
            .map_or(0, |kib| kib * 1024)
    }
    #[cfg(windows)]
    {
        crate::own_usage::peak_rss_bytes()
    }
    #[cfg(not(any(target_os = "linux", windows)))]
    {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_budget_is_not_read() {
        let meter = Meter::new(Budget { read_bytes: 10, ..BUDGET });
        assert_eq!(meter.count(10), Ok(()));
        assert_eq!(meter.count(1), Err(Over::Read(10)));
        assert_eq!(meter.count(0), Err(Over::Read(10)), "it stays over");
        let unlimited = Meter::default();
        assert_eq!(unlimited.count(usize::MAX / 2), Ok(()));
    }

    #[test]
    #[cfg(unix)]
    fn a_source_that_only_calculates_is_stopped_at_one_of_its_next_reads() {
        let spent = std::thread::spawn(|| {
            let meter = Meter::new(Budget { cpu: Duration::from_millis(5), ..BUDGET });
            let mut sum = 0_u64;
            while clock::thread_cpu() <= Duration::from_millis(5) {
                sum = sum.wrapping_add(1);
            }
            assert!(sum > 0);
            meter.reads.store(1, Ordering::Relaxed);
            let small = (0..READS_BETWEEN).map(|_| meter.count(1)).find_map(Result::err);
            assert_eq!(small, meter.over());
            meter.count(1)
        });
        assert_eq!(spent.join().unwrap(), Err(Over::Cpu(Duration::from_millis(5))));
    }
}
