//! Where log lines go: standard error, as text or JSON. Never tokens, passwords or reports.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. A second call has no effect.
pub(crate) fn start(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_new(format!("{level},sqlx=warn,hyper=warn,rustls=warn"))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match format {
        LogFormat::Text => {
            lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
