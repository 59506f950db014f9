//! Sockets that wait on a Windows computer, from the tables of its network and of its processes.
//!
//! A process is told by its name, its program and its services, never by its command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rollcall_shared::section::{Port, Section};
use rollcall_shared::{Note, NoteKind};

use super::parse::Protocol;
use crate::host::Host;
use crate::order;
use crate::source::text::clip;
use crate::source::{Gathered, Platform, Privilege, Source};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
/// The first number that the system gives out for a moment.
const FIRST_PASSING: u16 = 49_152;
/// Programs of the system whose services wait at whatever number they are given at each start.
/// Whoever wants to reach them asks at number 135 first.
const AT_ANY_NUMBER: &[&str] = &[
    "dfsrs.exe",
    "dfssvc.exe",
    "dns.exe",
    "lsass.exe",
    "services.exe",
    "spoolsv.exe",
    "svchost.exe",
    "System",
    "wininit.exe",
];
/// Sockets that are looked at, so that a broken length does no harm.
const ROWS_LIMIT: usize = 100_000;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "socket_table",
    section: "port",
    about: "Waiting sockets from the tables of the system, with the names of their programs and services; where programs of others lie only with administrator rights",
    platforms: &[Platform::Windows],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// What the system tells of its sockets and processes, as it tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// `MIB_TCPTABLE_OWNER_PID`, of sockets that wait.
    pub(super) tcp: Vec<u8>,
    /// `MIB_TCP6TABLE_OWNER_PID`.
    pub(super) tcp6: Vec<u8>,
    /// `MIB_UDPTABLE_OWNER_PID`.
    pub(super) udp: Vec<u8>,
    /// `MIB_UDP6TABLE_OWNER_PID`.
    pub(super) udp6: Vec<u8>,
    /// Names of the programs of processes.
    pub(super) programs: BTreeMap<u32, String>,
    /// Where they lie, as far as that is told.
    pub(super) paths: BTreeMap<u32, String>,
    /// Names of the services in a process.
    pub(super) services: BTreeMap<u32, Vec<String>>,
    /// Tables that were not told.
    pub(super) missing: Vec<&'static str>,
}

/// A socket that waits, and the process that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket {
    protocol: Protocol,
    address: IpAddr,
    port: u16,
    process: u32,
}

