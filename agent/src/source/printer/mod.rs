//! Printer queues of CUPS. Addresses of printers hold names and passwords; those are cut off before
//! anything else looks at them.

use rollcall_shared::section::Section;

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;

pub mod parse;
mod windows;

pub use windows::WINDOWS;

/// Printer queues.
pub const SOURCE: Source = Source {
    name: "printer",
    section: "printer",
    about: "Printer queues in /etc/cups/printers.conf, without names and passwords",
    platforms: &[Platform::Linux, Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let text = match host.read_text("/etc/cups/printers.conf") {
        Ok(text) => text,
        Err(error) if error.is_not_found() && host.exists("/etc/cups") => String::new(),
        Err(error) if error.is_not_found() => return Gathered::nothing(),
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut rows = parse::printers(&text);
    // What the administrator chose in this file counts more.
    let chosen = host.read_text("/etc/cups/lpoptions").unwrap_or_default();
    if let Some(name) = parse::default_queue(&chosen)
        && rows.iter().any(|row| row.name == name)
    {
        for row in &mut rows {
            row.is_default = row.name == name;
        }
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Printer(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(system: &str) -> String {
        let root = format!("{}/../tests/fixtures/printer/{system}", env!("CARGO_MANIFEST_DIR"));
        let text = format!("{:#?}", gather(&Host::at(root)));
        assert!(!text.contains("never-to-be-told"), "a password is in the report");
        text
    }

    #[test]
    fn captured_systems() {
        insta::assert_snapshot!("office", told("office"));
        insta::assert_snapshot!("home", told("home"));
        insta::assert_snapshot!("print-server", told("print-server"));
    }

    #[test]
    fn without_cups_there_is_nothing_to_say() {
        let gathered = gather(&Host::at("/nonexistent-root"));
        assert!(gathered.section.is_none() && gathered.notes.is_empty());
    }
}
