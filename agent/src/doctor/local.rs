//! What doctor looks at on this computer itself: key, spool, disk, sources.

use rollcall_shared::section::SECTIONS;
use rollcall_shared::signature::SigningKey;

use super::Check;
use crate::gather::Options;
use crate::paths::Paths;
use crate::source::{Platform, Privilege, SOURCES, Source};
use crate::spool::{BOUND_BYTES, Spool};
use crate::state::{State, StateError};

pub(super) fn key(key: Option<&Result<SigningKey, StateError>>, paths: &Paths) -> Check {
    match key {
        Some(Ok(_)) if State::peek_revoked(&paths.state) => Check::bad(
            "key",
            "the collector has revoked this device",
            "run `rollcall-agent unenroll` and enrol again if that was a mistake",
        ),
        Some(Ok(_)) => Check::good("key", "it is there, private, and belongs to this device"),
        Some(Err(error)) => Check::of_state("key", error),
        None => Check::skipped("key"),
    }
}

pub(super) fn spool(paths: &Paths) -> Check {
    if !paths.spool().exists() {
        return Check::skipped("spool");
    }
    let spool = Spool::peek(&paths.spool());
    let waiting =
        spool.seqs().and_then(|seqs| Ok((seqs.len(), spool.size_bytes()?, spool.rejected())));
    match waiting {
        Ok((waiting, size_bytes, rejected)) => {
            let detail = format!(
                "{waiting} reports wait, {} KiB of {} KiB; {rejected} rejected ones are kept",
                size_bytes / 1024,
                BOUND_BYTES / 1024
            );
            if size_bytes * 10 > BOUND_BYTES * 9 {
                let fix = "mend the connection to the collector; the oldest reports are given up";
                return Check::bad("spool", detail, fix);
            }
            Check::good("spool", detail)
        }
        Err(error) => Check::of_state("spool", &error),
    }
}

/// Asks the system whether the folder could be written to and how much space is left.
pub(super) fn disk(paths: &Paths) -> Check {
    if !paths.state.is_dir() {
        return Check::skipped("disk");
    }
    let folder = paths.state.display();
    match writable(&paths.state) {
        Err(why) => Check::bad(
            "disk",
            format!("{folder} is not writable: {why}"),
            "mount it for writing, or run doctor as an administrator",
        ),
        Ok(Some(free_bytes)) if free_bytes < BOUND_BYTES => Check::bad(
            "disk",
            format!("{folder} has {} KiB left", free_bytes / 1024),
            "free some space; reports that wait may need 20 MiB",
        ),
        Ok(Some(free_bytes)) => Check::good(
            "disk",
            format!("{folder} is writable, {} MiB are left", free_bytes / (1024 * 1024)),
        ),
        Ok(None) => Check::unclear("disk", "this system does not say whether it is writable"),
    }
}

/// Space that is left in a folder that can be written to.
#[cfg(unix)]
fn writable(folder: &std::path::Path) -> std::io::Result<Option<u64>> {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)?;
    let told = rustix::fs::statvfs(folder)?;
    Ok(Some(told.f_bavail.saturating_mul(told.f_frsize)))
}

/// The same. Opening the folder with the right to make files in it makes none.
#[cfg(windows)]
fn writable(folder: &std::path::Path) -> std::io::Result<Option<u64>> {
    use std::os::windows::fs::OpenOptionsExt as _;

    /// `FILE_ADD_FILE`, and `FILE_FLAG_BACKUP_SEMANTICS` without which no folder is opened.
    const ADD_FILE: u32 = 2;
    const FOLDER: u32 = 0x0200_0000;
    std::fs::OpenOptions::new().access_mode(ADD_FILE).custom_flags(FOLDER).open(folder)?;
    let place = folder.to_string_lossy().to_ascii_uppercase();
    let spaces = crate::source::volume::drive_spaces(&crate::host::Host::live());
    let own = spaces.into_iter().find(|space| place.starts_with(&space.point));
    Ok(own.map(|space| space.available_bytes))
}

#[cfg(not(any(unix, windows)))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn writable(_: &std::path::Path) -> std::io::Result<Option<u64>> {
    Ok(None)
}

/// What is looked at here, what is switched off, and what tells less without more rights.
pub(super) fn sources(options: &Options, privileged: bool) -> Check {
    let is_on = |name: &str| !options.sections_off.iter().any(|off| off == name);
    let on = SECTIONS.iter().filter(|info| is_on(info.name)).count();
    let mut detail = format!("{on} of {} sections are looked at", SECTIONS.len());
    if !options.sections_off.is_empty() {
        detail = format!("{detail}; switched off: {}", options.sections_off.join(", "));
    }
    if options.home_folders {
        detail.push_str("; homes are looked into");
    }
    if privileged {
        return Check::good("sources", detail);
    }
    let here =
        |source: &&Source| Platform::CURRENT.is_some_and(|it| source.platforms.contains(&it));
    let limited = SOURCES
        .iter()
        .filter(here)
        .filter(|source| source.privilege == Privilege::Administrator && is_on(source.section));
    let mut names: Vec<&str> = limited.map(|source| source.section).collect();
    names.dedup();
    Check::unclear(
        "sources",
        format!("{detail}; without administrator rights less is told of {}", names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_and_those_that_want_rights_named() {
        let off = vec!["user".to_owned()];
        let options = Options { sections_off: off, ..Options::default() };
        let check = sources(&options, true);
        assert_eq!(check.ok, Some(true));
        let count = SECTIONS.len();
        let said = format!("{} of {count} sections are looked at; switched off: user", count - 1);
        assert_eq!(check.detail, said);
        let check = sources(&options, false);
        assert_eq!(check.ok, None);
        #[cfg(target_os = "linux")]
        assert!(check.detail.contains("printer") && check.detail.contains("port"), "{check:?}");
    }
}
