//! Enrolling computers: make a token, copy one line, watch the computer arrive.

use std::str::FromStr;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use rollcall_shared::api::device::{DeviceFilter, DeviceSummary, Presence};
use rollcall_shared::api::token::EnrollmentToken;
use rollcall_shared::api::unit::{Unit, UnitKind};
use rollcall_shared::join::{JoinString, TOKEN_PREFIX};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Timestamp};
use serde::Serialize;

use super::enroll_lines::{self, System};
use super::filters;
use super::once::{self, Fresh};
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::domain::Scope;
use crate::http::Error;
use crate::http::auth::It;
use crate::secret::Secret;
use crate::store::token::NewTokenRow;
use crate::{issue, view};

/// The lines that were just made.
static LINES: Fresh = Fresh::new();

const ARRIVALS_SHOWN: usize = 10;

#[derive(Template)]
#[template(path = "enroll.html")]
pub(super) struct EnrollPage {
    pub(super) shell: Shell,
    pub(super) tokens: Vec<TokenRow>,
    pub(super) form: NewToken,
    sites: Vec<Unit>,
    departments: Vec<Unit>,
    pub(super) problem: Option<String>,
}

/// One token in the list.
pub(super) struct TokenRow {
    token: EnrollmentToken,
    usable: bool,
    state: &'static str,
}

/// The form as it was filled in.
#[derive(Debug, Clone)]
pub(super) struct NewToken {
    pub(super) label: String,
    pub(super) site: String,
    pub(super) department: String,
    pub(super) days: String,
    pub(super) uses: String,
    pub(super) approval: bool,
    pub(super) again: bool,
    pub(super) once: String,
}

#[derive(Template)]
#[template(path = "enroll_token.html")]
pub(super) struct TokenPage {
    pub(super) shell: Shell,
    pub(super) token: EnrollmentToken,
    pub(super) state: &'static str,
    pub(super) usable: bool,
    pub(super) waiting: bool,
    pub(super) join: Option<String>,
    pub(super) systems: Vec<System>,
    pub(super) arrivals: Vec<Arrival>,
}

/// A device that enrolled after the token was made.
pub(super) struct Arrival {
    pub(super) id: DeviceId,
    pub(super) hostname: String,
    pub(super) at: Timestamp,
    pub(super) pending: bool,
}

/// The answer to the watching page.
#[derive(Serialize)]
pub(super) struct Arrivals {
    waiting: bool,
    arrivals: Vec<ArrivalText>,
}

#[derive(Serialize)]
struct ArrivalText {
    href: String,
    hostname: String,
    text: String,
    /// It waits for a person.
    pending: bool,
}

impl NewToken {
    fn empty() -> Result<Self, Error> {
        Ok(Self {
            label: String::new(),
            site: String::new(),
            department: String::new(),
            days: "7".to_owned(),
            uses: "1".to_owned(),
            approval: false,
            again: false,
            once: once::nonce().map_err(Error::internal)?,
        })
    }

    fn sent(fields: &Fields) -> Self {
        Self {
            label: fields.text("label"),
            site: fields.text("site"),
            department: fields.text("department"),
            days: fields.text("days"),
            uses: fields.text("uses"),
            approval: fields.ticked("approval"),
            again: fields.ticked("again"),
            once: fields.text("once"),
        }
    }

