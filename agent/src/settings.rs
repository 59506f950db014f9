//! What is in effect of the local configuration and the collector's settings. The local
//! configuration has the last word about what is looked at.

use std::time::Duration;

use rollcall_shared::report::Settings;

use crate::config::Config;
use crate::gather::Options;

/// Time between check-ins.
pub fn interval(config: &Config, settings: &Settings) -> Duration {
    let asked = settings.clone().clamped().check_in_interval_s;
    Duration::from_secs(config.check_in_interval_s.unwrap_or(asked).into())
}

/// What to look at: a section is off when either side says so.
pub fn options(config: &Config, settings: &Settings) -> Options {
    let mut sections_off = settings.clone().clamped().sections_off;
    sections_off.extend(config.sections_off.iter().cloned());
    sections_off.sort_unstable();
    sections_off.dedup();
    Options { sections_off }
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
        // What is off here stays off, whatever the collector says.
        assert_eq!(options(&config, &Settings::default()).sections_off, ["network"]);
        let local = Config { check_in_interval_s: Some(300), ..Config::default() };
        assert_eq!(interval(&local, &hostile), Duration::from_secs(300));
    }
}
