//! What is known of updates where the list of those that wait is not read: dnf, yum, zypper, apk
//! and pacman.

use rollcall_shared::section::{Section, Update};
use rollcall_shared::{Note, NoteKind};

use super::history::last_installed_at;
use crate::host::Host;
use crate::source::Gathered;
use crate::source::software::{apk, pacman, rpm};
use crate::source::text::assignments;

const TIMERS: &str = "/etc/systemd/system/timers.target.wants";

pub(super) fn gather(host: &Host) -> Gathered {
    let (manager, automatic) = if host.exists("/etc/zypp") {
        ("zypper", Some(zypper_installs(host)))
    } else if rpm::is_present(host) {
        let yum = host.exists("/etc/yum.conf") && !host.exists("/etc/dnf");
        if yum { ("yum", Some(yum_installs(host))) } else { ("dnf", dnf_installs(host)) }
    } else if apk::INSTALLED.iter().any(|path| host.exists(path)) {
        ("apk", None)
    } else if host.exists(pacman::LOCAL) {
        ("pacman", None)
    } else {
        return Gathered::nothing();
    };
    let update = Update {
        manager: manager.to_owned(),
        automatic,
        pending_unknown: true,
        last_installed_at: last_installed_at(host),
        ..Update::default()
    };
    let why = format!("this version cannot tell which updates {manager} would install");
    Gathered {
        section: Some(Section::Update(update)),
        notes: vec![Note::new(NoteKind::Unsupported).with_detail(why)],
    }
}

fn has_timer(host: &Host, name: &str) -> bool {
    host.exists(&format!("{TIMERS}/{name}.timer"))
}

fn applies(host: &Host, path: &str) -> Option<bool> {
    let text = host.read_text(path).ok()?;
    let last = assignments(&text).filter(|(key, _)| *key == "apply_updates").last();
    last.map(|(_, value)| {
        ["yes", "true", "1", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
    })
}

/// dnf has a timer that always installs, and one that does what its configuration says. Where the
/// latter says nothing the default of the system holds, which has changed over time.
fn dnf_installs(host: &Host) -> Option<bool> {
    if has_timer(host, "dnf-automatic-install") {
        return Some(true);
    }
    if !["dnf-automatic", "dnf5-automatic"].iter().any(|timer| has_timer(host, timer)) {
        return Some(false);
    }
    let files = ["/etc/dnf/automatic.conf", "/usr/share/dnf5/dnf5-plugins/automatic.conf"];
    files.iter().find_map(|path| applies(host, path))
}

fn yum_installs(host: &Host) -> bool {
    host.exists("/etc/systemd/system/multi-user.target.wants/yum-cron.service")
        && applies(host, "/etc/yum/yum-cron.conf") == Some(true)
}

fn zypper_installs(host: &Host) -> bool {
    let by_cron = ["daily", "weekly", "monthly"]
        .iter()
        .any(|often| host.exists(&format!("/etc/cron.{often}/opensuse.org-online_update")));
    by_cron || has_timer(host, "transactional-update") || has_timer(host, "os-update")
}
