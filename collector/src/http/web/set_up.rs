//! The first account, made through the link that the collector printed at its first start.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};

use super::filters;
use super::shell::Shell;
use super::sign_in::onwards;
use super::visit::{Fields, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::client::Client;
use crate::http::session::{self, Visitor};
use crate::http::setup::{self, FirstAdminError};

#[derive(Template)]
#[template(path = "set_up.html")]
pub(super) struct SetUpPage {
    pub(super) shell: Shell,
    pub(super) public_url: String,
    pub(super) key: Option<String>,
    pub(super) name: String,
    pub(super) problem: Option<String>,
}

/// `GET /set-up`
pub(super) async fn get(State(app): State<App>, visit: Visit) -> Result<Response, Error> {
    if !setup::setup_pending(&app).await? {
        return Ok(Redirect::to("/sign-in").into_response());
    }
    let blank = SetUpPage {
        shell: visit.signed_out(&app),
        public_url: app.public_url.clone(),
        key: visit.params.text("key"),
        name: String::new(),
        problem: None,
    };
    Ok(page(&blank)?.into_response())
}

/// `POST /set-up`
pub(super) async fn post(
    State(app): State<App>,
    Client(client): Client,
    visit: Visit,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Error> {
    let key = fields.text("key");
    let name = fields.text("name");
    let password = fields.exact("password");
    let problem = if password == fields.exact("again") {
        match setup::create_first_admin(&app, &key, &name, password).await {
            Ok(()) => {
                let visitor = Visitor::new(client, &headers);
                // The account is there now; whether signing in at once works is a convenience.
                return Ok(match session::sign_in(&app, &name, password, visitor).await {
                    Ok(signed_in) => {
                        let onwards = Redirect::to(&onwards(signed_in.step, "/"));
                        (signed_in.cookie, onwards).into_response()
                    }
                    Err(_) => Redirect::to("/sign-in").into_response(),
                });
            }
            Err(FirstAdminError::Internal(error)) => return Err(error),
            // The account was made by the same form a moment ago.
            Err(FirstAdminError::LinkRefused) if !setup::setup_pending(&app).await? => {
                return Ok(Redirect::to("/sign-in").into_response());
            }
            Err(error) => error.to_string(),
        }
    } else {
        "The two passwords differ. Type the same one twice.".to_owned()
    };
    let again = SetUpPage {
        shell: visit.signed_out(&app),
        public_url: app.public_url.clone(),
        key: Some(key),
        name,
        problem: Some(problem),
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&again)?).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn without_the_link_it_says_where_the_link_is() {
        let page = |key: Option<&str>| SetUpPage {
            shell: sample::signed_out(),
            public_url: "https://127.0.0.1:8443".to_owned(),
            key: key.map(str::to_owned),
            name: "anna".to_owned(),
            problem: None,
        };
        let html = page(None).render().unwrap();
        assert!(html.contains("set-up link") && !html.contains("type=\"password\""));
        let html = page(Some("rcl_set_x")).render().unwrap();
        assert!(
            html.contains("value=\"rcl_set_x\"") && html.contains("autocomplete=\"new-password\"")
        );
    }
}
