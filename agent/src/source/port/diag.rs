//! Waiting TCP sockets, asked of the kernel by its diagnostic socket (`NETLINK_SOCK_DIAG`).
//!
//! `/proc/net/tcp` says the same, but for it the kernel walks its whole table of connections, which on
//! a computer with much memory costs more than everything else in a look. This asks for those that
//! wait alone. Asking needs no rights; where the kernel does not answer, the files are read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::net::netlink::SOCK_DIAG;

use super::parse::{Protocol, Socket};
use crate::source::netlink::{self, word};

/// `struct inet_diag_msg`.
const ROW_BYTES: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `1 << TCP_LISTEN`.
const LISTENING: u32 = 1 << 10;

/// The question for all waiting sockets of a family.
fn question(family: u8) -> Vec<u8> {
    let mut bytes = vec![family, IPPROTO_TCP, 0, 0];
    bytes.extend_from_slice(&LISTENING.to_ne_bytes());
    // Any address and number.
    bytes.extend_from_slice(&[0; 48]);
    bytes
}

fn row(body: &[u8]) -> Option<Socket> {
    let body = body.get(..ROW_BYTES)?;
    let port = u16::from_be_bytes(body.get(4..6)?.try_into().ok()?);
    let address: IpAddr = match *body.first()? {
        AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(body.get(8..12)?).ok()?).into(),
        AF_INET6 => Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?).into(),
        _ => return None,
    };
    let account = word(body, 64)?;
    let inode = word(body, 68)?.into();
    Some(Socket { protocol: Protocol::Tcp, address, port, account, inode })
}

/// All TCP sockets of this computer that wait; `None` where the kernel does not tell.
pub(super) fn waiting() -> Option<Vec<Socket>> {
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        let request = netlink::request(SOCK_DIAG_BY_FAMILY, &question(family));
        netlink::ask(Some(SOCK_DIAG), &request, |kind, body| {
            if kind == SOCK_DIAG_BY_FAMILY {
                sockets.extend(row(body));
            }
        })?;
    }
    Some(sockets)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(family: u8, port: u16, address: &[u8], account: u32, inode: u32) -> Vec<u8> {
        let mut bytes = vec![family, 10, 0, 0];
        bytes.extend_from_slice(&port.to_be_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(address);
        bytes.resize(64, 0);
        bytes.extend_from_slice(&account.to_ne_bytes());
        bytes.extend_from_slice(&inode.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_socket_of_either_family_is_read() {
        let six = Ipv6Addr::LOCALHOST.octets();
        let rows = [
            body(AF_INET, 22, &[127, 0, 0, 1], 0, 4711),
            body(AF_INET6, 8443, &six, 998, 4712),
            body(1, 8443, &six, 998, 4712),
        ];
        let told = rows.iter().filter_map(|body| row(body));
        let told: Vec<_> =
            told.map(|it| (it.address.to_string(), it.port, it.account, it.inode)).collect();
        assert_eq!(
            told,
            [("127.0.0.1".to_owned(), 22, 0, 4711), ("::1".to_owned(), 8443, 998, 4712)]
        );
    }

    /// What the kernel says this way and what it says in its files are the same.
    #[test]
    fn the_kernel_tells_of_a_socket_that_waits() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let Some(sockets) = waiting() else { return };
        let ours = sockets.iter().find(|socket| socket.port == port && socket.address.is_ipv4());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let in_file = super::super::parse::waiting(&table, Protocol::Tcp);
        assert_eq!(ours, in_file.iter().find(|socket| socket.port == port));
        assert!(ours.is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = row(&bytes);
        }
    }
}
