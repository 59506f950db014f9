//! Enrolment without a person: an installer or an administrator puts a join string into the state
//! folder, where nobody else can read or replace it; the service enrols with it and removes it.
//!
//! It stays there until it worked, so that a collector that cannot be reached yet, or an approval
//! that comes later, needs nobody to come back. Whatever fails is told in the log and by `status`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rollcall_shared::join::JoinString;

use crate::agent::Agent;
use crate::disk::Disk;
use crate::error::Error;
use crate::paths::Paths;
use crate::registry::export::text_of_units;
use crate::schedule::{Outcome, Schedule};
use crate::state::{State, StateError};

/// How often it is looked whether the file came or changed.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(15);
/// A join string is far shorter.
const FILE_LIMIT_BYTES: u64 = 4096;

/// What is done where there is neither an enrolment nor a join string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    /// That is an error.
    Refuse,
    /// One of them will come; only a service of Windows has nobody to start it then.
    #[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "Windows alone has it"))]
    Wait,
}

/// Gives an agent that is enrolled: at once, or after enrolling with the file. The state is open
/// to other commands while it waits.
pub(crate) async fn enrolled(
    opened: Agent,
    open: impl Fn() -> Result<Agent, Error>,
    without: Without,
    look_every: Duration,
) -> Result<Agent, Error> {
    let paths = opened.paths.clone();
    let mut schedule = Schedule::default();
    let mut opened = Some(opened);
    let mut told = false;
    loop {
        let mut agent = match opened.take().map_or_else(&open, Ok) {
            // Somebody enrols by hand just now.
            Err(Error::State(StateError::Locked(_))) => {
                tokio::time::sleep(look_every).await;
                continue;
            }
            other => other?,
        };
        let found = read(&paths)?;
        if agent.identity().is_some() {
            if found.is_some() {
                remove(&paths)?;
                tracing::info!("enrolled already; the join string was removed unused");
            }
            return Ok(agent);
        }
        let Some(found) = found else {
            if without == Without::Refuse {
                return Err(Error::NotEnrolled);
            }
            if !told {
                let file = path(&paths);
                tracing::warn!(file = %file.display(), "not enrolled; waits for a join string in this file or for `rollcall-agent enroll -`");
                agent.publish_status(Some(&Error::NotEnrolled), None);
                told = true;
            }
            drop(agent);
            wait(&paths, None, look_every, Duration::MAX).await;
            continue;
        };
        let result = enroll(&mut agent, &found).await;
        let Err(error) = result else {
            remove(&paths)?;
            agent.publish_status(None, None);
            return Ok(agent);
        };
        let outcome = Outcome::Failed { retry_after: error.retry_after() };
        let pause = schedule.next(outcome, Duration::ZERO, 0, agent.present.random_number());
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let (hint, next_s) = (error.hint(), pause.as_secs());
        tracing::error!(%error, cause, hint, next_s, "enrolling failed; the join string is kept and tried again");
        agent.publish_status(Some(&error), Some(pause));
        drop(agent);
        wait(&paths, Some(&found), look_every, pause).await;
    }
}

async fn enroll(agent: &mut Agent, found: &[u8]) -> Result<(), Error> {
    let join: JoinString = join_string(found).parse()?;
    let outcome = agent.enroll(&join).await?;
    tracing::info!(device_id = %outcome.device_id, url = outcome.url, status = outcome.status.as_str(), "enrolled with the join string in the state folder");
    Ok(())
}

/// Waits until the file is another one, this computer was enrolled by hand, or `longest` is over.
async fn wait(paths: &Paths, before: Option<&[u8]>, look_every: Duration, longest: Duration) {
    let mut waited = Duration::ZERO;
    while waited < longest {
        let step = look_every.min(longest.saturating_sub(waited));
        tokio::time::sleep(step).await;
        waited += step;
        let changed = read(paths).is_ok_and(|now| now.as_deref() != before);
        if changed || matches!(State::peek_identity(&paths.state), Ok(Some(_))) {
            return;
        }
    }
}

fn path(paths: &Paths) -> PathBuf {
    paths.state.join("join")
}

fn read(paths: &Paths) -> Result<Option<Vec<u8>>, Error> {
    let path = path(paths);
    match Disk::default().read(&path, FILE_LIMIT_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Io { what: "reading", path, source }.into()),
    }
}

fn remove(paths: &Paths) -> Result<(), Error> {
    let path = path(paths);
    remove_file(&path).map_err(|source| StateError::Io { what: "removing", path, source }.into())
}

fn remove_file(path: &Path) -> std::io::Result<()> {
    Disk::default().remove(path)
}

/// The join string of a file that may hold it alone or as a value (`join=rcl1:…`, as an installer
/// of Windows writes it), in UTF-8 or, with its mark at the front, UTF-16.
fn join_string(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            text_of_units(&units.collect::<Vec<u16>>())
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    let begins = text.find("rcl1:").unwrap_or(0);
    let rest = text.get(begins..).unwrap_or_default().trim_start();
    let ends = rest.find(|letter: char| letter.is_whitespace() || letter == '"');
    rest.get(..ends.unwrap_or(rest.len())).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_join_string_is_found_however_the_file_was_made() {
        let join = "rcl1:abc_DEF-09";
        let utf16: Vec<u8> =
            format!("\u{feff}{join}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let files = [
            join.as_bytes().to_vec(),
            format!("{join}\n").into_bytes(),
            format!("\u{feff}{join}\r\n").into_bytes(),
            format!("[rollcall]\r\njoin={join}\r\n").into_bytes(),
            format!("  \"{join}\" ").into_bytes(),
            utf16,
        ];
        for file in files {
            assert_eq!(join_string(&file), join, "{file:?}");
        }
        assert_eq!(join_string(b""), "");
        assert_eq!(join_string(b"[rollcall]\r\njoin=\r\n"), "[rollcall]");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "(rcl1:|\\PC|\n|\")*") {
            join_string(&bytes);
            join_string(text.as_bytes());
        }
    }
}
