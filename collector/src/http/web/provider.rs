//! One sign-in provider: its settings, a try of them, and who is linked with an account.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::provider::{ConnectionTest, LinkedIdentity, SignInProvider};

use super::filters;
use super::providers::{ProviderForm, mend};
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::{Caller, WholeAdmin};
use crate::http::provider::settings;

#[derive(Template)]
#[template(path = "provider.html")]
pub(super) struct ProviderPage {
    pub(super) shell: Shell,
    pub(super) provider: SignInProvider,
    pub(super) form: ProviderForm,
    pub(super) people: Vec<LinkedIdentity>,
    pub(super) test: Option<ConnectionTest>,
    pub(super) saved: bool,
    pub(super) problem: Option<String>,
}

/// What stands on the page besides the settings.
#[derive(Default)]
struct Told {
    form: Option<ProviderForm>,
    test: Option<ConnectionTest>,
    problem: Option<String>,
}

async fn shown(app: &App, caller: &Caller, visit: &Visit, id: i64, told: Told) -> Page {
    let provider = settings::get(app, id).await?;
    let people = app.store.identities(&provider.config.issuer).await?;
    let form = told.form.unwrap_or_else(|| {
        ProviderForm::of(&address(id), provider.config.clone(), provider.has_secret)
    });
    let shell = visit.shell(app, caller, "providers");
    let saved = visit.params.get("saved").is_some() && told.problem.is_none();
    let (test, problem) = (told.test, told.problem);
    page(&ProviderPage { shell, provider, form, people, test, saved, problem })
}

fn address(id: i64) -> String {
    format!("/providers/{id}")
}

async fn again(
    app: &App,
    caller: &Caller,
    visit: &Visit,
    id: i64,
    told: Told,
) -> Result<Response, Error> {
    let page = shown(app, caller, visit, id, told).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// `GET /providers/{id}`
pub(super) async fn get(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Page {
    shown(&app, &caller, &visit, id, Told::default()).await
}

/// `POST /providers/{id}`
pub(super) async fn save(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let before = settings::get(&app, id).await?;
    let (form, secret, problem) = ProviderForm::sent(&address(id), &fields, before.has_secret);
    let problem = match problem {
        Some(problem) => problem,
        None => match settings::change(&app, &caller, id, form.config.clone(), secret).await {
            Ok(_) => return Ok(Redirect::to(&format!("{}?saved=yes", address(id))).into_response()),
            Err(error) => mend(error)?,
        },
    };
    let told = Told { form: Some(form), problem: Some(problem), ..Told::default() };
    again(&app, &caller, &visit, id, told).await
}

/// `POST /providers/{id}/test`
pub(super) async fn test(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Page {
    let test = Some(settings::test(&app, id).await?);
    shown(&app, &caller, &visit, id, Told { test, ..Told::default() }).await
}

/// `POST /providers/{id}/delete`
pub(super) async fn delete(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
) -> Result<Redirect, Error> {
    settings::delete(&app, &caller, id).await?;
    Ok(Redirect::to("/providers"))
}

/// `POST /providers/{id}/link`
pub(super) async fn link(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let (account, subject) = (fields.text("account"), fields.text("subject"));
    match settings::link(&app, &caller, id, &account, &subject).await {
        Ok(()) => Ok(Redirect::to(&format!("{}#people", address(id))).into_response()),
        Err(error) => {
            let told = Told { problem: Some(mend(error)?), ..Told::default() };
            again(&app, &caller, &visit, id, told).await
        }
    }
}

/// `POST /providers/{id}/unlink`
pub(super) async fn unlink(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Redirect, Error> {
    settings::unlink(&app, &caller, id, &fields.text("subject")).await?;
    Ok(Redirect::to(&format!("{}#people", address(id))))
}
