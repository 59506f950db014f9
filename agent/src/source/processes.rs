//! What runs, by the names the kernel gives; command lines are never read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::host::Host;

/// Processes, as far as they are seen.
pub(crate) struct Processes {
    names: BTreeMap<u32, String>,
    by_name: BTreeMap<String, Vec<u32>>,
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
        let ids = ids.iter().filter_map(|name| name.parse::<u32>().ok());
        let name = |id: u32| Some((id, host.value(&format!("/proc/{id}/comm"))?));
        let mut names: BTreeMap<u32, String> = ids.filter_map(name).collect();
        if names.is_empty() {
            names = of_mac(host).unwrap_or_default();
        }
        let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (id, name) in &names {
            by_name.entry(name.clone()).or_default().push(*id);
        }
        // Where processes of others are hidden (`hidepid`), the first is too. A system that is
        // not running has none.
        let all = names.contains_key(&1);
        Self { names, by_name, all }
    }

    /// Whether one of these runs; unknown where it may only be hidden.
    pub(crate) fn run(&self, names: &[&str]) -> Option<bool> {
        let seen = names.iter().any(|name| self.by_name.contains_key(*name));
        (seen || self.all).then_some(seen)
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
