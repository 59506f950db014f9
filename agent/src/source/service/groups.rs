//! The control groups that systemd makes, one for each service that runs.

use std::collections::BTreeSet;

use crate::host::Host;
use crate::source::text::has_ending;

/// Where the tree lies: alone, beside the older trees, and in those.
const ROOTS: &[&str] = &["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];
/// Slices lie within slices.
const DEPTH: usize = 5;
const GROUPS_LIMIT: usize = 20_000;

/// Names of services that run, e.g. `ssh.service`; nothing where systemd does not run.
pub(crate) fn running(host: &Host) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut seen = false;
    for root in ROOTS {
        if !host.exists(&format!("{root}/system.slice")) {
            continue;
        }
        seen = true;
        let slices = host.list(root).unwrap_or_default();
        // Services of people who are signed in are none of the computer.
        for slice in slices.iter().filter(|name| is_slice(name) && *name != "user.slice") {
            collect(host, &format!("{root}/{slice}"), DEPTH, &mut names);
        }
    }
    seen.then_some(names)
}

fn is_slice(name: &str) -> bool {
    has_ending(name, "slice")
}

fn collect(host: &Host, folder: &str, depth: usize, names: &mut BTreeSet<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for name in host.list(folder).unwrap_or_default() {
        if names.len() >= GROUPS_LIMIT {
            return;
        }
        if is_slice(&name) {
            collect(host, &format!("{folder}/{name}"), depth, names);
        } else if has_ending(&name, "service") || has_ending(&name, "scope") {
            names.insert(name);
        }
    }
}
