//! The only place that measures time that passes. It does not know what day it is.

use std::time::{Duration, Instant};

/// Runs from its creation on.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Whole milliseconds since the start.
    pub fn elapsed_ms(self) -> u64 {
        u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Processor time this process has used so far, in milliseconds; 0 where the system does not say.
pub fn process_cpu_ms() -> u64 {
    #[cfg(unix)]
    {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let ms = i128::from(spent.tv_sec) * 1000 + i128::from(spent.tv_nsec) / 1_000_000;
        u64::try_from(ms).unwrap_or_default()
    }
    #[cfg(windows)]
    {
        u64::try_from(crate::own_usage::process_cpu().as_millis()).unwrap_or(u64::MAX)
    }
    #[cfg(not(any(unix, windows)))]
    {
        0
    }
}

/// Processor time the calling thread has used so far; zero where the system does not say.
pub(crate) fn thread_cpu() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let seconds = u64::try_from(spent.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(spent.tv_nsec).unwrap_or_default())
    }
    #[cfg(windows)]
    {
        crate::own_usage::thread_cpu()
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    {
        Duration::ZERO
    }
}
