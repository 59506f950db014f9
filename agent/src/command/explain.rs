//! `explain`: of one section, what is read for it and why, when it was read last, why something is
//! missing, and what each field tells of people. Needs no rights, no state and no collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use rollcall_shared::report::SourceCost;
use rollcall_shared::section::SECTIONS;
use rollcall_shared::{NoteKind, Timestamp};
use serde_json::json;

use crate::cli::{Context, print};
use crate::error::{Error, exit};
use crate::gather::{Found, Observer};
use crate::host::Host;
use crate::now::{Present as _, SystemPresent};
use crate::paths::Paths;
use crate::source::{FROM_DEVICES, FROM_FILES, Platform, Privilege, SOURCES, Source};
use crate::state::State;
use crate::status::{Asked, Status, ago};
use crate::{merge, settings, show};

/// The document of everything that is collected, made from the code.
const DOCUMENT: &str = include_str!("../../what-we-collect.md");
/// More paths of one folder are told by their number.
const NAMED_IN_A_FOLDER: usize = 4;

/// What `explain` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The section, e.g. `software`; `rollcall-agent sources` lists them
    section: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<u8, Error> {
    let Some(info) = SECTIONS.iter().find(|info| info.name == arguments.section) else {
        let known: Vec<&str> = SECTIONS.iter().map(|info| info.name).collect();
        return Err(Error::Usage(format!(
            "there is no section `{}`; there are {}",
            arguments.section,
            known.join(", ")
        )));
    };
    let host = Host::live();
    let asked_off = State::peek_settings(&context.paths.state);
    let options = settings::options(&context.config, &asked_off);
    let is_off = options.sections_off.iter().any(|off| off == info.name);
    let (found, costs, paths) = if is_off {
        let note = rollcall_shared::Note::new(NoteKind::SwitchedOff);
        (Found::new(None, vec![note]), BTreeMap::new(), BTreeMap::new())
    } else {
        Observer::with_paths(host.clone()).look_at(info.name, &options)
    };
    let status = Status::read(&context.paths.status).ok().flatten();
    let status = status.or_else(|| Status::read(&Paths::system().status).ok().flatten());
    let asked = status.map(|status| status.sources).unwrap_or_default();
    let sources: Vec<Told<'_>> = SOURCES
        .iter()
        .filter(|source| source.section == info.name)
        .map(|source| Told {
            source,
            here: Platform::CURRENT.is_some_and(|now| source.platforms.contains(&now)),
            cost: costs.get(source.name),
            asked: asked.get(source.name),
            read: grouped(paths.get(source.name).map(Vec::as_slice).unwrap_or_default(), |path| {
                // Of keys of the registry only those that are there are remembered.
                path.starts_with("HK") || host.exists(path)
            }),
        })
        .collect();
    if arguments.json {
        print(&super::to_json(&as_json(info.name, info.about, &sources, &found))?);
    } else {
        let now = SystemPresent.now();
        print(&as_text(info.name, info.about, &sources, &found, now));
    }
    Ok(if found.section.is_some() { exit::OK } else { exit::PROBLEMS })
}

/// What is told of one source.
struct Told<'a> {
    source: &'a Source,
    /// Whether it works on this system.
    here: bool,
    cost: Option<&'a SourceCost>,
    asked: Option<&'a Asked>,
    read: Vec<String>,
}

/// Files and folders that are there, those of one folder together.
fn grouped(paths: &[String], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths.iter().filter(|path| exists(path)) {
        let folder = folder_of(path);
        folders.entry(folder).or_default().push(path);
    }
    let mut told = Vec::new();
    for (folder, paths) in folders {
        if paths.len() > NAMED_IN_A_FOLDER {
            let bar = if folder.starts_with("HK") { '\\' } else { '/' };
            told.push(format!("{folder}{bar} ({} of what lies there)", paths.len()));
        } else {
            told.extend(paths.into_iter().map(str::to_owned));
        }
    }
    told
}

/// The folder of a file. Keys of devices and services lie deep, so those of one tree are together.
fn folder_of(path: &str) -> &str {
    const TREE: usize = 4;
    if path.starts_with(r"HKLM\SYSTEM\") {
        let end = path.match_indices('\\').nth(TREE - 1).map_or(path.len(), |(at, _)| at);
        return path.get(..end).unwrap_or(path);
    }
    path.rsplit_once(['/', '\\']).map_or("", |(folder, _)| folder)
}

/// The lines of the document that tell of the fields of a section.
fn fields(
    document: &'static str,
    section: &str,
) -> Vec<(&'static str, &'static str, &'static str)> {
    let heading = format!("## {section}");
    let lines = document.lines().skip_while(|line| *line != heading).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    let field = |line: &'static str| {
        let (name, rest) = line.strip_prefix("- `")?.split_once("`: ")?;
        let (meaning, note) = rest.strip_suffix('*')?.rsplit_once(" *")?;
        Some((name, meaning, note))
    };
    lines.filter_map(field).collect()
}

