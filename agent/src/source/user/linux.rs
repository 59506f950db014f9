//! Where a Linux system keeps its accounts and their sign-ins.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{Section, Users};
use rollcall_shared::{Note, Timestamp};

use super::parse::{self, Entry, People};
use super::records::{HEAD_BYTES, Layout, Record};
use crate::budget::Counted;
use crate::host::{Host, HostError};
use crate::order;
use crate::source::Gathered;
use crate::source::security::sudoers;
use crate::source::text::{clip, some};

/// Sign-ins of directory accounts that are told; more only after an attack on the log.
const DIRECTORY_ACCOUNTS_LIMIT: usize = 10_000;
/// People in one log that are told apart.
const SIGN_INS_LIMIT: usize = 10_000;
/// Only the end of a long log is read.
const LOG_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn gather(host: &Host) -> Gathered {
    let passwd = match host.read_text("/etc/passwd") {
        Ok(text) => text,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut notes = Vec::new();
    let people = People::parse(&host.read_text("/etc/login.defs").unwrap_or_default());
    let mut entries = parse::passwd(&passwd, people);
    let group = host.read_text("/etc/group").unwrap_or_default();
    let sudo = sudoers(host);
    // Where sudo's rules are not for us, who is none of its groups may still be named there.
    let sudo_is_known = sudo.is_ok();
    let by_sudo = sudo.unwrap_or_else(|error| {
        notes.push(Note::from(error));
        None
    });
    let by_sudo = by_sudo.map(|sudo| sudo.administrators()).unwrap_or_default();
    let (groups, administrators) = parse::groups(&group, &entries, &by_sudo);

    let shadow = match host.read_text("/etc/shadow") {
        Ok(text) => parse::shadow(&text),
        Err(error) => {
            if !error.is_not_found() {
                notes.push(Note::from(error));
            }
            BTreeMap::new()
        }
    };
    for Entry { account, id, .. } in &mut entries {
        let administrator = *id == 0 || administrators.contains(&account.name);
        account.administrator = (administrator || sudo_is_known).then_some(administrator);
        let shadow = shadow.get(&account.name).copied();
        account.disabled = parse::disabled(account, shadow);
        account.password_locked = shadow.map(|shadow| shadow.locked);
    }
    let mut layout = Layout::NATIVE;
    let mut signed_in = BTreeMap::new();
    for path in ["/var/log/wtmp.1", "/var/log/wtmp"] {
        // A log that cannot be read says nothing of the others.
        notes.extend(from_log(host, path, &mut layout, &mut signed_in).err());
    }
    notes.extend(from_lastlog(host, layout, &mut entries).err());
    let mut accounts: Vec<Account> = entries.into_iter().map(|entry| entry.account).collect();
    for Record { user, terminal, from, at, .. } in signed_in.into_values() {
        sign_in(&mut accounts, &user, at, from.or(terminal));
    }
    for (path, query, parts) in DATABASES {
        notes.extend(from_database(host, path, query, *parts, &mut accounts).err());
    }
    let directory = accounts.iter_mut().filter(|account| account.administrator.is_none());
    for account in directory.filter(|account| administrators.contains(&account.name)) {
        account.administrator = Some(true);
    }
    order::sort(&mut accounts, |a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Gathered { section: Some(Section::User(Users { accounts, groups })), notes }
}

/// A file that is not there is no failure: there are other logs.
fn open(host: &Host, path: &str) -> Result<Option<Counted>, Note> {
    match host.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(HostError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The file has a record at every user id and holes where there is none, so it is sought and not
/// read: with directory accounts it may look hundreds of gigabytes large.
fn from_lastlog(host: &Host, layout: Layout, entries: &mut [Entry]) -> Result<(), Note> {
    let path = "/var/log/lastlog";
    let Some(mut file) = open(host, path)? else { return Ok(()) };
    let size = file.seek(SeekFrom::End(0)).map_err(|error| HostError::from_io(path, &error))?;
    let layout = Layout::of_lastlog(size, layout);
    let mut record = vec![0_u8; layout.last_bytes()];
    for Entry { account, id, .. } in entries {
        let place = u64::from(*id) * layout.last_bytes() as u64;
        let read = file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut record));
        if read.is_ok()
            && let Some((at, from)) = layout.last(&record)
        {
            seen(account, at, from);
        }
    }
    Ok(())
}

/// The last sign-in of everybody in a log, and the form it has.
fn from_log(
    host: &Host,
    path: &str,
    layout: &mut Layout,
    signed_in: &mut BTreeMap<String, Record>,
) -> Result<(), Note> {
    let Some(mut file) = open(host, path)? else { return Ok(()) };
    let mut read = || -> io::Result<()> {
        let mut head = Vec::new();
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        *layout = Layout::of_log(&head);
        let record_bytes = layout.record_bytes() as u64;
        let size = file.seek(SeekFrom::End(0))?;
        let whole = size - size % record_bytes;
        let limit = LOG_LIMIT_BYTES - LOG_LIMIT_BYTES % record_bytes;
        file.seek(SeekFrom::Start(whole.saturating_sub(limit)))?;
        let mut file = BufReader::new(file.by_ref().take(limit));
        let mut record = vec![0_u8; layout.record_bytes()];
        while file.read_exact(&mut record).is_ok() {
            for record in layout.records(&record) {
                let full = signed_in.len() >= SIGN_INS_LIMIT;
                match signed_in.get_mut(&record.user) {
                    Some(known) if known.at < record.at => *known = record,
                    None if !full => drop(signed_in.insert(record.user.clone(), record)),
                    _ => {}
                }
            }
        }
        Ok(())
    };
    read().map_err(|error| HostError::from_io(path, &error).into())
}

/// Databases that newer systems keep instead of `wtmp` and `lastlog`, whose times end in 2038:
/// where, what is asked of them, and into how many parts they divide a second.
const DATABASES: &[(&str, &str, i64)] = &[
    (
        "/var/lib/wtmpdb/wtmp.db",
        "SELECT User, MAX(Login), COALESCE(NULLIF(RemoteHost, ''), TTY) FROM wtmp \
         WHERE Type = 3 GROUP BY User LIMIT 10000",
        1_000_000,
    ),
    (
        "/var/lib/lastlog/lastlog2.db",
        "SELECT Name, Time, COALESCE(NULLIF(RemoteHost, ''), TTY) FROM Lastlog2 \
         WHERE Time > 0 LIMIT 10000",
        1,
    ),
];

fn from_database(
    host: &Host,
    path: &str,
    query: &str,
    parts_of_second: i64,
    accounts: &mut Vec<Account>,
) -> Result<(), Note> {
    let database = match host.database(path) {
        Ok(database) => database,
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut read = || -> rusqlite::Result<()> {
        let mut query = database.prepare(query)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let user: String = row.get(0)?;
            let at = row.get::<_, i64>(1)?.div_euclid(parts_of_second);
            let from: Option<String> = row.get(2)?;
            let from = from.and_then(|from| some(from.as_bytes()));
            sign_in(accounts, &clip(user.as_bytes()), Timestamp::from_seconds(at), from);
        }
        Ok(())
    };
    read()
        .map_err(|error| HostError::Failed { path: path.to_owned(), why: error.to_string() }.into())
}

/// Joins a sign-in to its account. A name that is not in `/etc/passwd` is a directory's.
fn sign_in(accounts: &mut Vec<Account>, user: &str, at: Timestamp, from: Option<String>) {
    let place = accounts.iter().position(|account| account.name == user);
    let account = match place {
        Some(place) => accounts.get_mut(place),
        None if accounts.len() < DIRECTORY_ACCOUNTS_LIMIT => {
            accounts.push(Account {
                name: user.to_owned(),
                kind: Some(AccountKind::Directory),
                ..Account::default()
            });
            accounts.last_mut()
        }
        None => None,
    };
    if let Some(account) = account {
        seen(account, at, from);
    }
}

fn seen(account: &mut Account, at: Timestamp, from: Option<String>) {
    if account.last_sign_in_at.is_none_or(|known| known < at) {
        account.last_sign_in_at = Some(at);
        account.last_sign_in_from = from;
    }
}
