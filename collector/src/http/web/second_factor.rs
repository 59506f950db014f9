//! The second factor: scanning a code and proving it, for people who are signed in and for
//! administrators who must have one before they are.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use qrcodegen::{QrCode, QrCodeEcc};
use rollcall_shared::Digest;
use rollcall_shared::api::account::Role;

use super::filters;
use super::shell::{Shell, local_path};
use super::sign_in::told;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::{Caller, Helpdesk};
use crate::http::client::Client;
use crate::http::session::{self, Visitor, Waiting};
use crate::store::audit::By;
use crate::store::session::Awaits;
use crate::totp::{TotpSecret, plain_recovery_code, recovery_code};

/// Recovery codes of an account.
const CODES: usize = 10;

#[derive(Template)]
#[template(path = "second_factor.html")]
pub(super) struct SecondFactorPage {
    shell: Shell,
    /// Where the form goes.
    action: &'static str,
    /// To type where the code cannot be scanned.
    secret: String,
    /// The squares of the code as the path of an SVG, and its width.
    squares: (String, i32),
    /// Why it is asked for.
    why: Why,
    next: String,
    problem: Option<String>,
}

/// Why a second factor is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The person wants to.
    Wanted,
    /// An administrator must, but not at this moment.
    Soon,
    /// An administrator must, now.
    Required,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct RecoveryCodesPage {
    pub(super) shell: Shell,
    pub(super) codes: Vec<String>,
    pub(super) next: String,
}

/// Squares of one module each, row by row.
fn squares(text: &str) -> (String, i32) {
    use std::fmt::Write as _;
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return Default::default() };
    let (size, mut path) = (code.size(), String::new());
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{x},{y}h1v1h-1z");
        }
    }
    (path, size)
}

impl SecondFactorPage {
    pub(super) fn new(
        shell: Shell,
        name: &str,
        secret: &TotpSecret,
        why: Why,
        next: &str,
        problem: Option<String>,
    ) -> Self {
        Self {
            shell,
            action: match why {
                Why::Required => "/sign-in/second-factor",
                Why::Wanted | Why::Soon => "/account/second-factor",
            },
            secret: secret.text(),
            squares: squares(&secret.address(name)),
            why,
            next: next.to_owned(),
            problem,
        }
    }
}

/// Why whoever is signed in sees the page.
async fn why(app: &App, caller: &Caller) -> Result<Why, Error> {
    let factor = app.store.second_factor(caller.account).await?;
    let missing = factor.is_none_or(|factor| factor.secret.is_none());
    Ok(if missing && caller.role == Role::Admin { Why::Soon } else { Why::Wanted })
}

/// `GET /account/second-factor`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let secret = TotpSecret::random().map_err(Error::internal)?;
    let next = local_path(visit.params.get("next").unwrap_or("/account")).to_owned();
    let why = why(&app, &caller).await?;
    let shell = visit.shell(&app, &caller, "account");
    page(&SecondFactorPage::new(shell, &caller.name, &secret, why, &next, None))
}

/// New recovery codes and what is stored of them.
pub(super) fn new_codes() -> Result<(Vec<String>, Vec<Digest>), Error> {
    let codes: Result<Vec<String>, _> = (0..CODES).map(|_| recovery_code()).collect();
    let codes = codes.map_err(Error::internal)?;
    let digest = |code: &String| Digest::of(plain_recovery_code(code).as_bytes());
    let digests = codes.iter().map(digest).collect();
    Ok((codes, digests))
}

/// Turns it on when the code is of the secret; the recovery codes. `Err`: what to mend.
async fn turn_on(
    app: &App,
    (account, by): (i64, &By),
    secret: Option<&TotpSecret>,
    code: &str,
) -> Result<Result<Vec<String>, String>, Error> {
    let Some(secret) = secret else {
        return Ok(Err("This page was too old. Scan the new code.".to_owned()));
    };
    let Some(step) = secret.step_of(code, by.at, None) else {
        let why = "That is not the code that the app shows at this moment. Wait for the next one, \
                   and see that the clocks of the telephone and this collector are right.";
        return Ok(Err(why.to_owned()));
    };
    let (codes, digests) = new_codes()?;
    app.store.turn_on_second_factor(account, secret.bytes(), step, &digests, by).await?;
    Ok(Ok(codes))
}

