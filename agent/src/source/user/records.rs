//! Records of the sign-in logs `utmp`, `wtmp` and `lastlog`. Knows bytes, no files.
//!
//! They have two forms. Systems that once ran 32-bit programs, above all x86-64, kept 32 bits for
//! the seconds; 64-bit ARM began without such a past. Nothing in a file says which form it has, so
//! its bytes are tried in both: this also holds for an image of another computer, and for a 32-bit
//! system on a 64-bit kernel.

use rollcall_shared::Timestamp;

use crate::source::text::some;

/// Bytes from the start of a log that decide its form.
pub(super) const HEAD_BYTES: usize = 64 * 400;

/// A person signed in.
const USER_PROCESS: u16 = 7;
/// The largest kind of event.
const ACCOUNTING: u16 = 9;
/// Names of the log itself and of events in it that are no people.
const NOT_PEOPLE: &[&str] = &["reboot", "runlevel", "shutdown", "wtmp", "LOGIN"];

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) user: String,
    pub(crate) terminal: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) process_id: u32,
}

/// How a system writes its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// 384 bytes with seconds of 32 bits; 292 bytes in `lastlog`.
    Narrow,
    /// 400 bytes with seconds of 64 bits; 296 bytes in `lastlog`.
    Wide,
}

impl Layout {
    /// That of the system this program was built for.
    pub(super) const NATIVE: Self =
        if cfg!(target_arch = "aarch64") { Self::Wide } else { Self::Narrow };

    /// The form in which the start of `utmp` or `wtmp` makes sense.
    pub(super) fn of_log(head: &[u8]) -> Self {
        let sense = |layout: Self| {
            let records = head.chunks_exact(layout.record_bytes());
            records.fold(0_i32, |sum, record| match layout.makes_sense(record) {
                Some(true) => sum + 1,
                Some(false) => sum - 1,
                None => sum,
            })
        };
        let (narrow, wide) = (sense(Self::Narrow), sense(Self::Wide));
        match narrow.cmp(&wide) {
            std::cmp::Ordering::Greater => Self::Narrow,
            std::cmp::Ordering::Less => Self::Wide,
            std::cmp::Ordering::Equal => Self::NATIVE,
        }
    }

    /// The form of a `lastlog` of this size; where both fit, the one the other logs have.
    pub(super) fn of_lastlog(size_bytes: u64, otherwise: Self) -> Self {
        let fits = |layout: Self| size_bytes.is_multiple_of(layout.last_bytes() as u64);
        match (fits(Self::Narrow), fits(Self::Wide)) {
            (true, false) => Self::Narrow,
            (false, true) => Self::Wide,
            _ => otherwise,
        }
    }

    /// Bytes of one record of `utmp` and `wtmp`.
    pub(super) fn record_bytes(self) -> usize {
        match self {
            Self::Narrow => 384,
            Self::Wide => 400,
        }
    }

    /// Bytes of one record of `lastlog`.
    pub(super) fn last_bytes(self) -> usize {
        match self {
            Self::Narrow => 292,
            Self::Wide => 296,
        }
    }

    fn time(self, bytes: &[u8], start: usize) -> Option<i64> {
        match self {
            Self::Narrow => number(bytes, start).map(i64::from),
            Self::Wide => Some(i64::from_ne_bytes(bytes.get(start..start + 8)?.try_into().ok()?)),
        }
    }

    /// Seconds and microseconds of a record of `utmp` or `wtmp`.
    fn moment(self, record: &[u8]) -> Option<(i64, i64)> {
        let (seconds, microseconds) = match self {
            Self::Narrow => (340, 344),
            Self::Wide => (344, 352),
        };
        Some((self.time(record, seconds)?, self.time(record, microseconds)?))
    }

    /// Whether this can be a record; nothing is said of an empty one.
    fn makes_sense(self, record: &[u8]) -> Option<bool> {
        let kind = kind(record)?;
        if kind == 0 {
            return None;
        }
        let (seconds, microseconds) = self.moment(record)?;
        let told = seconds > 0 && seconds <= i64::from(u32::MAX);
        Some(kind <= ACCOUNTING && told && (0..1_000_000).contains(&microseconds))
    }

    /// Sign-ins of a piece of `utmp` or `wtmp`; other events and a torn record at the end are left
    /// out.
    pub(super) fn records(self, bytes: &[u8]) -> impl Iterator<Item = Record> {
        bytes.chunks_exact(self.record_bytes()).filter_map(move |record| {
            let user = text(record, 44, 32)?;
            let (seconds, _) = self.moment(record).filter(|(seconds, _)| *seconds > 0)?;
            let signed_in = kind(record)? == USER_PROCESS && !NOT_PEOPLE.contains(&user.as_str());
            signed_in.then(|| Record {
                user,
                terminal: text(record, 8, 32),
                from: text(record, 76, 256),
                at: Timestamp::from_seconds(seconds),
                process_id: number(record, 4).unwrap_or_default(),
            })
        })
    }

    /// When and from where the owner of one `lastlog` record signed in last.
    pub(super) fn last(self, record: &[u8]) -> Option<(Timestamp, Option<String>)> {
        let line = match self {
            Self::Narrow => 4,
            Self::Wide => 8,
        };
        let at = self.time(record, 0).filter(|seconds| *seconds > 0)?;
        let from = text(record, line + 32, 256).or_else(|| text(record, line, 32));
        Some((Timestamp::from_seconds(at), from))
    }
}

fn kind(record: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(record.get(..2)?.try_into().ok()?))
}

fn text(bytes: &[u8], start: usize, length: usize) -> Option<String> {
    let field = bytes.get(start..start + length)?;
    let end = memchr::memchr(0, field).unwrap_or(length);
    field.get(..end).and_then(some)
}

fn number(bytes: &[u8], start: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(start..start + 4)?.try_into().ok()?))
}

/// Sign-ins of a whole `utmp`.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    Layout::of_log(bytes.get(..HEAD_BYTES).unwrap_or(bytes)).records(bytes)
}
