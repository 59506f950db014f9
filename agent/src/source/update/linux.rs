//! Where package managers of Linux keep their lists.

use std::io::{BufRead, BufReader};

use rollcall_shared::section::{Section, Update};
use rollcall_shared::{Note, NoteKind};

use super::apt::{Apt, Release};
use super::history::last_installed_at;
use super::pins::Pins;
use super::{apt_conf, others};
use crate::host::Host;
use crate::source::Gathered;
use crate::source::software::dpkg;

pub(crate) const APT_LISTS: &str = "/var/lib/apt/lists";

pub(super) fn gather(host: &Host) -> Gathered {
    if host.exists(dpkg::STATUS) && host.exists("/etc/apt") {
        return apt(host);
    }
    others::gather(host)
}

fn apt(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let mut pins = Pins::default();
    for text in snippets(host, "/etc/apt/preferences", "/etc/apt/preferences.d") {
        pins.add(text.as_bytes());
    }
    let pending = pending(host, pins, &mut notes).unwrap_or_else(|note| {
        notes.push(note);
        None
    });
    let conf = snippets(host, "/etc/apt/apt.conf", "/etc/apt/apt.conf.d");
    let update = Update {
        manager: "apt".to_owned(),
        automatic: Some(automatic(&conf)),
        pending_unknown: pending.is_none(),
        pending: pending.unwrap_or_default(),
        security_known: true,
        last_installed_at: last_installed_at(host),
    };
    Gathered { section: Some(Section::Update(update)), notes }
}

/// A file and those of the folder beside it, in the order in which apt reads them.
fn snippets(host: &Host, file: &str, folder: &str) -> Vec<String> {
    let names = host.list(folder).unwrap_or_default();
    let ours = |name: &String| {
        // apt passes over names with another ending.
        name.rsplit_once('.').is_none_or(|(_, ending)| matches!(ending, "conf" | "pref"))
    };
    let beside = names.into_iter().filter(ours).map(|name| format!("{folder}/{name}"));
    let last = std::iter::once(file.to_owned());
    beside.chain(last).filter_map(|path| host.read_text(&path).ok()).collect()
}

/// Compares what is installed with every list; `None` and a note when there are no lists.
fn pending(
    host: &Host,
    pins: Pins,
    notes: &mut Vec<Note>,
) -> Result<Option<Vec<rollcall_shared::section::update::PendingUpdate>>, Note> {
    let failed = |path: &str, error: &std::io::Error| {
        Note::new(NoteKind::Failed).with_detail(format!("reading {path} failed: {error}"))
    };
    let status = BufReader::new(host.open(dpkg::STATUS)?);
    let mut apt = Apt::installed(status, pins).map_err(|error| failed(dpkg::STATUS, &error))?;
    let names = match host.list(APT_LISTS) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut lists = 0_u32;
    for name in &names {
        let Some((list, ending)) = list_name(name) else { continue };
        lists += 1;
        let path = format!("{APT_LISTS}/{name}");
        let file = match host.open(&path) {
            Ok(file) => BufReader::with_capacity(64 * 1024, file),
            Err(error) => {
                notes.push(error.into());
                continue;
            }
        };
        let release = release(host, list, &names);
        let read = match ending {
            "" => apt.add_list(file, release),
            ".lz4" => apt.add_list(BufReader::with_capacity(64 * 1024, lz4(file)), release),
            _ => {
                notes.push(Note::new(NoteKind::Unsupported).with_detail(format!(
                    "{path} is compressed in a way that this version does not read; its updates are missing"
                )));
                continue;
            }
        };
        if let Err(error) = read {
            notes.push(failed(&path, &error));
        }
    }
    if lists == 0 {
        notes.push(Note::new(NoteKind::NotFound).with_detail(format!(
            "{APT_LISTS} holds no package lists; `apt-get update` makes them"
        )));
        return Ok(None);
    }
    Ok(Some(apt.pending()))
}

pub(super) fn lz4(file: impl BufRead) -> impl std::io::Read {
    lz4_flex::frame::FrameDecoder::new(file)
}

/// A list's name without and with only its ending; nothing for other files.
fn list_name(name: &str) -> Option<(&str, &str)> {
    let at = name.rfind("_Packages")? + "_Packages".len();
    let (list, ending) = name.split_at(at);
    matches!(ending, "" | ".lz4" | ".gz" | ".xz" | ".bz2" | ".zst" | ".lzma")
        .then_some((list, ending))
}

/// What the repository of a list says of itself: the longest name that the list's begins with.
fn release(host: &Host, list: &str, names: &[String]) -> Release {
    let of_list = |name: &&String| {
        let stem = name.strip_suffix("InRelease").or_else(|| name.strip_suffix("Release"));
        stem.is_some_and(|stem| list.starts_with(stem))
    };
    let longest = names.iter().filter(of_list).max_by_key(|name| name.len());
    longest
        .and_then(|name| host.open(&format!("{APT_LISTS}/{name}")).ok())
        .and_then(|file| Release::parse(BufReader::new(file)).ok())
        .unwrap_or_default()
}

/// Whether apt's daily job installs updates; the last setting counts.
fn automatic(files: &[String]) -> bool {
    let files = files.iter().map(String::as_str);
    let last = apt_conf::last_value(files, "APT::Periodic::Unattended-Upgrade");
    last.is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false" | "no" | "off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_setting_decides_whether_updates_install_themselves() {
        let on =
            "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";";
        let off =
            "// APT::Periodic::Unattended-Upgrade \"1\";\nAPT::Periodic::Unattended-Upgrade \"0\";";
        assert!(automatic(&[on.to_owned()]));
        assert!(!automatic(&[on.to_owned(), off.to_owned()]));
        assert!(!automatic(&[]));
    }
}
