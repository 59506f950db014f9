//! Directories that this computer joined, and what sets it up or watches over it. Secrets to speak
//! with them are never kept.

use rollcall_shared::section::product::ManagerKind;
use rollcall_shared::section::{Manager, Section};
use rollcall_shared::{Note, NoteKind};

use super::processes::Processes;
use super::text::has_ending;
use super::{Gathered, Platform, Privilege, Source};
use crate::host::{Host, HostError};
use crate::order;

mod macos;
pub mod parse;
mod tables;
mod windows;

pub use macos::MACOS;
pub use windows::WINDOWS;

use parse::{Settings, server};

/// Directories and managers.
pub const SOURCE: Source = Source {
    name: "management",
    section: "management",
    about: "Joined directories from the files of SSSD, Samba and Kerberos; Puppet, Salt, Chef, \
            Landscape, Intune and others; never their secrets",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

/// A manager, and the names of its processes as far as it has any.
type Row = (Manager, &'static [&'static str]);

/// What the files say, which holds as long as none of them changes.
struct Told {
    rows: Vec<Row>,
    notes: Vec<Note>,
}

fn gather(host: &Host) -> Gathered {
    let processes = Processes::of(host);
    let told = host.keep("managers", files);
    let row = |(manager, names): &Row| Manager {
        running: processes.run(names).filter(|_| !names.is_empty()),
        ..manager.clone()
    };
    let mut rows: Vec<Manager> = told.rows.iter().map(row).collect();
    let mut notes = told.notes.clone();
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    if rows.is_empty() && notes.is_empty() {
        notes.push(
            Note::new(NoteKind::NotFound).with_detail("nothing manages this computer, as it seems"),
        );
        return Gathered { section: None, notes };
    }
    Gathered { section: (!rows.is_empty()).then_some(Section::Management(rows)), notes }
}

fn files(host: &Host) -> Told {
    let mut notes = Vec::new();
    let mut rows = Vec::new();
    let denied = |error: &HostError| matches!(error, HostError::Denied { .. });
    if let Err(error) = sssd(host, &mut rows)
        && denied(&error)
    {
        notes.push(Note::from(error));
    }
    samba(host, &mut rows);
    free_ipa(host, &mut rows);
    kerberos(host, &mut rows);
    configured(host, &mut rows);
    ansible_pull(host, &mut rows);
    rows.extend(tables::PRESENT.iter().filter_map(|known| {
        let here = known.places.iter().any(|place| host.exists(place));
        let manager = Manager {
            name: known.name.to_owned(),
            kind: Some(known.kind.clone()),
            ..Manager::default()
        };
        here.then_some((manager, known.processes))
    }));
    Told { rows, notes }
}

fn sssd(host: &Host, rows: &mut Vec<Row>) -> Result<(), HostError> {
    let mut text = match host.read_text("/etc/sssd/sssd.conf") {
        Err(error) if error.is_not_found() => String::new(),
        other => other?,
    };
    for name in host.list("/etc/sssd/conf.d").unwrap_or_default() {
        if has_ending(&name, "conf") && !name.starts_with('.') {
            text.push('\n');
            text.push_str(&host.read_text(&format!("/etc/sssd/conf.d/{name}"))?);
        }
    }
    let settings = Settings::parse(&text);
    for section in settings.sections() {
        let Some(domain) = section.strip_prefix("domain/") else { continue };
        let of = |key: &str| settings.get(section, key);
        let (name, realm, servers) = match of("id_provider") {
            Some("ad") => {
                ("Active Directory", of("ad_domain").or(of("krb5_realm")), of("ad_server"))
            }
            Some("ipa") => ("FreeIPA", of("ipa_domain").or(of("krb5_realm")), of("ipa_server")),
            Some("ldap") => ("LDAP", of("ldap_search_base"), of("ldap_uri")),
            _ => continue,
        };
        let manager = Manager {
            name: name.to_owned(),
            kind: Some(ManagerKind::Directory),
            realm: Some(realm.unwrap_or(domain).to_owned()),
            // `_srv_` stands for whatever the name service says.
            server: servers.filter(|text| !text.contains("_srv_")).and_then(server),
            by: Some("sssd".to_owned()),
            running: None,
        };
        rows.push((manager, &["sssd"]));
    }
    Ok(())
}

