//! Times that programs write in local time without saying which: log files, mostly.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rollcall_shared::Timestamp;

use crate::host::Host;

/// The time zone of the observed computer; UTC where it cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct LocalTime(TimeZone);

impl LocalTime {
    /// Reads the zone's rules from `/etc/localtime`.
    pub(crate) fn of(host: &Host) -> Self {
        let rules = host.read("/etc/localtime").ok();
        let zone = rules.and_then(|bytes| TimeZone::tzif("Local", &bytes).ok());
        Self(zone.unwrap_or(TimeZone::UTC))
    }

    /// A moment as logs write it, e.g. `2026-11-23 14:16:38`, also with two spaces or a `T`.
    pub(crate) fn moment(&self, text: &str) -> Option<Timestamp> {
        let (date, time) = text.trim().split_once([' ', 'T'])?;
        let moment: DateTime = format!("{date}T{}", time.trim_start()).parse().ok()?;
        let zoned = self.0.to_ambiguous_zoned_datetime(moment).compatible().ok()?;
        Some(Timestamp(zoned.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_times_become_moments() {
        let zone = LocalTime(TimeZone::fixed(jiff::tz::offset(2)));
        let moment = zone.moment("2026-11-23  14:16:38").unwrap();
        assert_eq!(moment.to_string(), "2026-11-23T12:16:38Z");
        assert_eq!(zone.moment("2026-11-23"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            LocalTime(TimeZone::UTC).moment(&text);
        }
    }
}
