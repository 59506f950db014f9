//! Reads `mountinfo` of the first process, or else of this one, asks local file systems for their
//! size, and follows the device mapper to encryption.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_shared::report::VolumeSpace;
use rollcall_shared::section::{Section, Volume};

use super::parse::{self, Mount};
use crate::host::{Host, HostError};
use crate::source::Gathered;
use crate::source::storage::parse::unescaped;

/// How many layers (encryption on volume groups on RAID) are followed.
const LAYERS: usize = 6;

pub(crate) fn gather(host: &Host) -> Gathered {
    let mounts = real_mounts(host);
    let mounts = match mounts.as_ref() {
        Ok(mounts) => mounts.iter().cloned(),
        Err(error) => return Gathered::absent(error.clone().into()),
    };
    let encrypted = host.keep_of_devices("encryption of devices", |_| Mutex::default());
    let labels = names_by_device(host, "/dev/disk/by-label");
    let uuids = names_by_device(host, "/dev/disk/by-uuid");
    let volume = |mount: Mount| {
        let device = kernel_name(host, &mount);
        let of_device =
            |names: &HashMap<String, String>| names.get(device.as_deref()?).cloned();
        Volume {
            size_bytes: space(host, &mount).map(|space| space.size_bytes),
            label: of_device(&labels),
            uuid: of_device(&uuids),
            encryption: device.as_deref().and_then(|name| known_encryption(host, &encrypted, name)),
            read_only: mount.read_only,
            remote: parse::is_remote(&mount.file_system),
            device: Some(match (&device, mount.source.as_str()) {
                // An alias from the boot loader.
                (Some(name), "/dev/root") => format!("/dev/{name}"),
                _ => mount.source,
            }),
            file_system: Some(mount.file_system),
            point: mount.point,
        }
    };
    Gathered::of(Section::Volume(mounts.map(volume).collect()))
}

/// Free space of the local file systems, sorted by mount point.
pub fn spaces(host: &Host) -> Vec<VolumeSpace> {
    let mounts = real_mounts(host);
    let mounts = mounts.as_deref().unwrap_or_default();
    mounts.iter().filter_map(|mount| space(host, mount)).collect()
}

/// Read once in a look for the volumes and their free space.
fn real_mounts(host: &Host) -> Arc<Result<Vec<Mount>, HostError>> {
    host.keep("mounts", |host| {
        // A service that may write nothing sees all read-only, and mounts that nobody else has.
        let of_all = host.read_text("/proc/1/mountinfo").ok().filter(|text| !text.is_empty());
        let text = of_all.map_or_else(|| host.read_text("/proc/self/mountinfo"), Ok)?;
        Ok(parse::real(parse::mounts(&text)))
    })
}

/// Size and free space; never asked of another computer, which may not answer.
fn space(host: &Host, mount: &Mount) -> Option<VolumeSpace> {
    if parse::is_remote(&mount.file_system) {
        return None;
    }
    let point = mount.point.clone();
    if !host.is_live() {
        let captured = host.captured_call("statvfs")?;
        let line = captured.lines().find_map(|line| line.strip_prefix(&point)?.strip_prefix('\t'));
        let (size, available) = line?.split_once('\t')?;
        let (size_bytes, available_bytes) = (size.parse().ok()?, available.parse().ok()?);
        return Some(VolumeSpace { point, size_bytes, available_bytes });
    }
    let told = rustix::fs::statvfs(&point).ok()?;
    let size_bytes = told.f_frsize.saturating_mul(told.f_blocks);
    let available_bytes = told.f_frsize.saturating_mul(told.f_bavail);
    (size_bytes > 0).then_some(VolumeSpace { point, size_bytes, available_bytes })
}

/// The name in `/sys/class/block`, e.g. `dm-0`, `nvme0n1p2`.
fn kernel_name(host: &Host, mount: &Mount) -> Option<String> {
    host.link_name(&format!("/sys/dev/block/{}", mount.number))
        .or_else(|| host.link_name(&mount.source).filter(|_| mount.source.starts_with("/dev/")))
        .or_else(|| {
            let name = mount.source.strip_prefix("/dev/")?;
            (name != "root" && !name.contains('/')).then(|| name.to_owned())
        })
}

/// Names that udev linked to devices, by device.
fn names_by_device(host: &Host, folder: &str) -> HashMap<String, String> {
    let names = host.list(folder).unwrap_or_default();
    let pair = |name: String| {
        let device = host.link_name(&format!("{folder}/{name}"))?;
        Some((device, unescaped(&name)))
    };
    names.into_iter().filter_map(pair).collect()
}

/// By device, as long as the kernel tells of no event.
type Encrypted = Mutex<HashMap<String, Option<String>>>;

fn known_encryption(host: &Host, known: &Encrypted, device: &str) -> Option<String> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let found = || encryption(host, device, LAYERS);
    known.entry(device.to_owned()).or_insert_with(found).clone()
}

fn encryption(host: &Host, device: &str, layers: usize) -> Option<String> {
    let folder = format!("/sys/class/block/{device}");
    let own = host.value(&format!("{folder}/dm/uuid"));
    if let Some(kind) = own.as_deref().and_then(parse::encryption) {
        return Some(kind);
    }
    let below = host.list(&format!("{folder}/slaves")).ok()?;
    let layers = layers.checked_sub(1)?;
    below.iter().find_map(|device| encryption(host, device, layers))
}
