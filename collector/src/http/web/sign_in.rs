//! Signing in.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::filters;
use super::params::link;
use super::shell::{Shell, local_path};
use super::visit::{Fields, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Anyone;
use crate::http::client::Client;
use crate::http::provider::{self, Back, Refused, StartCookie};
use crate::http::session::{self, SignInError, SignedIn, Step, Visitor};
use crate::store::provider::Provider;
use crate::store::session::Awaits;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    pub(super) shell: Shell,
    pub(super) name: String,
    pub(super) next: String,
    pub(super) problem: Option<String>,
    pub(super) providers: Vec<Button>,
}

/// A provider to sign in with.
pub(super) struct Button {
    pub(super) href: String,
    pub(super) name: String,
}

/// The providers that people may sign in with.
async fn buttons(app: &App, next: &str) -> Result<Vec<Button>, Error> {
    let all = app.store.providers().await?.into_iter().filter(|one| one.config.enabled);
    let button = |one: Provider| {
        let href = link(&format!("{}{}", provider::PATH, one.id), &[("next", next)]);
        Button { href, name: one.config.name }
    };
    Ok(all.map(button).collect())
}

/// After the password: the code of the second factor.
#[derive(Template)]
#[template(path = "sign_in_code.html")]
pub(super) struct CodePage {
    pub(super) shell: Shell,
    pub(super) next: String,
    pub(super) problem: Option<String>,
}

/// `GET /sign-in`
pub(super) async fn get(
    State(app): State<App>,
    Anyone(caller): Anyone,
    visit: Visit,
) -> Result<Response, Error> {
    let next = local_path(visit.params.get("next").unwrap_or("/")).to_owned();
    if caller.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    let shell = visit.signed_out(&app);
    let providers = buttons(&app, &next).await?;
    let blank = SignInPage { shell, name: String::new(), next, problem: None, providers };
    Ok(page(&blank)?.into_response())
}

/// What a person is told of a refusal.
pub(super) struct Told {
    status: StatusCode,
    pub(super) problem: String,
    retry_after_s: Option<u32>,
}

/// The same in words for people. Our own faults stay errors.
pub(super) fn told(error: SignInError) -> Result<Told, Error> {
    let (status, problem, retry_after_s) = match error {
        SignInError::Internal(error) => return Err(error),
        SignInError::Refused => {
            (StatusCode::UNAUTHORIZED, "The name or the password is not right.".to_owned(), None)
        }
        SignInError::TooMany { retry_after_s } => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many tries. Wait {retry_after_s} seconds and try again."),
            Some(retry_after_s),
        ),
        SignInError::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Many people sign in at this moment. Try again in a few seconds.".to_owned(),
            Some(3),
        ),
    };
    Ok(Told { status, problem, retry_after_s })
}

