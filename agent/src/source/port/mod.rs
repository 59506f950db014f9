//! Sockets that wait for others, from the kernel's tables.
//!
//! A process is told by its name and its program, never by its command line.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::section::{Port, Section};
use rollcall_shared::{Note, NoteKind};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;
use crate::source::text::clip;

mod owner;
pub mod parse;

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
pub(crate) struct Holder {
    /// As the kernel calls it.
    pub(crate) name: Option<String>,
    pub(crate) path: Option<String>,
}

fn gather(host: &Host) -> Gathered {
    let sockets = match sockets(host) {
        Ok(sockets) => sockets,
        Err(note) => return Gathered::absent(note),
    };
    let wanted: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let (holders, hidden) = holders(host, &wanted);
    let paths = holders.values().filter_map(|holder| holder.path.clone()).collect();
    let packages = owner::packages(host, paths);
    let accounts = accounts(host);
    let rows = sockets.iter().map(|socket| {
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
    if hidden && rows.iter().any(|row| row.process.is_none()) {
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
    for (path, protocol) in TABLES {
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
    if !read {
        return Err(Note::new(NoteKind::NotFound).with_detail("the kernel shows no sockets"));
    }
    sockets.retain(|socket| !socket.is_passing(&passing));
    Ok(sockets)
}

/// Who holds the sockets with these numbers, and whether some processes are hidden from us.
fn holders(host: &Host, wanted: &BTreeSet<u64>) -> (BTreeMap<u64, Holder>, bool) {
    let names = host.list("/proc").unwrap_or_default();
    let mut ids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    // The first process holds sockets for others; they are theirs.
    ids.sort_by_key(|id| (*id == 1, *id));
    let mut found: BTreeMap<u64, Holder> = BTreeMap::new();
    let mut hidden = false;
    for id in ids {
        if found.len() == wanted.len() {
            break;
        }
        let folder = format!("/proc/{id}/fd");
        let descriptors = match host.list(&folder) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                hidden |= !error.is_not_found();
                continue;
            }
        };
        let mut of_process: Option<Holder> = None;
        for descriptor in descriptors {
            let Ok(target) = host.link(&format!("{folder}/{descriptor}")) else { continue };
            let Some(inode) = target.to_str().and_then(parse::socket_inode) else { continue };
            if wanted.contains(&inode) && !found.contains_key(&inode) {
                let holder = of_process.get_or_insert_with(|| holder(host, id));
                found.insert(inode, holder.clone());
            }
        }
    }
    (found, hidden)
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
    let mut ports = BTreeSet::new();
    let sockets = if ids.is_empty() { Vec::new() } else { sockets(host).unwrap_or_default() };
    for id in ids {
        let folder = format!("/proc/{id}/fd");
        for descriptor in host.list(&folder).unwrap_or_default() {
            let Ok(target) = host.link(&format!("{folder}/{descriptor}")) else { continue };
            let inode = target.to_str().and_then(parse::socket_inode);
            let here = sockets.iter().filter(|socket| Some(socket.inode) == inode);
            ports.extend(here.map(|socket| socket.port));
        }
    }
    ports.into_iter().collect()
}

#[cfg(test)]
mod tests;
