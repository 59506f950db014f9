//! Changes of what a computer is and runs: names, firmware, system, accounts, updates, protection.

use std::collections::BTreeMap;

use rollcall_shared::section::firmware::{Firmware, Tpm};
use rollcall_shared::section::os::{MacosRelease, Os, WindowsRelease};
use rollcall_shared::section::security::{Protection, ScreenLock, Security, Ssh};
use rollcall_shared::section::system::{Board, System};
use rollcall_shared::section::update::{PendingUpdate, Update};
use rollcall_shared::section::user::{Account, Group, Users};

use super::{Out, join, optional_words};

pub(super) fn system(before: &System, after: &System, out: &mut Out) {
    let System {
        hostname,
        fqdn,
        domain,
        chassis,
        manufacturer,
        model,
        sku,
        family,
        serial,
        uuid,
        asset_tag,
        board,
        virtualization,
        cloud_instance_id,
    } = before;
    out.value("hostname", hostname, &after.hostname);
    out.value("fully qualified name", fqdn, &after.fqdn);
    out.value("domain", domain, &after.domain);
    out.value("chassis", chassis, &after.chassis);
    out.value("maker", manufacturer, &after.manufacturer);
    out.value("model", model, &after.model);
    out.value("SKU", sku, &after.sku);
    out.value("family", family, &after.family);
    out.value("serial", serial, &after.serial);
    out.value("SMBIOS UUID", uuid, &after.uuid);
    out.value("asset tag", asset_tag, &after.asset_tag);
    let words = |board: &Option<Board>| {
        let Board { manufacturer, model, serial } = board.as_ref()?;
        join([manufacturer.as_deref(), model.as_deref(), serial.as_deref()])
    };
    out.changed("main board", words(board), words(&after.board));
    let kind = |system: &System| system.virtualization.as_ref().map(|guest| guest.kind.clone());
    if virtualization != &after.virtualization {
        out.changed("virtualization", kind(before), kind(after));
    }
    out.value("cloud instance", cloud_instance_id, &after.cloud_instance_id);
}

pub(super) fn firmware(before: &Firmware, after: &Firmware, out: &mut Out) {
    let Firmware { vendor, version, date, mode, secure_boot, tpm } = before;
    out.value("firmware maker", vendor, &after.vendor);
    out.value("firmware version", version, &after.version);
    out.value("firmware date", date, &after.date);
    out.value("boot mode", mode, &after.mode);
    out.value("secure boot", secure_boot, &after.secure_boot);
    let words = |tpm: &Option<Tpm>| {
        let Tpm { version, manufacturer } = tpm.as_ref()?;
        join([version.as_deref(), manufacturer.as_deref()]).or_else(|| Some("present".to_owned()))
    };
    out.changed("TPM", words(tpm), words(&after.tpm));
}

pub(super) fn os(before: &Os, after: &Os, out: &mut Out) {
    let Os {
        family,
        name,
        architecture,
        release,
        windows,
        macos,
        kernel,
        installed_at,
        time_zone,
        locale,
        ubuntu_pro,
    } = before;
    out.value("system family", family, &after.family);
    out.value("operating system", name, &after.name);
    out.value("architecture", architecture, &after.architecture);
    // PRETTY_NAME is the name above; links and colours are for makers of the system.
    let told: BTreeMap<_, _> = [("VERSION_ID", "version"), ("BUILD_ID", "build")].into();
    for (key, subject) in told {
        out.value(subject, &release.get(key), &after.release.get(key));
    }
    if windows != &after.windows {
        let build = |windows: &Option<WindowsRelease>| {
            let WindowsRelease {
                build,
                revision,
                edition_id: _,
                installation_type: _,
                display_version: _,
                product_name: _,
            } = windows.as_ref()?;
            Some(match revision {
                Some(revision) => format!("{build}.{revision}"),
                None => build.to_string(),
            })
        };
        out.changed("build", build(windows), build(&after.windows));
        let edition =
            |windows: &Option<WindowsRelease>| windows.as_ref().and_then(|w| w.edition_id.clone());
        out.changed("edition", edition(windows), edition(&after.windows));
        let version = |windows: &Option<WindowsRelease>| {
            windows.as_ref().and_then(|w| w.display_version.clone())
        };
        out.changed("version", version(windows), version(&after.windows));
    }
    let mac = |macos: &Option<MacosRelease>| {
        let MacosRelease { version, build, model: _ } = macos.as_ref()?;
        Some(match build {
            Some(build) => format!("{version} ({build})"),
            None => version.clone(),
        })
    };
    out.changed("version", mac(macos), mac(&after.macos));
    out.value("kernel", kernel, &after.kernel);
    out.value("installation date", installed_at, &after.installed_at);
    out.value("time zone", time_zone, &after.time_zone);
    out.value("locale", locale, &after.locale);
    out.value("Ubuntu Pro attached", ubuntu_pro, &after.ubuntu_pro);
}

