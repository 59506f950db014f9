//! What is in effect of the local configuration and the collector's settings. The local
//! configuration has the last word about what is looked at.

use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::report::Settings;
use rollcall_shared::time::SECOND_MS;

use crate::config::Config;
use crate::gather::Options;

/// Time between check-ins.
pub fn interval(config: &Config, settings: &Settings) -> Duration {
    let asked = settings.clone().clamped().check_in_interval_s;
    Duration::from_secs(config.check_in_interval_s.unwrap_or(asked).into())
}

/// The largest request in bytes, compressed.
pub fn upload_limit_bytes(settings: &Settings) -> usize {
    usize::try_from(settings.clone().clamped().upload_limit_bytes).unwrap_or(usize::MAX)
}

/// Whether every source is to be asked, changed or not: at the start, and when the last time is
/// the scan interval ago. A clock that was set back tells nothing, so it is done then as well.
pub fn full_look_is_due(last: Option<Timestamp>, now: Timestamp, settings: &Settings) -> bool {
    let interval_ms = i64::from(settings.clone().clamped().scan_interval_s) * SECOND_MS;
    last.is_none_or(|last| now < last || now.since(last) >= interval_ms)
}

/// What to look at: a section is off when either side says so.
pub fn options(config: &Config, settings: &Settings) -> Options {
    let mut sections_off = settings.clone().clamped().sections_off;
    sections_off.extend(config.sections_off.iter().cloned());
    sections_off.sort_unstable();
    sections_off.dedup();
    // What lies in homes is asked for here alone; a collector has no say in it.
    Options { sections_off, home_folders: config.home_folders, ..Options::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_can_only_ask_within_limits() {
        let hostile = Settings {
            check_in_interval_s: 0,
            scan_interval_s: 0,
            sections_off: vec!["../../etc".into(), "user".into()],
            upload_limit_bytes: 0,
        };
        let config = Config { sections_off: vec!["network".into()], ..Config::default() };
        assert_eq!(interval(&config, &hostile), Duration::from_secs(60));
        assert_eq!(options(&config, &hostile).sections_off, ["network", "user"]);
        assert!(!options(&config, &hostile).home_folders);
        let open = Config { home_folders: true, ..Config::default() };
        assert!(options(&open, &hostile).home_folders);
        // What is off here stays off, whatever the collector says.
        assert_eq!(options(&config, &Settings::default()).sections_off, ["network"]);
        let local = Config { check_in_interval_s: Some(300), ..Config::default() };
        assert_eq!(interval(&local, &hostile), Duration::from_secs(300));
    }

    #[test]
    fn a_full_look_is_due_at_the_start_and_after_the_scan_interval() {
        let settings = Settings { scan_interval_s: 3600, ..Settings::default() };
        let at = |s: i64| Timestamp::from_seconds(1_000_000 + s);
        assert!(full_look_is_due(None, at(0), &settings));
        assert!(!full_look_is_due(Some(at(0)), at(3599), &settings));
        assert!(full_look_is_due(Some(at(0)), at(3600), &settings));
        assert!(full_look_is_due(Some(at(0)), at(-1), &settings), "the clock was set back");
        let hostile = Settings { scan_interval_s: 0, ..settings };
        assert!(!full_look_is_due(Some(at(0)), at(899), &hostile));
    }
}
