//! The audit log: what people and the collector did. Each entry stands in the transaction of the
//! change it tells of and carries the hash of the one before, so that a missing or changed entry
//! shows (`audit_chain`).
//!
//! An entry takes its number from one row and holds it until its transaction ends, so entries of
//! several collectors stand one behind the other. The number is taken after everything else that a
//! transaction locks, but for `touch!`, which comes last.

use rollcall_shared::{Digest, Timestamp};

use super::{BeginWrite as _, Error, Store, on_backend, queries};

queries! {
    NEXT = "UPDATE counter SET value = value + 1 WHERE name = 'audit' RETURNING value";
    BEFORE = "SELECT hash FROM audit WHERE id < $1 ORDER BY id DESC LIMIT 1";
    APPEND = "INSERT INTO audit
          (id, at, actor, action, object, detail, previous_hash, hash, marks)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    HEAD = "SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1";
    DEVICE = "SELECT uuid, hostname FROM device WHERE key = $1";
    LIST = "SELECT id, at, actor, action, object, detail, previous_hash, hash, marks FROM audit
        WHERE id < $1 AND at >= $2 AND at < $3 AND ($4 = '' OR action = $4)
          AND ($5 = '' OR lower(actor) LIKE $5 ESCAPE '!')
          AND ($6 = '' OR lower(object) LIKE $6 ESCAPE '!')
          AND ($8 = '' OR actor = $8 OR actor LIKE $9 ESCAPE '!')
        ORDER BY id DESC LIMIT $7";
    COUNT = "SELECT count(*) FROM audit
        WHERE at >= $1 AND at < $2 AND ($3 = '' OR action = $3)
          AND ($4 = '' OR lower(actor) LIKE $4 ESCAPE '!')
          AND ($5 = '' OR lower(object) LIKE $5 ESCAPE '!')
          AND ($6 = '' OR actor = $6 OR actor LIKE $7 ESCAPE '!')";
    ACTIONS = "SELECT DISTINCT action FROM audit
        WHERE $1 = '' OR actor = $1 OR actor LIKE $2 ESCAPE '!' ORDER BY action";
    GET = "SELECT id, at, actor, action, object, detail, previous_hash, hash, marks FROM audit
        WHERE id = $1";
    AFTER = "SELECT id, at, actor, action, object, detail, previous_hash, hash, marks FROM audit
        WHERE id > $1 AND action = $2 AND object = $3 ORDER BY id LIMIT 1";
}

/// Letters of an entry's texts; what is longer is cut.
const LONGEST: usize = 2_000;
/// Bytes of a column's hash that are kept to name a changed column.
pub(super) const MARK: usize = 8;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a person, or a part of the collector.
    pub actor: String,
    /// What was done, one word.
    pub action: String,
    /// To what.
    pub object: String,
    /// In words; never a secret.
    pub detail: String,
}

/// Who changes something, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Now.
    pub at: Timestamp,
    /// The person, the API token or the part of the collector.
    pub actor: String,
}

impl By {
    /// Somebody, now.
    pub fn new(actor: impl Into<String>, at: Timestamp) -> Self {
        Self { at, actor: actor.into() }
    }

    /// What the audit log says of something they did.
    pub fn did(
        &self,
        action: &str,
        object: impl Into<String>,
        detail: impl Into<String>,
    ) -> AuditEntry {
        AuditEntry {
            at: self.at,
            actor: self.actor.clone(),
            action: action.to_owned(),
            object: object.into(),
            detail: detail.into(),
        }
    }
}

/// A place in the log that says everything before it: who holds it can tell later whether the log
/// was written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the entry; also how many there are up to it.
    pub number: i64,
    /// Its hash.
    pub hash: Digest,
}

impl std::fmt::Display for AuditHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.number, self.hash)
    }
}

impl std::str::FromStr for AuditHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, hash) = text.split_once(':').ok_or("write it as NUMBER:HASH")?;
        Ok(Self {
            number: number.parse().map_err(|_| format!("`{number}` is no number of an entry"))?,
            hash: hash.parse().map_err(|_| format!("`{hash}` is no SHA-256"))?,
        })
    }
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Sealed {
    pub(super) id: i64,
    pub(super) at: i64,
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) object: String,
    pub(super) detail: String,
    pub(super) previous_hash: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) marks: Vec<u8>,
}

