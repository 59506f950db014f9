//! The list of findings, page by page.
//!
//! As of now it is read from indexes in its own order, so that a page costs a page; as of a past
//! moment every finding is held against that moment.

use rollcall_shared::Timestamp;
use rollcall_shared::api::finding::{Finding, FindingState, Severity};
use rollcall_shared::api::unit::UnitKind;

use super::finding::{Row, columns, holds, rank, then};
use super::scope::within;
use super::{Error, Store, on_backend, queries};
use crate::domain::Scope;

/// $1 moment, $2 state, $3 rule or '', $4 severity or '', $5 to $8 patterns, $9 and $10 the scope.
macro_rules! then_matching {
    () => {
        concat!(
            "WHERE (($2 = 'closed' AND f.closed_at IS NOT NULL AND f.closed_at <= $1) OR ($2 = 'open' AND ",
            holds!(),
            " AND f.waived_until IS NULL) OR ($2 = 'waived' AND ",
            holds!(),
            " AND f.waived_until IS NOT NULL)) AND ($3 = '' OR f.rule = $3) \
             AND ($4 = '' OR f.severity = $4) \
             AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $5 ESCAPE '!' \
             AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $6 ESCAPE '!' \
             AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $7 ESCAPE '!' \
             AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $8 ESCAPE '!' AND ",
            within!("d", "$9", "$10"),
            " "
        )
    };
}

/// Findings as they are now, with the waiver in force; $1: now. `$waived`: how they meet waivers.
macro_rules! now {
    (open) => {
        "FROM finding f LEFT JOIN waiver w ON w.finding = f.id AND w.at <= $1 AND w.until > $1 \
         AND (w.ended_at IS NULL OR w.ended_at > $1) JOIN device d ON d.key = f.device \
         WHERE f.closed_at IS NULL AND f.opened_at <= $1 AND w.finding IS NULL "
    };
    // A cross join, because there are few waivers and many findings.
    (waived) => {
        "FROM waiver w CROSS JOIN finding f CROSS JOIN device d WHERE d.key = f.device \
         AND w.finding = f.id AND w.at <= $1 AND w.until > $1 \
         AND (w.ended_at IS NULL OR w.ended_at > $1) \
         AND f.closed_at IS NULL AND f.opened_at <= $1 "
    };
    (closed) => {
        "FROM finding f LEFT JOIN waiver w ON w.finding = f.id AND w.at <= $1 AND w.until > $1 \
         AND (w.ended_at IS NULL OR w.ended_at > $1) JOIN device d ON d.key = f.device \
         WHERE f.closed_at IS NOT NULL AND f.closed_at <= $1 "
    };
}

/// $2 and $3: lowest and highest rank; $4 to $7: patterns; $8: the rule, '' for any; $9 and $10:
/// the scope.
macro_rules! asked {
    (any) => {
        concat!("AND CAST($8 AS TEXT) = '' ", asked!())
    };
    (rule) => {
        concat!("AND f.rule = $8 ", asked!())
    };
    () => {
        concat!(
            "AND f.rank >= $2 AND f.rank <= $3 \
         AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $4 ESCAPE '!' \
         AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $5 ESCAPE '!' \
         AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $6 ESCAPE '!' \
         AND lower(d.hostname || ' ' || f.subject || ' ' || f.value) LIKE $7 ESCAPE '!' AND ",
            within!("d", "$9", "$10"),
            " "
        )
    };
}

macro_rules! page {
    ($state:tt, $rule:tt) => {
        concat!(
            "SELECT f.id, f.device, d.uuid, d.hostname, f.rule, f.subject, f.severity, \
             f.opened_at, f.closed_at, f.value, f.threshold, f.source, f.source_date, \
             f.next_step, f.evidence, w.by_whom AS waived_by, w.reason AS waived_reason, \
             w.until AS waived_until ",
            now!($state),
            asked!($rule),
            "AND (f.rank, f.opened_at, f.id) > ($11, $12, $13) \
             ORDER BY f.rank, f.opened_at, f.id LIMIT $14"
        )
    };
}

