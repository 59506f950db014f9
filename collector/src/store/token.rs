//! Enrolment tokens; only the hash of a token's secret is stored. Their use is counted by
//! the enrolment's own transaction.

use rollcall_shared::api::token::EnrollmentToken;
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::{Digest, Timestamp};

use super::audit::{By, record};
use super::enroll::TokenGrant;
use super::scope::within;
use super::{BeginWrite as _, Error, Store, on_backend, queries};
use crate::domain::Scope;

queries! {
    INSERT = "INSERT INTO enrollment_token (digest, label, site, department, created_at, \
              created_by, expires_at, uses_allowed, needs_approval, allows_reenrollment) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
    LIST = concat!(
        "SELECT t.id, t.label, one.name AS site, \
            two.name AS department, t.created_at, t.created_by, \
            t.expires_at, t.uses_allowed, t.uses, t.needs_approval, t.allows_reenrollment, \
            t.revoked_at \
            FROM enrollment_token t LEFT JOIN unit one ON one.id = t.site \
            LEFT JOIN unit two ON two.id = t.department \
            WHERE ",
        within!("t", "$1", "$2"),
        " ORDER BY t.id DESC"
    );
    GRANT = "SELECT site, department, needs_approval, allows_reenrollment FROM enrollment_token \
             WHERE digest = $1 AND expires_at > $2 AND revoked_at IS NULL \
             AND (uses_allowed IS NULL OR uses < uses_allowed)";
    REVOKE = concat!(
        "UPDATE enrollment_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND ",
        within!("enrollment_token", "$3", "$4")
    );
}

/// A token to make; `id`, `uses` and `revoked_at` of the description are not read.
#[derive(Debug, Clone)]
pub struct NewTokenRow {
    /// Hash of its secret.
    pub digest: Digest,
    /// Number of the site that its devices get; its name stands in the token.
    pub site: Option<i64>,
    /// Number of the department that its devices get.
    pub department: Option<i64>,
    /// Everything else.
    pub token: EnrollmentToken,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    label: String,
    site: Option<String>,
    department: Option<String>,
    created_at: i64,
    created_by: String,
    expires_at: i64,
    uses_allowed: Option<i64>,
    uses: i64,
    needs_approval: bool,
    allows_reenrollment: bool,
    revoked_at: Option<i64>,
}

impl From<Row> for EnrollmentToken {
    fn from(row: Row) -> Self {
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            id: row.id,
            label: row.label,
            site: row.site,
            department: row.department,
            created_at: Timestamp(row.created_at),
            created_by: row.created_by,
            expires_at: Timestamp(row.expires_at),
            uses_allowed: row.uses_allowed.map(number),
            uses: number(row.uses),
            needs_approval: row.needs_approval,
            allows_reenrollment: row.allows_reenrollment,
            revoked_at: row.revoked_at.map(Timestamp),
        }
    }
}

