//! Puts together what several sources say of one section, in a stable order and within the limits.
//!
//! It does not know where anything was read. The same computer must give the same bytes each time,
//! whatever order the system listed things in.

use rollcall_shared::report::limits;
use rollcall_shared::section::user::Account;
use rollcall_shared::section::{Section, System, Users};
use rollcall_shared::{Note, NoteKind};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::order;

/// Adds what a further source found. Lists are joined; in other sections what an earlier source
/// left empty is filled. What does not fit is left out, and the reason given.
pub(crate) fn put_together(before: Section, more: Section) -> (Section, Option<String>) {
    let section = match (before, more) {
        (Section::Cpu(a), Section::Cpu(b)) => Section::Cpu(joined(a, b)),
        (Section::Storage(a), Section::Storage(b)) => Section::Storage(joined(a, b)),
        (Section::Volume(a), Section::Volume(b)) => Section::Volume(joined(a, b)),
        (Section::Gpu(a), Section::Gpu(b)) => Section::Gpu(joined(a, b)),
        (Section::Battery(a), Section::Battery(b)) => Section::Battery(joined(a, b)),
        (Section::Software(a), Section::Software(b)) => Section::Software(joined(a, b)),
        (Section::Service(a), Section::Service(b)) => Section::Service(joined(a, b)),
        (Section::Port(a), Section::Port(b)) => Section::Port(joined(a, b)),
        (Section::Display(a), Section::Display(b)) => Section::Display(joined(a, b)),
        (Section::Pci(a), Section::Pci(b)) => Section::Pci(joined(a, b)),
        (Section::Usb(a), Section::Usb(b)) => Section::Usb(joined(a, b)),
        (Section::Audio(a), Section::Audio(b)) => Section::Audio(joined(a, b)),
        (Section::Camera(a), Section::Camera(b)) => Section::Camera(joined(a, b)),
        (Section::Input(a), Section::Input(b)) => Section::Input(joined(a, b)),
        (Section::Printer(a), Section::Printer(b)) => Section::Printer(joined(a, b)),
        (Section::Certificate(a), Section::Certificate(b)) => Section::Certificate(joined(a, b)),
        (Section::Container(a), Section::Container(b)) => Section::Container(joined(a, b)),
        (Section::VirtualMachine(a), Section::VirtualMachine(b)) => {
            Section::VirtualMachine(joined(a, b))
        }
        (Section::Database(a), Section::Database(b)) => Section::Database(joined(a, b)),
        (Section::RemoteAccess(a), Section::RemoteAccess(b)) => Section::RemoteAccess(joined(a, b)),
        (Section::Management(a), Section::Management(b)) => Section::Management(joined(a, b)),
        (Section::Pool(a), Section::Pool(b)) => Section::Pool(joined(a, b)),
        (Section::User(a), Section::User(b)) => Section::User(users(a, b)),
        (a, b) if a.name() == b.name() => match filled(&a, &b) {
            Some(section) => section,
            None => return (a, Some("its answer did not fit to that of the others".to_owned())),
        },
        (a, b) => {
            let why = format!("it answered for section {} instead of {}", b.name(), a.name());
            return (a, Some(why));
        }
    };
    (section, None)
}

fn joined<T>(mut rows: Vec<T>, more: Vec<T>) -> Vec<T> {
    rows.extend(more);
    rows
}

/// Accounts of one number are one account, of which each source tells what it knows.
fn users(mut before: Users, more: Users) -> Users {
    for account in more.accounts {
        match before.accounts.iter_mut().find(|known| known.id == account.id) {
            Some(known) => {
                let Account {
                    name: _,
                    id: _,
                    kind,
                    full_name,
                    shell,
                    administrator,
                    disabled,
                    password_locked,
                    last_sign_in_at,
                    last_sign_in_from,
                } = account;
                known.kind = known.kind.take().or(kind);
                known.full_name = known.full_name.take().or(full_name);
                known.shell = known.shell.take().or(shell);
                known.administrator = known.administrator.or(administrator);
                known.disabled = known.disabled.or(disabled);
                known.password_locked = known.password_locked.or(password_locked);
                if last_sign_in_at > known.last_sign_in_at {
                    known.last_sign_in_at = last_sign_in_at;
                    known.last_sign_in_from = last_sign_in_from;
                }
            }
            None => before.accounts.push(account),
        }
    }
    before.groups.extend(more.groups);
    before
}

