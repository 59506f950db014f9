//! `/proc/self/mountinfo`, and which of its lines are file systems that hold data.

use std::collections::BTreeMap;

/// One line of `/proc/self/mountinfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Device number, e.g. `259:2`.
    pub number: String,
    /// Folder of the file system that is mounted; `/` except for bind mounts and subvolumes.
    pub root: String,
    /// Where it is mounted.
    pub point: String,
    /// File system, e.g. `ext4`.
    pub file_system: String,
    /// What is mounted, e.g. `/dev/nvme0n1p2`.
    pub source: String,
    /// Mounted read-only.
    pub read_only: bool,
    /// Subvolume of a btrfs.
    pub subvolume: Option<String>,
}

/// File systems that lie on another computer or on the host of this virtual one; asking them may
/// wait for ever.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "davfs",
    "fuse.ceph",
    "fuse.davfs2",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
    "virtiofs",
];

/// File systems that hold data without a device file to show for it.
const WITHOUT_DEVICE_FILE: &[&str] = &["bcachefs", "btrfs", "f2fs", "zfs"];

/// Whether a file system lies on another computer.
pub fn is_remote(file_system: &str) -> bool {
    REMOTE.contains(&file_system)
}

/// All lines that can be understood.
pub fn mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (first, second) = line.split_once(" - ")?;
    let mut first = first.split(' ').skip(2);
    let (number, root, point) = (first.next()?, first.next()?, first.next()?);
    let options = first.next()?;
    let mut second = second.split(' ');
    let (file_system, source) = (second.next()?, second.next()?);
    let super_options = second.next().unwrap_or_default();
    let has = |options: &str, word: &str| options.split(',').any(|option| option == word);
    Some(Mount {
        number: number.to_owned(),
        root: unescaped(root),
        point: unescaped(point),
        file_system: file_system.to_owned(),
        source: unescaped(source),
        read_only: has(options, "ro") || has(super_options, "ro"),
        subvolume: super_options
            .split(',')
            .find_map(|option| option.strip_prefix("subvol="))
            .map(unescaped),
    })
}

