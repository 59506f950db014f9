//! Where a Mac keeps the numbers that move.

use rollcall_shared::Timestamp;
use rollcall_shared::report::{Session, Vitals};

use super::system_calls::start_and_memory;
use crate::host::Host;
use crate::order;
use crate::source::battery::mac_charges;
use crate::source::text::some;
use crate::source::update::mac_lists_at;
use crate::source::volume::mac_spaces;

/// Who is signed in, in records of this length.
const SESSIONS: &str = "/private/var/run/utmpx";
const RECORD_BYTES: usize = 628;
/// A person signed in.
const USER_PROCESS: i16 = 7;
const SESSIONS_LIMIT: usize = 1000;

/// Looks at the numbers that move. What cannot be read is left out.
pub(super) fn vitals(host: &Host) -> Vitals {
    let (booted_at, memory_available_bytes) = start_and_memory(host);
    Vitals {
        booted_at,
        volumes: mac_spaces(host),
        memory_available_bytes,
        batteries: mac_charges(host),
        sessions: sessions(&host.read(SESSIONS).unwrap_or_default()),
        update_lists_at: mac_lists_at(host),
        ..Vitals::default()
    }
}

fn sessions(records: &[u8]) -> Vec<Session> {
    let records = records.chunks_exact(RECORD_BYTES).filter_map(session);
    let mut sessions: Vec<Session> = records.take(SESSIONS_LIMIT).collect();
    order::sort(&mut sessions, |a, b| {
        (&a.user, &a.terminal, a.since).cmp(&(&b.user, &b.terminal, b.since))
    });
    sessions
}

/// Name (256 bytes), id (4), terminal (32), process (4), kind (2), gap (2), seconds and
/// microseconds (4 each), the other computer (256).
fn session(record: &[u8]) -> Option<Session> {
    let text = |from: usize, length: usize| {
        some(record.get(from..from + length)?.split(|byte| *byte == 0).next()?)
    };
    let kind = i16::from_le_bytes(record.get(296..298)?.try_into().ok()?);
    let seconds = i32::from_le_bytes(record.get(300..304)?.try_into().ok()?);
    (kind == USER_PROCESS).then_some(())?;
    Some(Session {
        user: text(0, 256)?,
        terminal: text(260, 32),
        remote_host: text(308, 256),
        since: (seconds > 0).then(|| Timestamp::from_seconds(seconds.into())),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(system: &str) -> Vitals {
        let root = format!("{}/../tests/fixtures/host/{system}", env!("CARGO_MANIFEST_DIR"));
        vitals(&Host::at(root))
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            let _ = sessions(&bytes);
        }
    }

    #[test]
    fn captured_systems() {
        insta::assert_debug_snapshot!("macbook-air-m1", told("macbook-air-m1"));
        insta::assert_debug_snapshot!("macbook-pro-2015", told("macbook-pro-2015"));
        insta::assert_debug_snapshot!("mac-virtual-machine", told("mac-virtual-machine"));
    }
}