macro_rules! count {
    ($state:tt, $rule:tt) => {
        concat!("SELECT count(*) ", now!($state), asked!($rule))
    };
}

queries! {
    OPEN = page!(open, any);
    OPEN_OF_RULE = page!(open, rule);
    WAIVED = page!(waived, any);
    WAIVED_OF_RULE = page!(waived, rule);
    CLOSED = page!(closed, any);
    CLOSED_OF_RULE = page!(closed, rule);
    COUNT_OPEN = count!(open, any);
    COUNT_OPEN_OF_RULE = count!(open, rule);
    COUNT_WAIVED = count!(waived, any);
    COUNT_WAIVED_OF_RULE = count!(waived, rule);
    COUNT_CLOSED = count!(closed, any);
    COUNT_CLOSED_OF_RULE = count!(closed, rule);
    THEN = concat!(
        columns!(), then_matching!(),
        "AND (", rank!(), " > $11 OR (", rank!(), " = $11 AND (f.opened_at > $12 \
         OR (f.opened_at = $12 AND f.id > $13)))) \
         ORDER BY ", rank!(), ", f.opened_at, f.id LIMIT $14"
    );
    COUNT_THEN = concat!(
        "SELECT count(*) ", then!(), "JOIN device d ON d.key = f.device ", then_matching!()
    );
}

/// Which findings are asked for; all of it is judged at `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingQuery {
    /// The moment.
    pub at: Timestamp,
    /// Whether it is the present: nothing is known of any later one.
    pub now: bool,
    /// In this state then.
    pub state: FindingState,
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this severity.
    pub severity: Option<Severity>,
    /// Words that all stand in host name, subject or value; the first four count.
    pub words: Vec<String>,
    /// Of devices inside of this scope.
    pub scope: Scope,
}

/// The place of a finding in the list: severity, since when, number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FindingPosition {
    /// 0 for critical, 1 for warning, 2 for info.
    pub rank: i64,
    /// Since when it holds.
    pub since: Timestamp,
    /// Its number.
    pub id: i64,
}

impl FindingQuery {
    /// Lowest and highest rank.
    fn ranks(&self) -> (i64, i64) {
        match self.severity {
            None => (0, 2),
            Some(Severity::Critical) => (0, 0),
            Some(Severity::Warning) => (1, 1),
            Some(Severity::Info) => (2, 2),
        }
    }

    /// Databases fold letters beyond ASCII each in its own way: those words are looked at here.
    fn folded_here(&self) -> bool {
        self.words.iter().any(|word| !word.is_ascii())
    }

    fn page_statement(&self) -> &'static str {
        match (self.state, &self.rule) {
            (FindingState::Open, None) => OPEN,
            (FindingState::Open, Some(_)) => OPEN_OF_RULE,
            (FindingState::Waived, None) => WAIVED,
            (FindingState::Waived, Some(_)) => WAIVED_OF_RULE,
            (FindingState::Closed, None) => CLOSED,
            (FindingState::Closed, Some(_)) => CLOSED_OF_RULE,
        }
    }

    fn count_statement(&self) -> &'static str {
        match (self.state, &self.rule) {
            (FindingState::Open, None) => COUNT_OPEN,
            (FindingState::Open, Some(_)) => COUNT_OPEN_OF_RULE,
            (FindingState::Waived, None) => COUNT_WAIVED,
            (FindingState::Waived, Some(_)) => COUNT_WAIVED_OF_RULE,
            (FindingState::Closed, None) => COUNT_CLOSED,
            (FindingState::Closed, Some(_)) => COUNT_CLOSED_OF_RULE,
        }
    }
}

