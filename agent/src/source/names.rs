//! Names of makers and devices, from the lists `pci.ids` and `usb.ids` that distributions keep.
//!
//! The lists are streamed; only the names that are asked for stay in memory.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use super::text::{clip, for_each_line};
use crate::host::Host;

pub(crate) const PCI: &[&str] =
    &["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/var/lib/pciutils/pci.ids"];
pub(crate) const USB: &[&str] =
    &["/usr/share/misc/usb.ids", "/usr/share/hwdata/usb.ids", "/var/lib/usbutils/usb.ids"];

/// Names that were found, by number.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Makers by four hexadecimal digits.
    pub(crate) vendors: BTreeMap<String, String>,
    /// Devices by maker and device, e.g. `8086:a0c8`.
    pub(crate) devices: BTreeMap<String, String>,
    /// Kinds of PCI devices by four hexadecimal digits of class and subclass.
    pub(crate) classes: BTreeMap<String, String>,
}

/// Names of these devices (`vendor:device`) and classes from the first list that is here.
pub(crate) fn read(host: &Host, places: &[&str], ids: &[String], classes: &[String]) -> Names {
    if ids.is_empty() {
        return Names::default();
    }
    let file = places.iter().find_map(|path| host.open(path).ok());
    file.map(|file| parse(BufReader::with_capacity(64 * 1024, file), ids, classes))
        .unwrap_or_default()
}

fn parse(reader: impl BufRead, ids: &[String], classes: &[String]) -> Names {
    let mut names = Names::default();
    let mut vendor: Option<String> = None;
    let mut class: Option<String> = None;
    let read = for_each_line(reader, |line| match line {
        [b'#', ..] | [] | [b'\t', b'\t', ..] => {}
        [b'\t', entry @ ..] => {
            if let Some(vendor) = &vendor {
                if let Some((number, name)) = numbered(entry, 4) {
                    let id = format!("{vendor}:{number}");
                    if ids.contains(&id) {
                        names.devices.insert(id, name);
                    }
                }
            } else if let Some(class) = &class
                && let Some((number, name)) = numbered(entry, 2)
            {
                let id = format!("{class}{number}");
                if classes.contains(&id) {
                    names.classes.insert(id, name);
                }
            }
        }
        [b'C', b' ', entry @ ..] => {
            vendor = None;
            class = numbered(entry, 2).map(|(number, _)| number);
        }
        entry => {
            class = None;
            vendor = None;
            // Other lists follow, whose lines begin with letters of their own.
            if let Some((number, name)) = numbered(entry, 4)
                && ids.iter().any(|id| id.starts_with(&number))
            {
                names.vendors.insert(number.clone(), name);
                vendor = Some(number);
            }
        }
    });
    // What was read before something went wrong is as good as ever.
    let _ = read;
    names
}

/// `8086  Intel Corporation`
fn numbered(line: &[u8], digits: usize) -> Option<(String, String)> {
    let (number, name) = line.split_at_checked(digits)?;
    let plain = number.iter().all(u8::is_ascii_hexdigit) && name.starts_with(b"  ");
    let name = clip(name);
    (plain && !name.is_empty())
        .then(|| (String::from_utf8_lossy(number).to_ascii_lowercase(), name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &str = "# comment\n1002  Advanced Micro Devices\n\t1681  Rembrandt\n\
        \t\t1028 0b37  A subsystem\n8086  Intel Corporation\n\t1681  Not this one\n\
        C 02  Network controller\n\t00  Ethernet controller\n\t\t01  More\n\t80  Other\n\
        C 03  Display controller\n\t00  VGA compatible controller\n";

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let ids = ["1002:1681".to_owned(), "8086:ffff".to_owned()];
        let found = parse(LIST.as_bytes(), &ids, &["0200".to_owned()]);
        assert_eq!(found.devices.len(), 1);
        assert_eq!(found.devices["1002:1681"], "Rembrandt");
        assert_eq!(found.vendors["8086"], "Intel Corporation");
        assert_eq!(found.classes["0200"], "Ethernet controller");
        assert_eq!(found.classes.len(), 1);
    }

    proptest! {
        #[test]
        fn no_list_makes_it_panic(text in "(1002  \\PC{0,9}\n|\t1681  \\PC{0,9}\n|C 02  \\PC\n|\\PC|\n|\t)*") {
            let _ = parse(text.as_bytes(), &["1002:1681".to_owned()], &["0200".to_owned()]);
        }
    }
}