/// The kernel writes blanks and the like as `\040`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind
            .get(..3)
            .filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let (b'\\', Some(code)) = (first, code) {
            bytes.push(code);
            rest = behind.get(3..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The mounts that hold data, each file system once, sorted by mount point.
///
/// A file system seen at several places (bind mounts) is told at the shortest one, but subvolumes
/// that were mounted as such are told apart. What a later mount covers is not told.
pub fn real(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut by_point: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in mounts {
        by_point.insert(mount.point.clone(), mount);
    }
    let mut chosen: BTreeMap<(String, String), Mount> = BTreeMap::new();
    for mount in by_point.into_values().filter(holds_data) {
        let subvolume = mount.subvolume.clone().filter(|name| *name == mount.root);
        let key = match subvolume {
            Some(name) => (mount.number.clone(), name),
            None if mount.subvolume.is_some() => {
                (mount.number.clone(), mount.subvolume.clone().unwrap_or_default())
            }
            // Each overlay, and what has no device, is its own.
            None if mount.number.starts_with("0:") => (mount.number.clone(), mount.source.clone()),
            None => (mount.number.clone(), String::new()),
        };
        let rank = |one: &Mount| (one.point.len(), one.point.clone());
        match chosen.get(&key) {
            Some(kept) if rank(kept) <= rank(&mount) => {}
            _ => {
                chosen.insert(key, mount);
            }
        }
    }
    let mut real: Vec<Mount> = chosen.into_values().collect();
    real.sort_by(|a, b| a.point.cmp(&b.point));
    real
}

fn holds_data(mount: &Mount) -> bool {
    let file_system = mount.file_system.as_str();
    if mount.source.starts_with("/dev/loop") && matches!(file_system, "squashfs" | "erofs") {
        // Packages of snap and the like: software, not storage.
        return false;
    }
    if matches!(file_system, "devtmpfs" | "tmpfs" | "ramfs" | "autofs") {
        return false;
    }
    if file_system == "overlay" {
        // The root of a container or live system; elsewhere it shows what other volumes hold.
        return mount.point == "/";
    }
    // A container's /etc/hosts is a single file of its host's disk.
    let single_file =
        mount.root != "/" && mount.subvolume.is_none() && mount.point.starts_with("/etc/");
    (mount.source.starts_with("/dev/")
        || WITHOUT_DEVICE_FILE.contains(&file_system)
        || is_remote(file_system))
        && !single_file
}

/// How a device-mapper device is encrypted, from its `dm/uuid`.
pub fn encryption(mapper_uuid: &str) -> Option<String> {
    let kind = mapper_uuid.trim().strip_prefix("CRYPT-")?.split('-').next()?;
    (!kind.is_empty()).then(|| match kind {
        "BITLK" => "bitlocker".to_owned(),
        "FVAULT2" => "filevault".to_owned(),
        other => other.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(mountinfo: &str) -> Vec<String> {
        real(mounts(mountinfo)).into_iter().map(|mount| mount.point).collect()
    }

    #[test]
    fn bind_mounts_and_made_up_file_systems_are_left_out() {
        let text = "\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw\n\
23 22 0:22 / /sys rw - sysfs sysfs rw\n\
24 22 254:0 /srv/data /mnt/a\\040longer\\040point rw - ext4 /dev/root rw\n\
25 22 259:1 / /boot/efi ro,relatime shared:7 - vfat /dev/nvme0n1p1 rw\n\
26 22 7:3 / /snap/core/1 ro - squashfs /dev/loop3 ro\n\
27 22 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n\
28 22 0:51 / /home/team rw shared:9 master:2 - nfs4 files:/team rw,vers=4.2\n\
29 22 0:21 / /run rw - tmpfs tmpfs rw\n";
        assert_eq!(points(text), ["/", "/boot/efi", "/home/team"]);
        let found = real(mounts(text));
        assert!(found[1].read_only && !found[0].read_only);
        assert!(is_remote(&found[2].file_system));
    }

    #[test]
    fn subvolumes_are_told_apart_and_their_bind_mounts_are_not() {
        let text = "\
30 1 0:31 /@ / rw - btrfs /dev/mapper/luks-1 rw,subvolid=256,subvol=/@\n\
31 30 0:31 /@home /home rw - btrfs /dev/mapper/luks-1 rw,subvolid=257,subvol=/@home\n\
32 30 0:31 /@/var/lib/x /mnt/x rw - btrfs /dev/mapper/luks-1 rw,subvolid=256,subvol=/@\n";
        assert_eq!(points(text), ["/", "/home"]);
    }

    #[test]
    fn a_container_has_its_root_but_not_the_files_of_its_host() {
        let text = "\
600 500 0:60 / / rw - overlay overlay rw,lowerdir=/a\n\
610 600 259:2 /var/lib/docker/containers/1/hosts /etc/hosts rw - ext4 /dev/nvme0n1p2 rw\n\
611 600 259:2 /var/lib/docker/volumes/v/_data /data rw - ext4 /dev/nvme0n1p2 rw\n";
        assert_eq!(points(text), ["/", "/data"]);
    }

    #[test]
    fn the_mount_on_top_counts() {
        let text = "\
40 1 8:1 / /mnt rw - ext4 /dev/sda1 rw\n41 40 8:2 / /mnt rw - xfs /dev/sda2 rw\n";
        let found = real(mounts(text));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file_system, "xfs");
    }

    #[test]
    fn kinds_of_encryption() {
        assert_eq!(encryption("CRYPT-LUKS2-0123-luks-0123").as_deref(), Some("luks2"));
        assert_eq!(encryption("CRYPT-LUKS1-0123-root").as_deref(), Some("luks1"));
        assert_eq!(encryption("CRYPT-BITLK-0123-x").as_deref(), Some("bitlocker"));
        assert_eq!(encryption("LVM-abc"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([0-9]{1,3} [0-9]:[0-9] /[\\\\0-9é]{0,5} /\\PC{0,4} rw - (btrfs|ext4) /dev/x rw,subvol=/\\PC{0,3}\n|\\PC|\n)*") {
            let _ = real(mounts(&text));
            let _ = encryption(&text);
        }
    }
}
