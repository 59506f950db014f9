//! Products of a Mac that are worth knowing by name, found by where they lie.

use rollcall_shared::section::{Product, Section};

use super::found;
use crate::host::Host;
use crate::order;
use crate::source::processes::Processes;
use crate::source::service::{daemons, is_switched_on, starts_with_computer};
use crate::source::text::{has_ending, matches_pattern, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// A product and its signs.
struct Known {
    name: &'static str,
    /// Where it lies; `*` stands for anything in one name. What ends in `.app` tells its version.
    places: &'static [&'static str],
    /// Names of what runs of it, where they are known.
    processes: &'static [&'static str],
    /// Its formulae of Homebrew; `*` stands for anything.
    formulae: &'static [&'static str],
    /// Files of its services in /Library/LaunchDaemons; `*` stands for anything.
    daemons: &'static [&'static str],
}

const DATABASES: &[Known] = &[
    Known {
        name: "CouchDB",
        processes: &[],
        places: &["/Applications/Apache CouchDB.app"],
        formulae: &["couchdb"],
        daemons: &["*couchdb*"],
    },
    Known {
        name: "Elasticsearch",
        processes: &[],
        places: &[],
        formulae: &["elasticsearch*"],
        daemons: &["*elasticsearch*"],
    },
    Known {
        name: "FileMaker Server",
        processes: &[],
        places: &["/Library/FileMaker Server"],
        formulae: &[],
        daemons: &["com.filemaker.fms*"],
    },
    Known {
        name: "InfluxDB",
        processes: &["influxd"],
        places: &[],
        formulae: &["influxdb*"],
        daemons: &["*influxdb*"],
    },
    Known {
        name: "MariaDB",
        processes: &["mariadbd"],
        places: &[],
        formulae: &["mariadb*"],
        daemons: &["*mariadb*"],
    },
    Known {
        name: "Memcached",
        processes: &["memcached"],
        places: &[],
        formulae: &["memcached"],
        daemons: &["*memcached*"],
    },
    Known {
        name: "MongoDB",
        processes: &["mongod"],
        places: &["/Applications/MongoDB.app"],
        formulae: &["mongodb-community*"],
        daemons: &["*mongodb*"],
    },
    Known {
        name: "MySQL",
        processes: &["mysqld"],
        places: &["/usr/local/mysql"],
        formulae: &["mysql", "mysql@*"],
        daemons: &["com.oracle.oss.mysql.mysqld.plist", "homebrew.mxcl.mysql*"],
    },
    Known {
        name: "Neo4j",
        processes: &[],
        places: &[],
        formulae: &["neo4j"],
        daemons: &["*neo4j*"],
    },
    Known {
        name: "PostgreSQL",
        processes: &["postgres"],
        places: &["/Applications/Postgres.app", "/Library/PostgreSQL/*"],
        formulae: &["postgresql", "postgresql@*"],
        daemons: &["*postgresql*"],
    },
    Known {
        name: "Redis",
        processes: &["redis-server", "valkey-server"],
        places: &[],
        formulae: &["redis", "redis@*", "valkey"],
        daemons: &["*redis*", "*valkey*"],
    },
];

const REMOTE_ACCESS: &[Known] = &[
    Known {
        name: "AnyDesk",
        processes: &["AnyDesk"],
        places: &["/Applications/AnyDesk.app"],
        formulae: &[],
        daemons: &["com.philandro.anydesk*"],
    },
    Known {
        name: "Chrome Remote Desktop",
        processes: &[],
        places: &["/Library/PrivilegedHelperTools/ChromeRemoteDesktopHost.app"],
        formulae: &[],
        daemons: &["org.chromium.chromoting*"],
    },
    Known {
        name: "DWService",
        processes: &[],
        places: &["/Library/DWAgent"],
        formulae: &[],
        daemons: &["net.dwservice.agent*"],
    },
    Known {
        name: "GoToMyPC",
        processes: &[],
        places: &["/Applications/GoToMyPC.app"],
        formulae: &[],
        daemons: &[],
    },
    Known {
        name: "Jump Desktop Connect",
        processes: &[],
        places: &["/Applications/Jump Desktop Connect.app"],
        formulae: &[],
        daemons: &["com.p5sys.jump.connect*"],
    },
    Known {
        name: "LogMeIn",
        processes: &[],
        places: &["/Library/Application Support/LogMeIn", "/Applications/LogMeIn Client.app"],
        formulae: &[],
        daemons: &["com.logmein.*"],
    },
    Known {
        name: "MeshCentral",
        processes: &["meshagent"],
        places: &["/usr/local/mesh_services/meshagent"],
        formulae: &[],
        daemons: &["meshagent*"],
    },
    Known {
        name: "NoMachine",
        processes: &["nxserver.bin"],
        places: &["/Applications/NoMachine.app"],
        formulae: &[],
        daemons: &["com.nomachine.*"],
    },
    Known {
        name: "Parsec",
        processes: &[],
        places: &["/Applications/Parsec.app"],
        formulae: &[],
        daemons: &["tv.parsec.*"],
    },
    Known {
        name: "RealVNC",
        processes: &["vncserver"],
        places: &["/Applications/RealVNC/VNC Server.app", "/Library/vnc/vncserver"],
        formulae: &[],
        daemons: &["com.realvnc.vncserver*"],
    },
    Known {
        name: "RustDesk",
        processes: &["RustDesk", "rustdesk"],
        places: &["/Applications/RustDesk.app"],
        formulae: &[],
        daemons: &["com.carriez.RustDesk_service.plist"],
    },
    Known {
        name: "ScreenConnect",
        processes: &[],
        places: &[
            "/Applications/connectwisecontrol-*",
            "/opt/connectwisecontrol-*",
            "/Applications/screenconnect-*",
        ],
        formulae: &[],
        daemons: &["connectwisecontrol-*", "screenconnect-*"],
    },
    Known {
        name: "Splashtop",
        processes: &[],
        places: &["/Applications/Splashtop Streamer.app"],
        formulae: &[],
        daemons: &["com.splashtop.*"],
    },
    Known {
        name: "TeamViewer",
        processes: &["TeamViewer_Service"],
        places: &["/Applications/TeamViewer.app", "/Applications/TeamViewerHost.app"],
        formulae: &[],
        daemons: &["com.teamviewer.*"],
    },
    Known {
        name: "Zoho Assist",
        processes: &[],
        places: &["/Applications/ZohoAssist.app", "/Library/Application Support/ZohoAssist"],
        formulae: &[],
        daemons: &["com.zoho.assist*"],
    },
];

