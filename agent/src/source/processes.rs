//! What runs, by the names the kernel gives; command lines are never read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::host::Host;

/// The program of the first process of a Mac.
const FIRST_OF_MAC: &str = "/sbin/launchd";

/// Processes, as far as they are seen.
pub(crate) struct Processes {
    names: BTreeMap<u32, String>,
    by_name: BTreeMap<String, Vec<u32>>,
    /// Where their programs lie, on a Mac.
    programs: BTreeSet<String>,
    /// Nothing is hidden from this program.
    all: bool,
}

impl Processes {
    /// Those that run now. In one look the names are read once for all who ask.
    pub(crate) fn of(host: &Host) -> Arc<Self> {
        host.keep("processes", Self::look)
    }

    fn look(host: &Host) -> Self {
        let ids = host.list("/proc").unwrap_or_default();
        let kernel = threads_of_the_kernel(host);
        let ids = ids.iter().filter_map(|name| name.parse::<u32>().ok());
        let ids = ids.filter(|id| !kernel.contains(id));
        let name = |id: u32| Some((id, host.value(&format!("/proc/{id}/comm"))?));
        let mut names: BTreeMap<u32, String> = ids.filter_map(name).collect();
        let mut programs = BTreeSet::new();
        if names.is_empty() {
            names = of_mac(host).unwrap_or_default();
            programs = programs_of_mac(host);
        }
        let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (id, name) in &names {
            by_name.entry(name.clone()).or_default().push(*id);
        }
        // Where processes of others are hidden (`hidepid`), the first is too. A system that is
        // not running has none.
        let all = names.contains_key(&1);
        Self { names, by_name, programs, all }
    }

    /// Whether one of these runs; unknown where it may only be hidden.
    pub(crate) fn run(&self, names: &[&str]) -> Option<bool> {
        let seen = names.iter().any(|name| self.by_name.contains_key(*name));
        (seen || self.all).then_some(seen)
    }

    /// Whether a process of this number runs; unknown where it may only be hidden.
    pub(crate) fn has(&self, id: u32) -> Option<bool> {
        let seen = self.names.contains_key(&id);
        (seen || self.all).then_some(seen)
    }

    /// Whether the program that lies there runs on this Mac; unknown where it may only be hidden.
    pub(crate) fn run_program(&self, path: &str) -> Option<bool> {
        let seen = self.programs.contains(path);
        // The first of all is seen by those who see all.
        (seen || self.programs.contains(FIRST_OF_MAC)).then_some(seen)
    }

    /// Numbers of the processes with one of these names.
    pub(crate) fn ids(&self, names: &[&str]) -> Vec<u32> {
        names.iter().filter_map(|name| self.by_name.get(*name)).flatten().copied().collect()
    }

    /// Every process by its number, with its name.
    pub(crate) fn names(&self) -> &BTreeMap<u32, String> {
        &self.names
    }
}

/// Where the programs lie that run on a Mac.
fn programs_of_mac(host: &Host) -> BTreeSet<String> {
    if !host.is_live() {
        let captured = host.captured_call("process_paths").unwrap_or_default();
        let path = |line: &str| Some(line.split_once('\t')?.1.to_owned());
        return captured.lines().filter_map(path).collect();
    }
    cfg_select! {
        target_os = "macos" => {
            super::process_call::processes()
                .into_iter()
                .filter_map(super::process_call::path)
                .collect()
        }
        _ => BTreeSet::new(),
    }
}

/// What runs on a Mac, which has no folder for it.
fn of_mac(host: &Host) -> Option<BTreeMap<u32, String>> {
    if !host.is_live() {
        let captured = host.captured_call("process_names")?;
        let pair = |line: &str| {
            let (id, name) = line.split_once('\t')?;
            Some((id.parse().ok()?, name.to_owned()))
        };
        return Some(captured.lines().filter_map(pair).collect());
    }
    cfg_select! {
        target_os = "macos" => {
            let mut system = sysinfo::System::new().ok()?;
            let nothing_else = sysinfo::ProcessRefreshKind::nothing();
            let all = sysinfo::ProcessesToUpdate::All;
            system.refresh_processes_specifics(all, true, nothing_else);
            let name = |process: &sysinfo::Process| process.name().to_string_lossy().into_owned();
            let all = system.processes().iter();
            Some(all.map(|(id, process)| (id.as_u32(), name(process))).collect())
        }
        _ => None,
    }
}

/// Threads of the kernel look like processes and are most of what `/proc` lists. All of them are
/// started by one, and the kernel may tell them at once; where it does not, they count as processes,
/// which costs time and is not wrong.
fn threads_of_the_kernel(host: &Host) -> BTreeSet<u32> {
    if !has_threads_of_the_kernel(host) {
        return BTreeSet::new();
    }
    let children = host.read_text("/proc/2/task/2/children").unwrap_or_default();
    children.split_whitespace().filter_map(|id| id.parse().ok()).chain([2]).collect()
}

/// Whether the kernel's own threads are seen here: inside of a container number 2 is anything.
pub(crate) fn has_threads_of_the_kernel(host: &Host) -> bool {
    *host.keep_while_running("threads of the kernel", |host| {
        host.value("/proc/2/comm").as_deref() == Some("kthreadd")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_the_kernel_are_no_processes() {
        let root = tempfile::tempdir().unwrap();
        let proc = root.path().join("proc");
        let names = [(1, "systemd"), (2, "kthreadd"), (7, "rcu_sched"), (9, "clamd"), (70, "bash")];
        for (id, name) in names {
            std::fs::create_dir_all(proc.join(id.to_string())).unwrap();
            std::fs::write(proc.join(format!("{id}/comm")), format!("{name}\n")).unwrap();
        }
        let seen = || {
            let host = Host::at(root.path());
            let processes = Processes::of(&host);
            processes.names().keys().copied().collect::<Vec<_>>()
        };
        assert_eq!(seen(), [1, 7, 9, 70], "a kernel that does not tell its threads");
        std::fs::create_dir_all(proc.join("2/task/2")).unwrap();
        std::fs::write(proc.join("2/task/2/children"), "7 ").unwrap();
        assert_eq!(seen(), [1, 9, 70]);
        std::fs::write(proc.join("2/comm"), "nginx\n").unwrap();
        assert_eq!(seen(), [1, 2, 7, 9, 70], "a container");
    }
}
