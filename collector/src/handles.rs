//! File handles: each connection takes one, and the tables need some of their own. Systems begin
//! programs with few (1,024 is usual) and let them ask for more.

/// Handles for everything that is no connection: tables, logs, certificates, other listeners.
#[cfg(unix)]
const OTHERS: u64 = 256;

/// Asks for as many handles as `wanted` connections need; how many connections there can be. Beyond
/// that new ones are closed at once, so that those who are there and the tables keep theirs.
#[cfg(unix)]
pub(crate) fn connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = (wanted as u64).saturating_add(OTHERS);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(current) {
        return wanted;
    }
    let raised = Some(maximum.map_or(needed, |maximum| maximum.min(needed)));
    let given = match setrlimit(Resource::Nofile, Rlimit { current: raised, maximum }) {
        Ok(()) => raised,
        Err(_) => current,
    };
    if enough(given) {
        return wanted;
    }
    let possible = fitting(wanted, given.unwrap_or(needed));
    tracing::warn!(
        connections.wanted = wanted,
        connections.possible = possible,
        "the system gives this program too few file handles for that many connections; raise \
         LimitNOFILE of its service or `ulimit -Hn`"
    );
    possible
}

/// The same where no limit is known.
#[cfg(not(unix))]
pub(crate) fn connections(wanted: usize) -> usize {
    wanted
}

/// How many of the wanted connections fit into so many handles: at least half of the handles, since
/// a collector that nobody reaches is no use.
#[cfg(unix)]
fn fitting(wanted: usize, handles: u64) -> usize {
    let left = handles.saturating_sub(OTHERS).max(handles / 2);
    usize::try_from(left).unwrap_or(wanted).min(wanted)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_handles() {
        assert_eq!(fitting(8192, 20_000), 8192);
        assert_eq!(fitting(8192, 1024), 768);
        assert_eq!(fitting(8192, 256), 128);
        assert_eq!(fitting(16, 1024), 16);
        assert_eq!(connections(4), 4, "the usual limit is far above");
    }
}
