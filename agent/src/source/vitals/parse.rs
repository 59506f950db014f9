//! Start, memory, sessions and kernels of a Linux system. Knows text, no files.

use std::cmp::Ordering;

use rollcall_shared::Timestamp;
use rollcall_shared::report::Session;
use rollcall_shared::version::{Scheme, compare};

use crate::source::text::{assignments, number, some};

/// When the system was started, from `/proc/stat`.
pub(super) fn booted_at(stat: &str) -> Option<Timestamp> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    number(line.as_bytes()).filter(|seconds| *seconds > 0).map(Timestamp::from_seconds)
}

/// Memory that programs can still get, from `/proc/meminfo`.
pub(super) fn memory_available_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = number(line.trim().trim_end_matches("kB").as_bytes())?;
    kibibytes.checked_mul(1024)
}

/// One file of `/run/systemd/sessions`; only people count, not greeters and background managers.
pub(super) fn session(text: &str) -> Option<Session> {
    let mut session = Session::default();
    let mut seat = None;
    let mut class = None;
    for (key, value) in assignments(text) {
        let value = some(value.as_bytes());
        match key {
            "USER" => session.user = value?,
            "TTY" => session.terminal = value,
            "SEAT" => seat = value,
            "CLASS" => class = value,
            "REMOTE_HOST" => session.remote_host = value,
            "REALTIME" => {
                let microseconds = value.and_then(|text| number::<i64>(text.as_bytes()));
                session.since = microseconds.map(|microseconds| Timestamp(microseconds / 1000));
            }
            "STATE" if value.as_deref() == Some("closing") => return None,
            _ => {}
        }
    }
    session.terminal = session.terminal.or(seat);
    // Older systems write no user name here, only an id.
    (class.as_deref().is_none_or(|class| class == "user") && !session.user.is_empty())
        .then_some(session)
}

/// Why a restart is waited for, from the kernels that are installed: `None` when the running one
/// is not among them, so that nothing can be told (a container, a kernel of one's own).
pub(super) fn kernel(scheme: Scheme, running: &str, installed: &[String]) -> Option<Vec<String>> {
    if !installed.iter().any(|kernel| kernel == running) {
        return None;
    }
    let same = installed.iter().filter(|kernel| flavour(kernel) == flavour(running));
    let newest = same.max_by(|a, b| compare(scheme, a, b).unwrap_or(Ordering::Equal))?;
    if compare(scheme, newest, running) == Some(Ordering::Greater) {
        Some(vec![format!("running {running}, newest installed {newest}")])
    } else {
        Some(Vec::new())
    }
}

/// What kind of kernel it is, which an upgrade does not change: `cloud-amd64` of
/// `6.1.0-37-cloud-amd64`, `x86_64` of `6.11.4-301.fc41.x86_64`.
fn flavour(kernel: &str) -> &str {
    let mut start = 0;
    for part in kernel.split('-') {
        if part.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
            return &kernel[start..];
        }
        start += part.len() + 1;
    }
    kernel.rsplit('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flavour_outlives_an_upgrade() {
        assert_eq!(flavour("6.1.0-37-cloud-amd64"), "cloud-amd64");
        assert_eq!(flavour("6.12.12+bpo-amd64"), "amd64");
        assert_eq!(flavour("6.11.4-301.fc41.x86_64"), "x86_64");
        assert_eq!(flavour("6.4.0-150600.23.25-default"), "default");
        assert_eq!(flavour("5.15"), "15");
    }
}