impl Sealed {
    /// The columns that say something, as bytes.
    fn columns(&self) -> [(&'static str, Vec<u8>); 6] {
        let Self { id, at, actor, action, object, detail, previous_hash: _, hash: _, marks: _ } =
            self;
        [
            ("id", id.to_be_bytes().to_vec()),
            ("at", at.to_be_bytes().to_vec()),
            ("actor", actor.as_bytes().to_vec()),
            ("action", action.as_bytes().to_vec()),
            ("object", object.as_bytes().to_vec()),
            ("detail", detail.as_bytes().to_vec()),
        ]
    }

    /// The hash of this entry behind one with this hash.
    pub(super) fn hash_behind(&self, previous: &[u8]) -> Digest {
        let mut bytes = (previous.len() as u64).to_be_bytes().to_vec();
        bytes.extend_from_slice(previous);
        for (_, column) in self.columns() {
            bytes.extend_from_slice(&(column.len() as u64).to_be_bytes());
            bytes.extend_from_slice(&column);
        }
        Digest::of(&bytes)
    }

    /// What each column leaves behind, to name the one that was changed.
    pub(super) fn marks_of_columns(&self) -> Vec<(&'static str, [u8; MARK])> {
        let mark = |(name, column): (&'static str, Vec<u8>)| {
            let mut mark = [0; MARK];
            let hash = Digest::of(&[name.as_bytes(), b":", &column].concat());
            mark.copy_from_slice(hash.0.get(..MARK).unwrap_or_default());
            (name, mark)
        };
        self.columns().into_iter().map(mark).collect()
    }

    pub(super) fn entry(self) -> AuditEntry {
        let Self { id: _, at, actor, action, object, detail, previous_hash: _, hash: _, marks: _ } =
            self;
        AuditEntry { at: Timestamp(at), actor, action, object, detail }
    }
}

impl AuditEntry {
    /// This entry under its number behind the one with this hash.
    pub(super) fn sealed(&self, number: i64, previous: Option<Vec<u8>>) -> (Sealed, AuditHead) {
        let Self { at, actor, action, object, detail } = self;
        let text = |text: &String| -> String {
            // PostgreSQL takes no NUL.
            text.replace('\0', "\u{fffd}").chars().take(LONGEST).collect()
        };
        let mut sealed = Sealed {
            id: number,
            at: at.0,
            actor: text(actor),
            action: text(action),
            object: text(object),
            detail: text(detail),
            previous_hash: previous.unwrap_or_default(),
            hash: Vec::new(),
            marks: Vec::new(),
        };
        let hash = sealed.hash_behind(&sealed.previous_hash);
        sealed.hash = hash.0.to_vec();
        sealed.marks = sealed.marks_of_columns().iter().flat_map(|(_, mark)| *mark).collect();
        (sealed, AuditHead { number, hash })
    }
}

/// Writes an entry within a transaction; gives its place in the log.
macro_rules! record {
    ($tx:ident, $entry:expr) => {{
        let entry: &$crate::store::audit::AuditEntry = $entry;
        let number: i64 =
            sqlx::query_scalar($crate::store::audit::NEXT_NUMBER).fetch_one(&mut *$tx).await?;
        let previous: Option<Vec<u8>> = sqlx::query_scalar($crate::store::audit::HASH_BEFORE)
            .bind(number)
            .fetch_optional(&mut *$tx)
            .await?;
        let (sealed, head) = entry.sealed(number, previous);
        sqlx::query($crate::store::audit::APPEND_ENTRY)
            .bind(sealed.id)
            .bind(sealed.at)
            .bind(sealed.actor)
            .bind(sealed.action)
            .bind(sealed.object)
            .bind(sealed.detail)
            .bind(sealed.previous_hash)
            .bind(sealed.hash)
            .bind(sealed.marks)
            .execute(&mut *$tx)
            .await?;
        head
    }};
}
pub(super) use record;

/// A device as the log names it, read within the transaction.
macro_rules! device_named {
    ($tx:ident, $number:expr) => {{
        let found: Option<(String, String)> = sqlx::query_as($crate::store::audit::DEVICE_NAME)
            .bind($number)
            .fetch_optional(&mut *$tx)
            .await?;
        $crate::store::audit::device_words($number, found)
    }};
}
pub(super) use device_named;

/// See [`record!`].
pub(super) const NEXT_NUMBER: &str = NEXT;
pub(super) const HASH_BEFORE: &str = BEFORE;
pub(super) const APPEND_ENTRY: &str = APPEND;
pub(super) const DEVICE_NAME: &str = DEVICE;

pub(super) fn device_words(number: i64, found: Option<(String, String)>) -> String {
    match found {
        Some((id, hostname)) => format!("device {id} {hostname}"),
        None => format!("device number {number}"),
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub before: Timestamp,
    /// A part of who did it, in any case of letters; empty: everybody.
    pub actor: String,
    /// What was done, as the word says it; empty: everything.
    pub action: String,
    /// A part of what it was done to, in any case of letters; empty: everything.
    pub object: String,
    /// Only what this account did, itself or by its API tokens.
    pub only_of: Option<String>,
}

impl Default for AuditQuery {
    fn default() -> Self {
        Self {
            from: Timestamp(i64::MIN),
            before: Timestamp(i64::MAX),
            actor: String::new(),
            action: String::new(),
            object: String::new(),
            only_of: None,
        }
    }
}

/// An entry with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedEntry {
    /// Where it stands.
    pub head: AuditHead,
    /// What it says.
    pub entry: AuditEntry,
}

fn placed(row: Sealed) -> Result<PlacedEntry, Error> {
    let hash = Digest::from_slice(&row.hash)
        .ok_or_else(|| Error::Damaged(format!("audit entry {}: column hash", row.id)))?;
    Ok(PlacedEntry { head: AuditHead { number: row.id, hash }, entry: row.entry() })
}

/// The name of an account as an actor, and the pattern of its API tokens; empty for anybody.
fn acts_of(account: Option<&str>) -> [String; 2] {
    let name = account.unwrap_or_default();
    let tokens = part(name);
    let tokens = tokens.strip_prefix('%').and_then(|rest| rest.strip_suffix('%'));
    [name.to_owned(), format!("{} (API token %)", tokens.unwrap_or_default())]
}

/// The pattern that finds a part of a text; empty for none.
fn part(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars().filter(|letter| *letter != '\0') {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

impl Store {
    /// Adds an entry that tells of no change in the tables, e.g. an export.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<AuditHead, Error> {
        let head = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let head = record!(tx, entry);
            tx.commit().await?;
            head
        });
        Ok(head)
    }

