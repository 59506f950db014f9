//! What the storage management of Windows says of drives and pools. It knows drives that are part
//! of a pool, which no driver shows, and the health of all that tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_shared::section::Disk;
use rollcall_shared::section::storage::{DiskHealth, DiskKind};
use rollcall_shared::time::HOUR_MS;

use crate::host::Host;
use crate::source::devices;
use crate::source::text::clip;
use crate::wmi::{Answer, Inquiry, Question, Row, Silence};

/// Drives.
const CLASS: &str = "{4d36e967-e325-11ce-bfc1-08002be10318}";

/// The questions, in the order of [`Managed`].
pub(crate) static INQUIRY: Inquiry = Inquiry {
    namespace: r"root\Microsoft\Windows\Storage",
    about: "storage pools and the drives in them",
    questions: &[
        Question {
            class: "MSFT_StoragePool",
            properties: &[
                "ObjectId",
                "FriendlyName",
                "UniqueId",
                "IsPrimordial",
                "IsClustered",
                "Size",
                "HealthStatus",
                "OperationalStatus",
            ],
        },
        Question {
            class: "MSFT_VirtualDisk",
            properties: &[
                "ObjectId",
                "FriendlyName",
                "ResiliencySettingName",
                "HealthStatus",
                "OperationalStatus",
            ],
        },
        Question {
            class: "MSFT_PhysicalDisk",
            properties: &[
                "ObjectId",
                "DeviceId",
                "Manufacturer",
                "Model",
                "SerialNumber",
                "FirmwareVersion",
                "Size",
                "BusType",
                "MediaType",
                "HealthStatus",
                "OperationalStatus",
            ],
        },
        Question {
            class: "MSFT_StoragePoolToPhysicalDisk",
            properties: &["StoragePool", "PhysicalDisk"],
        },
    ],
    holds_ms: HOUR_MS,
};

/// Its answer, put in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Managed {
    /// Pools that somebody made, by their numbers.
    pub(crate) pools: BTreeMap<String, Row>,
    /// Virtual disks, each with the number of its pool.
    pub(crate) spaces: Vec<(String, Row)>,
    /// All drives, by their numbers.
    pub(crate) drives: BTreeMap<String, Row>,
    /// Numbers of the drives of each pool.
    pub(crate) members: BTreeMap<String, BTreeSet<String>>,
}

/// What is known now. It is asked for again when a drive came or went: pools and virtual disks make
/// drives come and go as well.
pub(crate) fn managed(host: &Host) -> Result<Managed, Silence> {
    let present = devices::present(host);
    let devices = present.as_ref().as_ref().map(|it| it.devices.as_slice()).unwrap_or_default();
    let drives = devices.iter().filter(|device| device.is_of_class(CLASS));
    let names: Vec<&str> = drives.map(|device| device.instance.as_str()).collect();
    let answer: Arc<Answer> = host.wmi(&INQUIRY, names.join("\n"));
    match answer.as_ref() {
        // Every computer has drives, or a pool for those that are in no other.
        Ok(answers) if answers.iter().all(Vec::is_empty) => {
            Err(Silence::Failed("it names neither pools nor drives".to_owned()))
        }
        Ok(answers) => Ok(Managed::of(answers)),
        Err(silence) => Err(silence.clone()),
    }
}

impl Managed {
    fn of(answers: &[Vec<Row>]) -> Self {
        let [pools, spaces, drives, members] = answers else { return Self::default() };
        // The primordial pool holds what is in no other.
        let made = pools.iter().filter(|pool| !pool.is("IsPrimordial"));
        let pools: BTreeMap<String, Row> = made
            .filter_map(|pool| Some((number_after(pool.text("ObjectId")?, "SP:")?, pool.clone())))
            .collect();
        // The number of a virtual disk follows that of its pool.
        let spaces = spaces
            .iter()
            .filter_map(|space| {
                Some((number_after(space.text("ObjectId")?, "VD:")?, space.clone()))
            })
            .collect();
        let drives = drives
            .iter()
            .filter_map(|drive| {
                Some((number_after(drive.text("ObjectId")?, "PD:")?, drive.clone()))
            })
            .collect();
        let mut of_pools: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pair in members {
            let pool = pair.text("StoragePool").and_then(|place| number_after(place, "SP:"));
            let drive = pair.text("PhysicalDisk").and_then(|place| number_after(place, "PD:"));
            if let (Some(pool), Some(drive)) = (pool, drive)
                && pools.contains_key(&pool)
            {
                of_pools.entry(pool).or_default().insert(drive);
            }
        }
        Self { pools, spaces, drives, members: of_pools }
    }

    /// Adds to disks what their drivers do not tell, and the drives in pools, which have no driver
    /// that could be asked.
    pub(crate) fn complete(&self, disks: &mut Vec<Disk>, answering: &BTreeSet<String>) {
        for drive in self.drives.values() {
            let Some(name) = name(drive) else { continue };
            let size = drive.number("Size");
            // A number that was given to another drive meanwhile has another size.
            let disk = disks
                .iter_mut()
                .find(|disk| disk.name == name && size.is_some_and(|size| size == disk.size_bytes));
            let Some(disk) = disk else { continue };
            let health = health(drive);
            let is_told = matches!(disk.bus.as_deref(), Some("nvme" | "sata" | "sas" | "scsi"));
            // Of a drive that tells nothing, such as one of a virtual machine, it is good as well.
            if health != Some(DiskHealth::Good) && health.is_some()
                || disk.health.is_none() && is_told
            {
                disk.health = health;
            }
            disk.kind = disk.kind.take().or_else(|| kind(drive));
        }
        // A cluster knows the drives of its other computers, too.
        let own = self
            .members
            .iter()
            .filter(|(pool, _)| self.pools.get(*pool).is_some_and(|pool| !pool.is("IsClustered")));
        let pooled: BTreeSet<&String> = own.flat_map(|(_, drives)| drives).collect();
        for drive in pooled.iter().filter_map(|number| self.drives.get(*number)) {
            disks.extend(of_pool(drive).filter(|disk| !answering.contains(&disk.name)));
        }
    }
}

