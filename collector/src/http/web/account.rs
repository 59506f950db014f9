//! One's own account: password, second factor, sessions, API tokens, signing out.

use std::net::IpAddr;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::account::{ApiToken, Role};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{Digest, Timestamp};

use super::filters;
use super::once::{self, Fresh};
use super::second_factor::{RecoveryCodesPage, new_codes};
use super::shell::Shell;
use super::sign_in::told;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::auth::{API_TOKEN_PREFIX, Caller, Credential, Helpdesk};
use crate::http::client::Client;
use crate::http::session::{self, SessionCookie, SignInError, Visitor};
use crate::http::{Error, password};
use crate::secret::Secret;
use crate::store::account::account_words;
use crate::store::api_token::NewApiTokenRow;
use crate::store::session::OpenSession;

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
    own: Own,
}

/// What one sees of one's own account besides the API tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// Whether the second factor is on, and how many recovery codes are left.
    pub(super) second_factor: Option<u32>,
    /// Whether one may sign in with a password; who comes by a provider has none.
    pub(super) has_password: bool,
    /// Where one is signed in, and whether it is here.
    pub(super) sessions: Vec<(OpenSession, bool)>,
    /// What was just done.
    pub(super) done: Option<&'static str>,
}

async fn own(app: &App, caller: &Caller, done: Option<&str>) -> Result<Own, Error> {
    let now = app.clock.now();
    let factor = app.store.second_factor(caller.account).await?;
    let on = factor.filter(|factor| factor.secret.is_some()).map(|factor| factor.codes_left);
    let account = app.store.account(caller.account).await?;
    let sessions = app.store.sessions_of(caller.account, now).await?;
    let here = |id: Digest| matches!(caller.by, Credential::Session(own) if own == id);
    Ok(Own {
        second_factor: on,
        has_password: account.is_none_or(|account| account.has_password()),
        sessions: sessions
            .into_iter()
            .filter(|open| now.since(open.used_at) < session::IDLE_MS)
            .map(|open| {
                let here = here(open.id);
                (open, here)
            })
            .collect(),
        done: match done {
            Some("password") => Some("The password is changed. Every other session has ended."),
            Some("second-factor") => Some("The second factor is off."),
            _ => None,
        },
    })
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
    read_only: bool,
    once: String,
}

