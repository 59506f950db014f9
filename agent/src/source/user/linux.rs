//! Where a Linux system keeps its accounts and their sign-ins.

use std::io::{BufReader, Read, Seek, SeekFrom};

use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{Section, Users};
use rollcall_shared::{Note, Timestamp};

use super::parse::{self, Entry, People};
use super::records::{LAST_BYTES, RECORD_BYTES, last, records};
use crate::host::{Host, HostError};
use crate::source::Gathered;

/// Sign-ins of directory accounts that are told; more only after an attack on the log.
const DIRECTORY_ACCOUNTS_LIMIT: usize = 10_000;
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
    let (groups, administrators) = parse::groups(&group, &entries);

    let disabled = match host.read_text("/etc/shadow") {
        Ok(text) => parse::disabled(&text),
        Err(error) => {
            if !error.is_not_found() {
                notes.push(Note::from(error));
            }
            std::collections::BTreeMap::new()
        }
    };
    for Entry { account, id, .. } in &mut entries {
        account.administrator = Some(*id == 0 || administrators.contains(&account.name));
        account.disabled = disabled.get(&account.name).copied();
    }
    if let Err(note) = from_lastlog(host, &mut entries) {
        notes.push(note);
    }
    let mut accounts: Vec<Account> = entries.into_iter().map(|entry| entry.account).collect();
    if let Err(note) = from_logs(host, &mut accounts) {
        notes.push(note);
    }
    accounts.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Gathered { section: Some(Section::User(Users { accounts, groups })), notes }
}

/// A file that is not there, or not for us, is no failure: there are other logs.
fn open(host: &Host, path: &str) -> Result<Option<std::fs::File>, Note> {
    match host.open(path) {
        Ok(file) => Ok(Some(file)),
        Err(HostError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The file has a record at every user id and holes where there is none, so it is sought and not
/// read: with directory accounts it may look hundreds of gigabytes large.
fn from_lastlog(host: &Host, entries: &mut [Entry]) -> Result<(), Note> {
    let Some(mut file) = open(host, "/var/log/lastlog")? else { return Ok(()) };
    let mut record = [0_u8; LAST_BYTES];
    for Entry { account, id, .. } in entries {
        let place = u64::from(*id) * LAST_BYTES as u64;
        let read = file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut record));
        if read.is_ok()
            && let Some((at, from)) = last(&record)
        {
            seen(account, at, from);
        }
    }
    Ok(())
}

fn from_logs(host: &Host, accounts: &mut Vec<Account>) -> Result<(), Note> {
    for path in ["/var/log/wtmp.1", "/var/log/wtmp"] {
        let Some(mut file) = open(host, path)? else { continue };
        let size = file.seek(SeekFrom::End(0)).unwrap_or_default();
        let whole = size - size % RECORD_BYTES as u64;
        let limit = LOG_LIMIT_BYTES - LOG_LIMIT_BYTES % RECORD_BYTES as u64;
        if file.seek(SeekFrom::Start(whole.saturating_sub(limit))).is_err() {
            continue;
        }
        let mut file = BufReader::new(file);
        let mut record = [0_u8; RECORD_BYTES];
        while file.read_exact(&mut record).is_ok() {
            for record in records(&record) {
                signed_in(accounts, &record.user, record.at, record.from.or(record.terminal));
            }
        }
    }
    from_wtmpdb(host, accounts);
    Ok(())
}

/// The database that newer systems keep instead of `wtmp`, whose times end in 2038.
fn from_wtmpdb(host: &Host, accounts: &mut Vec<Account>) {
    let path = "/var/lib/wtmpdb/wtmp.db";
    if !host.exists(path) {
        return;
    }
    let mut read = || -> rusqlite::Result<()> {
        let Ok(database) = host.database(path) else { return Ok(()) };
        let mut query = database.prepare(
            "SELECT User, MAX(Login), COALESCE(NULLIF(RemoteHost, ''), TTY) FROM wtmp \
             WHERE Type = 3 GROUP BY User LIMIT 10000",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let user: String = row.get(0)?;
            let microseconds: i64 = row.get(1)?;
            signed_in(accounts, &user, Timestamp(microseconds / 1000), row.get(2)?);
        }
        Ok(())
    };
    // The other logs have been read; a database in use or of another make adds nothing.
    let _ = read();
}

/// Joins a sign-in to its account. A name that is not in `/etc/passwd` is a directory's.
fn signed_in(accounts: &mut Vec<Account>, user: &str, at: Timestamp, from: Option<String>) {
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
