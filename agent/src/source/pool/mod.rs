//! What lies between disks and file systems: volume groups of LVM, RAID arrays, pools of btrfs and
//! ZFS, encrypted and multiple paths. On Linux everything is read from the kernel and from LVM's own
//! backup; no program is asked.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::section::{Pool, Section};

use super::storage::parse::udev_property;
use super::volume::parse::encryption;
use super::{Gathered, Platform, Privilege, Source};
use crate::host::{Host, HostError};
use crate::order;

mod macos;
pub mod parse;
mod windows;

pub use macos::MACOS;
pub use windows::WINDOWS;

/// Pools.
pub const SOURCE: Source = Source {
    name: "pool",
    section: "pool",
    about: "LVM, RAID, LUKS, btrfs, ZFS and multipath from /proc/mdstat, /sys and /etc/lvm/backup",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

const BLOCK: &str = "/sys/class/block";
/// LVM writes down each group here.
const BACKUPS: &str = "/etc/lvm/backup";

fn gather(host: &Host) -> Gathered {
    let devices = match host.list(BLOCK).or_else(|_| host.list("/sys/block")) {
        Ok(devices) => devices,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows = parse::mdstat(&host.read_text("/proc/mdstat").unwrap_or_default());
    for row in &mut rows {
        row.uuid = host.value(&format!("{BLOCK}/{}/md/uuid", row.name));
    }
    mapped(host, &devices, &mut rows);
    rows.extend(btrfs(host));
    rows.extend(zfs(host, &devices));
    order::sort(&mut rows, Ord::cmp);
    let mut notes = Vec::new();
    if let Err(error @ HostError::Denied { .. }) = host.list(BACKUPS) {
        notes.push(error.into());
    }
    Gathered { section: Some(Section::Pool(rows)), notes }
}

/// What the device mapper makes of other devices.
fn mapped(host: &Host, devices: &[String], rows: &mut Vec<Pool>) {
    let mut groups: BTreeMap<String, Pool> = BTreeMap::new();
    for device in devices.iter().filter(|name| name.starts_with("dm-")) {
        let folder = format!("{BLOCK}/{device}");
        let value = |file: &str| host.value(&format!("{folder}/{file}"));
        let (Some(name), Some(uuid)) = (value("dm/name"), value("dm/uuid")) else { continue };
        let members = host.list(&format!("{folder}/slaves")).unwrap_or_default();
        if let Some((group, volume)) = parse::logical_volume(&name, &uuid) {
            let pool = groups.entry(group.clone()).or_insert_with(|| Pool {
                name: group,
                kind: "lvm".to_owned(),
                ..Pool::default()
            });
            // Volumes may lie on hidden volumes of the same group.
            pool.members.extend(members.into_iter().filter(|name| !is_of_lvm(host, name)));
            pool.volumes.extend(volume);
            continue;
        }
        let kind = encryption(&uuid).or_else(|| {
            let kind = uuid.split('-').next()?;
            (kind == "mpath").then(|| "multipath".to_owned())
        });
        let Some(kind) = kind else { continue };
        let size = value("size").and_then(|blocks| blocks.parse::<u64>().ok());
        rows.push(Pool {
            name,
            kind,
            size_bytes: size.map(|blocks| blocks.saturating_mul(512)),
            members,
            ..Pool::default()
        });
    }
    for file in host.list(BACKUPS).unwrap_or_default() {
        let Ok(text) = host.read_text(&format!("{BACKUPS}/{file}")) else { continue };
        let Some(told) = parse::lvm_backup(&text) else { continue };
        // What the kernel shows is true; the backup knows sizes and what is not in use.
        let pool = groups
            .entry(told.name.clone())
            .or_insert_with(|| Pool { state: Some("not in use".to_owned()), ..told.clone() });
        pool.size_bytes = told.size_bytes;
        pool.uuid = told.uuid;
        pool.failed_members = told.failed_members;
        if !pool.failed_members.is_empty() {
            pool.state = Some("degraded".to_owned());
        }
        if pool.members.is_empty() {
            pool.members = told.members;
        }
    }
    for mut pool in groups.into_values() {
        for list in [&mut pool.members, &mut pool.volumes] {
            list.sort();
            list.dedup();
        }
        rows.push(pool);
    }
}

fn is_of_lvm(host: &Host, device: &str) -> bool {
    let uuid = host.value(&format!("{BLOCK}/{device}/dm/uuid"));
    uuid.is_some_and(|uuid| uuid.starts_with("LVM-"))
}

fn btrfs(host: &Host) -> Vec<Pool> {
    const FOLDER: &str = "/sys/fs/btrfs";
    let names = host.list(FOLDER).unwrap_or_default();
    // Beside the file systems lies a folder of what the kernel can do.
    let pools = names.into_iter().filter(|name| name.len() == 36);
    pools
        .map(|uuid| {
            let folder = format!("{FOLDER}/{uuid}");
            let members = host.list(&format!("{folder}/devices")).unwrap_or_default();
            let blocks = members.iter().map(|name| {
                let blocks = host.value(&format!("{BLOCK}/{name}/size"))?;
                blocks.parse::<u64>().ok()
            });
            let size: Option<u64> = blocks.sum();
            let levels = host.list(&format!("{folder}/allocation/data")).unwrap_or_default();
            let level = levels.into_iter().find(|name| parse::is_btrfs_level(name));
            let numbers = host.list(&format!("{folder}/devinfo")).unwrap_or_default();
            let missing: Vec<String> = numbers
                .into_iter()
                .filter(|number| {
                    let missing = host.value(&format!("{folder}/devinfo/{number}/missing"));
                    missing.as_deref() == Some("1")
                })
                .map(|number| format!("device {number}"))
                .collect();
            Pool {
                name: host.value(&format!("{folder}/label")).unwrap_or_else(|| uuid.clone()),
                kind: "btrfs".to_owned(),
                level,
                state: Some(if missing.is_empty() { "clean" } else { "degraded" }.to_owned()),
                uuid: Some(uuid),
                size_bytes: size.filter(|size| *size > 0).map(|blocks| blocks.saturating_mul(512)),
                members,
                failed_members: missing,
                volumes: Vec::new(),
            }
        })
        .collect()
}

fn zfs(host: &Host, devices: &[String]) -> Vec<Pool> {
    const FOLDER: &str = "/proc/spl/kstat/zfs";
    let names = host.list(FOLDER).unwrap_or_default();
    let mut pools: BTreeMap<String, Pool> = names
        .into_iter()
        .filter_map(|name| {
            let state = host.value(&format!("{FOLDER}/{name}/state"))?.to_ascii_lowercase();
            let state = if state == "online" { "clean".to_owned() } else { state };
            let (kind, state) = ("zfs".to_owned(), Some(state));
            Some((name.clone(), Pool { name, kind, state, ..Pool::default() }))
        })
        .collect();
    if pools.is_empty() {
        return Vec::new();
    }
    let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for device in devices {
        let Some(number) = host.value(&format!("{BLOCK}/{device}/dev")) else { continue };
        let notes = host.read_text(&format!("/run/udev/data/b{number}")).unwrap_or_default();
        if udev_property(&notes, "ID_FS_TYPE") == Some("zfs_member")
            && let Some(pool) = udev_property(&notes, "ID_FS_LABEL")
        {
            members.entry(pool.to_owned()).or_default().insert(device.clone());
        }
    }
    for (name, devices) in members {
        if let Some(pool) = pools.get_mut(&name) {
            pool.members = devices.into_iter().collect();
        }
    }
    pools.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> String {
        let root = format!("{}/../tests/fixtures/{system}", env!("CARGO_MANIFEST_DIR"));
        format!("{:#?}", gather(&Host::at(root)))
    }

    #[test]
    fn captured_systems() {
        insta::assert_snapshot!("raid-server", told("pool/raid-server"));
        insta::assert_snapshot!("nas", told("pool/nas"));
        insta::assert_snapshot!("lvm-on-luks", told("pool/lvm-on-luks"));
        insta::assert_snapshot!("vmware-server", told("host/vmware-server"));
        insta::assert_snapshot!("workbench-nixos", told("host/workbench-nixos"));
    }
}
