//! What a Windows computer joined, and what sets it up or watches over it, from its registry.
//! Names of the people who joined it are not told.

use rollcall_shared::section::product::ManagerKind;
use rollcall_shared::section::{Manager, Section};
use rollcall_shared::{Note, NoteKind};

use crate::host::Host;
use crate::order;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const GROUP_POLICY: &str =
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Group Policy\State\Machine";
const ENTRA: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\CloudDomainJoin";
const ENROLLMENTS: &str = r"HKLM\SOFTWARE\Microsoft\Enrollments";
const CONFIGURATION_MANAGER: &str = r"HKLM\SOFTWARE\Microsoft\SMS\Mobile Client";
const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";

/// Services of programs that set computers up.
const PROGRAMS: &[(&str, &str)] = &[
    ("puppet", "Puppet"),
    ("salt-minion", "Salt"),
    ("chef-client", "Chef"),
    ("cfengine-nova-exec", "CFEngine"),
    ("BESClient", "BigFix"),
    ("NinjaRMMAgent", "NinjaOne"),
    ("Tactical RMM Agent", "Tactical RMM"),
    ("LTService", "ConnectWise Automate"),
    ("AteraAgent", "Atera"),
    ("ninjarmm-agent", "NinjaOne"),
];

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "windows_management",
    section: "management",
    about: "Active Directory, Entra, Intune and other device management, Configuration Manager and others from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let key = |path: &str| host.registry(path).unwrap_or_default();
    rows.extend(active_directory(&key(GROUP_POLICY)));
    let below = |path: &str| host.registry_below(path).unwrap_or_default();
    let tenants = below(&format!(r"{ENTRA}\TenantInfo"));
    rows.extend(below(&format!(r"{ENTRA}\JoinInfo")).iter().map(|(_, join)| entra(join, &tenants)));
    rows.extend(below(ENROLLMENTS).iter().filter_map(|(_, key)| device_management(key)));
    if let Ok(client) = host.registry(CONFIGURATION_MANAGER) {
        rows.push(Manager {
            name: "Configuration Manager".to_owned(),
            kind: Some(ManagerKind::Configuration),
            realm: client.text("AssignedSiteCode"),
            ..Manager::default()
        });
    }
    let is_service = |name: &str| host.registry(&format!(r"{SERVICES}\{name}")).is_ok();
    rows.extend(PROGRAMS.iter().filter(|(service, _)| is_service(service)).map(|(_, name)| {
        Manager {
            name: (*name).to_owned(),
            kind: Some(ManagerKind::Configuration),
            ..Manager::default()
        }
    }));
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    if rows.is_empty() {
        let why = "nothing manages this computer, as it seems";
        return Gathered::absent(Note::new(NoteKind::NotFound).with_detail(why));
    }
    Gathered::of(Section::Management(rows))
}

/// A computer of a domain knows its own place in it: `CN=FS01,OU=Servers,DC=example,DC=org`.
fn active_directory(state: &Key) -> Option<Manager> {
    let place = state.text("Distinguished-Name")?;
    let parts: Vec<&str> = place
        .split(',')
        .filter_map(|part| {
            let (kind, name) = part.trim().split_once('=')?;
            kind.eq_ignore_ascii_case("DC").then_some(name)
        })
        .collect();
    (!parts.is_empty()).then(|| Manager {
        name: "Active Directory".to_owned(),
        kind: Some(ManagerKind::Directory),
        realm: Some(parts.join(".")),
        ..Manager::default()
    })
}

fn entra(join: &Key, tenants: &[(String, Key)]) -> Manager {
    let id = join.text("TenantId");
    let named = tenants.iter().find(|(tenant, _)| Some(tenant) == id.as_ref());
    Manager {
        name: "Microsoft Entra".to_owned(),
        kind: Some(ManagerKind::Directory),
        realm: named.and_then(|(_, key)| key.text("DisplayName")).or(id),
        ..Manager::default()
    }
}

/// An enrolment that is in force. The system keeps keys of its own here as well, which have no
/// provider.
fn device_management(key: &Key) -> Option<Manager> {
    const ENROLLED: u64 = 1;
    let provider = key.text("ProviderID")?;
    if key.number("EnrollmentState") != Some(ENROLLED) {
        return None;
    }
    let address = key.text("DiscoveryServiceFullURL");
    let server = address.as_deref().and_then(super::parse::server);
    Some(Manager {
        name: match provider.as_str() {
            "MS DM Server" => "Microsoft Intune".to_owned(),
            _ => provider,
        },
        kind: Some(ManagerKind::DeviceManagement),
        server,
        ..Manager::default()
    })
}