impl Store {
    /// Makes a token.
    pub async fn create_token(&self, new: &NewTokenRow) -> Result<EnrollmentToken, Error> {
        let token = &new.token;
        let id: i64 = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let id: i64 = sqlx::query_scalar(INSERT)
            .bind(&new.digest.0[..])
            .bind(&token.label)
            .bind(new.site)
            .bind(new.department)
            .bind(token.created_at.0)
            .bind(&token.created_by)
            .bind(token.expires_at.0)
            .bind(token.uses_allowed.map(i64::from))
            .bind(token.needs_approval)
            .bind(token.allows_reenrollment)
            .fetch_one(&mut *tx)
            .await?;
            let by = By::new(&token.created_by, token.created_at);
            record!(tx, &by.did("enrollment_token_made", token_words(id), told(token)));
            tx.commit().await?;
            id
        });
        Ok(EnrollmentToken { id, uses: 0, revoked_at: None, ..token.clone() })
    }

    /// What a token would give now, without using it; `None` for every token that gives nothing.
    pub async fn token_grant(
        &self,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<TokenGrant>, Error> {
        let found: Option<(Option<i64>, Option<i64>, bool, bool)> = on_backend!(self, read pool =>
                sqlx::query_as(GRANT).bind(&digest.0[..]).bind(now.0).fetch_optional(pool).await?);
        let grant = |(site, department, needs_approval, allows_reenrollment)| TokenGrant {
            site,
            department,
            needs_approval,
            allows_reenrollment,
        };
        Ok(found.map(grant))
    }

    /// All tokens whose devices would be inside of a scope, newest first.
    pub async fn tokens(&self, scope: &Scope) -> Result<Vec<EnrollmentToken>, Error> {
        let found: Vec<Row> = on_backend!(self, read pool => sqlx::query_as(LIST)
            .bind(scope.listed(UnitKind::Site))
            .bind(scope.listed(UnitKind::Department))
            .fetch_all(pool)
            .await?);
        Ok(found.into_iter().map(EnrollmentToken::from).collect())
    }

    /// Revokes a token. `false` when there is none inside of the scope that could still be used.
    pub async fn revoke_token(&self, id: i64, scope: &Scope, by: &By) -> Result<bool, Error> {
        let changed = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let changed =
                sqlx::query(REVOKE).bind(id).bind(by.at.0)
                    .bind(scope.listed(UnitKind::Site))
                    .bind(scope.listed(UnitKind::Department))
                    .execute(&mut *tx).await?.rows_affected();
            if changed > 0 {
                record!(tx, &by.did("enrollment_token_revoked", token_words(id), ""));
            }
            tx.commit().await?;
            changed
        });
        Ok(changed > 0)
    }
}

fn token_words(id: i64) -> String {
    format!("enrolment token {id}")
}

/// What a token gives, for the audit log.
fn told(token: &EnrollmentToken) -> String {
    let uses = token.uses_allowed.map_or_else(|| "any number".to_owned(), |uses| uses.to_string());
    let given =
        |what: &str, value: &Option<String>| value.as_ref().map(|value| format!("{what} {value}"));
    let parts = [
        Some(format!("{}; {uses} of uses until {}", token.label, token.expires_at)),
        given("site", &token.site),
        given("department", &token.department),
        token.needs_approval.then(|| "needs approval".to_owned()),
        token.allows_reenrollment.then(|| "may continue known devices".to_owned()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::store_test;

    store_test!(tokens_are_listed_as_made, |store| {
        let now = Timestamp(1_795_000_000_000);
        let token = EnrollmentToken {
            id: 0,
            label: "Room 12".into(),
            site: Some("Oslo".into()),
            department: None,
            created_at: now,
            created_by: "anna".into(),
            expires_at: now.plus_ms(1),
            uses_allowed: Some(30),
            uses: 0,
            needs_approval: true,
            allows_reenrollment: false,
            revoked_at: None,
        };
        let by = By::new("anna", now);
        let oslo = store.create_unit(UnitKind::Site, "Oslo", &by).await.unwrap();
        let new = NewTokenRow {
            digest: Digest::of(b"secret"),
            site: Some(oslo),
            department: None,
            token,
        };
        let made = store.create_token(&new).await.unwrap();
        let whole = Scope::whole();
        assert_eq!(store.tokens(&whole).await.unwrap(), std::slice::from_ref(&made));
        let inside = Scope::of(Some([oslo].into()), None);
        assert_eq!(store.tokens(&inside).await.unwrap(), std::slice::from_ref(&made));
        for outside in [
            Scope::of(Some([oslo + 1].into()), None),
            Scope::of(None, Some([oslo].into())),
            Scope::of(Some([oslo].into()), Some([].into())),
        ] {
            assert!(store.tokens(&outside).await.unwrap().is_empty());
            assert!(!store.revoke_token(made.id, &outside, &by).await.unwrap());
        }
        assert!(store.revoke_token(made.id, &inside, &by).await.unwrap());
        assert!(!store.revoke_token(made.id, &whole, &by).await.unwrap());
        assert_eq!(store.tokens(&whole).await.unwrap()[0].revoked_at, Some(now));
    });
}