    /// The newest entry; `None` while there is none.
    pub async fn audit_head(&self) -> Result<Option<AuditHead>, Error> {
        let found: Option<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(HEAD).fetch_optional(pool).await?);
        found
            .map(|(number, hash)| {
                let hash = Digest::from_slice(&hash)
                    .ok_or_else(|| Error::Damaged(format!("audit entry {number}: column hash")))?;
                Ok(AuditHead { number, hash })
            })
            .transpose()
    }

    /// Entries with numbers below `below`, newest first. New ones never move those of a page.
    pub async fn audit_entries(
        &self,
        query: &AuditQuery,
        below: Option<i64>,
        limit: u32,
    ) -> Result<Vec<PlacedEntry>, Error> {
        let rows: Vec<Sealed> = on_backend!(self, read pool => sqlx::query_as(LIST)
            .bind(below.unwrap_or(i64::MAX))
            .bind(query.from.0)
            .bind(query.before.0)
            .bind(&query.action)
            .bind(part(&query.actor))
            .bind(part(&query.object))
            .bind(i64::from(limit))
            .bind(&acts_of(query.only_of.as_deref())[0])
            .bind(&acts_of(query.only_of.as_deref())[1])
            .fetch_all(pool)
            .await?);
        rows.into_iter().map(placed).collect()
    }

    /// How many entries there are.
    pub async fn count_audit_entries(&self, query: &AuditQuery) -> Result<u64, Error> {
        let count: i64 = on_backend!(self, read pool => sqlx::query_scalar(COUNT)
            .bind(query.from.0)
            .bind(query.before.0)
            .bind(&query.action)
            .bind(part(&query.actor))
            .bind(part(&query.object))
            .bind(&acts_of(query.only_of.as_deref())[0])
            .bind(&acts_of(query.only_of.as_deref())[1])
            .fetch_one(pool)
            .await?);
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// One entry.
    pub async fn audit_entry(&self, number: i64) -> Result<Option<PlacedEntry>, Error> {
        let row: Option<Sealed> = on_backend!(self, read pool =>
            sqlx::query_as(GET).bind(number).fetch_optional(pool).await?);
        row.map(placed).transpose()
    }

    /// The first entry after this number that tells of this.
    pub async fn audit_entry_of(
        &self,
        after: i64,
        action: &str,
        object: &str,
    ) -> Result<Option<PlacedEntry>, Error> {
        let row: Option<Sealed> = on_backend!(self, read pool => sqlx::query_as(AFTER)
            .bind(after)
            .bind(action)
            .bind(object)
            .fetch_optional(pool)
            .await?);
        row.map(placed).transpose()
    }

    /// Every word for what was done, by this account or by anybody, in order.
    pub async fn audit_actions(&self, only_of: Option<&str>) -> Result<Vec<String>, Error> {
        let [name, tokens] = acts_of(only_of);
        Ok(on_backend!(self, read pool => sqlx::query_scalar(ACTIONS)
            .bind(name)
            .bind(tokens)
            .fetch_all(pool)
            .await?))
    }

    /// The newest entries, newest first.
    pub async fn newest_audit_entries(&self, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let placed = self.audit_entries(&AuditQuery::default(), None, limit).await?;
        Ok(placed.into_iter().map(|one| one.entry).collect())
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
