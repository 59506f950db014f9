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
        let mut names = BTreeMap::new();
        let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let ids = host.list("/proc").unwrap_or_default();
        for id in ids.iter().filter_map(|name| name.parse::<u32>().ok()) {
            if let Some(name) = host.value(&format!("/proc/{id}/comm")) {
                by_name.entry(name.clone()).or_default().push(id);
                names.insert(id, name);
            }
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
