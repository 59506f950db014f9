//! Making secrets for others: enrolment tokens for computers, API tokens for programs. The same
//! checks for the console, the API and the command line.

use rollcall_shared::api::account::{ApiToken, CreatedApiToken, NewApiToken, Role};
use rollcall_shared::api::token::{CreatedEnrollmentToken, EnrollmentToken, NewEnrollmentToken};
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::join::{JoinString, TOKEN_PREFIX};
use rollcall_shared::time::DAY_MS;

use crate::app::App;
use crate::domain::Scope;
use crate::http::Error;
use crate::http::auth::{API_TOKEN_PREFIX, Caller};
use crate::secret::Secret;
use crate::store::api_token::NewApiTokenRow;
use crate::store::token::NewTokenRow;

const LABEL_LONGEST: usize = 100;

/// Makes an enrolment token for somebody who sees this scope. The answer holds the line to paste, shown this once.
pub async fn enrollment_token(
    app: &App,
    by: &str,
    scope: &Scope,
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
    let units = units_of_token(app, scope, [site, department], allows_reenrollment).await?;
    let [site, department] = units;
    let now = app.clock.now();
    let secret = Secret::random(TOKEN_PREFIX).map_err(Error::internal)?;
    let token = EnrollmentToken {
        id: 0,
        label,
        site: site.as_ref().map(|(_, name)| name.clone()),
        department: department.as_ref().map(|(_, name)| name.clone()),
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
    let row = NewTokenRow {
        digest: secret.digest(),
        site: site.map(|(unit, _)| unit),
        department: department.map(|(unit, _)| unit),
        token,
    };
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

/// The site and the department that a token gives, number and name of each. Whose rights end
/// somewhere makes tokens only for devices inside of them, and none that could take over the record
/// of a device outside.
pub async fn units_of_token(
    app: &App,
    scope: &Scope,
    [site, department]: [Option<String>; 2],
    allows_reenrollment: bool,
) -> Result<[Option<(i64, String)>; 2], Error> {
    let site = unit(app, scope, UnitKind::Site, site).await?;
    let department = unit(app, scope, UnitKind::Department, department).await?;
    for (kind, given) in [(UnitKind::Site, &site), (UnitKind::Department, &department)] {
        if given.is_none() && scope.units(kind).is_some() {
            return Err(Error::invalid(
                kind.as_str(),
                format!(
                    "your account is limited to some: name the {} of the devices",
                    kind.as_str()
                ),
            ));
        }
    }
    if allows_reenrollment && !scope.is_whole() {
        return Err(Error::invalid(
            "allows_reenrollment",
            "a token that continues known devices is made by somebody whose account is not limited",
        ));
    }
    Ok([site, department])
}

/// The site or department of this name that may be seen in this scope; number and name.
pub async fn unit(
    app: &App,
    scope: &Scope,
    kind: UnitKind,
    name: Option<String>,
) -> Result<Option<(i64, String)>, Error> {
    let name = name.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let Some(name) = name else { return Ok(None) };
    let found = match unit_name(kind.as_str(), &name) {
        Ok(_) => app.store.unit_of_name(kind, &name).await?,
        Err(_) => None,
    };
    match found.filter(|unit| scope.has_unit(kind, *unit)) {
        Some(unit) => Ok(Some((unit, name))),
        None => Err(Error::invalid(
            kind.as_str(),
            format!("there is no {} of this name; choose one of the list", kind.as_str()),
        )),
    }
}

/// A name that a site or department can have.
pub fn unit_name(field: &'static str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LABEL_LONGEST || unprintable(name) {
        return Err(Error::invalid(field, "give a name of 1 to 100 characters"));
    }
    Ok(name.to_owned())
}

fn unprintable(text: &str) -> bool {
    text.chars().any(char::is_control)
}
