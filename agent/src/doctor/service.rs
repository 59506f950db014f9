//! Whether the system runs the agent now and after the next start, as each service manager tells
//! it.

use super::Check;
use crate::host::Host;
use crate::plist::Value;
use crate::source::Platform;

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

/// The name that the agent has among the services of Windows.
pub(crate) const WINDOWS_NAME: &str = "RollcallAgent";
/// The same on a Mac.
const LABEL: &str = "io.rollcall.agent";

/// What the service manager of Windows says of a service, in its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    /// `dwCurrentState`.
    state: u32,
    /// `dwStartType`.
    start: u32,
    /// Why it ended last; 0 for no failure.
    failure: u32,
}

/// Looks at the service on this system.
pub(super) fn service(host: &Host) -> Check {
    match Platform::CURRENT {
        Some(Platform::Windows) => on_windows(ask()),
        Some(Platform::Macos) => on_mac(host),
        Some(Platform::Linux) | None => on_linux(host),
    }
}

/// By the traces that systemd leaves.
fn on_linux(host: &Host) -> Check {
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

/// By the answer of the service manager; `None` for a service that it does not know.
fn on_windows(told: Result<Option<Told>, String>) -> Check {
    const RUNNING: u32 = 4;
    /// On the way to one of the others.
    const PENDING: [u32; 4] = [2, 3, 5, 6];
    const AUTOMATIC: u32 = 2;
    const DISABLED: u32 = 4;
    let name = WINDOWS_NAME;
    let told = match told {
        Err(why) => {
            let detail = format!("the service manager does not answer for {name}: {why}");
            return Check::unclear("service", detail);
        }
        Ok(None) => return Check::unclear("service", format!("{name} is not installed")),
        Ok(Some(told)) => told,
    };
    if PENDING.contains(&told.state) {
        return Check::unclear("service", format!("{name} is just being started or stopped"));
    }
    if told.start == DISABLED {
        let state = if told.state == RUNNING { "runs" } else { "does not run" };
        return Check::bad(
            "service",
            format!("{name} {state} and is disabled"),
            format!("run `sc config {name} start= auto` and `sc start {name}`"),
        );
    }
    if told.state != RUNNING {
        let failure = match told.failure {
            0 => String::new(),
            number => format!("; it ended with {number}"),
        };
        return Check::bad(
            "service",
            format!("{name} is installed but does not run{failure}"),
            format!("run `sc start {name}`; the event log `System` says why it stopped"),
        );
    }
    if told.start != AUTOMATIC {
        return Check::bad(
            "service",
            format!("{name} runs, but not any more after the next start"),
            format!("run `sc config {name} start= auto`"),
        );
    }
    Check::good("service", format!("{name} runs and starts with the computer"))
}

#[cfg(windows)]
fn ask() -> Result<Option<Told>, String> {
    use windows_service::Error;
    use windows_service::service::{ServiceAccess, ServiceExitCode};
    use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

    /// `ERROR_SERVICE_DOES_NOT_EXIST`, and what a service that was never started ended with.
    const UNKNOWN: i32 = 1060;
    const NEVER_STARTED: u32 = 1077;
    let failed = |error: Error| match error {
        Error::Winapi(error) => error.to_string(),
        other => other.to_string(),
    };
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT)
        .map_err(failed)?;
    let rights = ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG;
    let service = match manager.open_service(WINDOWS_NAME, rights) {
        Ok(service) => service,
        Err(Error::Winapi(error)) if error.raw_os_error() == Some(UNKNOWN) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let status = service.query_status().map_err(failed)?;
    let config = service.query_config().map_err(failed)?;
    let failure = match status.exit_code {
        ServiceExitCode::Win32(number) | ServiceExitCode::ServiceSpecific(number) => number,
    };
    Ok(Some(Told {
        state: status.current_state as u32,
        start: config.start_type as u32,
        failure: if failure == NEVER_STARTED { 0 } else { failure },
    }))
}

#[cfg(not(windows))]
fn ask() -> Result<Option<Told>, String> {
    Err("it is asked on Windows alone".to_owned())
}

/// By the files of launchd. What it runs now it tells only to a program of its own.
fn on_mac(host: &Host) -> Check {
    let file = format!("/Library/LaunchDaemons/{LABEL}.plist");
    if !host.exists(&file) {
        return Check::unclear("service", format!("{LABEL} is not installed"));
    }
    let switches = host.read("/private/var/db/com.apple.xpc.launchd/disabled.plist");
    let switches = switches.ok().and_then(|bytes| Value::read(&bytes));
    if switches.as_ref().and_then(|all| all.get(LABEL)) == Some(&Value::Flag(true)) {
        return Check::bad(
            "service",
            format!("{LABEL} is installed but disabled"),
            format!(
                "run `sudo launchctl enable system/{LABEL}` and `sudo launchctl bootstrap system {file}`"
            ),
        );
    }
    Check::unclear(
        "service",
        format!(
            "launchd starts {LABEL} with the computer; `sudo launchctl print system/{LABEL}` says whether it runs"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_judged_by_the_traces_of_systemd() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(on_linux(&host).ok, None, "no systemd");
        std::fs::create_dir_all(root.path().join("run/systemd/system")).unwrap();
        assert_eq!(on_linux(&host).ok, None, "no unit");
        put("usr/lib/systemd/system/rollcall-agent.service", "");
        let stopped = on_linux(&host);
        assert_eq!(stopped.ok, Some(false));
        assert!(stopped.fix.unwrap().contains("enable --now"));
        let processes = "sys/fs/cgroup/system.slice/rollcall-agent.service/cgroup.procs";
        put(processes, "");
        assert_eq!(on_linux(&host).ok, Some(false), "no process");
        put(processes, "812\n");
        assert_eq!(on_linux(&host).fix.unwrap(), "run `systemctl enable rollcall-agent`");
        put("etc/systemd/system/multi-user.target.wants/rollcall-agent.service", "");
        assert_eq!(on_linux(&host).ok, Some(true));
    }

    #[test]
    fn the_service_manager_of_windows_is_taken_at_its_word() {
        let told = |state, start, failure| on_windows(Ok(Some(Told { state, start, failure })));
        let good = told(4, 2, 0);
        assert_eq!(good.ok, Some(true));
        assert_eq!(good.detail, "RollcallAgent runs and starts with the computer");
        let stopped = told(1, 2, 1067);
        assert_eq!(stopped.ok, Some(false));
        assert_eq!(
            stopped.detail,
            "RollcallAgent is installed but does not run; it ended with 1067"
        );
        assert!(stopped.fix.unwrap().contains("sc start RollcallAgent"));
        assert_eq!(told(1, 2, 0).detail, "RollcallAgent is installed but does not run");
        let by_hand = told(4, 3, 0);
        assert_eq!(by_hand.fix.unwrap(), "run `sc config RollcallAgent start= auto`");
        assert_eq!(told(1, 4, 0).detail, "RollcallAgent does not run and is disabled");
        assert_eq!(told(2, 2, 0).ok, None, "it is just being started");
        assert_eq!(on_windows(Ok(None)).detail, "RollcallAgent is not installed");
        let silent = on_windows(Err("access is denied".to_owned()));
        assert_eq!((silent.ok, silent.detail.ends_with("access is denied")), (None, true));
    }

    #[test]
    fn a_mac_tells_what_launchd_is_to_do() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::at(root.path());
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(on_mac(&host).detail, "io.rollcall.agent is not installed");
        put("Library/LaunchDaemons/io.rollcall.agent.plist", "<plist/>");
        let there = on_mac(&host);
        assert_eq!(there.ok, None);
        assert!(there.detail.contains("launchctl print system/io.rollcall.agent"));
        let switches = "private/var/db/com.apple.xpc.launchd/disabled.plist";
        let text = |word: &str| {
            format!(
                "<plist version=\"1.0\"><dict><key>io.rollcall.agent</key><{word}/></dict></plist>"
            )
        };
        put(switches, &text("true"));
        let disabled = on_mac(&host);
        assert_eq!(disabled.ok, Some(false));
        assert!(disabled.fix.unwrap().contains("launchctl enable"));
        put(switches, &text("false"));
        assert_eq!(on_mac(&host).ok, None);
    }
}