pub(super) fn users(before: &Users, after: &Users, out: &mut Out) {
    let Users { accounts, groups } = before;
    out.list(
        "account",
        accounts,
        &after.accounts,
        |account| account.name.clone(),
        |account| join([account.full_name.as_deref(), optional_words(&account.kind).as_deref()]),
        |subject, a, b, out| {
            let Account {
                name: _,
                id,
                kind,
                full_name,
                shell,
                administrator,
                disabled,
                password_locked,
                // Signing in is not a change of the computer.
                last_sign_in_at: _,
                last_sign_in_from: _,
            } = a;
            out.value(&format!("{subject}, id"), id, &b.id);
            out.value(&format!("{subject}, kind"), kind, &b.kind);
            out.value(&format!("{subject}, full name"), full_name, &b.full_name);
            out.value(&format!("{subject}, shell"), shell, &b.shell);
            out.value(&format!("{subject}, administrator"), administrator, &b.administrator);
            out.value(&format!("{subject}, disabled"), disabled, &b.disabled);
            out.value(&format!("{subject}, password locked"), password_locked, &b.password_locked);
        },
    );
    out.list(
        "group",
        groups,
        &after.groups,
        |group| group.name.clone(),
        |group| optional_words(&group.members),
        |subject, a, b, out| {
            let Group { name: _, id, members } = a;
            out.value(&format!("{subject}, id"), id, &b.id);
            out.words(&format!("{subject}, member"), members, &b.members);
        },
    );
}

pub(super) fn update(before: &Update, after: &Update, out: &mut Out) {
    let Update {
        manager,
        automatic,
        pending,
        pending_unknown,
        security_known,
        last_installed_at: _,
    } = before;
    out.value("update manager", manager, &after.manager);
    out.value("automatic updates", automatic, &after.automatic);
    out.value("security updates told apart", security_known, &after.security_known);
    // Which ones wait is told on the device's page; as changes they would drown what was installed.
    let count = |unknown: bool, pending: &[PendingUpdate]| {
        if unknown { "unknown".to_owned() } else { waiting(pending) }
    };
    out.value(
        "updates waiting",
        &count(*pending_unknown, pending),
        &count(after.pending_unknown, &after.pending),
    );
}

/// How many updates wait, and how many of them for security.
fn waiting(pending: &[PendingUpdate]) -> String {
    let security = pending.iter().filter(|update| update.security).count();
    match security {
        0 => pending.len().to_string(),
        _ => format!("{}, {security} for security", pending.len()),
    }
}

pub(super) fn security(before: &Security, after: &Security, out: &mut Out) {
    let Security {
        firewalls,
        malware_protection,
        disk_encryption,
        mandatory_access,
        screen_lock,
        ssh,
        sudo_without_password,
    } = before;
    protections("firewall", firewalls, &after.firewalls, out);
    protections("malware protection", malware_protection, &after.malware_protection, out);
    out.value("disk encryption", disk_encryption, &after.disk_encryption);
    out.value("mandatory access control", mandatory_access, &after.mandatory_access);
    let words = |lock: &Option<ScreenLock>| lock.as_ref().map(ScreenLock::words);
    out.value("screen lock", &words(screen_lock), &words(&after.screen_lock));
    let none = Ssh::default();
    let Ssh { permit_root_login, password_authentication } = ssh.as_ref().unwrap_or(&none);
    let now = after.ssh.as_ref().unwrap_or(&none);
    let installed = |ssh: &Option<Ssh>| ssh.is_some();
    out.value("SSH server", &installed(ssh), &installed(&after.ssh));
    out.value("SSH, root may sign in", permit_root_login, &now.permit_root_login);
    out.value("SSH, passwords", password_authentication, &now.password_authentication);
    out.value("sudo without password", sudo_without_password, &after.sudo_without_password);
}

fn protections(noun: &str, before: &[Protection], after: &[Protection], out: &mut Out) {
    out.list(
        noun,
        before,
        after,
        |product| product.name.clone(),
        |product| {
            let state = product.enabled.map(|enabled| if enabled { "on" } else { "off" });
            join([product.version.as_deref(), state])
        },
        |subject, a, b, out| {
            let Protection { name: _, version, enabled, up_to_date } = a;
            out.value(&format!("{subject}, version"), version, &b.version);
            out.value(&format!("{subject}, on"), enabled, &b.enabled);
            out.value(&format!("{subject}, up to date"), up_to_date, &b.up_to_date);
        },
    );
}