    /// The token that was asked for, or what to mend.
    fn checked(&self, by: &str, now: Timestamp) -> Result<EnrollmentToken, String> {
        if self.label.is_empty() || self.label.chars().count() > 100 {
            return Err("Say what the token is for, in up to 100 letters.".to_owned());
        }
        let days = number::<i64>(&self.days).filter(|days| (1..=90).contains(days));
        let days = days.ok_or("The days are a whole number from 1 to 90.")?;
        let uses = number::<u32>(&self.uses).filter(|uses| *uses <= 1_000_000);
        let uses = uses.ok_or("The number of computers is whole: 0 for any number, or more.")?;
        let optional = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Ok(EnrollmentToken {
            id: 0,
            label: self.label.clone(),
            site: optional(&self.site),
            department: optional(&self.department),
            created_at: now,
            created_by: by.to_owned(),
            expires_at: now.plus_ms(days * DAY_MS),
            uses_allowed: Some(uses).filter(|uses| *uses > 0),
            uses: 0,
            needs_approval: self.approval,
            allows_reenrollment: self.again,
            revoked_at: None,
        })
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

/// Whether a token can still be used, and why not.
fn state(token: &EnrollmentToken, now: Timestamp) -> (bool, &'static str) {
    if token.revoked_at.is_some() {
        (false, "revoked")
    } else if now >= token.expires_at {
        (false, "ended")
    } else if token.uses_allowed.is_some_and(|allowed| token.uses >= allowed) {
        (false, "used up")
    } else {
        (true, "usable")
    }
}

impl EnrollPage {
    pub(super) fn new(
        shell: Shell,
        tokens: Vec<EnrollmentToken>,
        units: Vec<Unit>,
        form: NewToken,
        problem: Option<String>,
    ) -> Self {
        let row = |token: EnrollmentToken| {
            let (usable, state) = state(&token, shell.now);
            TokenRow { token, usable, state }
        };
        let (sites, departments) =
            units.into_iter().partition(|unit: &Unit| unit.kind == UnitKind::Site);
        let tokens = tokens.into_iter().map(row).collect();
        Self { shell, tokens, form, sites, departments, problem }
    }
}

impl TokenPage {
    pub(super) fn new(
        shell: Shell,
        token: EnrollmentToken,
        join: Option<String>,
        arrivals: Vec<Arrival>,
    ) -> Self {
        let (usable, state) = state(&token, shell.now);
        Self {
            waiting: usable,
            usable,
            state,
            systems: join.as_deref().map(enroll_lines::systems).unwrap_or_default(),
            shell,
            token,
            join,
            arrivals,
        }
    }
}

fn join_line(app: &App, secret: &Secret) -> String {
    let join = JoinString {
        url: app.public_url.clone(),
        ca_digest: app.ca_digest,
        token: secret.reveal().to_owned(),
    };
    join.to_string()
}

/// Devices that enrolled since the token was made. Which token a device used is not told by
/// lists, so this shows any newcomer: for somebody who waits, the right one is among them.
async fn newcomers(
    app: &App,
    scope: &Scope,
    token: &EnrollmentToken,
) -> Result<Vec<Arrival>, Error> {
    let overview = view::overview::overview(app, scope).await?;
    let waiting = DeviceFilter { presence: Some(Presence::Pending), ..DeviceFilter::default() };
    let pending = view::devices::list(app, scope, &waiting).await?.items;
    let mut found: Vec<DeviceSummary> = overview.newest;
    found.extend(pending);
    found.retain(|device| device.enrolled_at >= token.created_at && !device.demo);
    found.sort_by_key(|device| (std::cmp::Reverse(device.enrolled_at), device.id));
    found.dedup_by_key(|device| device.id);
    Ok(found
        .into_iter()
        .take(ARRIVALS_SHOWN)
        .map(|device| Arrival {
            id: device.id,
            hostname: device.hostname,
            at: device.last_seen_at.unwrap_or(device.enrolled_at),
            pending: device.presence == Presence::Pending,
        })
        .collect())
}

async fn find(app: &App, scope: &Scope, id: i64) -> Result<EnrollmentToken, Error> {
    let tokens = app.store.tokens(scope).await?;
    tokens.into_iter().find(|token| token.id == id).ok_or(Error::NotFound)
}

/// `GET /enroll`
pub(super) async fn get(State(app): State<App>, It(caller): It, visit: Visit) -> Page {
    let tokens = app.store.tokens(&caller.scope).await?;
    let units = view::units::list(&app, &caller.scope).await?;
    let shell = visit.shell(&app, &caller, "enroll");
    page(&EnrollPage::new(shell, tokens, units, NewToken::empty()?, None))
}

/// `POST /enroll`
pub(super) async fn create(
    State(app): State<App>,
    It(caller): It,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let now = app.clock.now();
    let form = NewToken::sent(&fields);
    if let Some(id) = LINES.made_by(caller.account, &form.once, now) {
        return Ok(Redirect::to(&format!("/enroll/{id}")).into_response());
    }
    let given = [Some(form.site.clone()), Some(form.department.clone())];
    let units = issue::units_of_token(&app, &caller.scope, given, form.again).await;
    let checked = match units {
        Ok(units) => form.checked(&caller.name, now).map(|token| (token, units)),
        Err(Error::Invalid { why, .. }) => Err(format!("Mend the form: {why}.")),
        Err(other) => return Err(other),
    };
    let (token, [site, department]) = match checked {
        Ok(checked) => checked,
        Err(problem) => {
            let shell = visit.shell(&app, &caller, "enroll");
            let tokens = app.store.tokens(&caller.scope).await?;
            let units = view::units::list(&app, &caller.scope).await?;
            let again = page(&EnrollPage::new(shell, tokens, units, form, Some(problem)))?;
            return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
        }
    };
    let secret = Secret::random(TOKEN_PREFIX).map_err(Error::internal)?;
    let row = NewTokenRow {
        digest: secret.digest(),
        site: site.map(|(unit, _)| unit),
        department: department.map(|(unit, _)| unit),
        token,
    };
    let made = app.store.create_token(&row).await?;
    LINES.keep(caller.account, &form.once, made.id, secret, now);
    Ok(Redirect::to(&format!("/enroll/{}", made.id)).into_response())
}

/// `GET /enroll/{id}`
pub(super) async fn token(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<i64>,
    visit: Visit,
) -> Result<Html<String>, Error> {
    let token = find(&app, &caller.scope, id).await?;
    let secret = LINES.secret(caller.account, id, app.clock.now());
    let join = secret.map(|secret| join_line(&app, &secret));
    let arrivals = newcomers(&app, &caller.scope, &token).await?;
    page(&TokenPage::new(visit.shell(&app, &caller, "enroll"), token, join, arrivals))
}

/// `GET /enroll/{id}/arrivals`
pub(super) async fn arrivals(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<i64>,
) -> Result<Json<Arrivals>, Error> {
    let token = find(&app, &caller.scope, id).await?;
    let now = app.clock.now();
    let found = newcomers(&app, &caller.scope, &token).await?;
    let text = |arrival: Arrival| ArrivalText {
        href: format!("/devices/{}", arrival.id),
        hostname: filters::agent_plain(&arrival.hostname),
        text: filters::short_ago(arrival.at, now),
        pending: arrival.pending,
    };
    Ok(Json(Arrivals {
        // A token for one computer is used up by it; the page goes on until the next look.
        waiting: state(&token, now).0,
        arrivals: found.into_iter().map(text).collect(),
    }))
}

/// `POST /enroll/{id}/revoke`
pub(super) async fn revoke(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<i64>,
) -> Result<Redirect, Error> {
    // Revoking twice has the effect of once.
    find(&app, &caller.scope, id).await?;
    app.store.revoke_token(id, &caller.scope, &caller.by(&app)).await?;
    Ok(Redirect::to("/enroll"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn the_line_is_shown_with_what_to_type() {
        let html = sample::token_page(true).render().unwrap();
        for part in ["Debian, Ubuntu", "Windows", "Ansible", "| sudo rollcall-agent enroll -"] {
            assert!(html.contains(part), "{part}");
        }
        assert!(html.contains("http-equiv=\"refresh\""), "it looks again without scripts");
        assert!(html.contains("Waiting for the first report"));
        let later = sample::token_page(false).render().unwrap();
        assert!(!later.contains("rcl_enr_") && later.contains("shown once"));
    }

    #[test]
    fn a_form_with_a_mistake_keeps_what_was_typed() {
        let mut form = NewToken::empty().unwrap();
        form.label = "Laptops".to_owned();
        form.days = "91".to_owned();
        let problem = form.checked("anna", sample::NOW).unwrap_err();
        assert!(problem.contains("1 to 90"));
        let page = EnrollPage::new(sample::shell(), vec![], vec![], form.clone(), Some(problem));
        let html = page.render().unwrap();
        assert!(html.contains("value=\"Laptops\"") && html.contains("value=\"91\""));
        form.days = "7".to_owned();
        form.uses = "0".to_owned();
        let token = form.checked("anna", sample::NOW).unwrap();
        assert_eq!(token.uses_allowed, None);
        assert_eq!(token.expires_at.since(token.created_at), 7 * DAY_MS);
    }

    #[test]
    fn a_token_says_why_it_cannot_be_used() {
        let token = sample::tokens().remove(0);
        let now = sample::NOW;
        assert_eq!(state(&token, now), (true, "usable"));
        assert_eq!(state(&token, token.expires_at), (false, "ended"));
        let used = EnrollmentToken { uses: 5, uses_allowed: Some(5), ..token.clone() };
        assert_eq!(state(&used, now), (false, "used up"));
        let revoked = EnrollmentToken { revoked_at: Some(now), ..token };
        assert_eq!(state(&revoked, now), (false, "revoked"));
    }
}