impl Told {
    fn answer(status: StatusCode, retry_after_s: Option<u32>, page: impl IntoResponse) -> Response {
        let mut response = (status, page).into_response();
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Where somebody goes after a right password.
pub(super) fn onwards(step: Step, next: &str) -> String {
    match step {
        Step::In => next.to_owned(),
        Step::InForNow => link("/account/second-factor", &[("next", next)]),
        Step::Code => link("/sign-in/code", &[("next", next)]),
        Step::SetUp => link("/sign-in/second-factor", &[("next", next)]),
    }
}

/// `POST /sign-in`
pub(super) async fn post(
    State(app): State<App>,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let next = local_path(&fields.text("next")).to_owned();
    let name: String = fields.text("name").chars().take(100).collect();
    let visitor = Visitor::new(client, &headers);
    let error = match session::sign_in(&app, &name, fields.exact("password"), visitor).await {
        Ok(signed_in) => {
            let onwards = Redirect::to(&onwards(signed_in.step, &next));
            return Ok((signed_in.cookie, onwards).into_response());
        }
        Err(error) => error,
    };
    let Told { status, problem, retry_after_s } = told(error)?;
    let shell = visit.signed_out(&app);
    let providers = buttons(&app, &next).await?;
    let again = page(&SignInPage { shell, name, next, problem: Some(problem), providers })?;
    Ok(Told::answer(status, retry_after_s, again))
}

/// `GET /sign-in/with/{id}`: to the provider.
pub(super) async fn with(
    State(app): State<App>,
    Path(id): Path<i64>,
    visit: Visit,
) -> Result<Response, Error> {
    let next = local_path(visit.params.get("next").unwrap_or("/")).to_owned();
    match provider::begin(&app, id, &next).await {
        Ok((cookie, to)) => Ok((cookie, Redirect::to(&to)).into_response()),
        Err(refused) => refused_page(&app, &visit, refused).await,
    }
}

/// `GET /sign-in/with/{id}/back`: from the provider.
pub(super) async fn back(
    State(app): State<App>,
    Path(id): Path<i64>,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let params = &visit.params;
    let back = Back {
        state: params.get("state"),
        code: params.get("code"),
        issuer: params.get("iss"),
        error: params.get("error"),
    };
    let visitor = Visitor::new(client, &headers);
    match provider::finish(&app, id, &back, &headers, &visitor).await {
        Ok((SignedIn { cookie, step }, next)) => {
            let onwards = Redirect::to(&onwards(step, local_path(&next)));
            Ok((StartCookie::none(), cookie, onwards).into_response())
        }
        Err(refused) => {
            let page = refused_page(&app, &visit, refused).await?;
            Ok((StartCookie::none(), page).into_response())
        }
    }
}

/// The page of signing in, which says why it did not work.
async fn refused_page(app: &App, visit: &Visit, refused: Refused) -> Result<Response, Error> {
    let status = match refused {
        Refused::Internal(error) => return Err(error),
        Refused::NotBelieved(_) => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    };
    let (name, next, problem) = (String::new(), "/".to_owned(), Some(refused.to_string()));
    let providers = buttons(app, &next).await?;
    let shell = visit.signed_out(app);
    Ok((status, page(&SignInPage { shell, name, next, problem, providers })?).into_response())
}

/// `GET /sign-in/code`
pub(super) async fn get_code(
    State(app): State<App>,
    visit: Visit,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let waiting = session::waiting(&app, &headers).await?;
    if waiting.is_none_or(|waiting| waiting.awaits != Awaits::Code) {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    let next = local_path(visit.params.get("next").unwrap_or("/")).to_owned();
    let asked = CodePage { shell: visit.signed_out(&app), next, problem: None };
    Ok(page(&asked)?.into_response())
}

/// `POST /sign-in/code`
pub(super) async fn post_code(
    State(app): State<App>,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let waiting = session::waiting(&app, &headers).await?;
    let Some(waiting) = waiting.filter(|waiting| waiting.awaits == Awaits::Code) else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let next = local_path(&fields.text("next")).to_owned();
    let visitor = Visitor::new(client, &headers);
    let code: String = fields.text("code").chars().take(100).collect();
    let error = match session::finish(&app, &waiting, &code, &visitor).await {
        Ok(cookie) => return Ok((cookie, Redirect::to(&next)).into_response()),
        Err(error) => error,
    };
    let wrong = matches!(error, SignInError::Refused);
    let Told { status, problem, retry_after_s } = told(error)?;
    let problem = if wrong {
        "That is not a code of this moment. Each code counts once; wait for the next one."
            .to_owned()
    } else {
        problem
    };
    let again = CodePage { shell: visit.signed_out(&app), next, problem: Some(problem) };
    Ok(Told::answer(status, retry_after_s, page(&again)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn a_refusal_keeps_the_name_and_never_the_password() {
        let page = SignInPage {
            shell: sample::signed_out(),
            name: "anna\"><b>".to_owned(),
            next: "/devices".to_owned(),
            problem: Some("The name or the password is not right.".to_owned()),
            providers: vec![Button { href: "/sign-in/with/1".into(), name: "A & B".into() }],
        };
        let html = page.render().unwrap();
        assert!(html.contains("value=\"anna&#34;&#62;&#60;b&#62;\""));
        assert!(html.contains("role=\"alert\"") && html.contains("value=\"/devices\""));
        assert!(html.contains("Sign in with A &#38; B") && html.contains("/sign-in/with/1"));
        assert!(!html.contains("class=\"nav\""), "nothing of the inside is shown");
    }
}
