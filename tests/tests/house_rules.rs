//! What the house promises about itself: who imports what, where SQL lives, what has fixtures.
//!
//! Each failure names the file and what to do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, extension, found);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), extension, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no .{extension} files under {folder}");
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Whether a whole file is tests, as what comes after `mod tests` is elsewhere.
fn is_tests(name: &str) -> bool {
    name.ends_with("_tests.rs")
}

/// Code without comments and without what comes after `mod tests`.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_import_only_what_they_may() {
    // Folder, what must not appear in its code, and where such code belongs.
    let rules: &[(&str, &[&str], &str)] = &[
        (
            "shared/src",
            &["tokio::", "reqwest::", "axum::", "sqlx::", "std::fs", "std::net::Tcp"],
            "shared holds words, no I/O: move it to the agent or the collector",
        ),
        (
            "agent/src/source",
            &["crate::client", "crate::config", "crate::state", "crate::spool", "reqwest::"],
            "a source only looks: what it needs comes through Host",
        ),
        (
            "agent/src/source",
            &["std::process::Command", "Command::new"],
            "programs are run by Host, which limits them",
        ),
        (
            "collector/src/domain",
            &["sqlx::", "axum::", "tokio::", "crate::http", "crate::store", "crate::app"],
            "domain takes values and gives values: load in a shell, decide here",
        ),
        (
            "collector/src/codec",
            &["sqlx::", "axum::", "tokio::", "crate::http", "crate::store", "crate::domain"],
            "codec is pure",
        ),
        ("collector/src/store", &["axum::", "crate::http"], "store knows no HTTP"),
        ("collector/src/fleet", &["axum::", "crate::http", "sqlx::"], "fleet answers from memory"),
        ("collector/src/http", &["sqlx::"], "SQL lives in store/: call one of its functions"),
        (
            "collector/src/job",
            &["sqlx::", "axum::"],
            "jobs load through store and decide in domain",
        ),
        ("collector/src/view", &["sqlx::", "axum::"], "view asks store and fleet"),
    ];
    let mut broken = Vec::new();
    for (folder, forbidden, instead) in rules {
        for (name, text) in files(folder, "rs").into_iter().filter(|(name, _)| !is_tests(name)) {
            let code = code(&text);
            for word in *forbidden {
                if code.contains(word) {
                    broken.push(format!("{name} uses `{word}`: {instead}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn sql_is_written_in_the_store_only() {
    let looks_like_sql = |line: &str| {
        let line = line.trim_start_matches([' ', '"', 'r', '#']);
        ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "].iter().any(|verb| {
            line.starts_with(verb) && [" FROM ", " SET ", "INTO "].iter().any(|w| line.contains(w))
        })
    };
    let mut broken = Vec::new();
    for (name, text) in files("collector/src", "rs") {
        if name.starts_with("collector/src/store/") || is_tests(&name) {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            if looks_like_sql(line) {
                broken.push(format!("{name}:{}: move this statement to store/", number + 1));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn sql_is_never_made_from_data_outside_the_dialect() {
    let allowed = [
        "collector/src/store/mod.rs",
        "collector/src/store/dialect.rs",
        // Names of throw-away test databases.
        "collector/src/store/testing.rs",
    ];
    for (name, text) in files("collector/src", "rs") {
        let found = code(&text).contains("AssertSqlSafe");
        assert!(
            !found || allowed.contains(&name.as_str()),
            "{name}: built-up SQL belongs in store/dialect.rs, where a reviewer looks for it"
        );
    }
}

/// Where requests are answered no file is opened, so no request can name one.
#[test]
fn no_code_that_answers_requests_opens_files() {
    let tests = |name: &str| {
        name.contains("/tests") || name.ends_with("_tests.rs") || name.ends_with("/sample.rs")
    };
    let mut broken = Vec::new();
    for folder in ["http", "view", "export", "fleet", "domain", "codec", "job"] {
        for (name, text) in files(&format!("collector/src/{folder}"), "rs") {
            for word in ["std::fs", "tokio::fs", "File::open", "OpenOptions", "Command::new"] {
                if code(&text).contains(word) && !tests(&name) {
                    broken.push(format!("{name} uses `{word}`: assets are embedded"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The packages of `Cargo.lock`: name, source, checksum.
fn locked() -> Vec<(String, Option<String>, Option<String>)> {
    let text = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")));
        line.map(|rest| rest.trim_end_matches('"').to_owned())
    };
    let blocks = text.split("[[package]]").skip(1);
    blocks
        .map(|block| {
            let name = value(block, "name").unwrap();
            (name, value(block, "source"), value(block, "checksum"))
        })
        .collect()
}

#[test]
fn every_dependency_is_from_the_registry_with_its_checksum_and_none_is_banned() {
    let own = [
        "rollcall-agent",
        "rollcall-collector",
        "rollcall-manual",
        "rollcall-shared",
        "rollcall-tests",
    ];
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let banned: BTreeSet<&str> = deny
        .split("{ crate = \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        // What loads code by name while it runs.
        .chain(["libloading", "dlopen2"])
        .collect();
    assert!(banned.contains("openssl-sys"), "{banned:?}");
    let packages = locked();
    assert!(packages.len() > 100);
    for (name, source, checksum) in &packages {
        match source.as_deref() {
            None => assert!(own.contains(&name.as_str()), "{name} comes from a folder"),
            Some(source) => {
                assert!(source.starts_with("registry+"), "{name} comes from {source}");
                assert_eq!(checksum.as_ref().map(String::len), Some(64), "{name}: its checksum");
            }
        }
        assert!(!banned.contains(name.as_str()), "{name} is not wanted here; see deny.toml");
    }
}

/// Licences, bans and sources as `deny.toml` has them, where the tool is at hand.
#[test]
fn cargo_deny_finds_nothing() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let deny = |arguments: &[&str]| {
        let mut cargo = std::process::Command::new(&cargo);
        cargo.arg("deny").args(arguments).current_dir(root()).output().unwrap()
    };
    if !deny(&["--version"]).status.success() {
        eprintln!("NOT RUN  licences: no cargo-deny here, so they were not checked");
        return;
    }
    let said = deny(&["--offline", "check", "bans", "licenses", "sources"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn migrations_have_equal_names_on_both_databases() {
    let names = |folder: &str| -> BTreeSet<String> {
        files(folder, "sql")
            .into_iter()
            .map(|(n, _)| n.rsplit('/').next().unwrap().into())
            .collect()
    };
    assert_eq!(names("collector/migrations/sqlite"), names("collector/migrations/postgres"));
}

/// Every folder that holds a captured or constructed system.
fn fixture_systems() -> Vec<PathBuf> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    folders(&root().join("tests/fixtures")).iter().flat_map(|topic| folders(topic)).collect()
}

/// A system counts for a source that finds something in it: more than in an empty folder, and not
/// an empty list. Each source wants three systems, and each for macOS three Macs.
#[test]
#[cfg(target_os = "linux")]
fn every_source_and_section_has_fixtures_from_several_systems() {
    use rollcall_agent::host::Host;
    use rollcall_agent::source::{Platform, SOURCES, Source};

    let empty = tempfile::tempdir().unwrap();
    let found = |source: &Source, folder: &Path| -> Option<String> {
        // Homes are closed to sources unless a computer says otherwise.
        let section = (source.gather)(&Host::at(folder).with_homes(true)).section?;
        Some(section.to_json().unwrap().get().to_owned()).filter(|body| body != "[]")
    };
    let systems = fixture_systems();
    let mut broken = Vec::new();
    let mut of_section: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for source in SOURCES {
        let nothing = found(source, empty.path());
        // Captures for one topic lie in its folder, whole computers in `host`.
        let here = systems.iter().filter(|system| {
            let topic = system.parent().and_then(Path::file_name).unwrap();
            topic == source.section || topic == "host"
        });
        let fed: BTreeSet<&Path> = here
            .map(PathBuf::as_path)
            .filter(|system| found(source, system).is_some_and(|body| Some(body) != nothing))
            .collect();
        let is_mac = |system: &&&Path| {
            system.join("System/Library/CoreServices/SystemVersion.plist").exists()
        };
        let wanted = 3;
        let macs = fed.iter().filter(is_mac).count();
        let is_for_macs = source.platforms.contains(&Platform::Macos);
        if fed.len() < wanted || is_for_macs && macs < wanted {
            let fed: Vec<_> = fed.iter().map(|path| path.display().to_string()).collect();
            broken.push(format!("source {}: wants {wanted} systems, has {fed:?}", source.name));
        }
        of_section.entry(source.section).or_default().extend(fed);
    }
    for info in rollcall_shared::section::SECTIONS {
        let systems = of_section.get(info.name).map_or(0, BTreeSet::len);
        if systems < 3 {
            broken.push(format!("section {}: wants three systems, has {systems}", info.name));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_fixture_says_whether_it_was_captured_or_constructed() {
    for system in fixture_systems() {
        let text = ["README", "README.md"]
            .iter()
            .find_map(|name| fs::read_to_string(system.join(name)).ok())
            .unwrap_or_default()
            .to_lowercase();
        assert!(
            text.contains("captured") || text.contains("constructed"),
            "{}: its README must say whether it was captured or constructed",
            system.display()
        );
    }
}

#[test]
fn templates_never_mark_data_as_safe() {
    for (name, text) in files("collector/templates", "html") {
        assert!(
            !text.contains("|safe") && !text.contains("| safe"),
            "{name}: `safe` skips escaping"
        );
        assert!(!text.contains("style=\""), "{name}: the content policy refuses inline styles");
        assert!(!text.contains("onclick="), "{name}: the content policy refuses inline scripts");
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Spelled apart so that this file does not find itself.
    let foreign = [["/wor", "k/"], ["/roo", "t/"], ["index.cra", "tes.io"], ["registry.np", "mjs"]];
    let mut broken = Vec::new();
    for folder in ["shared", "agent", "collector", "tests", "packaging", ".ci"] {
        for extension in ["rs", "md", "toml", "html", "js", "css", "sh", "sql", "json", "service"] {
            let found = std::panic::catch_unwind(|| files(folder, extension)).unwrap_or_default();
            for (name, text) in found {
                for [head, tail] in foreign {
                    // The administrator's home folder is a fact of captured systems.
                    let fixture = name.starts_with("tests/fixtures") && head == "/roo";
                    if text.contains(&format!("{head}{tail}")) && !fixture {
                        broken.push(format!("{name} names `{head}{tail}`"));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_named_test_of_the_threat_model_exists() {
    let page = fs::read_to_string(root().join("shared/security/threat-model.md")).unwrap();
    let mut tests = BTreeSet::new();
    for folder in ["agent", "collector", "shared", "tests"] {
        for (_, text) in files(folder, "rs") {
            for line in text.lines() {
                let line = line.trim_start().trim_start_matches("async ");
                let named = line.strip_prefix("fn ").or_else(|| line.strip_prefix("store_test!("));
                let Some(rest) = named else { continue };
                tests.insert(rest.split(['(', ',', '<']).next().unwrap_or_default().to_owned());
            }
        }
    }
    let mut promises = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, _, _, held_by] = cells[..] else { panic!("four columns: {line}") };
        if code == "Promise" || code.starts_with("---") {
            continue;
        }
        assert!(promises.insert(code), "{code} stands twice");
        let names: Vec<&str> =
            held_by.split('`').skip(1).step_by(2).filter(|name| !name.contains(' ')).collect();
        assert!(
            !names.is_empty() || held_by.starts_with("none: "),
            "{code}: say why no test holds it"
        );
        for name in names {
            assert!(
                tests.contains(name),
                "{code}: there is no test `{name}`; name the one that is"
            );
        }
    }
    let codes = |letter: char, numbers: &[u32]| -> Vec<String> {
        numbers.iter().map(|number| format!("{letter}{number}")).collect()
    };
    let all = [
        codes('S', &(1..=22).collect::<Vec<_>>()),
        codes('A', &[1, 2, 3, 4, 6, 7, 8, 9, 10]),
        codes('D', &(1..=12).collect::<Vec<_>>()),
        codes('B', &[1, 2, 4]),
    ];
    for code in all.concat() {
        assert!(promises.contains(code.as_str()), "{code} is missing");
    }
}

#[test]
fn no_openssl_stands_in_the_lock_file() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let names: Vec<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(names.contains(&"rustls") && names.contains(&"ring"), "the file is read as it should");
    // Whatever can load code from a path, or is a second cryptographic library.
    let unwanted = ["openssl", "native-tls", "boring", "aws-lc", "libloading", "dlopen", "mbedtls"];
    let found: Vec<&str> = names
        .into_iter()
        .filter(|name| unwanted.iter().any(|one| name.starts_with(one)) && *name != "openssl-probe")
        .collect();
    assert!(found.is_empty(), "one TLS library, and no plugins: {found:?}");
}
