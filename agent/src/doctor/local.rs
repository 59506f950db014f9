//! What doctor looks at on this computer itself: key, spool, disk, service.

use rollcall_shared::section::SECTIONS;
use rollcall_shared::signature::SigningKey;

use super::Check;
use crate::gather::Options;
use crate::host::Host;
use crate::paths::Paths;
use crate::source::{Platform, Privilege, SOURCES, Source};
use crate::spool::{BOUND_BYTES, Spool};
use crate::state::{State, StateError};

/// The unit that the packages install.
const UNIT: &str = "rollcall-agent.service";
/// Where units lie, the administrator's own first.
const UNIT_FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Where the kernel lists the processes of a unit: in one hierarchy, or in systemd's own.
const GROUPS: &[&str] = &["/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice"];

pub(super) fn key(key: Option<&Result<SigningKey, StateError>>, paths: &Paths) -> Check {
    match key {
        Some(Ok(_)) if State::peek_revoked(&paths.state) => Check::bad(
            "key",
            "the collector has revoked this device",
            "run `rollcall-agent unenroll` and enrol again if that was a mistake",
        ),
        Some(Ok(_)) => Check::good("key", "it is there, private, and belongs to this device"),
        Some(Err(error)) => Check::of_state("key", error),
        None => Check::skipped("key"),
    }
}

pub(super) fn spool(paths: &Paths) -> Check {
    if !paths.spool().exists() {
        return Check::skipped("spool");
    }
    let spool = Spool::peek(&paths.spool());
    let waiting =
        spool.seqs().and_then(|seqs| Ok((seqs.len(), spool.size_bytes()?, spool.rejected())));
    match waiting {
        Ok((waiting, size_bytes, rejected)) => {
            let detail = format!(
                "{waiting} reports wait, {} KiB of {} KiB; {rejected} rejected ones are kept",
                size_bytes / 1024,
                BOUND_BYTES / 1024
            );
            if size_bytes * 10 > BOUND_BYTES * 9 {
                let fix = "mend the connection to the collector; the oldest reports are given up";
                return Check::bad("spool", detail, fix);
            }
            Check::good("spool", detail)
        }
        Err(error) => Check::of_state("spool", &error),
    }
}

/// Asks the system whether the folder could be written to and how much space is left.
pub(super) fn disk(paths: &Paths) -> Check {
    if !paths.state.is_dir() {
        return Check::skipped("disk");
    }
    let folder = paths.state.display();
    match writable(&paths.state) {
        Err(why) => Check::bad(
            "disk",
            format!("{folder} is not writable: {why}"),
            "mount it for writing, or run doctor as an administrator",
        ),
        Ok(Some(free_bytes)) if free_bytes < BOUND_BYTES => Check::bad(
            "disk",
            format!("{folder} has {} KiB left", free_bytes / 1024),
            "free some space; reports that wait may need 20 MiB",
        ),
        Ok(Some(free_bytes)) => Check::good(
            "disk",
            format!("{folder} is writable, {} MiB are left", free_bytes / (1024 * 1024)),
        ),
        Ok(None) => Check::unclear("disk", "this system does not say whether it is writable"),
    }
}

/// Space that is left in a folder that can be written to.
#[cfg(unix)]
fn writable(folder: &std::path::Path) -> std::io::Result<Option<u64>> {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK)?;
    let told = rustix::fs::statvfs(folder)?;
    Ok(Some(told.f_bavail.saturating_mul(told.f_frsize)))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn writable(_: &std::path::Path) -> std::io::Result<Option<u64>> {
    Ok(None)
}

/// Whether systemd runs the agent now and after the next start, by the traces it leaves.
pub(super) fn service(host: &Host) -> Check {
    if !host.exists("/run/systemd/system") {
        return Check::unclear("service", "systemd does not run here");
    }
    if !UNIT_FOLDERS.iter().any(|folder| host.exists(&format!("{folder}/{UNIT}"))) {
        return Check::unclear("service", format!("{UNIT} is not installed"));
    }
    let running =
        GROUPS.iter().any(|group| host.value(&format!("{group}/{UNIT}/cgroup.procs")).is_some());
    if !running {
        return Check::bad(
            "service",
            format!("{UNIT} is installed but does not run"),
            "run `systemctl enable --now rollcall-agent`; `journalctl -u rollcall-agent` says why it stopped",
        );
    }
    let enabled = ["/etc/systemd/system", "/usr/lib/systemd/system"]
        .iter()
        .any(|folder| host.exists(&format!("{folder}/multi-user.target.wants/{UNIT}")));
    if !enabled {
        return Check::bad(
            "service",
            format!("{UNIT} runs, but not any more after the next start"),
            "run `systemctl enable rollcall-agent`",
        );
    }
    Check::good("service", format!("{UNIT} runs and starts with the computer"))
}

/// What is looked at here, what is switched off, and what tells less without more rights.
pub(super) fn sources(options: &Options, privileged: bool) -> Check {
    let is_on = |name: &str| !options.sections_off.iter().any(|off| off == name);
    let on = SECTIONS.iter().filter(|info| is_on(info.name)).count();
    let mut detail = format!("{on} of {} sections are looked at", SECTIONS.len());
    if !options.sections_off.is_empty() {
        detail = format!("{detail}; switched off: {}", options.sections_off.join(", "));
    }
    if options.home_folders {
        detail.push_str("; homes are looked into");
    }
    if privileged {
        return Check::good("sources", detail);
    }
    let here =
        |source: &&Source| Platform::CURRENT.is_some_and(|it| source.platforms.contains(&it));
    let limited = SOURCES
        .iter()
        .filter(here)
        .filter(|source| source.privilege == Privilege::Administrator && is_on(source.section));
    let mut names: Vec<&str> = limited.map(|source| source.section).collect();
    names.dedup();
    Check::unclear(
        "sources",
        format!("{detail}; without administrator rights less is told of {}", names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_and_those_that_want_rights_named() {
        let off = vec!["user".to_owned()];
        let options = Options { sections_off: off, ..Options::default() };
        let check = sources(&options, true);
        assert_eq!(check.ok, Some(true));
        let count = SECTIONS.len();
        let said = format!("{} of {count} sections are looked at; switched off: user", count - 1);
        assert_eq!(check.detail, said);
        let check = sources(&options, false);
        assert_eq!(check.ok, None);
        #[cfg(target_os = "linux")]
        assert!(check.detail.contains("printer") && check.detail.contains("port"), "{check:?}");
    }

    #[test]
    fn the_service_is_judged_by_the_traces_of_systemd() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(service(&host).ok, None, "no systemd");
        std::fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        assert_eq!(service(&host).ok, None, "no unit");
        put("usr/lib/systemd/system/rollcall-agent.service", "");
        let stopped = service(&host);
        assert_eq!(stopped.ok, Some(false));
        assert!(stopped.fix.unwrap().contains("enable --now"));
        let processes = "sys/fs/cgroup/system.slice/rollcall-agent.service/cgroup.procs";
        put(processes, "");
        assert_eq!(service(&host).ok, Some(false), "no process");
        put(processes, "812\n");
        assert_eq!(service(&host).fix.unwrap(), "run `systemctl enable rollcall-agent`");
        put("etc/systemd/system/multi-user.target.wants/rollcall-agent.service", "");
        assert_eq!(service(&host).ok, Some(true));
    }
}