/// Two bodies of one section as one, through their JSON form.
fn filled(first: &Section, second: &Section) -> Option<Section> {
    let mut value: Value = serde_json::from_str(first.to_json().ok()?.get()).ok()?;
    fill(&mut value, serde_json::from_str(second.to_json().ok()?.get()).ok()?);
    // Only sections that are no lists have parts to fill.
    let (name, json) = (first.name(), value.to_string());
    Some(match name {
        "system" => Section::System(serde_json::from_str(&json).ok()?),
        "firmware" => Section::Firmware(serde_json::from_str(&json).ok()?),
        "os" => Section::Os(serde_json::from_str(&json).ok()?),
        "memory" => Section::Memory(serde_json::from_str(&json).ok()?),
        "network" => Section::Network(serde_json::from_str(&json).ok()?),
        "update" => Section::Update(serde_json::from_str(&json).ok()?),
        "security" => Section::Security(serde_json::from_str(&json).ok()?),
        _ => return None,
    })
}

fn fill(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(present) => fill(present, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) if is_empty(into) => *into = from,
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        // Who saw something counts more than who did not.
        Value::Bool(seen) => !seen,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Sorts the rows by a stable key, drops doubles, and keeps the limits of a report.
pub(crate) fn tidy(section: Section) -> (Section, Option<Note>) {
    // Identity is taken from this one before it is written.
    let section = match section {
        Section::System(system) => Section::System(cleaned(system)),
        other => other,
    };
    let (section, cut) = sorted_and_capped(section);
    let note = cut.then(|| {
        Note::new(NoteKind::Failed).with_detail(format!(
            "there are more than {} rows; the rest is left out",
            limits::SECTION_ROWS
        ))
    });
    (section, note)
}

fn sorted_and_capped(mut section: Section) -> (Section, bool) {
    let cut = match &mut section {
        Section::Cpu(rows) => order(rows, |a, b| a.socket.cmp(&b.socket)),
        Section::Storage(rows) => order(rows, |a, b| a.name.cmp(&b.name)),
        Section::Volume(rows) => {
            order(rows, |a, b| (&a.point, &a.device).cmp(&(&b.point, &b.device)))
        }
        Section::Gpu(rows) => {
            order(rows, |a, b| (&a.pci_address, &a.name).cmp(&(&b.pci_address, &b.name)))
        }
        Section::Battery(rows) => order(rows, |a, b| a.name.cmp(&b.name)),
        Section::Software(rows) => order(rows, |a, b| {
            (&a.source, &a.name, &a.version, &a.architecture, &a.publisher, a.installed_at).cmp(&(
                &b.source,
                &b.name,
                &b.version,
                &b.architecture,
                &b.publisher,
                b.installed_at,
            ))
        }),
        Section::Network(network) => {
            let routes = order(&mut network.default_routes, |a, b| {
                (&a.gateway, &a.interface).cmp(&(&b.gateway, &b.interface))
            });
            order(&mut network.interfaces, |a, b| a.name.cmp(&b.name)) || routes
        }
        Section::Memory(memory) => {
            order(&mut memory.modules, |a, b| (&a.locator, &a.serial).cmp(&(&b.locator, &b.serial)))
        }
        Section::User(users) => {
            let groups = order(&mut users.groups, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            order(&mut users.accounts, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id))) || groups
        }
        Section::Update(update) => order(&mut update.pending, |a, b| {
            (&a.name, &a.available, &a.installed).cmp(&(&b.name, &b.available, &b.installed))
        }),
        Section::Security(security) => {
            let firewalls = order(&mut security.firewalls, |a, b| a.name.cmp(&b.name));
            order(&mut security.malware_protection, |a, b| a.name.cmp(&b.name)) || firewalls
        }
        // The first fields of these rows tell them apart.
        Section::Service(rows) => order(rows, Ord::cmp),
        Section::Port(rows) => order(rows, Ord::cmp),
        Section::Display(rows) => order(rows, Ord::cmp),
        Section::Pci(rows) => order(rows, Ord::cmp),
        Section::Usb(rows) => order(rows, Ord::cmp),
        Section::Audio(rows) => order(rows, Ord::cmp),
        Section::Camera(rows) => order(rows, Ord::cmp),
        Section::Input(rows) => order(rows, Ord::cmp),
        Section::Printer(rows) => order(rows, Ord::cmp),
        Section::Certificate(rows) => order(rows, Ord::cmp),
        Section::Container(rows) => order(rows, Ord::cmp),
        Section::VirtualMachine(rows) => order(rows, Ord::cmp),
        Section::Database(rows) | Section::RemoteAccess(rows) => order(rows, Ord::cmp),
        Section::Management(rows) => order(rows, Ord::cmp),
        Section::Pool(rows) => order(rows, Ord::cmp),
        Section::System(_) | Section::Firmware(_) | Section::Os(_) => false,
    };
    (section, cut)
}