/// A word as a LIKE pattern; `!` takes the meaning from `%` and `_`. Letters beyond ASCII stand for
/// anything.
fn pattern(word: Option<&String>) -> String {
    let Some(word) = word else { return "%".to_owned() };
    let mut pattern = String::from("%");
    for letter in word.chars() {
        if !letter.is_ascii() {
            pattern.push('%');
            continue;
        }
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

macro_rules! bind_then {
    ($query:expr, $asked:expr) => {{
        let words = $asked.words.as_slice();
        $query
            .bind($asked.at.0)
            .bind($asked.state.as_str())
            .bind($asked.rule.as_deref().unwrap_or_default())
            .bind($asked.severity.map(Severity::as_str).unwrap_or_default())
            .bind(pattern(words.first()))
            .bind(pattern(words.get(1)))
            .bind(pattern(words.get(2)))
            .bind(pattern(words.get(3)))
            .bind($asked.scope.listed(UnitKind::Site))
            .bind($asked.scope.listed(UnitKind::Department))
    }};
}

macro_rules! bind_now {
    ($query:expr, $asked:expr) => {{
        let words = $asked.words.as_slice();
        let (low, high) = $asked.ranks();
        $query
            .bind($asked.at.0)
            .bind(low)
            .bind(high)
            .bind(pattern(words.first()))
            .bind(pattern(words.get(1)))
            .bind(pattern(words.get(2)))
            .bind(pattern(words.get(3)))
            .bind($asked.rule.as_deref().unwrap_or_default())
            .bind($asked.scope.listed(UnitKind::Site))
            .bind($asked.scope.listed(UnitKind::Department))
    }};
}

impl Store {
    /// A page of findings, worst first, then oldest first.
    pub async fn finding_page(
        &self,
        asked: &FindingQuery,
        after: Option<FindingPosition>,
        limit: usize,
    ) -> Result<Vec<Finding>, Error> {
        if asked.folded_here() {
            return Ok(self.folded(asked, after, limit).await?.0);
        }
        let rows = self.finding_rows(asked, after, limit).await?;
        rows.into_iter().map(|row| row.finding(asked.at)).collect()
    }

    /// How many findings there are in all.
    pub async fn finding_count(&self, asked: &FindingQuery) -> Result<u64, Error> {
        if asked.folded_here() {
            return Ok(self.folded(asked, None, 0).await?.1);
        }
        let total: i64 = on_backend!(self, read pool => if asked.now {
            bind_now!(sqlx::query_scalar(asked.count_statement()), asked).fetch_one(pool).await?
        } else {
            bind_then!(sqlx::query_scalar(COUNT_THEN), asked).fetch_one(pool).await?
        });
        Ok(u64::try_from(total).unwrap_or_default())
    }

    /// A page and how many there are in all, judged word by word here.
    async fn folded(
        &self,
        asked: &FindingQuery,
        after: Option<FindingPosition>,
        limit: usize,
    ) -> Result<(Vec<Finding>, u64), Error> {
        let mut rows = self.finding_rows(asked, None, usize::MAX).await?;
        let words = asked.words.get(..4).unwrap_or(&asked.words);
        rows.retain(|row| row.has(words));
        let total = rows.len() as u64;
        let rest = rows.into_iter().filter(|row| after.is_none_or(|after| row.position() > after));
        let page = rest.take(limit).map(|row| row.finding(asked.at)).collect::<Result<_, _>>()?;
        Ok((page, total))
    }

    async fn finding_rows(
        &self,
        asked: &FindingQuery,
        after: Option<FindingPosition>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        // Begins where the first of its severity can be, not at the worst of all.
        let first =
            FindingPosition { rank: asked.ranks().0, since: Timestamp(i64::MIN), id: i64::MIN };
        let after = after.map_or(first, |after| after.max(first));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        macro_rules! page {
            ($query:expr, $pool:expr) => {
                $query
                    .bind(after.rank)
                    .bind(after.since.0)
                    .bind(after.id)
                    .bind(limit)
                    .fetch_all($pool)
                    .await?
            };
        }
        Ok(on_backend!(self, read pool => if asked.now {
            page!(bind_now!(sqlx::query_as(asked.page_statement()), asked), pool)
        } else {
            page!(bind_then!(sqlx::query_as(THEN), asked), pool)
        }))
    }
}
