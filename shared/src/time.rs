//! Moments in time as the product speaks of them: milliseconds since 1970 in UTC.
//!
//! There is no `now()` here. Whoever needs the present gets it as a parameter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. On the wire: RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Milliseconds of one second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds of one minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds of one hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of one day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

impl Timestamp {
    /// From whole seconds since 1970.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND_MS))
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MS)
    }

    /// This moment moved by `ms` milliseconds; stops at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The calendar day in UTC as `2026-11-23`.
    pub fn date(self) -> String {
        self.to_string().get(..10).unwrap_or_default().to_owned()
    }

    /// Start of a calendar day in UTC, from `2026-11-23`.
    pub fn from_date(text: &str) -> Option<Self> {
        let date: jiff::civil::Date = text.parse().ok()?;
        let zoned = date.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clamped = self.0.clamp(
            jiff::Timestamp::MIN.as_millisecond() + 1,
            jiff::Timestamp::MAX.as_millisecond() - 1,
        );
        match jiff::Timestamp::from_millisecond(clamped) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => f.write_str("1970-01-01T00:00:00Z"),
        }
    }
}

/// The text was not an RFC 3339 moment, as in `2026-11-23T10:15:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a moment; write it as 2026-11-23T10:15:00Z")]
pub struct ParseTimestampError(String);

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(moment) = plain(text.as_bytes()) {
            return Ok(moment);
        }
        let moment: jiff::Timestamp =
            text.parse().map_err(|_| ParseTimestampError(text.chars().take(64).collect()))?;
        Ok(Self(moment.as_millisecond()))
    }
}

/// Reads the form in which nearly all moments are written, `2026-11-23T10:15:00Z`: a report holds
/// thousands of them. `None` for any other form and for dates that are none.
fn plain(text: &[u8]) -> Option<Timestamp> {
    let text: &[u8; 20] = text.try_into().ok()?;
    if [4, 7, 10, 13, 16, 19].map(|at| text[at]) != *b"--T::Z" {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0_i64, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // The rare ends of months and leap seconds are left to those who know calendars.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + day_of_year - 719_468;
    Some(Timestamp::from_seconds(days * 86_400 + hour * 3_600 + minute * 60 + second))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        let moment: Timestamp = "2026-11-23T10:15:00.250Z".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-23T10:15:00.25Z");
        assert_eq!(moment.date(), "2026-11-23");
        assert_eq!(Timestamp::from_date("2026-11-23").unwrap().to_string(), "2026-11-23T00:00:00Z");
    }

    #[test]
    fn the_plain_form_is_read_like_any_other() {
        for day in (-719_000..2_900_000).step_by(97) {
            let moment = Timestamp(day * DAY_MS + day.rem_euclid(86_400) * SECOND_MS);
            let text = moment.to_string();
            if let Some(read) = plain(text.as_bytes()) {
                assert_eq!(read, moment, "{text}");
            } else {
                assert!(matches!(&text[8..10], "29" | "30" | "31"), "{text}");
            }
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23 10:15:00Z",
            "2026-11-23T10:15:0xZ",
            "2026-00-01T00:00:00Z",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn extremes_and_nonsense_do_not_panic() {
        assert!(!Timestamp(i64::MAX).to_string().is_empty());
        assert!(!Timestamp(i64::MIN).to_string().is_empty());
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!(Timestamp::from_date("2026-13-01").is_none());
    }
}
