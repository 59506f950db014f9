//! Signing in.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::filters;
use super::shell::{Shell, local_path};
use super::visit::{Fields, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Anyone;
use crate::http::client::Client;
use crate::http::session::{self, SignInError};

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    pub(super) shell: Shell,
    pub(super) name: String,
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
    let blank = SignInPage { shell, name: String::new(), next, problem: None };
    Ok(page(&blank)?.into_response())
}

/// `POST /sign-in`
pub(super) async fn post(
    State(app): State<App>,
    Client(client): Client,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let next = local_path(&fields.text("next")).to_owned();
    let name: String = fields.text("name").chars().take(100).collect();
    let error = match session::sign_in(&app, &name, fields.exact("password"), client).await {
        Ok(cookie) => return Ok((cookie, Redirect::to(&next)).into_response()),
        Err(error) => error,
    };
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
    let shell = visit.signed_out(&app);
    let again = page(&SignInPage { shell, name, next, problem: Some(problem) })?;
    let mut response = (status, again).into_response();
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
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
        };
        let html = page.render().unwrap();
        assert!(html.contains("value=\"anna&#34;&#62;&#60;b&#62;\""));
        assert!(html.contains("role=\"alert\"") && html.contains("value=\"/devices\""));
        assert!(!html.contains("class=\"nav\""), "nothing of the inside is shown");
    }
}
