//! Products that are worth knowing by name: database servers, and programs that let others use
//! this computer. Each is found by where it lies, what its package is called, and what runs.

use std::sync::Arc;

use rollcall_shared::section::{Product, Section, Software};

use super::processes::Processes;
use super::service::{groups, systemd};
use super::text::{assignments, clip, matches_pattern};
use super::{Gathered, Platform, Privilege, Source, port, software};
use crate::host::Host;
use crate::order;

mod macos;
mod tables;
mod windows;

pub use macos::{DATABASE_MACOS, REMOTE_ACCESS_MACOS};
pub use windows::{DATABASE_WINDOWS, REMOTE_ACCESS_WINDOWS};

/// Database servers.
pub const DATABASE: Source = Source {
    name: "database",
    section: "database",
    about: "Database servers by their programs, packages and processes; never what is in them",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: databases,
};

/// Programs that let others use this computer.
pub const REMOTE_ACCESS: Source = Source {
    name: "remote_access",
    section: "remote_access",
    about: "Programs for remote control and remote sign-in; never their passwords",
    platforms: &[Platform::Linux],
    privilege: Privilege::Administrator,
    programs: &[],
    gather: remote_access,
};

/// A product and its signs.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// Where its program lies; `*` stands for anything in one name.
    pub(crate) places: &'static [&'static str],
    /// Its processes; the kernel cuts names after 15 letters.
    pub(crate) processes: &'static [&'static str],
    /// Units of systemd; `*` stands for anything.
    pub(crate) units: &'static [&'static str],
    /// Packages, the best sign first; `#` stands for numbers with dots.
    pub(crate) packages: &'static [&'static str],
}

fn databases(host: &Host) -> Gathered {
    let mut rows = find(host, "signs of databases", tables::DATABASES);
    // MariaDB brings programs of MySQL's names.
    if rows.iter().any(|row| row.name == "MariaDB") {
        rows.retain(|row| row.name != "MySQL" || row.package.is_some());
    }
    Gathered::of(Section::Database(rows))
}

fn remote_access(host: &Host) -> Gathered {
    let mut rows = find(host, "signs of remote access", tables::REMOTE_ACCESS);
    for row in &mut rows {
        row.id = match row.name.as_str() {
            "AnyDesk" => value_of(host, "/etc/anydesk/system.conf", "ad.anynet.id"),
            "TeamViewer" => {
                value_of(host, "/opt/teamviewer/config/global.conf", "[int32] ClientID")
            }
            _ => None,
        };
    }
    Gathered::of(Section::RemoteAccess(rows))
}

/// One value of a file that holds many others, of which none is kept.
fn value_of(host: &Host, path: &str, key: &str) -> Option<String> {
    let text = host.read_text(path).ok()?;
    let (_, value) = assignments(&text).find(|(name, _)| *name == key)?;
    let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| clip(value.as_bytes()))
}

/// Signs of a product that lie in files.
struct Signs {
    path: Option<String>,
    packages: Vec<Software>,
}

/// Packages of all products that are known here, which holds as long as no package comes or goes.
fn packages(host: &Host) -> Arc<Vec<Software>> {
    host.keep("packages known by name", |host| {
        let is_wanted = |name: &str| {
            let mut all = tables::DATABASES.iter().chain(tables::REMOTE_ACCESS);
            all.any(|known| known.packages.iter().any(|form| has_form(form, name)))
        };
        software::named(host, &is_wanted)
    })
}

/// The products of a table that are here; `name` is that of what is kept of them.
fn find(host: &Host, name: &'static str, table: &'static [Known]) -> Vec<Product> {
    let processes = Processes::of(host);
    let signs = host.keep(name, |host| {
        let packages = packages(host);
        let signs = |known: &Known| Signs {
            path: known.places.iter().find_map(|pattern| found(host, pattern)),
            packages: packages_of(known, &packages).into_iter().cloned().collect(),
        };
        table.iter().map(signs).collect::<Vec<Signs>>()
    });
    let mut units = None;
    let mut rows = Vec::new();
    for (known, Signs { path, packages }) in table.iter().zip(signs.iter()) {
        let runs = processes.run(known.processes).filter(|_| !known.processes.is_empty());
        if path.is_none() && packages.is_empty() && runs != Some(true) {
            continue;
        }
        let (units, running) =
            units.get_or_insert_with(|| (systemd::units(host), groups::running(host)));
        let wanted = &units.wanted;
        let has = |names: &std::collections::BTreeSet<String>| {
            names.iter().any(|name| known.units.iter().any(|form| matches_pattern(form, name)))
        };
        let by_unit = running.as_ref().map(&has).filter(|_| !known.units.is_empty());
        let product = Product {
            name: known.name.to_owned(),
            path: path.clone(),
            running: match (runs, by_unit) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (one, other) => one.or(other),
            },
            automatic: (!known.units.is_empty() && !wanted.is_empty()).then(|| has(wanted)),
            ports: port::of_processes(host, &processes.ids(known.processes)),
            ..Product::default()
        };
        if packages.is_empty() {
            rows.push(product);
        } else {
            let several = packages.len() > 1;
            let ids = processes.ids(known.processes);
            rows.extend(packages.iter().map(|package| {
                let product = if several {
                    of_version(host, known, &package.name, &ids, &product)
                } else {
                    product.clone()
                };
                Product {
                    version: Some(package.version.clone()),
                    package: Some(package.name.clone()),
                    ..product
                }
            }));
        }
    }
    order::sort(&mut rows, Ord::cmp);
    rows
}

