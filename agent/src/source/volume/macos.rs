//! File systems of a Mac that people see: the system's own, their data, and what lies in
//! `/Volumes`. The others hold parts of the system that come and go with it.

use rollcall_shared::report::VolumeSpace;
use rollcall_shared::section::{Section, Volume};
use rollcall_shared::{Note, NoteKind};

use crate::host::Host;
use crate::io_registry::Entry;
use crate::source::security::file_vault_is_on;
use crate::source::{Gathered, Platform, Privilege, Source};

/// Places where they are mounted.
const OWN: &[&str] = &["/", "/System/Volumes/Data"];
const OTHERS: &str = "/Volumes";
/// Volumes that are looked at.
const VOLUMES_LIMIT: usize = 500;

/// The declaration.
pub const MACOS: Source = Source {
    name: "mac_volume",
    section: "volume",
    about: "File systems at /, /System/Volumes/Data and in /Volumes by statfs, names and numbers of those of APFS from the I/O registry (AppleAPFSVolume), FileVault from fdesetup",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[crate::source::security::FILE_VAULT],
    gather,
};

/// A file system as the kernel tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Mount {
    point: String,
    /// E.g. `/dev/disk3s1s1`, `//anna@server/share`.
    device: String,
    file_system: String,
    read_only: bool,
    /// Lies in this computer.
    local: bool,
    size_bytes: u64,
    available_bytes: u64,
}

fn gather(host: &Host) -> Gathered {
    let mounts = mounts(host);
    if mounts.is_empty() {
        let why = "the kernel tells of no file system at /";
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    }
    let mut notes = Vec::new();
    let apfs = host.io_registry("AppleAPFSVolume", 0).unwrap_or_else(|error| {
        notes.push(error.into());
        Vec::new()
    });
    let file_vault = file_vault_is_on(host).unwrap_or_else(|note| {
        notes.push(note);
        None
    });
    let volume = |mount: Mount| {
        let of_apfs = apfs.iter().find(|entry| is_its(entry, &mount));
        // It encrypts the data of the system that runs, and with it the system's own volume.
        let encrypted = file_vault == Some(true) && OWN.contains(&mount.point.as_str());
        Volume {
            file_system: Some(mount.file_system),
            size_bytes: (mount.size_bytes > 0).then_some(mount.size_bytes),
            label: of_apfs.and_then(|entry| entry.text("FullName")),
            uuid: of_apfs.and_then(|entry| entry.text("UUID")),
            encryption: encrypted.then(|| "filevault".to_owned()),
            read_only: mount.read_only,
            remote: !mount.local,
            device: Some(without_sign_in(&mount.device)),
            point: mount.point,
        }
    };
    let rows = mounts.into_iter().map(volume).collect();
    Gathered { section: Some(Section::Volume(rows)), notes }
}

/// Free space, of file systems in this computer.
pub(crate) fn spaces(host: &Host) -> Vec<VolumeSpace> {
    let local = mounts(host).into_iter().filter(|mount| mount.local && mount.size_bytes > 0);
    local
        .map(|Mount { point, size_bytes, available_bytes, .. }| VolumeSpace {
            point,
            size_bytes,
            available_bytes,
        })
        .collect()
}

/// Whether this is the volume that is mounted. The system's own is mounted as a snapshot of it,
/// `disk3s1s1` of `disk3s1`.
fn is_its(entry: &Entry, mount: &Mount) -> bool {
    let Some(name) = entry.text("BSD Name") else { return false };
    let rest = mount.device.strip_prefix("/dev/").and_then(|device| device.strip_prefix(&name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('s'))
}

/// Addresses of other computers name who signed in there, and may hold a password.
fn without_sign_in(device: &str) -> String {
    match device.strip_prefix("//").and_then(|rest| rest.rsplit_once('@')) {
        Some((_, place)) => format!("//{place}"),
        None => device.to_owned(),
    }
}

fn mounts(host: &Host) -> Vec<Mount> {
    if !host.is_live() {
        let captured = host.captured_call("mounts").unwrap_or_default();
        return captured.lines().filter_map(captured_mount).collect();
    }
    let others = host.list(OTHERS).unwrap_or_default();
    let others = others.iter().take(VOLUMES_LIMIT).map(|name| format!("{OTHERS}/{name}"));
    let places = OWN.iter().map(|place| (*place).to_owned()).chain(others);
    places.filter_map(|place| live(&place)).collect()
}

/// What is mounted in a place; nothing for a place that is a mere folder or link.
fn live(place: &str) -> Option<Mount> {
    cfg_select! {
        target_os = "macos" => {
            const READ_ONLY: u32 = 0x1;
            const LOCAL: u32 = 0x1000;
            let told = rustix::fs::statfs(place).ok()?;
            let text = |letters: &[std::ffi::c_char]| {
                let bytes = letters.iter().map(|letter| letter.cast_unsigned());
                let bytes: Vec<u8> = bytes.take_while(|byte| *byte != 0).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let point = text(&told.f_mntonname);
            let bytes = |blocks: u64| blocks.saturating_mul(u64::from(told.f_bsize));
            (point == place).then(|| Mount {
                point,
                device: text(&told.f_mntfromname),
                file_system: text(&told.f_fstypename),
                read_only: told.f_flags & READ_ONLY != 0,
                local: told.f_flags & LOCAL != 0,
                size_bytes: bytes(told.f_blocks),
                available_bytes: bytes(told.f_bavail),
            })
        }
        _ => {
            let _ = place;
            None
        }
    }
}

/// Place, device, file system, `ro` or `rw`, `local` or `remote`, size and what is free, with tabs
/// between them.
fn captured_mount(line: &str) -> Option<Mount> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    Some(Mount {
        point: next()?.to_owned(),
        device: next()?.to_owned(),
        file_system: next()?.to_owned(),
        read_only: next()? == "ro",
        local: next()? == "local",
        size_bytes: next()?.parse().ok()?,
        available_bytes: next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plist::Value;

    #[test]
    fn a_snapshot_belongs_to_its_volume() {
        let text = "<plist><dict><key>BSD Name</key><string>disk3s1</string></dict></plist>";
        let entries = Entry::read_all(Value::read(text.as_bytes()).unwrap());
        let is = |device: &str| {
            is_its(&entries[0], &Mount { device: device.to_owned(), ..Mount::default() })
        };
        assert!(is("/dev/disk3s1") && is("/dev/disk3s1s1"));
        assert!(!is("/dev/disk3s10") && !is("/dev/disk3s5") && !is("disk3s1"));
    }

    #[test]
    fn nobody_who_signed_in_elsewhere_is_named() {
        assert_eq!(without_sign_in("//anna:pass@word@nas/files"), "//nas/files");
        assert_eq!(without_sign_in("/dev/disk3s1"), "/dev/disk3s1");
    }
}
