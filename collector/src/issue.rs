//! Making secrets for others: enrolment tokens for computers, API tokens for programs. The same
//! checks for the console, the API and the command line.

use rollcall_shared::api::account::{ApiToken, CreatedApiToken, NewApiToken, Role};
use rollcall_shared::api::token::{CreatedEnrollmentToken, EnrollmentToken, NewEnrollmentToken};
use rollcall_shared::join::{JoinString, TOKEN_PREFIX};
use rollcall_shared::time::DAY_MS;

use crate::app::App;
use crate::http::Error;
use crate::http::auth::{API_TOKEN_PREFIX, Caller};
use crate::secret::Secret;
use crate::store::api_token::NewApiTokenRow;
use crate::store::token::NewTokenRow;

const LABEL_LONGEST: usize = 100;

/// Makes an enrolment token. The answer holds the line to paste, shown this once.
pub async fn enrollment_token(
    app: &App,
    by: &str,
    new: NewEnrollmentToken,
) -> Result<CreatedEnrollmentToken, Error> {
    let NewEnrollmentToken {
        label,
        site,
        department,
        valid_days,
        uses_allowed,
        needs_approval,
        allows_reenrollment,
    } = new;
    let label = self::label(&label)?;
    let valid_days = valid_days.unwrap_or(7);
    if !(1..=90).contains(&valid_days) {
        return Err(Error::invalid("valid_days", "give 1 to 90 days"));
    }
    let now = app.clock.now();
    let secret = Secret::random(TOKEN_PREFIX).map_err(Error::internal)?;
    let token = EnrollmentToken {
        id: 0,
        label,
        site: place("site", site)?,
        department: place("department", department)?,
        created_at: now,
        created_by: by.to_owned(),
        expires_at: now.plus_ms(i64::from(valid_days) * DAY_MS),
        uses_allowed: match uses_allowed {
            None => Some(1),
            Some(0) => None,
            some => some,
        },
        uses: 0,
        needs_approval,
        allows_reenrollment,
        revoked_at: None,
    };
    let row = NewTokenRow { digest: secret.digest(), token };
    let token = app.store.create_token(&row).await?;
    tracing::info!(token.id, token.label, by, "an enrolment token was made");
    let join = JoinString {
        url: app.public_url.clone(),
        ca_digest: app.ca_digest,
        token: secret.reveal().to_owned(),
    };
    Ok(CreatedEnrollmentToken { token, join_string: join.to_string() })
}

/// Makes an API token for the caller. The answer holds the secret, shown this once.
pub async fn api_token(
    app: &App,
    caller: &Caller,
    new: NewApiToken,
) -> Result<CreatedApiToken, Error> {
    let NewApiToken { label, role, valid_days, read_only } = new;
    let label = self::label(&label)?;
    let role: Role = role.unwrap_or(caller.role);
    if !caller.role.includes(role) {
        return Err(Error::invalid("role", "an API token may not do more than you may"));
    }
    let valid_days = valid_days.unwrap_or(90);
    if !(1..=365).contains(&valid_days) {
        return Err(Error::invalid("valid_days", "give 1 to 365 days"));
    }
    let now = app.clock.now();
    let secret = Secret::random(API_TOKEN_PREFIX).map_err(Error::internal)?;
    let row = NewApiTokenRow {
        digest: secret.digest(),
        label,
        role,
        account: caller.account,
        account_name: caller.name.clone(),
        created_at: now,
        expires_at: now.plus_ms(i64::from(valid_days) * DAY_MS),
        read_only,
    };
    let token: ApiToken = app.store.create_api_token(&row).await?;
    tracing::info!(token.id, by = caller.label(), "an API token was made");
    Ok(CreatedApiToken { token, secret: secret.reveal().to_owned() })
}

fn label(label: &str) -> Result<String, Error> {
    let label = label.trim();
    if label.is_empty() || label.chars().count() > LABEL_LONGEST || unprintable(label) {
        return Err(Error::invalid("label", "say in 1 to 100 characters what it is for"));
    }
    Ok(label.to_owned())
}

fn place(field: &'static str, text: Option<String>) -> Result<Option<String>, Error> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > LABEL_LONGEST || unprintable(&text) => {
            Err(Error::invalid(field, "give at most 100 characters"))
        }
        text => Ok(text),
    }
}

fn unprintable(text: &str) -> bool {
    text.chars().any(char::is_control)
}