/// One of several versions side by side: each has its own folder, which its processes name.
fn of_version(host: &Host, known: &Known, package: &str, ids: &[u32], any: &Product) -> Product {
    let number: String = package.chars().filter(|it| it.is_ascii_digit() || *it == '.').collect();
    let is_its = |path: &str| path.split(['/', '-']).any(|part| part == number);
    let path = known.places.iter().find_map(|place| {
        let place = place.replacen('*', &number, 1);
        (is_its(&place) && host.exists(&place)).then_some(place)
    });
    let of_process = |id: &&u32| {
        let program = host.link(&format!("/proc/{id}/exe"));
        program.is_ok_and(|program| is_its(&program.to_string_lossy()))
    };
    let ids: Vec<u32> = ids.iter().filter(of_process).copied().collect();
    Product {
        path,
        running: if ids.is_empty() { any.running.filter(|runs| !runs) } else { Some(true) },
        ports: port::of_processes(host, &ids),
        ..any.clone()
    }
}

/// The packages that the best sign finds; several versions may lie side by side.
fn packages_of<'a>(known: &Known, packages: &'a [Software]) -> Vec<&'a Software> {
    let by_form =
        |form: &&str| packages.iter().filter(|row| has_form(form, &row.name)).collect::<Vec<_>>();
    known.packages.iter().map(by_form).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether a name has a form in which `#` stands for numbers with dots.
fn has_form(form: &str, name: &str) -> bool {
    let Some((before, after)) = form.split_once('#') else { return form == name };
    let middle = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    middle.is_some_and(|text| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

/// The first path of this form that is there.
fn found(host: &Host, pattern: &str) -> Option<String> {
    let Some(star) = pattern.find('*') else {
        return host.exists(pattern).then(|| pattern.to_owned());
    };
    let slash = pattern[..star].rfind('/')?;
    let (folder, rest) = (&pattern[..slash], &pattern[slash + 1..]);
    let (part, below) = rest.split_once('/').map_or((rest, None), |(part, it)| (part, Some(it)));
    let names = host.list(folder).ok()?;
    names.iter().filter(|name| matches_pattern(part, name)).find_map(|name| {
        let path = match below {
            Some(below) => format!("{folder}/{name}/{below}"),
            None => format!("{folder}/{name}"),
        };
        host.exists(&path).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(section: &str, system: &str, gather: fn(&Host) -> Gathered) -> String {
        let root = format!("{}/../tests/fixtures/{section}/{system}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{:#?}", gather(&Host::at(root)));
        assert!(!text.contains("never-to-be-told"), "a password is in the report");
        text
    }

    #[test]
    fn database_servers() {
        for system in ["debian-12", "rocky-9", "ubuntu-24.04"] {
            insta::assert_snapshot!(
                format!("database-{system}"),
                told("database", system, databases)
            );
        }
    }

    #[test]
    fn remote_control() {
        for system in ["debian-12", "office-pc", "rocky-9"] {
            insta::assert_snapshot!(
                format!("remote-{system}"),
                told("remote_access", system, remote_access)
            );
        }
    }

    #[test]
    fn forms_of_names() {
        assert!(has_form("postgresql-#", "postgresql-15"));
        assert!(has_form("mysql-server-#", "mysql-server-8.0"));
        assert!(!has_form("postgresql-#", "postgresql-15-cron"));
        assert!(!has_form("postgresql-#", "postgresql-"));
        assert!(has_form("redis", "redis"));
    }

    #[test]
    fn the_tables_are_well_formed() {
        for known in tables::DATABASES.iter().chain(tables::REMOTE_ACCESS) {
            assert!(!known.places.is_empty(), "{}", known.name);
            for process in known.processes {
                assert!(process.len() <= 15, "{process} is longer than the kernel's names");
            }
            for place in known.places {
                assert!(place.starts_with('/') && place.matches('*').count() <= 1, "{place}");
            }
        }
    }
}
