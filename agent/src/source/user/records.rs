//! Records of the sign-in logs: `utmp` and `wtmp` (384 bytes each) and `lastlog` (292 bytes for
//! each user id). Knows bytes, no files.

use rollcall_shared::Timestamp;

use crate::source::text::some;

/// Bytes of one record of `utmp` and `wtmp`.
pub(crate) const RECORD_BYTES: usize = 384;
/// Bytes of one record of `lastlog`.
pub(super) const LAST_BYTES: usize = 292;

/// A person signed in.
const USER_PROCESS: u16 = 7;
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

fn text(bytes: &[u8], start: usize, length: usize) -> Option<String> {
    let field = bytes.get(start..start + length)?;
    let end = memchr::memchr(0, field).unwrap_or(length);
    field.get(..end).and_then(some)
}

fn number(bytes: &[u8], start: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(start..start + 4)?.try_into().ok()?))
}

/// Sign-ins of a piece of `utmp` or `wtmp`; other events and a torn record at the end are left out.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    bytes.chunks_exact(RECORD_BYTES).filter_map(|record| {
        let kind = u16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
        let user = text(record, 44, 32)?;
        let at = number(record, 340).filter(|seconds| *seconds > 0)?;
        (kind == USER_PROCESS && !NOT_PEOPLE.contains(&user.as_str())).then(|| Record {
            user,
            terminal: text(record, 8, 32),
            from: text(record, 76, 256),
            at: Timestamp::from_seconds(i64::from(at)),
            process_id: number(record, 4).unwrap_or_default(),
        })
    })
}

/// When and from where the owner of one `lastlog` record signed in last.
pub(super) fn last(record: &[u8]) -> Option<(Timestamp, Option<String>)> {
    let at = number(record, 0).filter(|seconds| *seconds > 0)?;
    let from = text(record, 36, 256).or_else(|| text(record, 4, 32));
    Some((Timestamp::from_seconds(i64::from(at)), from))
}
