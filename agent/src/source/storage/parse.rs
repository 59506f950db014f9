//! A disk as its folder in `/sys/block` and udev's notes describe it.

use rollcall_shared::section::Disk;
use rollcall_shared::section::storage::{DiskHealth, DiskKind};

/// Devices that hold no data of their own, or only what other disks hold, and floppy drives.
const NO_DISKS: &[&str] = &["dm-", "drbd", "fd", "loop", "md", "nbd", "ram", "rbd", "zd", "zram"];

/// Whether a name in `/sys/block` may be a disk.
pub fn is_disk_name(name: &str) -> bool {
    let built_from = |prefix: &&str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    // The boot and replay areas of an eMMC chip are parts of it.
    let part_of_chip =
        name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    !NO_DISKS.iter().any(built_from) && !part_of_chip
}

/// The disk in a folder; `None` when it is hidden or has no medium and is no drive for one.
///
/// `field` reads a file of the folder, `udev` one of udev's properties, and `path` is where the
/// device hangs in the tree of devices.
pub fn disk(
    name: &str,
    path: &str,
    field: impl Fn(&str) -> Option<String>,
    udev: impl Fn(&str) -> Option<String>,
) -> Option<Disk> {
    let is = |file: &str, value: &str| field(file).is_some_and(|text| text == value);
    if is("hidden", "1") {
        return None;
    }
    let optical = name.starts_with("sr");
    let blocks: u64 = field("size").and_then(|text| text.parse().ok()).unwrap_or(0);
    if blocks == 0 && !optical {
        return None;
    }
    let bus = bus(name, path, &udev);
    let told = |text: Option<String>| text.filter(|text| !is_placeholder(text));
    let vendor = told(field("device/vendor"))
        // `ATA` is the way it speaks; `0x1af4` is the maker of the adapter.
        .filter(|vendor| vendor != "ATA" && !vendor.starts_with("0x"));
    let removable = is("removable", "1");
    let rotational = field("queue/rotational").and_then(|text| match text.as_str() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    });
    Some(Disk {
        name: name.to_owned(),
        model: told(model(&field, &udev)),
        serial: told(serial(&field, &udev)),
        wwn: world_wide_name(&field, &udev),
        firmware: told(firmware(&field, &udev)),
        // What is in an optical drive belongs to nobody's inventory.
        size_bytes: if optical { 0 } else { blocks.saturating_mul(512) },
        kind: kind(optical, bus, rotational, removable, vendor.as_deref()),
        bus: bus.map(str::to_owned),
        removable,
        health: field("device/pre_eol_info")
            .and_then(|text| health(&text))
            .or_else(|| given_up(&field("device/state")?)),
        vendor,
    })
}

fn is_placeholder(text: &str) -> bool {
    text.trim().is_empty() || matches!(text, "0x00000000" | "Unknown" | "unknown")
}

fn model(
    field: &impl Fn(&str) -> Option<String>,
    udev: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    // SCSI cuts models at 16 letters; udev asked the disk itself.
    udev("ID_MODEL_ENC")
        .map(|text| unescaped(&text).trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| field("device/model"))
        .or_else(|| field("device/name"))
}

fn serial(
    field: &impl Fn(&str) -> Option<String>,
    udev: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    // `ID_SCSI_SERIAL` is what is printed on SAS disks; `ID_SERIAL_SHORT` is their address.
    field("serial")
        .or_else(|| field("device/serial"))
        .or_else(|| udev("ID_SCSI_SERIAL"))
        .or_else(|| udev("ID_SERIAL_SHORT"))
        .or_else(|| field("device/vpd_pg80").and_then(|page| unit_serial(&page)))
}

/// The page of vital product data that holds the serial: four bytes of header, then text. Each
/// byte of the header has become one letter, whatever it was.
fn unit_serial(page: &str) -> Option<String> {
    let text: String = page.chars().skip(4).filter(char::is_ascii_graphic).collect();
    (!text.is_empty()).then_some(text)
}

