//! What a Mac joined, and what sets it up or watches over it. Secrets to speak with them are never
//! kept.

use rollcall_shared::section::product::ManagerKind;
use rollcall_shared::section::{Manager, Section};
use rollcall_shared::{Note, NoteKind};

use super::parse::server;
use crate::host::Host;
use crate::order;
use crate::plist::Value;
use crate::source::text::{has_ending, some};
use crate::source::{Gathered, Platform, Privilege, Source};

const DIRECTORIES: &str = "/Library/Preferences/OpenDirectory/Configurations";
const PROFILES: &str = "/private/var/db/ConfigurationProfiles/Settings";

/// Programs that set computers up or watch over them, and where each lies.
const PROGRAMS: &[(&str, ManagerKind, &[&str])] = &[
    ("Addigy", ManagerKind::DeviceManagement, &["/Library/Addigy"]),
    ("BigFix", ManagerKind::DeviceManagement, &["/Library/BESAgent/BESAgent.app"]),
    ("FileWave", ManagerKind::DeviceManagement, &["/usr/local/sbin/FileWave.app"]),
    ("Fleet", ManagerKind::DeviceManagement, &["/opt/orbit"]),
    ("Ivanti", ManagerKind::DeviceManagement, &["/Library/Application Support/LANDesk"]),
    ("JumpCloud", ManagerKind::DeviceManagement, &["/opt/jc"]),
    ("Kandji", ManagerKind::DeviceManagement, &["/Library/Kandji"]),
    ("ManageEngine", ManagerKind::DeviceManagement, &["/Library/ManageEngine/UEMS_Agent"]),
    (
        "Microsoft Intune",
        ManagerKind::DeviceManagement,
        &["/Library/Intune/Microsoft Intune Agent.app"],
    ),
    ("Mosyle", ManagerKind::DeviceManagement, &["/Library/Application Support/Mosyle"]),
    ("NinjaOne", ManagerKind::DeviceManagement, &["/Applications/NinjaRMMAgent"]),
    (
        "Workspace ONE",
        ManagerKind::DeviceManagement,
        &["/Applications/Workspace ONE Intelligent Hub.app"],
    ),
];

/// Managers whose preferences say where they get their orders: the name of the file, and of the
/// value in it.
const WITH_SERVER: &[(&str, ManagerKind, &str, &str, &str)] = &[
    (
        "Jamf",
        ManagerKind::DeviceManagement,
        "/usr/local/jamf",
        "/Library/Preferences/com.jamfsoftware.jamf.plist",
        "jss_url",
    ),
    (
        "Munki",
        ManagerKind::Configuration,
        "/usr/local/munki",
        "/Library/Preferences/ManagedInstalls.plist",
        "SoftwareRepoURL",
    ),
];

/// The declaration.
pub const MACOS: Source = Source {
    name: "mac_management",
    section: "management",
    about: "Joined directories from OpenDirectory's files, automatic enrolment at an MDM, Jamf, Munki, Puppet, Intune and others; never their secrets",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let mut rows = Vec::new();
    rows.extend(directories(host));
    match enrolment(host) {
        Ok(found) => rows.extend(found),
        Err(note) => notes.push(note),
    }
    for (name, kind, place, file, key) in WITH_SERVER {
        if host.exists(place) || host.exists(file) {
            let list = host.property_list(file).ok();
            let address = list.and_then(|list| list.text(key));
            rows.push(Manager {
                server: address.as_deref().and_then(server),
                ..manager(name, kind)
            });
        }
    }
    let here = |places: &[&str]| places.iter().any(|place| host.exists(place));
    let programs = PROGRAMS.iter().filter(|(_, _, places)| here(places));
    rows.extend(programs.map(|(name, kind, _)| manager(name, kind)));
    let mut configured = Vec::new();
    super::configured(host, &mut configured);
    rows.extend(configured.into_iter().map(|(manager, _)| manager));
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    if rows.is_empty() && notes.is_empty() {
        let why = "nothing manages this computer, as it seems";
        notes.push(Note::new(NoteKind::NotFound).with_detail(why));
    }
    Gathered { section: (!rows.is_empty()).then_some(Section::Management(rows)), notes }
}

fn manager(name: &str, kind: &ManagerKind) -> Manager {
    Manager { name: name.to_owned(), kind: Some(kind.clone()), ..Manager::default() }
}

/// Each directory has a file of its own, named after it.
fn directories(host: &Host) -> Vec<Manager> {
    let mut rows = Vec::new();
    for (folder, name) in [("Active Directory", "Active Directory"), ("LDAPv3", "LDAP")] {
        let folder = format!("{DIRECTORIES}/{folder}");
        for file in host.list(&folder).unwrap_or_default() {
            if !has_ending(&file, "plist") {
                continue;
            }
            let list = host.property_list(&format!("{folder}/{file}")).unwrap_or(Value::Other);
            let options = list.get("module options").and_then(|all| all.get("ActiveDirectory"));
            let domain = options.and_then(|options| options.text("trust domain"));
            let stem = file.trim_end_matches(".plist");
            rows.push(Manager {
                realm: domain.as_deref().or(Some(stem)).and_then(|text| some(text.as_bytes())),
                by: Some("OpenDirectory".to_owned()),
                ..manager(name, &ManagerKind::Directory)
            });
        }
    }
    rows
}

/// What the owner's MDM left when this computer was set up.
fn enrolment(host: &Host) -> Result<Option<Manager>, Note> {
    let names = match host.list(PROFILES) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !names.iter().any(|name| name == ".cloudConfigProfileInstalled") {
        return Ok(None);
    }
    let record = host.property_list(&format!("{PROFILES}/.cloudConfigRecordFound"));
    let record = record.unwrap_or(Value::Other);
    let address = record.text("ConfigurationURL");
    Ok(Some(Manager {
        realm: record.text("OrganizationName").and_then(|text| some(text.as_bytes())),
        server: address.as_deref().and_then(server),
        by: Some("automatic enrolment".to_owned()),
        ..manager("MDM", &ManagerKind::DeviceManagement)
    }))
}
