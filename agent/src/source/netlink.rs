//! Questions to the kernel over a netlink socket: one request, and an answer of many messages.

use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto,
    socket_with,
};

const HEAD_BYTES: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// The kernel answers at once; this only keeps a broken one from holding up a look.
const LIMIT: Duration = Duration::from_secs(5);
/// The kernel fills its packets up to this.
const PACKET_BYTES: usize = 32 * 1024;
/// Packets that are read at most: more sockets than there are numbers.
const PACKETS_LIMIT: usize = 10_000;

/// What came of one packet of the kernel's answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// More will come.
    More,
    /// That was the last.
    Last,
}

/// A request for everything of a kind.
pub(super) fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEAD_BYTES + body.len()).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&DUMP.to_ne_bytes());
    // Number of the request, and of who asks: the kernel fills it in.
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(body);
    bytes
}

/// Gives each message of a packet with its kind; `None` for a packet that is no answer or tells of
/// an error.
pub(super) fn packet(mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) -> Option<Packet> {
    while !bytes.is_empty() {
        let length = usize::try_from(word(bytes, 0)?).ok()?;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(HEAD_BYTES..length)?;
        match kind {
            NLMSG_DONE => return Some(Packet::Last),
            NLMSG_ERROR => return None,
            _ => each(kind, body),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Packet::More)
}

/// Four bytes as a number of this computer.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Asks, and gives each message of the answer with its kind; `None` where the kernel does
/// not tell all. Asking needs no rights.
pub(super) fn ask(
    protocol: Option<Protocol>,
    request: &[u8],
    mut each: impl FnMut(u16, &[u8]),
) -> Option<()> {
    let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC);
    let socket = socket_with(kind.0, kind.1, kind.2, protocol).ok()?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT)).ok()?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, request, SendFlags::empty(), &kernel).ok()?;
    let mut buffer = vec![0_u8; PACKET_BYTES];
    for _ in 0..PACKETS_LIMIT {
        let (_, length) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).ok()?;
        if packet(buffer.get(..length)?, &mut each)? == Packet::Last {
            return Some(());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the kernel would write it.
    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEAD_BYTES + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn an_answer_of_several_messages_is_read() {
        let mut bytes = [message(20, &[1, 2, 3, 4]), message(20, &[5, 6, 7, 8])].concat();
        let mut seen = Vec::new();
        let told = packet(&bytes, |kind, body| seen.push((kind, body.to_vec())));
        assert_eq!(told, Some(Packet::More));
        assert_eq!(seen, [(20, vec![1, 2, 3, 4]), (20, vec![5, 6, 7, 8])]);
        bytes.extend(message(NLMSG_DONE, &[0; 4]));
        assert_eq!(packet(&bytes, |_, _| {}), Some(Packet::Last));
        assert_eq!(packet(&message(NLMSG_ERROR, &[0; 20]), |_, _| {}), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            length in 0_u32..200,
        ) {
            let mut bytes = bytes;
            let _ = packet(&bytes, |_, _| {});
            if bytes.len() >= 6 {
                bytes[..4].copy_from_slice(&length.to_ne_bytes());
                bytes[4..6].copy_from_slice(&20_u16.to_ne_bytes());
                let _ = packet(&bytes, |_, _| {});
            }
        }
    }
}
