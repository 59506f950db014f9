//! Waiting TCP sockets, asked of the kernel by its diagnostic socket (`NETLINK_SOCK_DIAG`).
//!
//! `/proc/net/tcp` says the same, but for it the kernel walks its whole table of connections, which on
//! a computer with much memory costs more than everything else in a look. This asks for those that
//! wait alone. Asking needs no rights; where the kernel does not answer, the files are read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::parse::{Protocol, Socket};

const HEAD_BYTES: usize = 16;
/// `struct inet_diag_msg`.
const ROW_BYTES: usize = 72;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `1 << TCP_LISTEN`.
const LISTENING: u32 = 1 << 10;

/// What came of one packet of the kernel's answer.
#[derive(Debug, PartialEq, Eq)]
enum Packet {
    /// More will come.
    More,
    /// That was the last.
    Last,
}

/// The request for all waiting sockets of a family.
fn request(family: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + 56);
    bytes.extend_from_slice(&72_u32.to_ne_bytes());
    bytes.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    // Number of the request, and of who asks: the kernel fills it in.
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family, IPPROTO_TCP, 0, 0]);
    bytes.extend_from_slice(&LISTENING.to_ne_bytes());
    // Any address and number.
    bytes.extend_from_slice(&[0; 48]);
    bytes
}

/// Reads a packet into `sockets`; `None` for one that is no answer or tells of an error.
fn packet(mut bytes: &[u8], sockets: &mut Vec<Socket>) -> Option<Packet> {
    while !bytes.is_empty() {
        let length = usize::try_from(word(bytes, 0)?).ok()?;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(HEAD_BYTES..length)?;
        match kind {
            NLMSG_DONE => return Some(Packet::Last),
            NLMSG_ERROR => return None,
            SOCK_DIAG_BY_FAMILY => sockets.extend(row(body)),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Packet::More)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
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

cfg_select! {
    target_os = "linux" => {
        use std::time::Duration;

        use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
        use rustix::net::sockopt::{Timeout, set_socket_timeout};
        use rustix::net::{
            AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
        };

        /// The kernel answers at once; this only keeps a broken one from holding up a look.
        const LIMIT: Duration = Duration::from_secs(5);
        /// The kernel fills its packets up to this.
        const PACKET_BYTES: usize = 32 * 1024;
        /// Packets that are read at most: more sockets than there are numbers.
        const PACKETS_LIMIT: usize = 10_000;

        /// All TCP sockets of this computer that wait; `None` where the kernel does not tell.
        pub(super) fn waiting() -> Option<Vec<Socket>> {
            let mut sockets = Vec::new();
            ask(AF_INET, &mut sockets)?;
            ask(AF_INET6, &mut sockets)?;
            Some(sockets)
        }

        fn ask(family: u8, sockets: &mut Vec<Socket>) -> Option<()> {
            let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC);
            let socket = socket_with(kind.0, kind.1, kind.2, Some(SOCK_DIAG)).ok()?;
            set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT)).ok()?;
            let kernel = SocketAddrNetlink::new(0, 0);
            sendto(&socket, &request(family), SendFlags::empty(), &kernel).ok()?;
            let mut buffer = vec![0_u8; PACKET_BYTES];
            for _ in 0..PACKETS_LIMIT {
                let (_, length) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).ok()?;
                if packet(buffer.get(..length)?, sockets)? == Packet::Last {
                    return Some(());
                }
            }
            None
        }
    }
    _ => {
        /// Other systems have no such socket.
        pub(super) fn waiting() -> Option<Vec<Socket>> {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEAD_BYTES + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(body);
        bytes
    }

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
    fn an_answer_of_several_messages_is_read() {
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, &body(AF_INET, 22, &[127, 0, 0, 1], 0, 4711));
        let six = Ipv6Addr::LOCALHOST.octets();
        bytes.extend(message(SOCK_DIAG_BY_FAMILY, &body(AF_INET6, 8443, &six, 998, 4712)));
        let mut sockets = Vec::new();
        assert_eq!(packet(&bytes, &mut sockets), Some(Packet::More));
        let told: Vec<_> = sockets
            .iter()
            .map(|it| (it.address.to_string(), it.port, it.account, it.inode))
            .collect();
        assert_eq!(
            told,
            [("127.0.0.1".to_owned(), 22, 0, 4711), ("::1".to_owned(), 8443, 998, 4712)]
        );
        bytes.extend(message(NLMSG_DONE, &[0; 4]));
        assert_eq!(packet(&bytes, &mut sockets), Some(Packet::Last));
        assert_eq!(packet(&message(NLMSG_ERROR, &[0; 20]), &mut sockets), None);
    }

    /// What the kernel says this way and what it says in its files are the same.
    #[test]
    #[cfg(target_os = "linux")]
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
        fn no_bytes_make_it_panic_or_go_on_for_ever(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            length in 0_u32..200,
        ) {
            let mut bytes = bytes;
            let _ = packet(&bytes, &mut Vec::new());
            if bytes.len() >= 6 {
                bytes[..4].copy_from_slice(&length.to_ne_bytes());
                bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
                let _ = packet(&bytes, &mut Vec::new());
            }
        }
    }
}