/// What people and the driver call a drive, e.g. `PhysicalDrive3`.
pub(crate) fn name(drive: &Row) -> Option<String> {
    Some(format!("PhysicalDrive{}", drive.number("DeviceId")?))
}

fn of_pool(drive: &Row) -> Option<Disk> {
    let told = |property: &str| drive.text(property).map(|text| clip(text.as_bytes()));
    let bus = match drive.number("BusType") {
        Some(1) => Some("scsi"),
        Some(3 | 11) => Some("sata"),
        Some(7) => Some("usb"),
        Some(8) => Some("raid"),
        Some(10) => Some("sas"),
        Some(17) => Some("nvme"),
        Some(18) => Some("pmem"),
        _ => None,
    };
    Some(Disk {
        name: name(drive)?,
        model: told("Model"),
        // These say how the drive is spoken to.
        vendor: told("Manufacturer").filter(|maker| !matches!(maker.as_str(), "ATA" | "NVMe")),
        serial: told("SerialNumber").map(|serial| serial.trim_end_matches('.').to_owned()),
        firmware: told("FirmwareVersion"),
        size_bytes: drive.number("Size").unwrap_or_default(),
        kind: if bus == Some("nvme") { Some(DiskKind::Nvme) } else { kind(drive) },
        bus: bus.map(str::to_owned),
        health: health(drive),
        ..Disk::default()
    })
}

fn kind(drive: &Row) -> Option<DiskKind> {
    match drive.number("MediaType") {
        Some(3) => Some(DiskKind::Hdd),
        Some(4) => Some(DiskKind::Ssd),
        _ => None,
    }
}

/// What the system thinks of a drive; nothing where it does not know.
fn health(drive: &Row) -> Option<DiskHealth> {
    const PREDICTS_FAILURE: u64 = 5;
    match drive.number("HealthStatus") {
        Some(0) => Some(DiskHealth::Good),
        Some(1) if !drive.has("OperationalStatus", PREDICTS_FAILURE) => {
            Some(DiskHealth::Other("warning".to_owned()))
        }
        Some(1 | 2) => Some(DiskHealth::Failing),
        _ => None,
    }
}

/// The number after a word in the name of an object, such as
/// `{1}\\SERVER\root/…/Providers_v2\SPACES_StoragePool.ObjectId="{…}:SP:{0a1b…}"`.
fn number_after(name: &str, word: &str) -> Option<String> {
    let at = name.rfind(&format!(":{word}{{"))? + 1 + word.len();
    let number = name.get(at..)?.split_inclusive('}').next()?;
    number.ends_with('}').then(|| number.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_names_of_objects() {
        let space = r#"{1}\\S\root\SPACES_VirtualDisk.ObjectId="{A}:VD:{B}{C}""#;
        assert_eq!(number_after(space, "VD:").as_deref(), Some("{b}"));
        let place = r#"MSFT_StoragePool.ObjectId="{1}\\S\SPACES.ObjectId=\"{A}:SP:{0a}\"""#;
        assert_eq!(number_after(place, "SP:").as_deref(), Some("{0a}"));
        assert_eq!(number_after("{A}:SP:{0a", "SP:"), None);
        assert_eq!(number_after("x", "SP:"), None);
    }

    fn server() -> Managed {
        let root = "../tests/fixtures/host/windows-server-2022";
        managed(&Host::at(format!("{}/{root}", env!("CARGO_MANIFEST_DIR")))).unwrap()
    }

    #[test]
    fn drives_in_a_pool_are_told_once_and_health_where_no_driver_tells_it() {
        let managed = server();
        let boot = |bus: &str, size_bytes: u64| Disk {
            name: "PhysicalDrive0".to_owned(),
            bus: Some(bus.to_owned()),
            size_bytes,
            ..Disk::default()
        };
        let complete = |disk: Disk, answering: &[&str]| {
            let mut disks = vec![disk];
            let answering = answering.iter().map(|name| (*name).to_owned()).collect();
            managed.complete(&mut disks, &answering);
            disks
        };
        let size = 480_103_981_056;
        let disks = complete(boot("nvme", size), &["PhysicalDrive0", "PhysicalDrive1"]);
        let told: Vec<_> =
            disks.iter().map(|disk| (disk.name.as_str(), disk.health.clone())).collect();
        let expected = [
            ("PhysicalDrive0", Some(DiskHealth::Good)),
            ("PhysicalDrive2", Some(DiskHealth::Good)),
            ("PhysicalDrive3", Some(DiskHealth::Failing)),
            ("PhysicalDrive4", Some(DiskHealth::Other("warning".to_owned()))),
        ];
        assert_eq!(told, expected);
        let other = complete(boot("nvme", 1), &["PhysicalDrive0"]);
        assert_eq!(other[0].health, None, "another drive has its number");
        assert_eq!(complete(boot("virtio", size), &[])[0].health, None, "it cannot be known");
    }

    #[test]
    fn a_cluster_does_not_lend_its_drives() {
        let mut managed = server();
        let clustered = "instance of P { IsClustered = TRUE; };";
        for pool in managed.pools.values_mut() {
            *pool = crate::wmi::row(clustered, &["IsClustered"]);
        }
        let mut disks = Vec::new();
        managed.complete(&mut disks, &BTreeSet::new());
        assert_eq!(disks, []);
    }
}
