//! Whether an interface is as it was, asked of the kernel for all of them at once
//! (`NETLINK_ROUTE`).
//!
//! What an interface says of itself lies in a file for each word, and opening these is most of what
//! a look at the network costs. As long as this answer is the same, none of them has changed. Asking
//! needs no rights; where the kernel does not answer, the files are read.

use std::collections::BTreeMap;

use crate::source::netlink::{self, word};

const RTM_GETLINK: u16 = 18;
const RTM_NEWLINK: u16 = 16;
/// `struct ifinfomsg`: family, kind of hardware, index, flags, and which of them changed.
const HEAD_BYTES: usize = 16;
const HARDWARE: usize = 2;
const INDEX: usize = 4;
const FLAGS: usize = 8;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
/// A flag that tells attributes with attributes inside.
const NESTED: u16 = 1 << 15;
const IFLA_EXT_MASK: u16 = 29;
/// Without counters of packets, which change all the time.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const IFLA_CARRIER: u16 = 33;
/// Counts how often a cable was plugged or a speed agreed on anew.
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_PERM_ADDRESS: u16 = 54;
/// What the files that are read of an interface follow from.
const TELLING: &[u16] = &[
    IFLA_ADDRESS,
    IFLA_MTU,
    IFLA_LINK,
    IFLA_MASTER,
    IFLA_OPERSTATE,
    IFLA_CARRIER,
    IFLA_CARRIER_CHANGES,
    IFLA_PERM_ADDRESS,
];

/// Interfaces by name, each with bytes that are the same as long as nothing of it changes.
pub(super) type Links = BTreeMap<String, Vec<u8>>;

/// All interfaces of this computer; `None` where the kernel does not tell.
pub(super) fn now() -> Option<Links> {
    let mut question = vec![0; HEAD_BYTES];
    question.extend_from_slice(&8_u16.to_ne_bytes());
    question.extend_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
    question.extend_from_slice(&RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    let mut links = Links::new();
    // No protocol is that of interfaces and routes.
    netlink::ask(None, &netlink::request(RTM_GETLINK, &question), |kind, body| {
        if kind == RTM_NEWLINK {
            links.extend(link(body));
        }
    })?;
    Some(links)
}

fn link(body: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut name = None;
    let mut telling = body.get(HARDWARE..INDEX)?.to_vec();
    telling.extend_from_slice(&word(body, INDEX)?.to_ne_bytes());
    telling.extend_from_slice(&word(body, FLAGS)?.to_ne_bytes());
    let mut rest = body.get(HEAD_BYTES..)?;
    while let Some(head) = rest.get(..4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & !NESTED;
        let Some(value) = rest.get(4..length) else { break };
        if kind == IFLA_IFNAME {
            let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
            name = Some(String::from_utf8_lossy(text).into_owned());
        } else if TELLING.contains(&kind) {
            telling.extend_from_slice(rest.get(..length)?);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((name?, telling))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn interface(flags: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 1, 0];
        bytes.extend_from_slice(&2_u32.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for (kind, value) in attributes {
            bytes.extend(attribute(*kind, value));
        }
        bytes
    }

    #[test]
    fn every_change_of_an_interface_is_seen_and_counters_are_none() {
        let name: (u16, &[u8]) = (IFLA_IFNAME, b"eth0\0");
        let address: (u16, &[u8]) = (IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]);
        let plain = link(&interface(0x1043, &[name, address])).unwrap();
        assert_eq!(plain.0, "eth0");
        let counters = link(&interface(0x1043, &[name, (23, &[9; 24]), address])).unwrap();
        assert_eq!(counters, plain);
        let others = [
            interface(0x1002, &[name, address]),
            interface(0x1043, &[name, (IFLA_ADDRESS, &[2, 0, 0, 0, 0, 2])]),
            interface(0x1043, &[name, address, (IFLA_MTU, &[0xdc, 5, 0, 0])]),
            interface(0x1043, &[name, address, (IFLA_OPERSTATE, &[6])]),
            interface(0x1043, &[name, address, (IFLA_CARRIER_CHANGES, &[3, 0, 0, 0])]),
            interface(0x1043, &[name, address, (IFLA_MASTER, &[7, 0, 0, 0])]),
        ];
        for other in others {
            assert_ne!(link(&other).unwrap(), plain);
        }
        assert_eq!(link(&interface(0, &[address])), None, "without a name");
    }

    #[test]
    fn the_kernel_names_the_interfaces_that_its_files_name() {
        let Some(links) = now() else { return };
        let files = std::fs::read_dir("/sys/class/net").unwrap();
        let is_link = |entry: &std::fs::DirEntry| entry.path().join("ifindex").exists();
        let mut names: Vec<String> = files
            .filter_map(Result::ok)
            .filter(is_link)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        assert_eq!(links.into_keys().collect::<Vec<_>>(), names);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = link(&bytes);
        }
    }
}