/// How many rows a list has; `None` for a section that is no list.
pub(crate) fn rows(section: &Section) -> Option<usize> {
    Some(match section {
        Section::Cpu(rows) => rows.len(),
        Section::Storage(rows) => rows.len(),
        Section::Volume(rows) => rows.len(),
        Section::Gpu(rows) => rows.len(),
        Section::Battery(rows) => rows.len(),
        Section::User(users) => users.accounts.len(),
        Section::Software(rows) => rows.len(),
        Section::Service(rows) => rows.len(),
        Section::Port(rows) => rows.len(),
        Section::Display(rows) => rows.len(),
        Section::Pci(rows) => rows.len(),
        Section::Usb(rows) => rows.len(),
        Section::Audio(rows) => rows.len(),
        Section::Camera(rows) => rows.len(),
        Section::Input(rows) => rows.len(),
        Section::Printer(rows) => rows.len(),
        Section::Certificate(rows) => rows.len(),
        Section::Container(rows) => rows.len(),
        Section::VirtualMachine(rows) => rows.len(),
        Section::Database(rows) | Section::RemoteAccess(rows) => rows.len(),
        Section::Management(rows) => rows.len(),
        Section::Pool(rows) => rows.len(),
        Section::System(_)
        | Section::Firmware(_)
        | Section::Os(_)
        | Section::Memory(_)
        | Section::Network(_)
        | Section::Update(_)
        | Section::Security(_) => return None,
    })
}

/// Whether rows had to be left out.
fn order<T: PartialEq>(rows: &mut Vec<T>, by: impl Fn(&T, &T) -> std::cmp::Ordering) -> bool {
    order::sort(rows, by);
    rows.dedup();
    let cut = rows.len() > limits::SECTION_ROWS;
    rows.truncate(limits::SECTION_ROWS);
    cut
}

/// One body with strings within the limit and free of NUL.
fn cleaned(body: System) -> System {
    match serde_json::value::to_raw_value(&body) {
        Ok(json) if !is_clean(json.get()) => {
            serde_json::from_str(clean(json).get()).unwrap_or(body)
        }
        _ => body,
    }
}

