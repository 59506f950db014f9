//! Sockets that wait on a Mac, by what the kernel tells of the open files of each process.
//!
//! A process is told by its name and its program, never by its command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rollcall_shared::section::{Port, Section};
use rollcall_shared::{Note, NoteKind};

use super::accounts;
use super::parse::Protocol;
use crate::host::Host;
use crate::order;
use crate::source::text::clip;
use crate::source::{Gathered, Platform, Privilege, Source};

/// The first number that the system gives out for a moment, and the first of people's accounts.
const FIRST_PASSING: u16 = 49_152;
const FIRST_PERSON: u32 = 500;
const SOCKETS_LIMIT: usize = 10_000;

/// Places in what the kernel tells of a socket (`socket_fdinfo`): the account that owns it, what is
/// spoken, what kind of addresses it has, and which of the parts follow.
const ACCOUNT: usize = 40;
const PROTOCOL: usize = 180;
const FAMILY: usize = 184;
const KIND: usize = 256;
/// Number at the other end, number at this end, address at this end, state of a connection.
const FAR_PORT: usize = 264;
const NEAR_PORT: usize = 268;
const NEAR_ADDRESS: usize = 312;
const STATE: usize = 344;
/// Up to here a row must reach.
pub(super) const LEAST_BYTES: usize = STATE + 4;

/// The declaration.
pub const MACOS: Source = Source {
    name: "open_sockets",
    section: "port",
    about: "Waiting sockets among the open files of processes as the kernel tells them; those of others only with administrator rights",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// What the kernel tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Sockets that wait, each with the number of its process.
    sockets: Vec<(u32, Socket)>,
    /// Where the programs of these processes lie.
    pub(super) paths: BTreeMap<u32, String>,
    /// There are processes whose files are not for us.
    pub(super) hidden: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket {
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    account: u32,
}

impl Told {
    /// Takes one socket of a process; says whether it waits for others.
    pub(super) fn add(&mut self, process: u32, row: &[u8]) -> bool {
        let socket = waiting(row).filter(|socket| !socket.is_passing());
        let Some(socket) = socket.filter(|_| self.sockets.len() < SOCKETS_LIMIT) else {
            return false;
        };
        self.sockets.push((process, socket));
        true
    }
}

impl Socket {
    /// Whether its number was given out for a moment. The system's own helpers of people wait at
    /// another number after each start.
    fn is_passing(&self) -> bool {
        let of_a_person = self.account >= FIRST_PERSON;
        self.port >= FIRST_PASSING && (self.protocol == Protocol::Udp || of_a_person)
    }
}

fn gather(host: &Host) -> Gathered {
    let Some(told) = told(host) else {
        let why = "the kernel tells of no open files";
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    };
    let accounts = accounts(host);
    let mut rows: Vec<Port> = told
        .sockets
        .iter()
        .map(|(process, socket)| {
            let path = told.paths.get(process);
            let name = path.and_then(|path| path.rsplit('/').next());
            Port {
                port: socket.port,
                protocol: socket.protocol.word().to_owned(),
                address: socket.address.to_string(),
                process: name.map(|name| clip(name.as_bytes())),
                package: path.and_then(|path| package(path)).map(|name| clip(name.as_bytes())),
                path: path.map(|path| clip(path.as_bytes())),
                account: accounts.get(&socket.account).cloned(),
            }
        })
        .collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    let mut notes = Vec::new();
    if told.hidden {
        let why = "sockets of processes of other accounts need administrator rights";
        notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
    Gathered { section: Some(Section::Port(rows)), notes }
}

/// The application, if it is none of the system's own, or the formula of Homebrew that a program is part of.
fn package(path: &str) -> Option<&str> {
    if let Some((_, rest)) = path.split_once("/Cellar/") {
        return rest.split('/').next();
    }
    let (bundle, _) = path.split_once(".app/").filter(|_| !path.starts_with("/System/"))?;
    bundle.rsplit('/').next()
}

/// The socket of a row, where it waits for others.
fn waiting(row: &[u8]) -> Option<Socket> {
    const IP_V4: u32 = 2;
    const IP_V6: u32 = 30;
    const TCP: (u32, u32) = (6, 2);
    const UDP: (u32, u32) = (17, 1);
    const LISTENS: u32 = 1;
    let number =
        |at: usize| Some(u32::from_le_bytes(row.get(at..at.checked_add(4)?)?.try_into().ok()?));
    // Numbers of ports lie in the first two bytes, with the large end first.
    let port = |at: usize| Some(u16::from_be_bytes(row.get(at..at + 2)?.try_into().ok()?));
    number(LEAST_BYTES - 4)?;
    let (protocol, waits) = match (number(PROTOCOL)?, number(KIND)?) {
        TCP => (Protocol::Tcp, number(STATE)? == LISTENS),
        UDP => (Protocol::Udp, port(FAR_PORT)? == 0),
        _ => return None,
    };
    let address: [u8; 16] = row.get(NEAR_ADDRESS..NEAR_ADDRESS + 16)?.try_into().ok()?;
    let address = match number(FAMILY)? {
        // The shorter address stands at the end.
        IP_V4 => IpAddr::V4(Ipv4Addr::new(address[12], address[13], address[14], address[15])),
        IP_V6 => IpAddr::V6(Ipv6Addr::from(address)),
        _ => return None,
    };
    let port = port(NEAR_PORT).filter(|port| *port != 0)?;
    waits.then_some(Socket { protocol, address, port, account: number(ACCOUNT)? })
}

fn told(host: &Host) -> Option<Told> {
    if !host.is_live() {
        return captured(host);
    }
    cfg_select! {
        target_os = "macos" => super::sockets::told(),
        _ => None,
    }
}

/// In a file of bytes: number of the process and length of what follows, each four bytes with the
/// small end first, and the row; paths in a file of text.
fn captured(host: &Host) -> Option<Told> {
    let bytes = host.read("/call/sockets.bin").ok()?;
    let mut told = Told::default();
    let mut rest = bytes.as_slice();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let process = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let Some((row, after)) = after.split_at_checked(usize::try_from(length).ok()?) else {
            break;
        };
        told.add(process, row);
        rest = after;
    }
    let paths = host.captured_call("process_paths").unwrap_or_default();
    let pair = |line: &str| {
        let (id, path) = line.split_once('\t')?;
        Some((id.parse().ok()?, path.to_owned()))
    };
    told.paths = paths.lines().filter_map(pair).collect();
    Some(told)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packages_of_programs() {
        let docker = "/Applications/Docker.app/Contents/MacOS/com.docker.backend";
        assert_eq!(package(docker), Some("Docker"));
        assert_eq!(package("/opt/homebrew/Cellar/redis/7.4.1/bin/redis-server"), Some("redis"));
        assert_eq!(package("/usr/libexec/sshd"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut row in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = waiting(&row);
            if row.len() >= LEAST_BYTES {
                for (at, number) in [(PROTOCOL, 6_u32), (FAMILY, 30), (KIND, 2), (STATE, 1)] {
                    row[at..at + 4].copy_from_slice(&number.to_le_bytes());
                }
                row[NEAR_PORT] |= 1;
                prop_assert!(waiting(&row).is_some());
            }
        }
    }
}
