//! What a hostile computer can put before the agent's parsers, as functions that take any bytes.
//!
//! They run under a fuzzer (`fuzz-agent/`) and, with the same inputs each time, as an ordinary
//! test. None may panic, hang, or need more memory than a report may hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rollcall_agent::host::Host;
use rollcall_agent::source::{SOURCES, vitals};
use rollcall_agent::{answer, client, plist, proxy, registry, smbios};

use crate::synthetic::mix;

/// The captured computers.
fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A copy of the captures in which files can be changed, and all files by their folder of captures.
struct Copy {
    folder: tempfile::TempDir,
    files: BTreeMap<String, Vec<PathBuf>>,
}

fn copy() -> &'static Mutex<Copy> {
    static COPY: OnceLock<Mutex<Copy>> = OnceLock::new();
    COPY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut files = BTreeMap::new();
        for section in names(&captures()) {
            for system in names(&captures().join(&section)) {
                let capture = format!("{section}/{system}");
                let mut found = Vec::new();
                let (from, to) = (captures().join(&capture), folder.path().join(&capture));
                copy_tree(&from, &to, Path::new(""), &mut found);
                files.insert(capture, found);
            }
        }
        Mutex::new(Copy { folder, files })
    })
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the captures are there").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn copy_tree(from: &Path, to: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    fs::create_dir_all(to.join(below)).expect("a folder");
    let mut entries: Vec<_> =
        fs::read_dir(from.join(below)).expect("a folder of captures").flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = below.join(entry.file_name());
        let kind = entry.file_type().expect("it has a kind");
        if kind.is_dir() {
            copy_tree(from, to, &name, found);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link");
            #[cfg(unix)]
            std::os::unix::fs::symlink(target, to.join(&name)).expect("a link");
            #[cfg(not(unix))]
            drop(target);
        } else {
            fs::copy(entry.path(), to.join(&name)).expect("a file");
            found.push(name);
        }
    }
}

/// Looks at a computer with all sources that are made for its captures.
fn look(capture: &str, root: &Path) {
    let section = capture.split('/').next().unwrap_or_default();
    let host = Host::at(root).with_homes(true);
    for source in SOURCES.iter().filter(|source| section == "host" || source.section == section) {
        let gathered = (source.gather)(&host);
        if let Some(body) = gathered.section {
            let json = body.to_json().expect("a body can be written");
            assert!(
                json.get().len() < 64 << 20,
                "{}: the body is larger than a report",
                source.name
            );
        }
    }
    if section == "host" || section == "vitals" {
        vitals::vitals(&host);
    }
}

/// Puts bytes in the place of one captured file, and looks. The first four bytes choose the file.
pub fn file(data: &[u8]) {
    let Some((choice, content)) = data.split_first_chunk::<4>() else { return };
    let copy = copy().lock().unwrap_or_else(PoisonError::into_inner);
    let choice = u32::from_le_bytes(*choice) as usize;
    let all =
        copy.files.iter().flat_map(|(capture, files)| files.iter().map(move |f| (capture, f)));
    let count = copy.files.values().map(Vec::len).sum::<usize>();
    let Some((capture, name)) = all.into_iter().nth(choice % count.max(1)) else { return };
    replaced(copy.folder.path(), capture, name, content);
}

fn replaced(folder: &Path, capture: &str, name: &Path, content: &[u8]) {
    let root = folder.join(capture);
    let path = root.join(name);
    let before = fs::read(&path).expect("the file is there");
    fs::write(&path, content).expect("the file can be changed");
    look(capture, &root);
    fs::write(&path, before).expect("the file can be changed back");
}

/// The firmware's table.
pub fn firmware(data: &[u8]) {
    smbios::parse(data);
}

/// An export of the registry, and every key in it.
pub fn registry_export(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for path in ["HKLM", "HKLM\\SOFTWARE", "HKU"] {
        registry::export::collect(&text, path, &mut None);
    }
    registry::export::text(data);
    registry::export::texts(data);
}

/// A property list of macOS, in either form.
pub fn property_list(data: &[u8]) {
    plist::Value::read(data);
}

/// What a collector answers.
pub fn collector_answer(data: &[u8]) {
    let Some((status, body)) = data.split_first_chunk::<2>() else { return };
    let status = u16::from_le_bytes(*status);
    let answer = client::Answer { status, retry_after: None, date: None, body: body.to_vec() };
    let known = uuid::Uuid::from_u128(0x0197_34e0_0000_7000_8000_0000_0000_0001);
    answer::read(&answer, known);
    answer::problem(&answer);
}

/// The address of a collector or of a proxy.
pub fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = client::Address::parse(&text);
    let _ = proxy::Proxy::parse(&text);
    proxy::without_password(&text);
}

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// The functions by the names of their targets.
pub const TARGETS: &[(&str, Target)] = &[
    ("file", file),
    ("firmware", firmware),
    ("registry_export", registry_export),
    ("property_list", property_list),
    ("collector_answer", collector_answer),
    ("address", address),
];

/// One of many changes of some bytes, the same for the same number.
pub fn changed(bytes: &[u8], number: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let draw = |salt: u64, below: usize| {
        usize::try_from(mix(number, salt, 11) % (below.max(1) as u64)).unwrap_or(0)
    };
    let at = draw(1, bytes.len());
    match draw(2, 8) {
        0 => bytes.truncate(at),
        1 => bytes.extend(bytes.clone().into_iter().cycle().take(4096)),
        2 => {
            let end = (at + draw(3, 64)).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let nonsense: [&[u8]; 6] = [
                b"\0",
                b"\xff\xfe",
                b"99999999999999999999",
                b"-1",
                b"\n\n",
                "\u{202e}".as_bytes(),
            ];
            bytes.splice(at..at, nonsense[draw(4, nonsense.len())].iter().copied());
        }
        4 => bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
        5 => bytes.iter_mut().skip(at).step_by(7).for_each(|byte| *byte ^= 0x80),
        6 => bytes = bytes.repeat(3),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << draw(5, 8);
            }
        }
    }
    bytes
}

/// Every captured file of every computer with `rounds` changes of each, and what is found there.
/// Gives how many were tried.
pub fn every_file(rounds: u64) -> usize {
    let copy = copy().lock().unwrap_or_else(PoisonError::into_inner);
    let mut tried = 0;
    for (capture, files) in &copy.files {
        for name in files {
            let before =
                fs::read(copy.folder.path().join(capture).join(name)).expect("the file is there");
            for round in 0..rounds {
                let content = changed(&before, round * 31 + tried as u64);
                replaced(copy.folder.path(), capture, name, &content);
                tried += 1;
            }
        }
    }
    tried
}