fn samba(host: &Host, rows: &mut Vec<Row>) {
    let text = host.read_text("/etc/samba/smb.conf").unwrap_or_default();
    let settings = Settings::parse(&text);
    let of = |key: &str| settings.get("global", key);
    if of("security").is_some_and(|way| way.eq_ignore_ascii_case("ads")) {
        let manager = Manager {
            name: "Active Directory".to_owned(),
            kind: Some(ManagerKind::Directory),
            realm: of("realm").or(of("workgroup")).map(str::to_owned),
            server: None,
            by: Some("winbind".to_owned()),
            running: None,
        };
        rows.push((manager, &["winbindd"]));
    }
}

fn free_ipa(host: &Host, rows: &mut Vec<Row>) {
    let Ok(text) = host.read_text("/etc/ipa/default.conf") else { return };
    if rows.iter().any(|(row, _)| row.name == "FreeIPA") {
        return;
    }
    let settings = Settings::parse(&text);
    let of = |key: &str| settings.get("global", key);
    let manager = Manager {
        name: "FreeIPA".to_owned(),
        kind: Some(ManagerKind::Directory),
        realm: of("domain").or(of("realm")).map(str::to_owned),
        server: of("server").and_then(server),
        by: Some("ipa-client".to_owned()),
        running: None,
    };
    rows.push((manager, &[]));
}

/// A computer with a key of its own and a realm has joined something, whatever the way.
fn kerberos(host: &Host, rows: &mut Vec<Row>) {
    let known = rows.iter().any(|(row, _)| row.kind == Some(ManagerKind::Directory));
    if known || !host.exists("/etc/krb5.keytab") {
        return;
    }
    let text = host.read_text("/etc/krb5.conf").unwrap_or_default();
    let settings = Settings::parse(&text);
    if let Some(realm) = settings.get("libdefaults", "default_realm") {
        let manager = Manager {
            name: "Kerberos".to_owned(),
            kind: Some(ManagerKind::Directory),
            realm: Some(realm.to_owned()),
            by: Some("keytab".to_owned()),
            ..Manager::default()
        };
        rows.push((manager, &[]));
    }
}

/// Managers whose files say where they get their orders.
fn configured(host: &Host, rows: &mut Vec<Row>) {
    for known in tables::CONFIGURED {
        let texts = known.files.iter().filter_map(|file| host.read_text(file).ok());
        let texts: Vec<String> = texts.collect();
        let here = !texts.is_empty() || known.places.iter().any(|place| host.exists(place));
        if !here || known.needs.is_some_and(|place| !host.exists(place)) {
            continue;
        }
        let find = |keys: &[&str]| texts.iter().find_map(|text| parse::value(text, keys));
        let manager = Manager {
            name: known.name.to_owned(),
            kind: Some(known.kind.clone()),
            realm: find(known.realm_keys),
            server: find(known.server_keys).as_deref().and_then(server),
            by: None,
            running: None,
        };
        rows.push((manager, known.processes));
    }
}

/// A computer that fetches its own orders does so by a timer.
fn ansible_pull(host: &Host, rows: &mut Vec<Row>) {
    let cron = ["/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron"];
    let units = ["/etc/systemd/system"];
    let files = cron.iter().chain(&units).flat_map(|folder| {
        let names = host.list(folder).unwrap_or_default().into_iter();
        let wanted = move |name: &String| !folder.contains("systemd") || name.ends_with(".service");
        names.filter(wanted).map(move |name| format!("{folder}/{name}"))
    });
    let pulls =
        |path: String| host.read_text(&path).is_ok_and(|text| parse::runs_ansible_pull(&text));
    if files.chain(["/etc/crontab".to_owned()]).any(pulls) {
        let manager = Manager {
            name: "Ansible pull".to_owned(),
            kind: Some(ManagerKind::Configuration),
            ..Manager::default()
        };
        rows.push((manager, &[]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> String {
        let root = format!("{}/../tests/fixtures/management/{system}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{:#?}", gather(&Host::at(root)));
        assert!(!text.contains("never-to-be-told"), "a secret is in the report");
        text
    }

    #[test]
    fn joined_and_managed_computers() {
        for system in ["ad-laptop", "puppet-server", "samba-member", "cloud-fleet"] {
            insta::assert_snapshot!(system, told(system));
        }
    }

    #[test]
    fn a_computer_on_its_own_says_so() {
        let gathered = gather(&Host::at("/nonexistent-root"));
        assert!(gathered.section.is_none());
        assert_eq!(gathered.notes[0].kind, NoteKind::NotFound);
    }
}
