//! Products of Windows that are worth knowing by name, found by their services.

use rollcall_shared::section::{Product, Section};

use crate::host::{Host, HostError};
use crate::order;
use crate::registry::Key;
use crate::source::service::program;
use crate::source::text::matches_pattern;
use crate::source::{Gathered, Platform, Privilege, Source};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const REMOTE_DESKTOP: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server";
const TEAM_VIEWER: &[&str] =
    &[r"HKLM\SOFTWARE\TeamViewer", r"HKLM\SOFTWARE\WOW6432Node\TeamViewer"];

/// Names of services (`*` stands for anything) and the database server behind each.
const DATABASES: &[(&str, &str)] = &[
    ("MSSQLSERVER", "Microsoft SQL Server"),
    ("MSSQL$*", "Microsoft SQL Server"),
    ("MySQL*", "MySQL"),
    ("MariaDB*", "MariaDB"),
    ("postgresql*", "PostgreSQL"),
    ("MongoDB*", "MongoDB"),
    ("Redis*", "Redis"),
    ("OracleService*", "Oracle Database"),
    ("FirebirdServer*", "Firebird"),
    ("InfluxDB*", "InfluxDB"),
    ("elasticsearch-*", "Elasticsearch"),
];

/// The same for programs that let others use this computer.
const REMOTE_ACCESS: &[(&str, &str)] = &[
    ("AnyDesk*", "AnyDesk"),
    ("TeamViewer*", "TeamViewer"),
    ("RustDesk", "RustDesk"),
    ("ScreenConnect Client*", "ScreenConnect"),
    ("LogMeIn", "LogMeIn"),
    ("SplashtopRemoteService", "Splashtop"),
    ("BASupportExpressStandaloneService*", "N-able Take Control"),
    ("chromoting", "Chrome Remote Desktop"),
    ("tvnserver", "TightVNC"),
    ("uvnc_service", "UltraVNC"),
    ("vncserver", "RealVNC"),
    ("Mesh Agent", "MeshCentral"),
    ("DWAgent", "DWService"),
    ("Radmin*", "Radmin"),
    ("sshd", "OpenSSH server"),
];

/// Database servers.
pub const DATABASE_WINDOWS: Source = Source {
    name: "database_service",
    section: "database",
    about: "Database servers by their services in the registry; never what is in them",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: databases,
};

/// Programs that let others use this computer.
pub const REMOTE_ACCESS_WINDOWS: Source = Source {
    name: "remote_access_service",
    section: "remote_access",
    about: "Remote Desktop and programs for remote control by their services in the registry; never their passwords",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather: remote_access,
};

fn databases(host: &Host) -> Gathered {
    match found(host, DATABASES) {
        Ok(rows) => Gathered::of(Section::Database(rows)),
        Err(error) => Gathered::absent(error.into()),
    }
}

fn remote_access(host: &Host) -> Gathered {
    let mut rows = match found(host, REMOTE_ACCESS) {
        Ok(rows) => rows,
        Err(error) => return Gathered::absent(error.into()),
    };
    for row in &mut rows {
        if row.name == "TeamViewer" {
            row.id = TEAM_VIEWER
                .iter()
                .find_map(|path| Some(host.registry(path).ok()?.number("ClientID")?.to_string()));
        }
    }
    // Every Windows has it; what counts is whether it lets anybody in.
    if let Some(denied) =
        host.registry(REMOTE_DESKTOP).ok().and_then(|key| key.number("fDenyTSConnections"))
    {
        rows.push(Product {
            name: "Remote Desktop".to_owned(),
            automatic: Some(denied == 0),
            ..Product::default()
        });
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::RemoteAccess(rows))
}

fn found(host: &Host, table: &[(&str, &str)]) -> Result<Vec<Product>, HostError> {
    let services = host.registry(SERVICES)?;
    let mut rows: Vec<Product> = Vec::new();
    for service in services.keys {
        let lower = service.to_lowercase();
        let known = table.iter().find(|(form, _)| matches_pattern(&form.to_lowercase(), &lower));
        let key = known.and_then(|_| host.registry(&format!(r"{SERVICES}\{service}")).ok());
        if let (Some((_, name)), Some(key)) = (known, key) {
            rows.extend(product(name, &key));
        }
    }
    order::sort(&mut rows, Ord::cmp);
    rows.dedup();
    Ok(rows)
}

fn product(name: &str, key: &Key) -> Option<Product> {
    const AUTOMATIC: u64 = 2;
    let path = program(&key.text("ImagePath")?)?;
    Some(Product {
        name: name.to_owned(),
        path: Some(path),
        automatic: key.number("Start").map(|start| start <= AUTOMATIC),
        ..Product::default()
    })
}