/// Ways that every Mac has; what counts is whether they let anybody in.
const OWN: &[(&str, &str)] = &[
    ("Remote Login (OpenSSH)", "com.openssh.sshd"),
    ("Screen Sharing", "com.apple.screensharing"),
];
/// Is there as long as Remote Management is on.
const REMOTE_MANAGEMENT: &str =
    "/Library/Application Support/Apple/Remote Desktop/RemoteManagement.launchd";
const TEAM_VIEWER: &str = "/Library/Preferences/com.teamviewer.teamviewer.preferences.plist";
/// Where Homebrew keeps what it installed.
const CELLARS: &[&str] = &["/opt/homebrew/Cellar", "/usr/local/Cellar"];

/// Database servers.
pub const DATABASE_MACOS: Source = Source {
    name: "mac_database",
    section: "database",
    about: "Database servers by their applications, formulae of Homebrew and services; never what is in them",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather: databases,
};

/// Programs that let others use this computer.
pub const REMOTE_ACCESS_MACOS: Source = Source {
    name: "mac_remote_access",
    section: "remote_access",
    about: "Remote Login, Screen Sharing and Remote Management, and programs for remote control by their applications; never their passwords",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: remote_access,
};

fn databases(host: &Host) -> Gathered {
    Gathered::of(Section::Database(find(host, DATABASES)))
}

fn remote_access(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let mut rows = find(host, REMOTE_ACCESS);
    for row in rows.iter_mut().filter(|row| row.name == "TeamViewer") {
        let list = host.property_list(TEAM_VIEWER).ok();
        let id = list.and_then(|list| list.number("ClientID"));
        row.id = id.filter(|id| *id > 0).map(|id| id.to_string());
    }
    for (name, label) in OWN {
        // Both are off until somebody switches them on.
        match is_switched_on(host, label) {
            Ok(on) => rows.push(own(name, on.unwrap_or(false))),
            Err(error) => {
                notes = vec![error.into()];
            }
        }
    }
    rows.push(own("Remote Management", host.exists(REMOTE_MANAGEMENT)));
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::RemoteAccess(rows)), notes }
}

fn own(name: &str, on: bool) -> Product {
    Product { name: name.to_owned(), automatic: Some(on), ..Product::default() }
}

fn find(host: &Host, table: &[Known]) -> Vec<Product> {
    let daemons = daemons(host);
    let processes = Processes::of(host);
    let mut rows = Vec::new();
    for known in table {
        let file = daemons
            .iter()
            .find(|file| known.daemons.iter().any(|form| matches_pattern(form, file)));
        let automatic = file.and_then(|file| starts_with_computer(host, file));
        let running = processes.run(known.processes).filter(|_| !known.processes.is_empty());
        let name = known.name.to_owned();
        let product = Product { name, automatic, running, ..Product::default() };
        if let Some(path) = known.places.iter().find_map(|place| found(host, place)) {
            let version = version_of(host, &path);
            rows.push(Product { path: Some(path), version, ..product.clone() });
        }
        for (formula, version, path) in formulae(host, known.formulae) {
            let (package, version, path) = (Some(formula), Some(version), Some(path));
            rows.push(Product { package, version, path, ..product.clone() });
        }
    }
    order::sort(&mut rows, Ord::cmp);
    rows
}

fn version_of(host: &Host, path: &str) -> Option<String> {
    if !has_ending(path, "app") {
        return None;
    }
    let list = host.property_list(&format!("{path}/Contents/Info.plist")).ok()?;
    list.text("CFBundleShortVersionString").and_then(|text| some(text.as_bytes()))
}

/// Formulae of these forms with their versions and places.
fn formulae(host: &Host, forms: &[&str]) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    if forms.is_empty() {
        return rows;
    }
    for cellar in CELLARS {
        let names = host.list(cellar).unwrap_or_default();
        for name in
            names.into_iter().filter(|name| forms.iter().any(|form| matches_pattern(form, name)))
        {
            let place = format!("{cellar}/{name}");
            let versions = host.list(&place).unwrap_or_default();
            for version in versions.into_iter().filter(|version| !version.starts_with('.')) {
                let path = format!("{place}/{version}");
                rows.push((name.clone(), version, path));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_well_formed() {
        for known in DATABASES.iter().chain(REMOTE_ACCESS) {
            assert!(!known.places.is_empty() || !known.formulae.is_empty(), "{}", known.name);
            for place in known.places {
                assert!(place.starts_with('/') && place.matches('*').count() <= 1, "{place}");
            }
        }
    }
}
