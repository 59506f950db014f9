//! Containers of APFS on a Mac: what lies between its partitions and its volumes.

use std::collections::BTreeMap;

use rollcall_shared::section::{Pool, Section};

use crate::host::Host;
use crate::io_registry::Entry;
use crate::source::storage::images;
use crate::source::{Gathered, Platform, Privilege, Source};

/// From a partition over the scheme on it, the disk that is made up for it and the container in that
/// to the volumes.
const LEVELS: usize = 4;
const SCHEME: &str = "AppleAPFSContainerScheme";
const VOLUME: &str = "AppleAPFSVolume";

/// The declaration.
pub const MACOS: Source = Source {
    name: "apfs_container",
    section: "pool",
    about: "Containers of APFS in the I/O registry (IOMedia), with their partitions and volumes, without those in images of disks",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let media = match host.io_registry("IOMedia", LEVELS) {
        Ok(found) => found,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut found: BTreeMap<String, Pool> = BTreeMap::new();
    // The system keeps parts of itself in such, under other numbers after each start.
    let images = images(host);
    let is_in_image = |name: &str| {
        let rest = images.iter().find_map(|image| name.strip_prefix(image.as_str()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('s'))
    };
    for partition in &media {
        if partition.text("BSD Name").is_some_and(|name| is_in_image(&name)) {
            continue;
        }
        let schemes = partition.below.iter().filter(|one| one.class().as_deref() == Some(SCHEME));
        for container in schemes.flat_map(|scheme| &scheme.below).filter_map(container) {
            // A container may lie on two disks, a small quick and a large slow one.
            let pool = found.entry(container.name.clone()).or_insert(container);
            if let Some(name) = partition.text("BSD Name")
                && !pool.members.contains(&name)
            {
                pool.members.push(name);
                pool.members.sort_unstable();
            }
        }
    }
    Gathered::of(Section::Pool(found.into_values().collect()))
}

fn container(disk: &Entry) -> Option<Pool> {
    let mut volumes: Vec<String> = disk
        .walk()
        .into_iter()
        .filter(|one| one.class().as_deref() == Some(VOLUME))
        .filter_map(|volume| volume.text("FullName").or_else(|| volume.text("BSD Name")))
        .collect();
    volumes.sort_unstable();
    volumes.dedup();
    Some(Pool {
        name: disk.text("BSD Name")?,
        kind: "apfs".to_owned(),
        uuid: disk.text("UUID"),
        size_bytes: disk.number("Size").filter(|size| *size > 0),
        volumes,
        ..Pool::default()
    })
}