fn as_json(name: &str, about: &str, sources: &[Told<'_>], found: &Found) -> serde_json::Value {
    let source = |told: &Told<'_>| {
        let programs = told.source.programs.iter();
        json!({
            "name": told.source.name,
            "about": told.source.about,
            "works_here": told.here,
            "needs_administrator": told.source.privilege == Privilege::Administrator,
            "programs": programs
                .map(|program| json!({ "path": program.path, "why": program.why }))
                .collect::<Vec<_>>(),
            "read": told.read,
            "cost": told.cost,
            "asked_last": told.asked,
        })
    };
    let field = |(name, meaning, privacy): &(&str, &str, &str)| json!({ "name": name, "meaning": meaning, "privacy": privacy });
    json!({
        "schema_version": 1,
        "section": name,
        "about": about,
        "sources": sources.iter().map(source).collect::<Vec<_>>(),
        "rows": found.section.as_deref().and_then(merge::rows),
        "notes": found.notes,
        "fields": fields(DOCUMENT, name).iter().map(field).collect::<Vec<_>>(),
    })
}

fn as_text(name: &str, about: &str, sources: &[Told<'_>], found: &Found, now: Timestamp) -> String {
    let mut text = format!("{name}: {about}\n");
    if sources.is_empty() {
        text.push_str("\nNothing is read for it.\n");
    }
    for told in sources {
        let _ = writeln!(text, "\n{}: {}", told.source.name, told.source.about);
        if !told.here {
            text.push_str("  not on this system\n");
            continue;
        }
        if told.source.privilege == Privilege::Administrator {
            text.push_str("  some of it only with administrator rights\n");
        }
        for program in told.source.programs {
            let _ = writeln!(text, "  starts {}: {}", program.path, program.why);
        }
        for path in &told.read {
            let _ = writeln!(text, "  read {}", show::printable(path));
        }
        if FROM_FILES.contains(&told.source.name) {
            text.push_str("  asked again when one of these changes, and at every full look\n");
        } else if FROM_DEVICES.contains(&told.source.name) {
            text.push_str("  asked again when a device comes, goes or changes\n");
        }
        if let Some(cost) = told.cost {
            let _ = writeln!(text, "  cost now: {}", cost_text(cost));
        }
        match told.asked {
            Some(asked) => {
                let when = ago(now.since(asked.at));
                let _ = writeln!(text, "  asked last by the agent that runs: {when}");
            }
            None => text.push_str("  asked last: by no agent that runs here\n"),
        }
    }
    text.push('\n');
    match found.section.as_deref().map(merge::rows) {
        Some(Some(rows)) => {
            let _ = writeln!(text, "Found: {rows} rows");
        }
        Some(None) => text.push_str("Found: yes\n"),
        None => text.push_str("Found: nothing\n"),
    }
    for note in &found.notes {
        let _ = writeln!(text, "Missing: {}", show::sentence(note));
    }
    text.push_str("\nFields\n");
    for (name, meaning, privacy) in fields(DOCUMENT, name) {
        let _ = writeln!(text, "  {name}: {meaning}\n    {privacy}");
    }
    text
}

fn cost_text(cost: &SourceCost) -> String {
    format!(
        "{}.{} ms of processor time, {} KiB read",
        cost.cpu_us / 1000,
        cost.cpu_us % 1000 / 100,
        cost.read_bytes.div_ceil(1024)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_fields_that_are_explained() {
        for info in SECTIONS {
            let fields = fields(DOCUMENT, info.name);
            assert!(!fields.is_empty(), "{}", info.name);
            for (name, meaning, privacy) in fields {
                let whole = !name.is_empty() && !meaning.is_empty() && !privacy.is_empty();
                assert!(whole && !meaning.contains('*'), "{name}: {meaning} / {privacy}");
            }
        }
    }

    #[test]
    fn many_files_of_one_folder_are_told_by_their_number() {
        let paths: Vec<String> = (0..9)
            .map(|number| format!("/var/lib/dpkg/info/{number}.list"))
            .chain(["/var/lib/dpkg/status", "/var/lib/none"].map(str::to_owned))
            .collect();
        let keys: Vec<String> = (0..9)
            .map(|number| format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{number}\Enum"))
            .collect();
        let told = r"HKLM\SYSTEM\CurrentControlSet\Services\ (9 of what lies there)";
        assert_eq!(grouped(&keys, |_| true), [told]);
        assert_eq!(
            grouped(&paths, |path| path != "/var/lib/none"),
            ["/var/lib/dpkg/status", "/var/lib/dpkg/info/ (9 of what lies there)"]
        );
    }
}