fn firmware(
    field: &impl Fn(&str) -> Option<String>,
    udev: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    field("device/firmware_rev")
        .or_else(|| udev("ID_REVISION"))
        .or_else(|| field("device/rev"))
        .or_else(|| field("device/fwrev"))
}

fn world_wide_name(
    field: &impl Fn(&str) -> Option<String>,
    udev: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let told = udev("ID_WWN_WITH_EXTENSION").or_else(|| udev("ID_WWN"));
    let own = || field("wwid").or_else(|| field("device/wwid"));
    // `t10.` names repeat maker, model and serial.
    told.or_else(|| own().filter(|id| !id.starts_with("t10.") && !id.contains(' ')))
}

fn bus(name: &str, path: &str, udev: &impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    const SIGNS: &[(&str, &str)] = &[
        ("/usb", "usb"),
        ("/nvme", "nvme"),
        ("/mmc_host/", "mmc"),
        ("/virtio", "virtio"),
        ("/ata", "sata"),
        ("/session", "iscsi"),
        ("/rport-", "fibre_channel"),
        ("/end_device-", "sas"),
        ("/vmbus", "hyper-v"),
        ("/VMBUS", "hyper-v"),
        ("/vbd-", "xen"),
    ];
    if name.starts_with("nvme") {
        return Some("nvme");
    }
    if let Some((_, bus)) = SIGNS.iter().find(|(sign, _)| path.contains(sign)) {
        return Some(bus);
    }
    match udev("ID_BUS").as_deref() {
        Some("ata") => Some("sata"),
        Some("usb") => Some("usb"),
        _ => path.contains("/host").then_some("scsi"),
    }
}

pub(super) fn kind(
    optical: bool,
    bus: Option<&str>,
    rotational: Option<bool>,
    removable: bool,
    vendor: Option<&str>,
) -> Option<DiskKind> {
    // Virtual disks call themselves rotating whatever they lie on.
    let made_up = matches!(bus, Some("virtio" | "hyper-v" | "xen"))
        || vendor.is_some_and(|vendor| matches!(vendor, "VMware" | "QEMU" | "Msft" | "VBOX"));
    match (bus, rotational) {
        _ if optical => Some(DiskKind::Optical),
        (Some("nvme"), _) => Some(DiskKind::Nvme),
        (Some("mmc"), _) => Some(DiskKind::Flash),
        (Some("usb"), _) if removable => Some(DiskKind::Flash),
        (_, Some(false)) => Some(DiskKind::Ssd),
        (_, Some(true)) if !made_up => Some(DiskKind::Hdd),
        _ => None,
    }
}

/// An eMMC chip says how much of its reserve is used up.
fn health(pre_end_of_life: &str) -> Option<DiskHealth> {
    match pre_end_of_life.trim() {
        "0x01" => Some(DiskHealth::Good),
        "0x02" | "0x03" => Some(DiskHealth::Failing),
        _ => None,
    }
}

/// The kernel speaks to a disk no more. That it does says nothing of the disk's own health.
fn given_up(state: &str) -> Option<DiskHealth> {
    let gone = ["dead", "offline", "transport-offline"];
    gone.contains(&state).then(|| DiskHealth::Other(state.to_owned()))
}

/// Whether a file of smartd is about the disk of this serial, e.g.
/// `smartd.WDC_WD40EFRX_68N32N0-WD_WCC7K0ABCDEF.ata.state`. All but letters and digits is `_` there.
pub fn is_state_of(file: &str, serial: &str) -> bool {
    let named = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let serial: String = serial.chars().map(named).collect();
    let Some(name) = file.strip_prefix("smartd.").and_then(|rest| rest.strip_suffix(".state"))
    else {
        return false;
    };
    // `MODEL-SERIAL.ata`, and for NVMe `MODEL-SERIAL-n1.nvme`.
    let name = name.rsplit_once('.').map_or(name, |(name, _)| name);
    let ends = |name: &str| name.rsplit_once('-').is_some_and(|(_, last)| last == serial);
    !serial.is_empty() && (ends(name) || name.rsplit_once("-n").is_some_and(|(name, _)| ends(name)))
}

