//! Flatpaks installed for the whole computer. Those of single users lie in home folders, which
//! are never walked.

use rollcall_shared::section::Software;
use rollcall_shared::{Note, NoteKind};

use super::{finish, keep};
use crate::host::Host;
use crate::source::text::{clip, some};
use crate::source::{Gathered, Platform, Privilege, Source};

const FOLDER: &str = "/var/lib/flatpak";

/// The declaration.
pub const FLATPAK: Source = Source {
    name: "flatpak",
    section: "software",
    about: "Flatpaks installed for everybody, from /var/lib/flatpak",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for kind in ["app", "runtime"] {
        let top = format!("{FOLDER}/{kind}");
        let names = match host.list(&top) {
            Ok(names) => names,
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                notes.push(Note::from(error));
                continue;
            }
        };
        for name in names {
            for architecture in host.list(&format!("{top}/{name}")).unwrap_or_default() {
                if architecture == "current" {
                    continue;
                }
                let folder = format!("{top}/{name}/{architecture}");
                for branch in host.list(&folder).unwrap_or_default() {
                    let active = format!("{folder}/{branch}/active");
                    match one(host, &name, &architecture, &branch, &active) {
                        Some(row) => keep(&mut rows, row),
                        None => notes.extend(unreadable(host, &active)),
                    }
                }
            }
        }
    }
    finish(rows, notes)
}

fn unreadable(host: &Host, active: &str) -> Option<Note> {
    host.exists(active).then(|| {
        Note::new(NoteKind::Failed).with_detail(format!("{active} could not be understood"))
    })
}

/// One application or runtime; its branch stands for the version where nothing else does.
fn one(
    host: &Host,
    name: &str,
    architecture: &str,
    branch: &str,
    active: &str,
) -> Option<Software> {
    let deployed = host.read(&format!("{active}/deploy")).ok()?;
    let deployed = parse_deploy(&deployed);
    let version = deployed.version.or_else(|| {
        ["metainfo", "appdata"].iter().find_map(|folder| {
            [".metainfo.xml", ".appdata.xml"].iter().find_map(|ending| {
                // The application itself put these there.
                let path = format!("files/share/{folder}/{name}{ending}");
                let text = host.read_text_below(active, &path).ok()?;
                released_version(&text)
            })
        })
    });
    let installed_at = host.info(&format!("{active}/deploy")).ok().map(|info| info.modified_at);
    Some(Software {
        source: "flatpak".to_owned(),
        name: clip(name.as_bytes()),
        version: version.unwrap_or_else(|| clip(branch.as_bytes())),
        architecture: some(architecture.as_bytes()),
        origin: deployed.origin,
        installed_at: installed_at.filter(|at| at.0 > 0),
        ..Software::default()
    })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Deployed {
    origin: Option<String>,
    version: Option<String>,
}

/// Reads the file `deploy`: a `GVariant` that begins with the origin and ends with a dictionary,
/// in which a key is followed by padding, its text, and the mark of a text.
fn parse_deploy(bytes: &[u8]) -> Deployed {
    let text = |from: usize| {
        let rest = bytes.get(from..)?;
        let end = memchr::memchr(0, rest)?;
        rest.get(..end).filter(|text| text.iter().all(|byte| *byte >= b' ')).and_then(some)
    };
    let key = b"appdata-version\0";
    let version = memchr::memmem::find(bytes, key).and_then(|at| {
        let after = at + key.len();
        let padding = bytes.get(after..)?.iter().take_while(|byte| **byte == 0).count();
        text(after + padding)
    });
    Deployed { origin: text(0), version }
}

/// The first, which is the newest, release of a metainfo file.
fn released_version(text: &str) -> Option<String> {
    let release = text.get(text.find("<release ")?..)?;
    let release = release.get(..release.find('>')?)?;
    let value = release.get(release.find("version=")? + "version=".len()..)?;
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    some(value.get(1..)?.split(quote).next()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::software::testing::software;
    use proptest::prelude::*;

    #[test]
    fn applications_and_runtimes_are_read() {
        let rows = software(&FLATPAK, "fedora-41-flatpak");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].name, "org.freedesktop.Platform");
        assert_eq!(rows[0].version, "23.08");
        assert_eq!(rows[1].name, "org.gnome.Calculator");
        assert_eq!(rows[1].version, "47.0");
        assert_eq!(rows[2].name, "org.mozilla.firefox");
        assert_eq!(rows[2].version, "131.0.2");
        assert_eq!(rows[2].origin.as_deref(), Some("flathub"));

        let rows = software(&FLATPAK, "silverblue-42-flatpak");
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].version.as_str(), rows[1].version.as_str()), ("f42", "25.2.3.2"));
        assert_eq!(rows[1].architecture.as_deref(), Some("aarch64"));
        assert_eq!(rows[1].origin.as_deref(), Some("fedora"));

        let rows = software(&FLATPAK, "steamos-3");
        assert_eq!(rows[0].name, "com.discordapp.Discord");
        assert_eq!((rows[0].version.as_str(), rows[1].version.as_str()), ("0.0.75", "24.08"));
        assert_eq!(rows[0].origin.as_deref(), Some("flathub"));
    }

    #[test]
    fn the_newest_release_is_the_first() {
        let text = "<releases><release date='x' version=\"2.1\"/><release version=\"2.0\"/>";
        assert_eq!(released_version(text).as_deref(), Some("2.1"));
        assert_eq!(released_version("<release version=3>"), None);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes: Vec<u8>, text: String) {
            parse_deploy(&bytes);
            released_version(&text);
            released_version(&format!("<release {text}>"));
        }
    }
}
