//! Whether the audit log is as it was written: every entry is held against its own hash, the one
//! before, and the marks of its columns, which name what was changed.
//!
//! Whoever owns the database can write the whole log anew; only a place that was kept elsewhere
//! (in an export, in the system's log) shows that.

use std::fmt;

use super::audit::{AuditHead, MARK, Sealed};
use super::{Error, Store, on_backend, queries};

queries! {
    CHAIN = "SELECT id, at, actor, action, object, detail, previous_hash, hash, marks FROM audit
        WHERE id > $1 ORDER BY id LIMIT 1000";
    FOLLOWING = "SELECT previous_hash FROM audit WHERE id = $1";
    COUNTED = "SELECT value FROM counter WHERE name = 'audit'";
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampered {
    /// A column of an entry was changed.
    Column {
        /// The entry's number as it stands there.
        entry: i64,
        /// The column's name.
        column: &'static str,
    },
    /// An entry was changed together with its marks, so that no column can be named.
    Entry(i64),
    /// Entries from the first to the second number are gone.
    Missing(i64, i64),
    /// An entry follows another than the one before it.
    Replaced(i64),
    /// The log has another entry at a place that was kept elsewhere.
    OtherHead(i64),
}

impl fmt::Display for Tampered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column { entry, column } => {
                write!(f, "audit entry {entry}: column {column} was changed")
            }
            Self::Entry(entry) => write!(f, "audit entry {entry} was changed"),
            Self::Missing(first, last) if first == last => {
                write!(f, "audit entry {first} is missing")
            }
            Self::Missing(first, last) => {
                write!(f, "audit entries {first} to {last} are missing")
            }
            Self::Replaced(entry) => {
                write!(f, "audit entry {entry}: the one before it is not the one it followed")
            }
            Self::OtherHead(entry) => {
                write!(f, "audit entry {entry} is not the one that was kept elsewhere")
            }
        }
    }
}

/// What a look through the whole log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries looked at.
    pub entries: u64,
    /// The newest.
    pub head: Option<AuditHead>,
    /// What does not hold, in the order of the log.
    pub tampered: Vec<Tampered>,
}

/// Where the chain is.
#[derive(Default)]
struct Chain {
    number: i64,
    hash: Vec<u8>,
    found: Verified,
    /// Entries whose number was changed: they stand elsewhere in the order.
    moved: Vec<Vec<u8>>,
    /// Gaps, and the hash that the first missing entry followed.
    gaps: Vec<(i64, i64, Vec<u8>)>,
}

impl Chain {
    /// Holds an entry against the chain. `next` is what the entry behind it says it follows.
    fn entry(&mut self, row: Sealed, next: Option<&[u8]>) {
        self.found.entries += 1;
        let whole = row.hash_behind(&row.previous_hash).0[..] == row.hash[..];
        let marks = row.marks_of_columns();
        let named: Vec<&'static str> = marks
            .iter()
            .zip(row.marks.chunks(MARK))
            .filter(|((_, mark), stored)| mark[..] != **stored)
            .map(|((name, _), _)| *name)
            .collect();
        if named.contains(&"id") && !whole {
            self.moved.push(row.previous_hash);
            self.column(row.id, "id");
            return;
        }
        if row.id != self.number + 1 {
            self.gaps.push((self.number + 1, row.id - 1, self.hash.clone()));
        }
        let gap = row.id != self.number + 1;
        let follows = gap || row.previous_hash == self.hash;
        let marks_whole = named.is_empty() && row.marks.len() == marks.len() * MARK;
        let mut hash = row.hash.clone();
        if whole {
            if !marks_whole {
                self.column(row.id, "marks");
            }
            if !follows {
                self.found.tampered.push(Tampered::Replaced(row.id));
            }
        } else if !named.is_empty() {
            for column in named {
                self.column(row.id, column);
            }
            if !follows {
                self.column(row.id, "previous_hash");
            }
        } else if !marks_whole {
            self.found.tampered.push(Tampered::Entry(row.id));
        } else if row.hash_behind(&self.hash).0[..] == row.hash[..] {
            self.column(row.id, "previous_hash");
        } else {
            let computed = row.hash_behind(&row.previous_hash).0.to_vec();
            // Column and marks may have been changed together; then the next entry still follows
            // what stood here.
            if next.is_some_and(|next| next == row.hash) {
                self.found.tampered.push(Tampered::Entry(row.id));
            } else {
                self.column(row.id, "hash");
                hash = computed;
            }
        }
        self.number = row.id;
        self.found.head = rollcall_shared::Digest::from_slice(&hash)
            .map(|hash| AuditHead { number: row.id, hash });
        self.hash = hash;
    }

    fn column(&mut self, entry: i64, column: &'static str) {
        self.found.tampered.push(Tampered::Column { entry, column });
    }

    /// The end of the log, of which so many entries were written.
    fn finish(mut self, counted: i64) -> Verified {
        if counted > self.number {
            self.gaps.push((self.number + 1, counted, self.hash.clone()));
        }
        for (first, last, before) in self.gaps {
            // A single entry that is missing here and stands elsewhere under another number.
            if first != last || !self.moved.contains(&before) {
                self.found.tampered.push(Tampered::Missing(first, last));
            }
        }
        self.found
    }
}

impl Store {
    /// Holds every entry against the one before: how many there are, and what was tampered with,
    /// in words.
    pub async fn verify_audit(&self) -> Result<(u64, Vec<String>), Error> {
        let Verified { entries, head: _, tampered } = self.verify_audit_chain(None).await?;
        Ok((entries, tampered.iter().map(ToString::to_string).collect()))
    }

    /// Holds every entry against the one before, and the log against a place that was kept
    /// elsewhere.
    pub async fn verify_audit_chain(&self, kept: Option<AuditHead>) -> Result<Verified, Error> {
        let mut chain = Chain::default();
        // Entries that come while this runs are not looked for at the end.
        let counted: i64 = on_backend!(self, read pool =>
            sqlx::query_scalar(COUNTED).fetch_optional(pool).await?)
        .unwrap_or_default();
        let mut last = i64::MIN;
        let mut held = kept.is_none();
        loop {
            let page: Vec<Sealed> = on_backend!(self, read pool =>
                sqlx::query_as(CHAIN).bind(last).fetch_all(pool).await?);
            let Some(newest) = page.last().map(|row| row.id) else { break };
            last = newest;
            let following: Option<Vec<u8>> = on_backend!(self, read pool =>
                sqlx::query_scalar(FOLLOWING).bind(newest + 1).fetch_optional(pool).await?);
            let mut rows = page.into_iter().peekable();
            while let Some(row) = rows.next() {
                held |= kept
                    .is_some_and(|kept| kept.number == row.id && kept.hash.0[..] == row.hash[..]);
                let next = rows.peek().map(|next| next.previous_hash.clone());
                let next = next.or_else(|| following.clone());
                chain.entry(row, next.as_deref());
            }
        }
        let mut found = chain.finish(counted);
        if let Some(kept) = kept.filter(|_| !held) {
            found.tampered.push(Tampered::OtherHead(kept.number));
        }
        Ok(found)
    }
}
