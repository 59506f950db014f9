//! The kernel's tables of sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// Accounts below are those of the system.
const FIRST_PERSON: u32 = 1000;

/// What is spoken at a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Single packets.
    Udp,
}

impl Protocol {
    /// As it is written in a report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The state of sockets that wait: `LISTEN`, and for UDP "not connected".
    fn waiting(self) -> &'static str {
        match self {
            Self::Tcp => "0A",
            Self::Udp => "07",
        }
    }
}

/// A socket that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// What is spoken.
    pub protocol: Protocol,
    /// Where it waits.
    pub address: IpAddr,
    /// Its number there.
    pub port: u16,
    /// Number of the account that owns it.
    pub account: u32,
    /// Number that tells it from all others of this kernel.
    pub inode: u64,
}

impl Socket {
    /// Whether its number was given out for a moment: it will be another the next time. UDP has
    /// no connections, so whoever asks also seems to wait; of TCP these are the helpers of
    /// programs that people use, for this computer alone.
    pub fn is_passing(&self, passing: &RangeInclusive<u16>) -> bool {
        let of_a_person = self.account >= FIRST_PERSON;
        passing.contains(&self.port)
            && (self.protocol == Protocol::Udp || self.address.is_loopback() && of_a_person)
    }
}

/// Numbers that are given out for a moment, from `ip_local_port_range`.
pub fn range(text: &str) -> RangeInclusive<u16> {
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => first..=last,
        _ => 32_768..=60_999,
    }
}

/// The sockets of a table that wait.
pub fn waiting(table: &str, protocol: Protocol) -> Vec<Socket> {
    table.lines().filter_map(|line| socket(line, protocol)).collect()
}

fn socket(line: &str, protocol: Protocol) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace();
    let (local, remote, state) = (fields.nth(1)?, fields.next()?, fields.next()?);
    if state != protocol.waiting() || !remote.ends_with(":0000") {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let account = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Socket { protocol, address: self::address(address)?, port, account, inode })
}

/// Words of 32 bits as this processor keeps them.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// The number in `socket:[12345]`.
pub fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
   0: 0100007F:8A68 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1205 1 x 100 0 0 10 0\n\
   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 77 1 x 100 0 0 10 0\n\
   2: 0100007F:07E8 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 78 1 x 100 0 0 10 0\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn only_waiting_sockets_are_told() {
        let found = waiting(TCP, Protocol::Tcp);
        let told: Vec<String> =
            found.iter().map(|it| format!("{}:{} {}", it.address, it.port, it.account)).collect();
        assert_eq!(told, ["127.0.0.1:35432 1000", "0.0.0.0:2024 104"]);
        assert_eq!(found[1].inode, 77);
        // The first is in the range of passing numbers and for this computer alone.
        assert!(found[0].is_passing(&range("32768\t60999")));
        assert!(!found[1].is_passing(&range("")));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn both_kinds_of_addresses() {
        assert_eq!(address("3500007F").unwrap().to_string(), "127.0.0.53");
        let six = address("B80D01200000000000000000420000FF").map(|it| it.to_string());
        assert_eq!(six.as_deref(), Some("2001:db8::ff00:42"));
        assert_eq!(address("00000000000000000000000001000000").unwrap().to_string(), "::1");
        assert_eq!(address("0"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "( *[0-9]: [0-9A-Fé]{8,32}:[0-9A-F]{4} 0:0000 (0A|07) 0 0 0 1 2 3\n|\\PC|\n)*") {
            let _ = waiting(&text, Protocol::Tcp);
            let _ = waiting(&text, Protocol::Udp);
            let _ = socket_inode(&text);
            let _ = range(&text);
        }
    }
}