impl NewToken {
    pub(super) fn empty(role: Role) -> Result<Self, Error> {
        Ok(Self {
            label: String::new(),
            role: role.as_str().to_owned(),
            days: "90".to_owned(),
            read_only: false,
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
        own: Own,
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
        let roles: Vec<Role> = Role::ALL.iter().copied().filter(|role| shell.may(*role)).collect();
        let tokens = tokens.into_iter().map(row).collect();
        Self { shell, tokens, roles, form, secret, problem, own }
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
    let own = own(&app, &caller, visit.params.get("done")).await?;
    page(&AccountPage::new(visit.shell(&app, &caller, "account"), tokens, form, shown, None, own))
}

/// The page again with what to mend.
async fn again(
    app: &App,
    caller: &Caller,
    visit: &Visit,
    status: StatusCode,
    problem: String,
) -> Result<Response, Error> {
    let tokens = app.store.api_tokens(Some(caller.account)).await?;
    let form = NewToken::empty(caller.role)?;
    let own = own(app, caller, None).await?;
    let shell = visit.shell(app, caller, "account");
    let page = page(&AccountPage::new(shell, tokens, form, None, Some(problem), own))?;
    Ok((status, page).into_response())
}

/// Asks for the password once more; what to tell when it is not right.
async fn confirmed(
    app: &App,
    caller: &Caller,
    client: IpAddr,
    password: &str,
) -> Result<Result<(), String>, Error> {
    match session::confirms(app, caller, password, client).await {
        Ok(()) => Ok(Ok(())),
        Err(SignInError::Refused) => {
            Ok(Err("That is not your present password, or not the present code.".to_owned()))
        }
        Err(other) => Ok(Err(told(other)?.problem)),
    }
}

/// `POST /account/password`
pub(super) async fn password(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let new = fields.exact("password");
    if new != fields.exact("again") {
        let problem = "The two new passwords differ. Type the same one twice.".to_owned();
        return again(&app, &caller, &visit, unfit, problem).await;
    }
    if let Err(why) = password::check_password(new, &caller.name) {
        return again(&app, &caller, &visit, unfit, format!("Choose another: {why}.")).await;
    }
    if let Err(problem) = confirmed(&app, &caller, client, fields.exact("present")).await? {
        return again(&app, &caller, &visit, unfit, problem).await;
    }
    let hash = app.guard.passwords.hash(new).await;
    let hash = hash.map_err(|_| Error::Busy { retry_after_s: 3 })?;
    app.store.set_password(caller.account, &hash, &caller.by(&app)).await?;
    let visitor = Visitor::new(client, &headers);
    let how = ", with a new password";
    let cookie = session::begin(&app, caller.account, &caller.name, &visitor, how).await?;
    Ok((cookie, Redirect::to("/account?done=password")).into_response())
}

/// `POST /account/second-factor/off`
pub(super) async fn second_factor_off(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    if caller.role == Role::Admin {
        let problem = "Administrators keep a second factor. Set another one up in its place.";
        return again(&app, &caller, &visit, unfit, problem.to_owned()).await;
    }
    if let Err(problem) = confirmed(&app, &caller, client, fields.exact("present")).await? {
        return again(&app, &caller, &visit, unfit, problem).await;
    }
    app.store.turn_off_second_factor(caller.account, &caller.by(&app)).await?;
    let visitor = Visitor::new(client, &headers);
    let cookie = session::begin(&app, caller.account, &caller.name, &visitor, "").await?;
    Ok((cookie, Redirect::to("/account?done=second-factor")).into_response())
}

/// `POST /account/second-factor/codes`
pub(super) async fn recovery_codes(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Client(client): Client,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    let factor = app.store.second_factor(caller.account).await?;
    if factor.is_none_or(|factor| factor.secret.is_none()) {
        let problem = "There is no second factor to have codes for.".to_owned();
        return again(&app, &caller, &visit, unfit, problem).await;
    }
    if let Err(problem) = confirmed(&app, &caller, client, fields.exact("present")).await? {
        return again(&app, &caller, &visit, unfit, problem).await;
    }
    let (codes, digests) = new_codes()?;
    app.store.set_recovery_codes(caller.account, &digests, &caller.by(&app)).await?;
    let shell = visit.shell(&app, &caller, "account");
    let next = "/account".to_owned();
    Ok(page(&RecoveryCodesPage { shell, codes, next })?.into_response())
}

/// `POST /account/sessions/end`
pub(super) async fn end_sessions(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
) -> Result<impl IntoResponse, Error> {
    let entry = caller.by(&app).did("sessions_ended", account_words(&caller.name), "");
    app.store.end_sessions(caller.account, &entry).await?;
    Ok((SessionCookie::none(), Redirect::to("/sign-in")))
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
        read_only: fields.ticked("read_only"),
        once: fields.text("once"),
    };
    if let Some(id) = SECRETS.made_by(caller.account, &form.once, now) {
        return Ok(shown(id));
    }
    let (role, expires_at) = match form.checked(caller.role, now) {
        Ok(checked) => checked,
        Err(problem) => {
            let tokens = app.store.api_tokens(Some(caller.account)).await?;
            let own = own(&app, &caller, None).await?;
            let shell = visit.shell(&app, &caller, "account");
            let again = page(&AccountPage::new(shell, tokens, form, None, Some(problem), own))?;
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
        read_only: form.read_only,
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
    let own = app.store.api_tokens(Some(caller.account)).await?;
    if !own.iter().any(|token| token.id == id) {
        return Err(Error::NotFound);
    }
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
        let page = AccountPage::new(
            sample::helpdesk(),
            sample::api_tokens(),
            form,
            None,
            None,
            Own::default(),
        );
        let html = page.render().unwrap();
        assert!(html.contains("value=\"helpdesk\"") && !html.contains("value=\"admin\""));
    }

    #[test]
    fn the_secret_is_shown_once() {
        let form = NewToken::empty(Role::Admin).unwrap();
        let secret = ShownSecret { label: "nightly".into(), text: "rcl_api_abc".into() };
        let tokens = sample::api_tokens();
        let page =
            AccountPage::new(sample::shell(), tokens, form, Some(secret), None, sample::own());
        let html = page.render().unwrap();
        assert!(html.contains("rcl_api_abc") && html.contains("not shown again"));
    }
}
