//! The agent as the system's service: what it tells its manager, and what the unit file allows it.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use rollcall_tests::impostor::{Impostor, honest};
use rollcall_tests::programs::{agent, binary};

const UNIT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd/rollcall-agent.service");

#[test]
fn the_manager_hears_of_the_start_of_life_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let impostor = Impostor::start(honest);
    assert!(agent(&state, ["enroll", &impostor.join()]).status.success());
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut service = Command::new(binary("rollcall-agent"))
        .arg("run")
        .env("ROLLCALL_STATE", &state)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hear = || {
        let mut buffer = [0; 4096];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert_eq!(hear(), "READY=1");
    let mut signs = 0;
    let mut told = BTreeSet::new();
    while signs < 5 || told.is_empty() {
        match hear() {
            sign if sign == "WATCHDOG=1" => signs += 1,
            other => {
                told.insert(other);
            }
        }
    }
    let told: Vec<String> = told.into_iter().collect();
    assert!(told[0].starts_with("STATUS=Checked in"), "{told:?}");
    let stopped = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    while hear() != "STOPPING=1" {}
    assert!(service.wait().unwrap().success());
}

/// The capabilities that the unit names.
fn capabilities(unit: &str) -> Vec<&str> {
    let line = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    line.unwrap_or_default().split_whitespace().collect()
}

#[test]
fn the_unit_allows_what_an_inventory_needs_and_nothing_more() {
    let unit = std::fs::read_to_string(UNIT).unwrap();
    assert_eq!(capabilities(&unit), ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]);
    for line in [
        "Type=notify",
        "WatchdogSec=5min",
        "MemoryMax=64M",
        "CPUQuota=20%",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "StateDirectoryMode=0700",
        "SystemCallFilter=@system-service",
    ] {
        assert!(unit.lines().any(|one| one == line), "{line}");
    }
    let analyze = |arguments: &[&str]| Command::new("systemd-analyze").args(arguments).output();
    let Ok(said) = analyze(&["security", "--offline=true", UNIT]) else {
        eprintln!("NOT RUN  systemd-analyze: it is not here");
        return;
    };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let exposure: f64 =
        line.split(": ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(exposure <= 2.5, "{line}");
    // A copy whose program is here: that the packaged path is not, is no mistake of the unit.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("rollcall-agent.service");
    let here = Path::new("/bin/true").display().to_string();
    std::fs::write(&copy, unit.replace("/usr/bin/rollcall-agent run", &here)).unwrap();
    let said = analyze(&["verify", copy.to_str().unwrap()]).unwrap();
    let complaints = String::from_utf8_lossy(&said.stderr).into_owned();
    let ours: Vec<&str> =
        complaints.lines().filter(|line| line.contains("rollcall-agent")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}
