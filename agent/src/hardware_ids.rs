//! What the hardware says of itself: evidence for the collector which device this is.
//!
//! Values are told as read; which of them count (`To be filled by O.E.M.` does not) is the
//! collector's judgement. Only addresses that surely travel with this computer are told.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use rollcall_shared::HardwareIds;
use rollcall_shared::section::network::{Interface, InterfaceKind};
use rollcall_shared::section::{Network, Section};

/// Keeps the digest from being compared with other programs' digests of the same id.
const MACHINE_ID_CONTEXT: &str = "rollcall machine id";

/// The identifiers in what was found.
pub fn from_sections(
    system: Option<&Section>,
    network: Option<&Section>,
    machine_id: Option<&str>,
) -> HardwareIds {
    let mut ids = HardwareIds::default();
    if let Some(Section::System(system)) = system {
        ids.serial.clone_from(&system.serial);
        ids.uuid.clone_from(&system.uuid);
        ids.board_serial = system.board.as_ref().and_then(|board| board.serial.clone());
    }
    if let Some(Section::Network(network)) = network {
        ids.macs = built_in_addresses(network);
    }
    ids.machine_id_digest = machine_id.filter(|id| is_machine_id(id)).map(digest_of);
    ids
}

/// An image that is not set up yet holds `uninitialized` or nothing.
fn is_machine_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn digest_of(machine_id: &str) -> String {
    let text = format!("{MACHINE_ID_CONTEXT}{}", machine_id.to_ascii_lowercase());
    let mut told = String::with_capacity(64);
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(told, "{byte:02x}");
    }
    told
}

fn built_in_addresses(network: &Network) -> Vec<String> {
    let mut macs: Vec<String> =
        network.interfaces.iter().filter(|one| is_built_in(one)).filter_map(burnt_in).collect();
    macs.sort_unstable();
    macs.dedup();
    macs
}

fn is_built_in(interface: &Interface) -> bool {
    !interface.virtual_interface
        && !interface.removable
        && matches!(interface.kind, None | Some(InterfaceKind::Ethernet | InterfaceKind::Wifi))
}

/// The address given by the maker; one that was given locally (second bit) or speaks of a
/// group (first bit) is none.
fn burnt_in(interface: &Interface) -> Option<String> {
    let mac = interface.permanent_mac.as_ref().or(interface.mac.as_ref())?;
    let first = u8::from_str_radix(mac.get(..2)?, 16).ok()?;
    let counts = mac.len() == 17 && first.trailing_zeros() >= 2 && mac != "00:00:00:00:00:00";
    counts.then(|| mac.clone())
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::System;

    use super::*;

    fn adapter(name: &str, mac: &str) -> Interface {
        Interface {
            name: name.to_owned(),
            kind: Some(InterfaceKind::Ethernet),
            mac: Some(mac.to_owned()),
            ..Interface::default()
        }
    }

    #[test]
    fn only_addresses_that_travel_with_the_computer_count() {
        let network = Network {
            interfaces: vec![
                adapter("eth1", "8c:8c:aa:12:34:57"),
                adapter("eth0", "8c:8c:aa:12:34:56"),
                Interface { virtual_interface: true, ..adapter("docker0", "8c:42:5e:00:00:01") },
                Interface { removable: true, ..adapter("enx1", "8c:ae:4c:00:00:01") },
                adapter("local", "06:00:ac:10:00:02"),
                adapter("zero", "00:00:00:00:00:00"),
                Interface {
                    permanent_mac: Some("8c:8c:aa:12:34:58".to_owned()),
                    ..adapter("wlan0", "3e:11:22:33:44:55")
                },
                Interface {
                    kind: Some(InterfaceKind::Mobile),
                    ..adapter("wwan0", "8c:00:00:00:00:01")
                },
            ],
            ..Network::default()
        };
        let ids = from_sections(None, Some(&Section::Network(network)), None);
        assert_eq!(ids.macs, ["8c:8c:aa:12:34:56", "8c:8c:aa:12:34:57", "8c:8c:aa:12:34:58"]);
    }

    #[test]
    fn the_machine_id_itself_is_never_told() {
        let id = "0123456789abcdef0123456789abcdef";
        let system = System { serial: Some("PF3A1B2C".to_owned()), ..System::default() };
        let ids = from_sections(Some(&Section::System(system)), None, Some(id));
        let told = ids.machine_id_digest.unwrap();
        assert_eq!(told, "ce9adffb245bbd47f5392464231fb20dba885315fb9f0390ca45526d4a54e2eb");
        assert_eq!(ids.serial.as_deref(), Some("PF3A1B2C"));
        assert_eq!(from_sections(None, None, Some("uninitialized")).machine_id_digest, None);
    }
}
