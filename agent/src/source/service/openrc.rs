//! Services of `OpenRC`: scripts, run levels, and the marks of what was started.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_shared::section::Service;
use rollcall_shared::section::service::{ServiceStart, ServiceState};

use super::parse::openrc_script;
use crate::host::Host;
use crate::source::text::{clip, has_ending};

const LEVELS: &str = "/etc/runlevels";

/// Services, which hold as long as no script, run level or mark changes.
pub(super) fn services(host: &Host) -> Arc<Vec<Service>> {
    host.keep("services of OpenRC", look)
}

fn look(host: &Host) -> Vec<Service> {
    let Ok(levels) = host.list(LEVELS) else { return Vec::new() };
    let mut automatic = BTreeSet::new();
    for level in levels.iter().filter(|level| *level != "shutdown") {
        automatic.extend(host.list(&format!("{LEVELS}/{level}")).unwrap_or_default());
    }
    let started = ["/run/openrc/started", "/lib/rc/init.d/started"]
        .iter()
        .find_map(|folder| host.list(folder).ok());
    let scripts = host.list("/etc/init.d").unwrap_or_default();
    let scripts = scripts.into_iter().filter(|name| !has_ending(name, "sh"));
    scripts
        .filter_map(|name| {
            let text = host.read_text(&format!("/etc/init.d/{name}")).ok()?;
            let head = text.lines().next().unwrap_or_default();
            if !head.contains("openrc-run") && !head.contains("runscript") {
                return None;
            }
            let script = openrc_script(&text);
            // Scripts without a program set something up and end.
            let state = started.as_ref().filter(|_| script.program.is_some()).map(|started| {
                if started.contains(&name) { ServiceState::Running } else { ServiceState::Stopped }
            });
            let start = if automatic.contains(&name) {
                ServiceStart::Automatic
            } else {
                ServiceStart::Manual
            };
            Some(Service {
                name: clip(name.as_bytes()),
                description: script.description.map(|text| clip(text.as_bytes())),
                start: Some(start),
                state,
                path: script.program,
                account: script.account,
                manager: Some("openrc".to_owned()),
            })
        })
        .collect()
}
