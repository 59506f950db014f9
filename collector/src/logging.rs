//! Where log lines go: standard error, as text or JSON. Never tokens, passwords or reports.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// Starts logging. A second call has no effect.
pub(crate) fn start(format: LogFormat, level: &str) {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    let mut filter = Targets::new().with_default(level);
    // Libraries are heard when something is wrong.
    for library in ["hyper", "rustls", "sqlx"] {
        filter = filter.with_target(library, LevelFilter::WARN.min(level));
    }
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => {
            lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
}
