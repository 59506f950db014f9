use proptest::prelude::*;
use rollcall_shared::report::Vitals;
use rollcall_shared::version::Scheme;

use super::{parse, vitals};
use crate::host::Host;

fn of(system: &str) -> Vitals {
    let root = format!("{}/../tests/fixtures/vitals/{system}", env!("CARGO_MANIFEST_DIR"));
    vitals(&Host::at(root))
}

#[test]
fn a_laptop_that_waits_for_a_restart_is_read() {
    let vitals = of("ubuntu-24.04-laptop");
    assert_eq!(vitals.booted_at.unwrap().to_string(), "2026-11-20T06:00:00Z");
    assert_eq!(vitals.memory_available_bytes, Some(24_164_308 * 1024));
    assert_eq!(vitals.batteries.len(), 1);
    assert_eq!((vitals.batteries[0].name.as_str(), vitals.batteries[0].percent), ("BAT0", 81));
    assert!(vitals.batteries[0].charging);
    assert_eq!(vitals.sessions.len(), 1);
    assert_eq!(vitals.sessions[0].user, "anna");
    assert_eq!(vitals.sessions[0].terminal.as_deref(), Some("tty2"));
    assert_eq!(vitals.sessions[0].since.unwrap().to_string(), "2026-11-20T06:01:00Z");
    let reboot = vitals.reboot.unwrap();
    assert!(reboot.pending);
    assert_eq!(
        reboot.reasons,
        [
            "libc6",
            "linux-image-6.8.0-58-generic",
            "running 6.8.0-57-generic, newest installed 6.8.0-58-generic"
        ]
    );
    assert!(vitals.update_lists_at.is_some());
}

#[test]
fn an_arch_system_after_its_upgrade_is_read() {
    let vitals = of("arch");
    assert_eq!(vitals.last_upgrade_at.unwrap().to_string(), "2026-11-22T08:15:00Z");
    assert_eq!(vitals.reboot.unwrap().reasons, ["the modules of 6.11.5-arch1-1 are gone"]);
    assert_eq!(vitals.sessions[0].user, "carl");
    assert_eq!(vitals.sessions[0].remote_host.as_deref(), Some("10.1.2.3"));
}

#[test]
fn a_container_waits_for_no_restart() {
    let vitals = of("debian-12-container");
    assert_eq!(vitals.reboot, None);
    assert_eq!(vitals.batteries, []);
}

/// A left-over `/.dockerenv` makes no container of a virtual machine.
#[test]
fn a_guest_made_from_a_container_image_waits_for_its_restart() {
    let reboot = of("debian-12-kvm").reboot.unwrap();
    assert_eq!(reboot.reasons, ["linux-image-amd64"]);
}

#[test]
fn kernels_are_compared_within_their_flavour() {
    let kernels = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let found = |running, names| parse::kernel(Scheme::Deb, running, &kernels(names));
    let both = ["6.1.0-9-amd64", "6.1.0-37-amd64", "6.12.12-rt-amd64"];
    assert_eq!(found("6.1.0-37-amd64", &both), Some(Vec::new()));
    assert_eq!(found("6.1.0-9-amd64", &both).unwrap().len(), 1);
    assert_eq!(found("6.1.0-99-own", &both), None);
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(\\PC{0,9}|btime |MemAvailable:|\\[|\\]|-|USER=|REALTIME=|[0-9]{1,20}|\n){0,20}") {
        parse::booted_at(&text);
        parse::memory_available_bytes(&text);
        parse::session(&text);
        parse::kernel(Scheme::Rpm, &text, &[text.clone(), format!("{text}1")]);
    }
}