/// The body of a section with strings within the limit and free of NUL. Nearly every one is so
/// already and is given back as it came.
pub(crate) fn clean(json: Box<RawValue>) -> Box<RawValue> {
    if is_clean(json.get()) {
        return json;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(json.get()) else { return json };
    shorten(&mut value);
    serde_json::value::to_raw_value(&value).unwrap_or(json)
}

/// Whether no string in this JSON text is longer than allowed or holds a NUL.
fn is_clean(json: &str) -> bool {
    // Pieces between quotation marks are never shorter than the strings, escaped quotes aside.
    !json.contains("\\u0000") && {
        let mut longest = 0;
        let mut length = 0;
        let mut escaped = false;
        for byte in json.bytes() {
            match byte {
                b'"' if !escaped => length = 0,
                _ => length += 1,
            }
            escaped = byte == b'\\' && !escaped;
            longest = longest.max(length);
        }
        longest <= limits::STRING_BYTES
    }
}

fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => shorten_text(text),
        Value::Array(rows) => rows.iter_mut().for_each(shorten),
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn shorten_text(text: &mut String) {
    const MARK: &str = "…";
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > limits::STRING_BYTES {
        let mut end = limits::STRING_BYTES - MARK.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MARK);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rollcall_shared::section::{Disk, Security, Software};

    use super::*;

    fn title(name: &str) -> Software {
        Software { source: "dpkg".to_owned(), name: name.to_owned(), ..Software::default() }
    }

    #[test]
    fn lists_come_out_in_one_order_without_doubles() {
        let one = Section::Software(vec![title("zsh"), title("bash")]);
        let two = Section::Software(vec![title("bash"), title("curl")]);
        let there = tidy(put_together(one.clone(), two.clone()).0).0;
        let back = tidy(put_together(two, one).0).0;
        assert_eq!(there, back);
        assert_eq!(there, Section::Software(vec![title("bash"), title("curl"), title("zsh")]));
    }

    #[test]
    fn a_later_source_fills_what_is_empty_and_overwrites_nothing() {
        let ssh = Security { disk_encryption: Some(true), ..Security::default() };
        let other = Security {
            disk_encryption: Some(false),
            mandatory_access: Some("apparmor".to_owned()),
            ..Security::default()
        };
        let both = put_together(Section::Security(ssh), Section::Security(other)).0;
        let Section::Security(both) = both else { panic!("another section") };
        assert_eq!(both.disk_encryption, Some(true));
        assert_eq!(both.mandatory_access.as_deref(), Some("apparmor"));
    }

    #[test]
    fn what_several_sources_know_of_an_account_is_told_of_one() {
        let account = |name: &str, id: &str, at: Option<i64>| Account {
            name: name.to_owned(),
            id: id.to_owned(),
            last_sign_in_at: at.map(rollcall_shared::Timestamp),
            ..Account::default()
        };
        let of = |accounts| Section::User(Users { accounts, groups: Vec::new() });
        let known = Account { administrator: Some(true), ..account("Anna", "S-1", Some(5)) };
        let folder = account("anna.EXAMPLE", "S-1", Some(7));
        let (both, why) =
            put_together(of(vec![known]), of(vec![folder, account("b", "S-2", None)]));
        assert_eq!(why, None);
        let Section::User(both) = both else { panic!("another section") };
        assert_eq!(both.accounts.len(), 2);
        assert_eq!(both.accounts[0].name, "Anna");
        assert_eq!(both.accounts[0].administrator, Some(true));
        assert_eq!(both.accounts[0].last_sign_in_at.map(|at| at.0), Some(7));
    }

    #[test]
    fn an_answer_for_another_section_is_refused() {
        let before = Section::Storage(vec![]);
        let (kept, why) = put_together(before.clone(), Section::Cpu(vec![]));
        assert_eq!(kept, before);
        assert!(why.unwrap().contains("cpu"));
    }

    #[test]
    fn too_many_rows_are_cut_with_a_note() {
        let rows = (0..limits::SECTION_ROWS + 5).map(|n| title(&format!("{n:08}"))).collect();
        let (section, note) = tidy(Section::Software(rows));
        let Section::Software(rows) = section else { panic!("another section") };
        assert_eq!(rows.len(), limits::SECTION_ROWS);
        assert!(note.is_some());
    }

    proptest! {
        #[test]
        fn strings_keep_the_limit(text in "\\PC{0,300}", times in 1_usize..60, nul in any::<bool>()) {
            let model = if nul { format!("{}\0", text.repeat(times)) } else { text.repeat(times) };
            let disk = Disk { name: "sda".to_owned(), model: Some(model.clone()), ..Disk::default() };
            let json = clean(Section::Storage(vec![disk]).to_json().unwrap());
            let rows: Vec<Disk> = serde_json::from_str(json.get()).unwrap();
            let told = rows[0].model.as_ref().unwrap();
            prop_assert!(told.len() <= limits::STRING_BYTES);
            prop_assert!(!told.contains('\0'));
            if !nul && model.len() <= limits::STRING_BYTES {
                prop_assert_eq!(told, &model);
            } else if model.len() > limits::STRING_BYTES {
                prop_assert!(told.ends_with('…'));
            }
        }
    }
}
