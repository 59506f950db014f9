//! When packages were upgraded last, by the logs of the package managers.

use std::io::{BufReader, Read as _, Seek as _, SeekFrom};

use rollcall_shared::Timestamp;

use crate::host::Host;
use crate::source::local_time::LocalTime;
use crate::source::text::{Step, clip, for_each_field, for_each_line};

/// The end of a log is enough: it is looked at again and again.
const TAIL_BYTES: u64 = 256 * 1024;

/// The last upgrade of any package, whoever made it; the same as long as no log changes.
pub(crate) fn last_installed_at(host: &Host) -> Option<Timestamp> {
    *host.keep("last upgrade", look)
}

fn look(host: &Host) -> Option<Timestamp> {
    let zone = LocalTime::of(host);
    let newest = |path: &str, of_line: &dyn Fn(&str) -> Option<Timestamp>| {
        tail(host, path).lines().rev().find_map(of_line)
    };
    newest("/var/log/pacman.log", &pacman_line)
        .or_else(|| newest("/var/log/zypp/history", &|line| zypp_line(&zone, line)))
        .or_else(|| newest("/var/log/dnf5.log", &dnf_line))
        .or_else(|| newest("/var/log/dnf.rpm.log", &dnf_line))
        .or_else(|| by_apt(host, &zone))
        .or_else(|| by_dpkg(host, &zone))
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

fn pacman_line(line: &str) -> Option<Timestamp> {
    let (when, what) = line.strip_prefix('[')?.split_once(']')?;
    what.contains("starting full system upgrade").then(|| moment(when))?
}

fn zypp_line(zone: &LocalTime, line: &str) -> Option<Timestamp> {
    let (when, what) = line.split_once('|')?;
    let upgrade = what.starts_with("install|") || what.starts_with("patch");
    upgrade.then(|| zone.moment(when))?
}

fn dnf_line(line: &str) -> Option<Timestamp> {
    let (when, what) = line.split_once(' ')?;
    (what.contains("Upgraded: ") || what.contains("Upgrade: ")).then(|| moment(when))?
}

fn by_apt(host: &Host, zone: &LocalTime) -> Option<Timestamp> {
    let file = host.open("/var/log/apt/history.log").ok()?;
    let (mut start, mut end, mut upgrade, mut last) = (None, None, false, None);
    let _ = for_each_field(BufReader::new(file), |step| match step {
        Step::Field(b"Start-Date", value) => start = Some(clip(value)),
        Step::Field(b"End-Date", value) => end = Some(clip(value)),
        Step::Field(b"Upgrade", _) => upgrade = true,
        Step::Field(..) => {}
        Step::End => {
            let when = end.take().or_else(|| start.take());
            if std::mem::take(&mut upgrade) {
                last = when.and_then(|text| zone.moment(&text)).or(last);
            }
            start = None;
        }
    });
    last
}

fn by_dpkg(host: &Host, zone: &LocalTime) -> Option<Timestamp> {
    ["/var/log/dpkg.log", "/var/log/dpkg.log.1"].iter().find_map(|path| {
        let mut line_of_last = Vec::new();
        for_each_line(BufReader::new(host.open(path).ok()?), |line| {
            if line.get(19..).is_some_and(|rest| rest.starts_with(b" upgrade ")) {
                line_of_last.clear();
                line_of_last.extend_from_slice(line.get(..19).unwrap_or_default());
            }
        })
        .ok()?;
        zone.moment(&clip(&line_of_last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_logs_are_read() {
        let at = dnf_line("2026-11-20T10:00:00+0100 SUBDEBUG Upgraded: bash-5.2-1.fc41.x86_64");
        assert_eq!(at.unwrap().to_string(), "2026-11-20T09:00:00Z");
        assert_eq!(dnf_line("2026-11-20T10:00:00+0100 SUBDEBUG Installed: bash"), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(text in "(\\PC{0,9}|\\[|\\]|-|\\||install|[0-9]{1,20}){0,20}") {
            pacman_line(&text);
            dnf_line(&text);
            zypp_line(&LocalTime::of(&Host::at("/nonexistent-root")), &text);
        }
    }
}
