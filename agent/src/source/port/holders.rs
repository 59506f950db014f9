//! Which processes hold the sockets that wait.
//!
//! To find that out, the open files of every process are walked, which is dear. So what was found is
//! kept: as long as the same sockets wait, only processes that are new are walked. A socket that is
//! new, or whose holders are all gone, has every process walked again, and so has every full look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::parse::{self, Socket};
use crate::host::Host;
use crate::source::processes::Processes;

/// What is known of processes and sockets, kept from look to look.
#[derive(Debug, Default)]
struct Known {
    /// Names of the processes that were there; another name means another program.
    processes: BTreeMap<u32, String>,
    /// Processes by the number of a socket that they hold.
    holders: BTreeMap<u64, BTreeSet<u32>>,
    /// Sockets that no process that can be seen holds.
    unheld: BTreeSet<u64>,
    /// Processes whose open files were hidden.
    hidden: BTreeSet<u32>,
}

/// The sockets that wait, and who holds them.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) sockets: Vec<Socket>,
    holders: BTreeMap<u64, BTreeSet<u32>>,
    /// Whether the open files of some processes are hidden.
    pub(super) hidden: bool,
}

impl Table {
    /// These sockets and their holders.
    pub(super) fn of(host: &Host, sockets: Vec<Socket>) -> Self {
        let wanted: BTreeSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
        // Empty at first: kept for as long as this computer is looked at.
        let known = host.keep("holders of sockets", |_| Mutex::new(Known::default()));
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.follow(host, &Processes::of(host), &wanted);
        Self { sockets, holders: known.holders.clone(), hidden: !known.hidden.is_empty() }
    }

    /// The process that a socket is told with. The first process of the system holds sockets for
    /// others; they are theirs.
    pub(super) fn holder(&self, inode: u64) -> Option<u32> {
        self.holders.get(&inode)?.iter().copied().min_by_key(|id| (*id == 1, *id))
    }

    /// Numbers at which any of these processes waits.
    pub(super) fn ports_of(&self, ids: &[u32]) -> Vec<u16> {
        let is_theirs = |socket: &&Socket| {
            let holders = self.holders.get(&socket.inode);
            holders.is_some_and(|holders| ids.iter().any(|id| holders.contains(id)))
        };
        let ports: BTreeSet<u16> =
            self.sockets.iter().filter(is_theirs).map(|socket| socket.port).collect();
        ports.into_iter().collect()
    }
}

impl Known {
    fn follow(&mut self, host: &Host, now: &Arc<Processes>, wanted: &BTreeSet<u64>) {
        let now = now.names();
        let is_same = |id: &u32, before: &BTreeMap<u32, String>| before.get(id) == now.get(id);
        let gone: BTreeSet<u32> =
            self.processes.keys().filter(|id| !is_same(id, &self.processes)).copied().collect();
        let new: Vec<u32> =
            now.keys().filter(|id| !is_same(id, &self.processes)).copied().collect();
        for ids in self.holders.values_mut() {
            ids.retain(|id| !gone.contains(id));
        }
        self.hidden.retain(|id| !gone.contains(id));
        self.holders.retain(|inode, ids| wanted.contains(inode) && !ids.is_empty());
        self.unheld.retain(|inode| wanted.contains(inode));
        self.walk(host, new, wanted, false);
        let is_known =
            |inode: &u64| self.holders.contains_key(inode) || self.unheld.contains(inode);
        if !wanted.iter().all(is_known) {
            self.walk(host, now.keys().copied().collect(), wanted, true);
        }
        self.unheld = wanted.iter().filter(|it| !self.holders.contains_key(it)).copied().collect();
        self.processes.clone_from(now);
    }

    /// Looks for wanted sockets among the open files of these processes; with `until_found` only
    /// until each has a holder.
    fn walk(&mut self, host: &Host, ids: Vec<u32>, wanted: &BTreeSet<u64>, until_found: bool) {
        let mut ids = ids;
        ids.sort_unstable_by_key(|id| (*id == 1, *id));
        for id in ids {
            if wanted.is_empty() || until_found && self.holders.len() == wanted.len() {
                return;
            }
            let folder = format!("/proc/{id}/fd");
            let descriptors = match host.list(&folder) {
                Ok(descriptors) => descriptors,
                Err(error) => {
                    if !error.is_not_found() {
                        self.hidden.insert(id);
                    }
                    continue;
                }
            };
            for descriptor in descriptors {
                let Ok(target) = host.link(&format!("{folder}/{descriptor}")) else { continue };
                let inode = target.to_str().and_then(parse::socket_inode);
                if let Some(inode) = inode.filter(|inode| wanted.contains(inode)) {
                    self.holders.entry(inode).or_default().insert(id);
                }
            }
        }
    }
}
