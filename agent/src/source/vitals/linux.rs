//! Where a Linux system keeps the numbers that move.

use rollcall_shared::report::{Reboot, Session, Vitals};
use rollcall_shared::version::Scheme;

use super::{parse, times};
use crate::host::Host;
use crate::order;
use crate::source::os::running_kernel;
use crate::source::software::{dpkg, pacman, rpm};
use crate::source::update::last_installed_at;
use crate::source::user::records;

cfg_select! {
    target_os = "linux" => {
        use crate::source::battery::charges;
        use crate::source::system::is_container;
        use crate::source::volume::spaces;
    }
    _ => {
        fn charges(_: &Host) -> Vec<rollcall_shared::report::BatteryCharge> {
            Vec::new()
        }
        fn is_container(_: &Host) -> bool {
            false
        }
        fn spaces(_: &Host) -> Vec<rollcall_shared::report::VolumeSpace> {
            Vec::new()
        }
    }
}

const SESSIONS_LIMIT: usize = 1000;
const REASONS_LIMIT: usize = 50;

/// Looks at the numbers that move. What cannot be read is left out.
pub(super) fn vitals(host: &Host) -> Vitals {
    let text = |path: &str| host.read_text(path).unwrap_or_default();
    Vitals {
        booted_at: parse::booted_at(&text("/proc/stat")),
        volumes: spaces(host),
        memory_available_bytes: parse::memory_available_bytes(&text("/proc/meminfo")),
        batteries: charges(host),
        sessions: sessions(host),
        reboot: reboot(host),
        update_lists_at: times::lists_at(host),
        last_upgrade_at: last_installed_at(host),
    }
}

fn sessions(host: &Host) -> Vec<Session> {
    let folder = "/run/systemd/sessions";
    let files = host.list(folder).unwrap_or_default();
    let mut sessions: Vec<Session> = files
        .iter()
        .filter(|name| !name.contains('.'))
        .take(SESSIONS_LIMIT)
        .filter_map(|name| parse::session(&host.read_text(&format!("{folder}/{name}")).ok()?))
        .collect();
    if sessions.is_empty() {
        let utmp = ["/run/utmp", "/var/run/utmp"].iter().find_map(|path| host.read(path).ok());
        sessions = records(&utmp.unwrap_or_default())
            .filter(|record| {
                !host.is_live() || host.exists(&format!("/proc/{}", record.process_id))
            })
            .take(SESSIONS_LIMIT)
            .map(|record| Session {
                user: record.user,
                terminal: record.terminal,
                // A local graphical session names its display here.
                remote_host: record.from.filter(|from| !from.starts_with(':')),
                since: Some(record.at),
            })
            .collect();
    }
    order::sort(&mut sessions, |a, b| {
        (&a.user, &a.terminal, a.since).cmp(&(&b.user, &b.terminal, b.since))
    });
    sessions
}

fn reboot(host: &Host) -> Option<Reboot> {
    // A container runs the kernel of another system and is not restarted for it.
    if is_container(host) {
        return None;
    }
    let mut reasons = Vec::new();
    let mut known = false;
    if host.exists("/run/reboot-required") {
        known = true;
        let packages = host.read_text("/run/reboot-required.pkgs").unwrap_or_default();
        reasons.extend(packages.lines().map(|line| line.trim().to_owned()));
        reasons.retain(|reason| !reason.is_empty());
        reasons.sort_unstable();
        reasons.dedup();
        reasons.truncate(REASONS_LIMIT);
        if reasons.is_empty() {
            reasons.push("/run/reboot-required".to_owned());
        }
    }
    if let Some(by_kernel) = kernel(host) {
        known = true;
        reasons.extend(by_kernel);
    }
    known.then_some(Reboot { pending: !reasons.is_empty(), reasons })
}

fn kernel(host: &Host) -> Option<Vec<String>> {
    let running = running_kernel(host)?;
    let modules = host.list("/lib/modules").or_else(|_| host.list("/usr/lib/modules")).ok()?;
    if host.exists(pacman::LOCAL) {
        // pacman keeps one kernel; an upgrade removes the modules of the one that runs.
        let gone = !modules.is_empty() && !modules.contains(&running);
        return Some(
            gone.then(|| format!("the modules of {running} are gone")).into_iter().collect(),
        );
    }
    let scheme = if host.exists(dpkg::STATUS) {
        Scheme::Deb
    } else if rpm::is_present(host) {
        Scheme::Rpm
    } else {
        return None;
    };
    let boot = host.list("/boot").unwrap_or_default();
    let mut installed: Vec<String> =
        boot.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).map(str::to_owned).collect();
    if installed.is_empty() {
        // Newer rpm systems keep the kernel beside its modules.
        installed = modules
            .into_iter()
            .filter(|name| host.exists(&format!("/lib/modules/{name}/vmlinuz")))
            .collect();
    }
    parse::kernel(scheme, &running, &installed)
}
