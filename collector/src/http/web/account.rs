//! One's own account: API tokens, signing out.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::Timestamp;
use rollcall_shared::api::account::{ApiToken, Role};
use rollcall_shared::time::DAY_MS;

use super::filters;
use super::once::{self, Fresh};
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::auth::{API_TOKEN_PREFIX, Caller, Helpdesk};
use crate::http::{Error, session};
use crate::secret::Secret;
use crate::store::api_token::NewApiTokenRow;

/// The secrets that were just made.
static SECRETS: Fresh = Fresh::new();

#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    shell: Shell,
    tokens: Vec<TokenRow>,
    roles: Vec<Role>,
    form: NewToken,
    secret: Option<ShownSecret>,
    problem: Option<String>,
}

struct TokenRow {
    token: ApiToken,
    usable: bool,
    state: &'static str,
}

/// A secret that is shown once.
pub(super) struct ShownSecret {
    pub(super) label: String,
    pub(super) text: String,
}

/// The form as it was filled in.
#[derive(Debug, Clone)]
pub(super) struct NewToken {
    label: String,
    role: String,
    days: String,
    once: String,
}

impl NewToken {
    pub(super) fn empty(role: Role) -> Result<Self, Error> {
        Ok(Self {
            label: String::new(),
            role: role.as_str().to_owned(),
            days: "90".to_owned(),
            once: once::nonce().map_err(Error::internal)?,
        })
    }

    /// Label, role and end of the token that was asked for, or what to mend.
    fn checked(&self, own: Role, now: Timestamp) -> Result<(Role, Timestamp), String> {
        if self.label.is_empty() || self.label.chars().count() > 100 {
            return Err("Say what the token is for, in up to 100 letters.".to_owned());
        }
        let role = Role::from_word(&self.role).filter(|role| own.includes(*role));
        let role = role.ok_or("A token may do at most what you may do.")?;
        let days = self.days.parse::<i64>().ok().filter(|days| (1..=365).contains(days));
        let days = days.ok_or("The days are a whole number from 1 to 365.")?;
        Ok((role, now.plus_ms(days * DAY_MS)))
    }
}

impl AccountPage {
    pub(super) fn new(
        shell: Shell,
        tokens: Vec<ApiToken>,
        form: NewToken,
        secret: Option<ShownSecret>,
        problem: Option<String>,
    ) -> Self {
        let row = |token: ApiToken| {
            let state = if token.revoked_at.is_some() {
                "revoked"
            } else if shell.now >= token.expires_at {
                "ended"
            } else {
                "usable"
            };
            TokenRow { usable: state == "usable", state, token }
        };
        let roles = Role::ALL.iter().copied().filter(|role| shell.may(*role)).collect();
        Self { tokens: tokens.into_iter().map(row).collect(), roles, shell, form, secret, problem }
    }
}

/// `GET /account`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let tokens = app.store.api_tokens(Some(caller.account)).await?;
    let shown = visit.params.get("new").and_then(|id| id.parse::<i64>().ok()).and_then(|id| {
        let secret = SECRETS.secret(caller.account, id, app.clock.now())?;
        let label = tokens.iter().find(|token| token.id == id)?.label.clone();
        Some(ShownSecret { label, text: secret.reveal().to_owned() })
    });
    let form = NewToken::empty(caller.role)?;
    page(&AccountPage::new(visit.shell(&app, &caller, "account"), tokens, form, shown, None))
}

/// `POST /account/tokens`
pub(super) async fn create(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let now = app.clock.now();
    let form = NewToken {
        label: fields.text("label"),
        role: fields.text("role"),
        days: fields.text("days"),
        once: fields.text("once"),
    };
    if let Some(id) = SECRETS.made_by(caller.account, &form.once, now) {
        return Ok(shown(id));
    }
    let (role, expires_at) = match form.checked(caller.role, now) {
        Ok(checked) => checked,
        Err(problem) => {
            let tokens = app.store.api_tokens(Some(caller.account)).await?;
            let shell = visit.shell(&app, &caller, "account");
            let again = page(&AccountPage::new(shell, tokens, form, None, Some(problem)))?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response());
        }
    };
    let made = make(&app, &caller, &form, role, expires_at).await?;
    Ok(shown(made))
}

async fn make(
    app: &App,
    caller: &Caller,
    form: &NewToken,
    role: Role,
    expires_at: Timestamp,
) -> Result<i64, Error> {
    let now = app.clock.now();
    let secret = Secret::random(API_TOKEN_PREFIX).map_err(Error::internal)?;
    let row = NewApiTokenRow {
        digest: secret.digest(),
        label: form.label.clone(),
        role,
        account: caller.account,
        account_name: caller.name.clone(),
        created_at: now,
        expires_at,
    };
    let made = app.store.create_api_token(&row).await?;
    SECRETS.keep(caller.account, &form.once, made.id, secret, now);
    Ok(made.id)
}

fn shown(id: i64) -> Response {
    Redirect::to(&format!("/account?new={id}")).into_response()
}

/// `POST /account/tokens/{id}/revoke`
pub(super) async fn revoke(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Path(id): Path<i64>,
) -> Result<Redirect, Error> {
    app.store.revoke_api_token(id, Some(caller.account), &caller.by(&app)).await?;
    Ok(Redirect::to("/account"))
}

/// `POST /sign-out`
pub(super) async fn sign_out(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
) -> Result<impl IntoResponse, Error> {
    let cookie = session::sign_out(&app, &caller).await?;
    Ok((cookie, Redirect::to("/sign-in")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn a_token_never_does_more_than_its_owner() {
        let mut form = NewToken::empty(Role::It).unwrap();
        form.label = "nightly".to_owned();
        assert!(form.checked(Role::It, sample::NOW).is_ok());
        assert!(form.checked(Role::Auditor, sample::NOW).is_err());
        let page = AccountPage::new(sample::helpdesk(), sample::api_tokens(), form, None, None);
        let html = page.render().unwrap();
        assert!(html.contains("value=\"helpdesk\"") && !html.contains("value=\"admin\""));
    }

    #[test]
    fn the_secret_is_shown_once() {
        let form = NewToken::empty(Role::Admin).unwrap();
        let secret = ShownSecret { label: "nightly".into(), text: "rcl_api_abc".into() };
        let tokens = sample::api_tokens();
        let page = AccountPage::new(sample::shell(), tokens, form, Some(secret), None);
        let html = page.render().unwrap();
        assert!(html.contains("rcl_api_abc") && html.contains("not shown again"));
    }
}
