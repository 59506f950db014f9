use proptest::prelude::*;
use rollcall_shared::section::security::Protection;
use rollcall_shared::section::{Section, Security};

use super::{PROTECTION, parse};
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

#[test]
fn sudo_without_password_means_everything() {
    assert!(parse::without_password("%wheel ALL=(ALL) NOPASSWD: ALL"));
    assert!(parse::without_password("anna ALL=(ALL:ALL) \\\n NOPASSWD:SETENV: ALL"));
    assert!(parse::without_password("Defaults:anna !authenticate"));
    assert!(!parse::without_password("# %wheel ALL=(ALL) NOPASSWD: ALL"));
    assert!(!parse::without_password("backup ALL=(root) NOPASSWD: /usr/bin/rsync"));
    assert!(!parse::without_password("%sudo ALL=(ALL:ALL) ALL"));
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(\\PC{0,9}|Include |PermitRootLogin|NOPASSWD:|:|\\\\\n| - |/| ){0,30}") {
        parse::ssh(&parse::ssh_lines(&text));
        parse::without_password(&text);
        parse::sudo_folders(&text);
        parse::root_device(&text);
        parse::ufw_enabled(&text);
    }
}
