//! When the package manager last refreshed its lists and last upgraded the system, by the traces
//! it leaves. Only the ends of logs are read.

use std::io::{Read as _, Seek as _, SeekFrom};

use rollcall_shared::Timestamp;

use crate::host::Host;
use crate::source::local_time::LocalTime;
use crate::source::update;

/// The end of a log is enough: it is looked at again and again.
const TAIL_BYTES: u64 = 256 * 1024;

/// Files and folders whose change means that lists were refreshed. apt gives its lists the time of
/// the server, so the folders tell more than the files.
const REFRESHED: &[&str] = &[
    "/var/lib/apt/periodic/update-success-stamp",
    "/var/lib/apt/lists",
    "/var/lib/apt/lists/partial",
    "/var/lib/pacman/sync",
    "/var/cache/apk",
];

/// Folders of package managers with one folder for each repository, and the file in it that is
/// written anew with every refresh.
const REPOSITORIES: &[(&str, &str)] = &[
    ("/var/cache/libdnf5", "repodata/repomd.xml"),
    ("/var/cache/dnf", "repodata/repomd.xml"),
    ("/var/cache/zypp/raw", "repodata/repomd.xml"),
    ("/var/cache/zypp/solv", "cookie"),
];

pub(super) fn lists_at(host: &Host) -> Option<Timestamp> {
    let changed = |path: &str| Some(host.info(path).ok()?.modified_at);
    let holds_lists = |folder: &str| {
        let names = host.list(folder).unwrap_or_default();
        names.iter().any(|name| {
            name.contains("_Packages")
                || name.starts_with("APKINDEX")
                || name.strip_suffix(".db").is_some()
        })
    };
    let apt = holds_lists("/var/lib/apt/lists");
    let mut latest = None;
    for path in REFRESHED {
        let counts = if path.starts_with("/var/lib/apt") { apt } else { holds_lists(path) };
        if counts {
            latest = latest.max(changed(path));
        }
    }
    for (folder, file) in REPOSITORIES {
        for repository in host.list(folder).unwrap_or_default().iter().take(1000) {
            latest = latest.max(changed(&format!("{folder}/{repository}/{file}")));
        }
    }
    latest.filter(|at| at.0 > 0).map(|at| Timestamp::from_seconds(at.seconds()))
}

pub(super) fn upgraded_at(host: &Host) -> Option<Timestamp> {
    let zone = LocalTime::of(host);
    let newest = |path: &str, of_line: &dyn Fn(&str) -> Option<Timestamp>| {
        tail(host, path).lines().rev().find_map(of_line)
    };
    newest("/var/log/pacman.log", &pacman_line)
        .or_else(|| newest("/var/log/zypp/history", &|line| zypp_line(&zone, line)))
        .or_else(|| newest("/var/log/dnf5.log", &dnf_line))
        .or_else(|| newest("/var/log/dnf.rpm.log", &dnf_line))
        .or_else(|| update::last_installed_at(host))
}

/// The end of a log; its first line may be torn.
fn tail(host: &Host, path: &str) -> String {
    let read = || -> Option<Vec<u8>> {
        let mut file = host.open(path).ok()?;
        let size = file.seek(SeekFrom::End(0)).ok()?;
        file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// A moment as it stands in logs, with an offset such as `+0100`.
fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(moment.as_millisecond()))
}

pub(super) fn pacman_line(line: &str) -> Option<Timestamp> {
    let (when, what) = line.strip_prefix('[')?.split_once(']')?;
    what.contains("starting full system upgrade").then(|| moment(when))?
}

pub(super) fn zypp_line(zone: &LocalTime, line: &str) -> Option<Timestamp> {
    let (when, what) = line.split_once('|')?;
    let upgrade = what.starts_with("install|") || what.starts_with("patch");
    upgrade.then(|| zone.moment(when))?
}

pub(super) fn dnf_line(line: &str) -> Option<Timestamp> {
    let (when, what) = line.split_once(' ')?;
    (what.contains("Upgraded: ") || what.contains("Upgrade: ")).then(|| moment(when))?
}