/// Whether a file of smartd says that it warned of the disk's own verdict "failing". It forgets the
/// warning by itself when the verdict is another; that there is none is no verdict at all, since it
/// only writes down what it told somebody.
pub fn warns_of_failure(state: &str) -> bool {
    let count = state.lines().find_map(|line| line.trim().strip_prefix("mail.1.count"));
    let count = count.and_then(|rest| rest.trim().strip_prefix('='));
    count.and_then(|count| count.trim().parse::<u32>().ok()).is_some_and(|count| count > 0)
}

/// A property from udev's notes on a device, e.g. of the line `E:ID_SERIAL_SHORT=...`.
pub fn udev_property<'a>(notes: &'a str, key: &str) -> Option<&'a str> {
    let value = notes
        .lines()
        .find_map(|line| line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('='))?;
    (!value.trim().is_empty()).then(|| value.trim())
}

/// udev writes letters outside of names as `\x20`.
pub fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind
            .strip_prefix(b"x")
            .and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map<'a>(fields: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn what_is_made_of_other_disks_is_none() {
        for name in ["loop0", "fd0", "ram1", "zram0", "dm-3", "md127", "nbd0", "mmcblk0boot0"] {
            assert!(!is_disk_name(name), "{name}");
        }
        for name in ["sda", "fdisk", "nvme0n1", "vda", "mmcblk0", "sr0", "xvda", "mdxyz"] {
            assert!(is_disk_name(name), "{name}");
        }
    }

    #[test]
    fn a_disk_that_the_kernel_gave_up_is_told() {
        let disk_in = |state: &str| {
            let fields = [("size", "1000"), ("queue/rotational", "1"), ("device/state", state)];
            disk("sdb", "/devices/ata1/sdb", map(&fields), map(&[])).unwrap().health
        };
        assert_eq!(disk_in("offline"), Some(DiskHealth::Other("offline".to_owned())));
        assert_eq!(disk_in("running"), None, "which says nothing of the disk's own health");
        assert_eq!(disk_in("live"), None);
    }

    #[test]
    fn what_smartd_keeps_is_of_one_disk() {
        let sata = "smartd.WDC_WD40EFRX_68N32N0-WD_WCC7K0ABCDEF.ata.state";
        assert!(is_state_of(sata, "WD-WCC7K0ABCDEF"));
        assert!(!is_state_of(sata, "WCC7K0ABCDEF") && !is_state_of(sata, ""));
        assert!(!is_state_of(&format!("{sata}~"), "WD-WCC7K0ABCDEF"), "the one before");
        let nvme = "smartd.SAMSUNG_MZVL2512HCJQ_00BL7-S64KNX0T123456-n1.nvme.state";
        assert!(is_state_of(nvme, "S64KNX0T123456"));
        assert!(!is_state_of("attrlog.A-B.ata.csv", "B"));
    }

    #[test]
    fn a_warning_of_smartd_is_told_and_its_silence_is_no_verdict() {
        let attributes = "ata-smart-attribute.0.id = 5\nata-smart-attribute.0.val = 1\n";
        let state = |mails: &str| format!("# smartd state file\n{mails}{attributes}");
        assert!(warns_of_failure(&state(
            "mail.1.count = 2\nmail.1.first-sent-time = 1790000000\n"
        )));
        assert!(
            !warns_of_failure(&state("mail.10.count = 1\n")),
            "sectors that wait are no verdict"
        );
        assert!(!warns_of_failure(&state("")));
        assert!(!warns_of_failure("mail.1.count = many"));
    }

    #[test]
    fn a_sata_disk_gets_its_full_model_from_udev() {
        let fields = [
            ("size", "7814037168"),
            ("removable", "0"),
            ("queue/rotational", "1"),
            ("device/vendor", "ATA"),
            ("device/model", "WDC WD40EFRX-68N"),
            ("device/rev", "0A82"),
            ("device/wwid", "t10.ATA     WDC WD40EFRX-68N32N0  WD-WCC7K0ABCDEF"),
        ];
        let notes = [
            ("ID_MODEL_ENC", "WDC\\x20WD40EFRX-68N32N0\\x20\\x20"),
            ("ID_SERIAL_SHORT", "WD-WCC7K0ABCDEF"),
            ("ID_REVISION", "82.00A82"),
            ("ID_WWN", "0x50014ee2b0c0ffee"),
        ];
        let path = "../devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/block/sda";
        let found = disk("sda", path, map(&fields), map(&notes)).unwrap();
        assert_eq!(found.model.as_deref(), Some("WDC WD40EFRX-68N32N0"));
        assert_eq!(found.vendor, None);
        assert_eq!(found.serial.as_deref(), Some("WD-WCC7K0ABCDEF"));
        assert_eq!(found.firmware.as_deref(), Some("82.00A82"));
        assert_eq!(found.wwn.as_deref(), Some("0x50014ee2b0c0ffee"));
        assert_eq!(found.kind, Some(DiskKind::Hdd));
        assert_eq!(found.bus.as_deref(), Some("sata"));
        assert_eq!(found.size_bytes, 4_000_787_030_016);
    }

    /// The third and fourth byte of the header tell the length; 33 would read as `!`.
    #[test]
    fn the_header_before_a_serial_is_none_of_it() {
        let serial = "Z1Z0ABCD0000C5021234567890ABCDEF0";
        let page = format!("\0\u{fffd}\0!{serial}");
        assert_eq!(unit_serial(&page).as_deref(), Some(serial));
        assert_eq!(unit_serial("\0\u{fffd}\0\u{8}  S3Z8NB  ").as_deref(), Some("S3Z8NB"));
        assert_eq!(unit_serial("\0\u{fffd}\0"), None);
    }

    #[test]
    fn a_virtual_disk_is_not_called_rotating() {
        let fields = [("size", "2048"), ("queue/rotational", "1"), ("device/vendor", "0x1af4")];
        let path = "../devices/pci0000:00/0000:00:02.0/virtio1/block/vda";
        let found = disk("vda", path, map(&fields), map(&[])).unwrap();
        assert_eq!((found.kind, found.vendor), (None, None));
        assert_eq!(found.bus.as_deref(), Some("virtio"));
    }

    #[test]
    fn cards_sticks_and_empty_readers() {
        let card =
            [("size", "62333952"), ("device/name", "SC32G"), ("device/serial", "0x1234abcd")];
        let found = disk("mmcblk0", "/mmc_host/mmc0/block/mmcblk0", map(&card), map(&[])).unwrap();
        assert_eq!(found.kind, Some(DiskKind::Flash));
        assert_eq!(found.model.as_deref(), Some("SC32G"));
        let reader = [("size", "0"), ("removable", "1")];
        assert!(disk("sdb", "/usb1/host3", map(&reader), map(&[])).is_none());
        let drive = [("size", "2097151"), ("removable", "1")];
        let found = disk("sr0", "/ata2/host1", map(&drive), map(&[])).unwrap();
        assert_eq!((found.kind, found.size_bytes), (Some(DiskKind::Optical), 0));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*|[0-9]{1,25}|(\\\\x[0-9a-f]{0,2}|é)*", path in "\\PC*") {
            let any = |_: &str| Some(text.clone());
            let _ = disk(&text, &path, any, any);
            let _ = disk("sda", &path, |name: &str| any(name).filter(|_| name != "hidden"), any);
            let _ = unescaped(&text);
            let _ = udev_property(&text, "ID_BUS");
            let _ = is_disk_name(&text);
        }
    }
}
