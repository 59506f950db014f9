use proptest::prelude::*;
use rollcall_shared::section::security::Protection;
use rollcall_shared::section::{Section, Security};

use super::sudoers::{Line, Sudoers, lines};
use super::{PROTECTION, parse, sudoers};
use crate::host::Host;

fn security(system: &str) -> Security {
    let root = format!("{}/../tests/fixtures/security/{system}", env!("CARGO_MANIFEST_DIR"));
    let gathered = (PROTECTION.gather)(&Host::at(root));
    assert_eq!(gathered.notes, []);
    match gathered.section {
        Some(Section::Security(security)) => security,
        other => panic!("no security: {other:?}"),
    }
}

fn named(rows: &[Protection]) -> Vec<(&str, Option<bool>)> {
    rows.iter().map(|row| (row.name.as_str(), row.enabled)).collect()
}

#[test]
fn a_small_board_without_sudo_is_read() {
    let found = security("alpine-3.21-raspberry");
    assert_eq!(named(&found.firewalls), [("nftables", None)]);
    assert_eq!(named(&found.malware_protection), [("ClamAV", Some(false))]);
    assert_eq!(found.disk_encryption, Some(false));
    assert_eq!(found.mandatory_access.as_deref(), Some("none"));
    assert_eq!(found.sudo_without_password, None, "there is no sudo");
    let ssh = found.ssh.unwrap();
    assert_eq!(ssh.password_authentication, Some(false));
}

#[test]
fn an_encrypted_laptop_with_ufw_is_read() {
    let found = security("ubuntu-24.04-laptop");
    assert_eq!(named(&found.firewalls), [("nftables", None), ("ufw", Some(true))]);
    assert_eq!(
        named(&found.malware_protection),
        [("ClamAV", Some(false)), ("Microsoft Defender", Some(true))]
    );
    assert_eq!(found.disk_encryption, Some(true));
    assert_eq!(found.mandatory_access.as_deref(), Some("apparmor"));
    assert_eq!(found.sudo_without_password, Some(true));
    let lock = found.screen_lock.unwrap();
    assert_eq!((lock.enabled, lock.after_s, lock.enforced), (Some(true), Some(300), true));
    let ssh = found.ssh.unwrap();
    // The included file stands before the line in the main file.
    assert_eq!(ssh.password_authentication, Some(false));
    assert_eq!(ssh.permit_root_login.as_deref(), Some("no"));
}

#[test]
fn a_plain_server_is_read() {
    let found = security("rocky-9-server");
    assert_eq!(named(&found.firewalls), [("firewalld", Some(true))]);
    assert_eq!(named(&found.malware_protection), []);
    assert_eq!(found.disk_encryption, Some(false));
    assert_eq!(found.mandatory_access.as_deref(), Some("selinux enforcing"));
    assert_eq!(found.sudo_without_password, Some(false));
    let ssh = found.ssh.unwrap();
    assert_eq!(ssh.permit_root_login.as_deref(), Some("prohibit-password"));
    assert_eq!(ssh.password_authentication, Some(true));
}

/// An included file is read where it is named, relative or not.
#[test]
fn files_that_sudo_includes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let etc = folder.path().join("etc");
    std::fs::create_dir_all(etc.join("sudoers.d")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(etc.join(name), text).unwrap();
    let host = Host::at(folder.path());
    let asked = || sudoers(&host).unwrap().map(|found| found.without_password());
    assert_eq!(asked(), None);
    write("sudoers", "@include sudoers.local\n#includedir /etc/sudoers.d\n");
    assert_eq!(asked(), Some(false));
    write("sudoers.d/off.bak", "anna ALL=(ALL) NOPASSWD: ALL\n");
    write("sudoers.d/loop", "@include /etc/sudoers.d/loop\n");
    assert_eq!(asked(), Some(false));
    write("sudoers.local", "%admins ALL=(ALL) NOPASSWD: ALL\n");
    assert_eq!(asked(), Some(true));
}

/// With `hidepid` only the own processes are seen: what is not seen may still run.
#[test]
fn hidden_processes_are_not_taken_for_stopped_ones() {
    let folder = tempfile::tempdir().unwrap();
    let make = |path: &str, text: &str| {
        let full = folder.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    };
    make("usr/sbin/clamd", "");
    make("usr/sbin/firewalld", "");
    make("proc/4711/comm", "rollcall-agent\n");
    let enabled = || {
        let Some(Section::Security(found)) = (PROTECTION.gather)(&Host::at(folder.path())).section
        else {
            panic!("no security")
        };
        (found.malware_protection[0].enabled, found.firewalls[0].enabled)
    };
    assert_eq!(enabled(), (None, None));
    make("proc/815/comm", "clamd\n");
    assert_eq!(enabled(), (Some(true), None));
    make("proc/1/comm", "systemd\n");
    assert_eq!(enabled(), (Some(true), Some(false)));
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(\\PC{0,9}|Include |PermitRootLogin|NOPASSWD:|ALL|User_Alias |Defaults|[A-C]|[=,!()#%\"\\\\]|:|\\\\\n| - |/| ){0,30}") {
        parse::ssh(&parse::ssh_lines(&text));
        let mut found = Sudoers::default();
        for line in lines(&text) {
            if let Line::Other(line) = line {
                found.add(&line);
            }
        }
        found.add(&text);
        found.without_password();
        found.administrators();
        parse::root_device(&text);
        parse::ufw_enabled(&text);
    }
}
