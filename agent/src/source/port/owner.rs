//! Which package brought a program, where the package manager's lists tell it at little cost.
//!
//! dpkg keeps one list of files for each package; rpm has an index from file names to packages in
//! its newest form only. Elsewhere nothing is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use memchr::memmem;

use crate::host::{Host, Owners};
use crate::source::text::has_ending;

const DPKG: &str = "/var/lib/dpkg/info";
const RPM: [&str; 2] = ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"];
/// Lists that are read at most, so that a look stays cheap on any computer.
const LISTS_LIMIT: usize = 20_000;

/// The packages of these programs, by path. What was found once is not looked up again until a
/// package comes or goes.
pub(super) fn packages(host: &Host, paths: BTreeSet<String>) -> BTreeMap<String, String> {
    let lists = [DPKG, RPM[0], RPM[1]].map(|place| host.info(place).ok()).to_vec();
    let mut owners = host.owners.lock().unwrap_or_else(PoisonError::into_inner);
    if owners.lists != lists {
        *owners = Owners { lists, packages: BTreeMap::new() };
    }
    let unknown: BTreeSet<String> =
        paths.iter().filter(|path| !owners.packages.contains_key(*path)).cloned().collect();
    let mut found = look_up(host, unknown.clone());
    for path in unknown {
        let package = found.remove(&path);
        owners.packages.insert(path, package);
    }
    let known = |path: String| {
        let package = owners.packages.get(&path)?.clone()?;
        Some((path, package))
    };
    paths.into_iter().filter_map(known).collect()
}

fn look_up(host: &Host, paths: BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    // What lies elsewhere was brought by no package.
    let is_of_package = |path: &String| {
        ["/usr/", "/bin/", "/sbin/", "/lib", "/opt/"].iter().any(|top| path.starts_with(top))
            && !path.starts_with("/usr/local/")
    };
    let mut left: Vec<String> = paths.into_iter().filter(is_of_package).collect();
    from_dpkg(host, &mut left, &mut found);
    from_rpm(host, &mut left, &mut found);
    found
}

/// A path as lists may write it: with or without `/usr` in front, whichever way they were merged.
fn spellings(path: &str) -> [String; 2] {
    let other = match path.strip_prefix("/usr/") {
        Some(rest) => format!("/{rest}"),
        None => format!("/usr{path}"),
    };
    [path.to_owned(), other]
}

fn from_dpkg(host: &Host, left: &mut Vec<String>, found: &mut BTreeMap<String, String>) {
    if left.is_empty() {
        return;
    }
    let Ok(mut lists) = host.list(DPKG) else { return };
    lists.retain(|name| has_ending(name, "list"));
    // Programs are often named after their packages; those lists are tried first.
    let stems: Vec<String> = left
        .iter()
        .filter_map(|path| path.rsplit('/').next())
        .map(|name| name.trim_end_matches('d').to_owned())
        .filter(|stem| stem.len() > 2)
        .collect();
    let likely = |name: &String| stems.iter().any(|stem| name.starts_with(stem.as_str()));
    let (first, then): (Vec<String>, Vec<String>) = lists.into_iter().partition(likely);
    for name in first.into_iter().chain(then).take(LISTS_LIMIT) {
        if left.is_empty() {
            return;
        }
        let Ok(text) = host.read(&format!("{DPKG}/{name}")) else { continue };
        left.retain(|path| {
            let holds = spellings(path).iter().any(|path| has_line(&text, path.as_bytes()));
            if holds {
                let package = name.trim_end_matches(".list");
                let package = package.split(':').next().unwrap_or(package);
                found.insert(path.clone(), package.to_owned());
            }
            !holds
        });
    }
}

fn has_line(text: &[u8], line: &[u8]) -> bool {
    memmem::find_iter(text, line).any(|at| {
        let before = at == 0 || text.get(at - 1) == Some(&b'\n');
        before && matches!(text.get(at + line.len()), None | Some(b'\n'))
    })
}

fn from_rpm(host: &Host, left: &mut Vec<String>, found: &mut BTreeMap<String, String>) {
    const QUERY: &str = "SELECT DISTINCT n.key FROM Basenames b JOIN Name n ON n.hnum = b.hnum \
                         WHERE b.key = ?1 LIMIT 2";
    if left.is_empty() {
        return;
    }
    let Some(database) =
        RPM.iter().find(|place| host.exists(place)).and_then(|place| host.database(place).ok())
    else {
        return;
    };
    let look = |path: &String| -> rusqlite::Result<Option<String>> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut query = database.prepare_cached(QUERY)?;
        let names: Vec<String> = query
            .query_map([name], |row| {
                // Old writers keep names as bytes.
                let value = row.get_ref(0)?;
                let bytes = value.as_bytes().unwrap_or_default();
                Ok(String::from_utf8_lossy(bytes).into_owned())
            })?
            .collect::<rusqlite::Result<_>>()?;
        // Files of one name in several packages tell nothing.
        Ok(<[String; 1]>::try_from(names).ok().map(|[name]| name))
    };
    left.retain(|path| match look(path) {
        Ok(Some(package)) => {
            found.insert(path.clone(), package);
            false
        }
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_count() {
        let list = b"/.\n/usr\n/usr/sbin/sshd-session\n/usr/sbin/sshd\n";
        assert!(has_line(list, b"/usr/sbin/sshd"));
        assert!(!has_line(list, b"/usr/sbin"));
        assert!(!has_line(list, b"sbin/sshd"));
    }

    #[test]
    fn lists_are_read_again_only_when_a_package_comes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("var/lib/dpkg/info");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("cron.list"), "/usr/sbin/cron\n").unwrap();
        std::fs::write(place.join("other.list"), "/usr/bin/other\n").unwrap();
        let host = Host::at(folder.path());
        let asked = || {
            let paths = ["/usr/sbin/cron", "/usr/sbin/newcomer"].map(str::to_owned);
            packages(&host, BTreeSet::from(paths))
        };
        let first = asked();
        assert_eq!(first, BTreeMap::from([("/usr/sbin/cron".to_owned(), "cron".to_owned())]));
        let opened = host.opened();
        assert_eq!(asked(), first);
        assert_eq!(host.opened(), opened, "nothing was opened");
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::write(place.join("newcomer.list"), "/usr/sbin/newcomer\n").unwrap();
        assert_eq!(asked()["/usr/sbin/newcomer"], "newcomer");
    }

    #[test]
    fn both_sides_of_a_merged_usr() {
        assert_eq!(spellings("/usr/sbin/cron"), ["/usr/sbin/cron", "/sbin/cron"]);
        assert_eq!(spellings("/sbin/cron"), ["/sbin/cron", "/usr/sbin/cron"]);
    }
}