/// `POST /account/second-factor`
pub(super) async fn post(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Client(client): Client,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let next = local_path(&fields.text("next")).to_owned();
    let secret = TotpSecret::from_text(&fields.text("secret"));
    let on = app.store.second_factor(caller.account).await?.and_then(|factor| factor.secret);
    // Whoever finds a screen that was left open must not change who can sign in.
    let confirmed = if on.is_some() {
        let password = fields.exact("password");
        session::confirms(&app, &caller, password, client).await.map_err(told)
    } else {
        Ok(())
    };
    let made = match confirmed {
        Ok(()) => {
            let whose = (caller.account, &caller.by(&app));
            turn_on(&app, whose, secret.as_ref(), &fields.text("code")).await?
        }
        Err(told) => Err(told?.problem),
    };
    let shell = visit.shell(&app, &caller, "account");
    match made {
        Ok(codes) => Ok(page(&RecoveryCodesPage { shell, codes, next })?.into_response()),
        Err(problem) => {
            let secret = match secret {
                Some(secret) => secret,
                None => TotpSecret::random().map_err(Error::internal)?,
            };
            let why = why(&app, &caller).await?;
            let again =
                SecondFactorPage::new(shell, &caller.name, &secret, why, &next, Some(problem));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response())
        }
    }
}

/// Who must set one up before anything opens.
async fn must(app: &App, headers: &HeaderMap) -> Result<Option<Waiting>, Error> {
    let waiting = session::waiting(app, headers).await?;
    Ok(waiting.filter(|waiting| waiting.awaits == Awaits::SetUp))
}

/// `GET /sign-in/second-factor`
pub(super) async fn get_required(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Some(waiting) = must(&app, &headers).await? else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let secret = TotpSecret::random().map_err(Error::internal)?;
    let next = local_path(visit.params.get("next").unwrap_or("/")).to_owned();
    let shell = visit.signed_out(&app);
    let asked = SecondFactorPage::new(shell, &waiting.name, &secret, Why::Required, &next, None);
    Ok(page(&asked)?.into_response())
}

/// `POST /sign-in/second-factor`
pub(super) async fn post_required(
    State(app): State<App>,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let Some(waiting) = must(&app, &headers).await? else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let next = local_path(&fields.text("next")).to_owned();
    let secret = TotpSecret::from_text(&fields.text("secret"));
    let by = By::new(&waiting.name, app.clock.now());
    let whose = (waiting.account, &by);
    let shell = visit.signed_out(&app);
    match turn_on(&app, whose, secret.as_ref(), &fields.text("code")).await? {
        Ok(codes) => {
            let visitor = Visitor::new(client, &headers);
            let how = ", with a code";
            let cookie = session::promote(&app, &waiting, &visitor, how).await?;
            Ok((cookie, page(&RecoveryCodesPage { shell, codes, next })?).into_response())
        }
        Err(problem) => {
            let secret = match secret {
                Some(secret) => secret,
                None => TotpSecret::random().map_err(Error::internal)?,
            };
            let why = Why::Required;
            let again =
                SecondFactorPage::new(shell, &waiting.name, &secret, why, &next, Some(problem));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn the_code_is_drawn_and_can_be_typed() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
        let asked = |why| SecondFactorPage::new(sample::shell(), "clara", &secret, why, "/", None);
        let html = asked(Why::Soon).render().unwrap();
        assert!(html.contains("GEZD GNBV GY3T QOJQ") && html.contains("h1v1h-1z"));
        assert!(html.contains("Later"), "an administrator may wait a day");
        let html = asked(Why::Required).render().unwrap();
        assert!(html.contains("action=\"/sign-in/second-factor\"") && !html.contains("Later"));
    }
}