fn gather(host: &Host) -> Gathered {
    let tables = tables(host);
    let mut notes: Vec<Note> = tables
        .missing
        .iter()
        .map(|name| {
            let why = format!("the system does not tell its table of {name}");
            Note::new(NoteKind::Failed).with_detail(why)
        })
        .collect();
    if tables.tcp.is_empty() && tables.tcp6.is_empty() {
        return Gathered { section: None, notes };
    }
    let sockets = sockets(&tables);
    let sockets = sockets.into_iter().filter(|socket| !is_passing(socket, &tables));
    let mut hidden = false;
    let mut rows: Vec<Port> = sockets
        .map(|socket| {
            let path = tables.paths.get(&socket.process);
            let name = tables.programs.get(&socket.process);
            hidden |= path.is_none() && name.is_some_and(|name| name != "System");
            Port {
                port: socket.port,
                protocol: socket.protocol.word().to_owned(),
                address: socket.address.to_string(),
                process: process(&tables, socket.process),
                path: path.map(|path| clip(of_nobody(path).as_bytes())),
                package: None,
                account: account(host, &tables, socket.process),
            }
        })
        .collect();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    if hidden {
        let why = "where programs of other accounts lie needs administrator rights";
        notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
    Gathered { section: Some(Section::Port(rows)), notes }
}

/// `sqlservr.exe`, and of a program that runs many services `svchost.exe (TermService)`.
fn process(tables: &Tables, id: u32) -> Option<String> {
    let name = tables.programs.get(&id)?;
    let told = match tables.services.get(&id) {
        Some(services) if name.eq_ignore_ascii_case("svchost.exe") => {
            format!("{name} ({})", services.join(", "))
        }
        _ => name.clone(),
    };
    Some(clip(told.as_bytes()))
}

/// The path without the name of the person in whose profile the program lies.
fn of_nobody(path: &str) -> String {
    const PROFILES: &str = r":\Users\";
    let Some((before, rest)) = path.split_once(PROFILES) else { return path.to_owned() };
    match rest.split_once('\\') {
        Some((name, rest)) if before.len() == 1 && name != "Public" => {
            format!(r"{before}{PROFILES}*\{rest}")
        }
        _ => path.to_owned(),
    }
}

/// The account that the service of a process is to run as.
fn account(host: &Host, tables: &Tables, id: u32) -> Option<String> {
    let service = tables.services.get(&id)?.first()?;
    host.registry(&format!(r"{SERVICES}\{service}")).ok()?.text("ObjectName")
}

/// Whether it will wait at another number the next time. UDP has no connections, so whoever asks
/// also seems to wait.
fn is_passing(socket: &Socket, tables: &Tables) -> bool {
    let of_system = || {
        let name = tables.programs.get(&socket.process);
        name.is_none_or(|name| AT_ANY_NUMBER.iter().any(|one| one.eq_ignore_ascii_case(name)))
    };
    socket.port >= FIRST_PASSING
        && (socket.protocol == Protocol::Udp || socket.address.is_loopback() || of_system())
}

fn sockets(tables: &Tables) -> Vec<Socket> {
    let mut found = Vec::new();
    // The state comes first.
    found.extend(rows(&tables.tcp, 24).filter_map(|row| four(row, Protocol::Tcp, 4, 20)));
    found.extend(rows(&tables.tcp6, 56).filter_map(|row| six(row, Protocol::Tcp, 52)));
    found.extend(rows(&tables.udp, 12).filter_map(|row| four(row, Protocol::Udp, 0, 8)));
    found.extend(rows(&tables.udp6, 28).filter_map(|row| six(row, Protocol::Udp, 24)));
    found
}

/// The rows of a table, after their number.
fn rows(table: &[u8], row_bytes: usize) -> impl Iterator<Item = &[u8]> {
    let count = word(table, 0).and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    let rows = table.get(4..).unwrap_or_default().chunks_exact(row_bytes);
    rows.take(count.min(ROWS_LIMIT))
}

fn four(row: &[u8], protocol: Protocol, address_at: usize, process_at: usize) -> Option<Socket> {
    let bytes: [u8; 4] = row.get(address_at..address_at + 4)?.try_into().ok()?;
    Some(Socket {
        protocol,
        address: Ipv4Addr::from(bytes).into(),
        port: port(row, address_at + 4)?,
        process: word(row, process_at)?,
    })
}

/// The address is followed by the number of the network it holds in.
fn six(row: &[u8], protocol: Protocol, process_at: usize) -> Option<Socket> {
    let bytes: [u8; 16] = row.get(..16)?.try_into().ok()?;
    Some(Socket {
        protocol,
        address: Ipv6Addr::from(bytes).into(),
        port: port(row, 20)?,
        process: word(row, process_at)?,
    })
}

/// Two bytes with the higher first, in the place of four.
fn port(row: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(row.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn tables(host: &Host) -> Tables {
    if host.is_live() {
        return cfg_select! {
            windows => super::tables::tables(),
            _ => Tables::default(),
        };
    }
    let mut missing = Vec::new();
    let mut table = |name: &'static str, file: &str| {
        host.read(&format!("/call/{file}.bin")).unwrap_or_else(|_| {
            missing.push(name);
            Vec::new()
        })
    };
    let (tcp, tcp6) = (table("TCP", "tcp"), table("TCP on IPv6", "tcp6"));
    let (udp, udp6) = (table("UDP", "udp"), table("UDP on IPv6", "udp6"));
    let mut tables = Tables { tcp, tcp6, udp, udp6, missing, ..Tables::default() };
    // The number of a process, its program, where that lies, and its services.
    for line in host.captured_call("processes").unwrap_or_default().lines() {
        let mut fields = line.split('\t');
        let Some(id) = fields.next().and_then(|id| id.parse().ok()) else { continue };
        let mut text = || fields.next().filter(|text| !text.is_empty()).map(str::to_owned);
        tables.programs.extend(text().map(|name| (id, name)));
        tables.paths.extend(text().map(|path| (id, path)));
        let services = text().unwrap_or_default();
        if !services.is_empty() {
            tables.services.insert(id, services.split(',').map(str::to_owned).collect());
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_tables_there_is_a_note_for_each() {
        let gathered = gather(&Host::at("/nonexistent-root"));
        assert!(gathered.section.is_none());
        assert_eq!(gathered.notes.len(), 4);
        assert!(gathered.notes.iter().all(|note| note.kind == NoteKind::Failed));
    }

    #[test]
    fn a_program_in_a_profile_names_nobody() {
        let told = of_nobody(r"C:\Users\anna.berg\AppData\Local\Discord\Discord.exe");
        assert_eq!(told, r"C:\Users\*\AppData\Local\Discord\Discord.exe");
        for other in [r"C:\Users\Public\tool.exe", r"C:\Windows\System32\svchost.exe"] {
            assert_eq!(of_nobody(other), other);
        }
    }

    #[test]
    fn a_number_of_the_moment_is_told_from_one_that_was_chosen() {
        let programs = [(7, "lsass.exe"), (8, "db2syscs.exe")];
        let programs = programs.map(|(id, name)| (id, name.to_owned())).into();
        let tables = Tables { programs, ..Tables::default() };
        let socket = |protocol, address: [u8; 4], port, process| Socket {
            protocol,
            address: Ipv4Addr::from(address).into(),
            port,
            process,
        };
        let any = [0, 0, 0, 0];
        assert!(is_passing(&socket(Protocol::Tcp, any, 49_664, 7), &tables));
        assert!(is_passing(&socket(Protocol::Tcp, [127, 0, 0, 1], 50_000, 8), &tables));
        assert!(is_passing(&socket(Protocol::Udp, any, 50_000, 8), &tables));
        assert!(!is_passing(&socket(Protocol::Tcp, any, 50_000, 8), &tables));
        assert!(!is_passing(&socket(Protocol::Tcp, any, 135, 7), &tables));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(count in 0_u32..9, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let table = [count.to_le_bytes().to_vec(), bytes].concat();
            let tables = Tables {
                tcp: table.clone(),
                tcp6: table.clone(),
                udp: table.clone(),
                udp6: table,
                ..Tables::default()
            };
            prop_assert!(sockets(&tables).len() <= 4 * usize::try_from(count).unwrap());
        }
    }
}
