//! Sockets that wait for others, from the kernel's tables.
//!
//! A process is told by its name and its program, never by its command line.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_shared::section::{Port, Section};
use rollcall_shared::{Note, NoteKind};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;
use crate::source::text::clip;

#[cfg(target_os = "linux")]
mod diag;
mod holders;
mod macos;
mod owner;
pub mod parse;
#[cfg(target_os = "macos")]
mod sockets;
#[cfg(windows)]
mod tables;
mod windows;

pub use macos::MACOS;
#[cfg(windows)]
pub(crate) use tables::programs;
pub use windows::WINDOWS;

use holders::Table;
use parse::{Protocol, Socket};

/// Open ports.
pub const SOURCE: Source = Source {
    name: "port",
    section: "port",
    about: "Waiting sockets in /proc/net; with administrator rights also whose they are",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

const TABLES: &[(&str, Protocol)] = &[
    ("/proc/net/tcp", Protocol::Tcp),
    ("/proc/net/tcp6", Protocol::Tcp),
    ("/proc/net/udp", Protocol::Udp),
    ("/proc/net/udp6", Protocol::Udp),
];

/// A program that holds a socket.
#[derive(Debug, Clone, Default)]
struct Holder {
    /// As the kernel calls it.
    name: Option<String>,
    path: Option<String>,
}

fn gather(host: &Host) -> Gathered {
    let table = table(host);
    let table = match &*table {
        Ok(table) => table,
        Err(note) => return Gathered::absent(note.clone()),
    };
    let holders = holders(host, table);
    let paths = holders.values().filter_map(|holder| holder.path.clone()).collect();
    let packages = owner::packages(host, paths);
    let accounts = host.keep("names of accounts", accounts);
    let rows = table.sockets.iter().map(|socket| {
        let holder = holders.get(&socket.inode).cloned().unwrap_or_default();
        Port {
            port: socket.port,
            protocol: socket.protocol.word().to_owned(),
            address: socket.address.to_string(),
            process: holder.name,
            package: holder.path.as_ref().and_then(|path| packages.get(path).cloned()),
            path: holder.path.map(|path| clip(path.as_bytes())),
            account: accounts.get(&socket.account).cloned(),
        }
    });
    let mut rows: Vec<Port> = rows.collect();
    // Several processes may wait at one address together.
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    let mut notes = Vec::new();
    if table.hidden && rows.iter().any(|row| row.process.is_none()) {
        let why = "naming the programs of other accounts needs administrator rights";
        notes.push(Note::new(NoteKind::NeedsPrivilege).with_detail(why));
    }
    Gathered { section: Some(Section::Port(rows)), notes }
}

/// Sockets that wait, but for those at numbers that are given out for a moment.
fn sockets(host: &Host) -> Result<Vec<Socket>, Note> {
    let passing = host.value("/proc/sys/net/ipv4/ip_local_port_range");
    let passing = parse::range(passing.as_deref().unwrap_or_default());
    let mut sockets = Vec::new();
    let mut read = false;
    let told: Option<Vec<Socket>> = cfg_select! {
        target_os = "linux" => if host.is_live() { diag::waiting() } else { None },
        _ => None,
    };
    let by_file = |protocol: Protocol| told.is_none() || protocol != Protocol::Tcp;
    for (path, protocol) in TABLES.iter().filter(|(_, protocol)| by_file(*protocol)) {
        match host.read_text(path) {
            Ok(text) => {
                read = true;
                sockets.extend(parse::waiting(&text, *protocol));
            }
            // Without IPv6 there are no tables of it.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    read |= told.is_some();
    sockets.extend(told.into_iter().flatten());
    if !read {
        return Err(Note::new(NoteKind::NotFound).with_detail("the kernel shows no sockets"));
    }
    sockets.retain(|socket| !socket.is_passing(&passing));
    Ok(sockets)
}

/// The sockets that wait and who holds them, found out once in a look.
fn table(host: &Host) -> Arc<Result<Table, Note>> {
    host.keep("waiting sockets", |host| Ok(Table::of(host, sockets(host)?)))
}

/// The program behind each socket.
fn holders(host: &Host, table: &Table) -> BTreeMap<u64, Holder> {
    let mut programs: BTreeMap<u32, Holder> = BTreeMap::new();
    let of_socket = |socket: &Socket| {
        let id = table.holder(socket.inode)?;
        let program = programs.entry(id).or_insert_with(|| holder(host, id));
        Some((socket.inode, program.clone()))
    };
    table.sockets.iter().filter_map(of_socket).collect()
}

fn holder(host: &Host, id: u32) -> Holder {
    let path = host.link(&format!("/proc/{id}/exe")).ok();
    let path = path.map(|path| path.to_string_lossy().into_owned());
    Holder {
        name: host.value(&format!("/proc/{id}/comm")).map(|name| clip(name.as_bytes())),
        // An upgrade removes the program that still runs.
        path: path.map(|path| path.trim_end_matches(" (deleted)").to_owned()),
    }
}

/// Names of accounts by number.
fn accounts(host: &Host) -> BTreeMap<u32, String> {
    let text = host.read_text("/etc/passwd").unwrap_or_default();
    let account = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number = fields.nth(1)?.parse().ok()?;
        Some((number, clip(name.as_bytes())))
    };
    let mut accounts = BTreeMap::new();
    for (number, name) in text.lines().filter_map(account) {
        accounts.entry(number).or_insert(name);
    }
    accounts
}

/// Numbers at which these processes wait, as far as this may be seen.
pub(crate) fn of_processes(host: &Host, ids: &[u32]) -> Vec<u16> {
    if ids.is_empty() {
        return Vec::new();
    }
    table(host).as_ref().as_ref().map(|table| table.ports_of(ids)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
