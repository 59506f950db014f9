//! What the house promises about itself: who imports what, where SQL lives, what has fixtures.
//!
//! Each failure names the file and what to do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
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
        for (name, text) in files(folder, "rs") {
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
        if name.starts_with("collector/src/store/") {
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

#[test]
fn every_section_has_fixtures_from_two_systems() {
    for info in rollcall_shared::section::SECTIONS {
        // Whole captured systems under `host` serve every section that reads them.
        let folders = |name: &str| {
            fs::read_dir(root().join("tests/fixtures").join(name)).map_or(0, |entries| {
                entries.filter(|entry| entry.as_ref().is_ok_and(|e| e.path().is_dir())).count()
            })
        };
        let systems = folders(info.name) + folders("host");
        assert!(systems >= 2, "tests/fixtures/{}: {systems} systems, wanted two", info.name);
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
