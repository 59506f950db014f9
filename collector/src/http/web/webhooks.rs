//! Webhooks: the list with the form that makes one, and the page of one with its deliveries.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::webhook::{EventKind, Webhook, WebhookDelivery, WebhookRequest};

use super::account::ShownSecret;
use super::filters;
use super::once::{self, Fresh};
use super::providers::mend;
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::auth::{Caller, WholeAdmin};
use crate::http::{Error, webhooks};
use crate::secret::Secret;

/// The secrets that were just made.
static SECRETS: Fresh = Fresh::new();

#[derive(Template)]
#[template(path = "webhooks.html")]
pub(super) struct WebhooksPage {
    pub(super) shell: Shell,
    pub(super) webhooks: Vec<Webhook>,
    pub(super) form: WebhookForm,
    pub(super) problem: Option<String>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
pub(super) struct WebhookPage {
    pub(super) shell: Shell,
    pub(super) webhook: Webhook,
    pub(super) form: WebhookForm,
    pub(super) deliveries: Vec<WebhookDelivery>,
    pub(super) secret: Option<ShownSecret>,
    pub(super) test: Option<WebhookDelivery>,
    pub(super) saved: bool,
    pub(super) problem: Option<String>,
}

/// The form as it was filled in, or as it is set.
#[derive(Debug, Clone)]
pub(super) struct WebhookForm {
    pub(super) action: String,
    pub(super) request: WebhookRequest,
    pub(super) once: String,
}

impl WebhookForm {
    pub(super) fn empty() -> Result<Self, Error> {
        let kinds = vec![EventKind::DeviceMissing, EventKind::DeviceReturned];
        let request = WebhookRequest { kinds, ..WebhookRequest::default() };
        let once = once::nonce().map_err(Error::internal)?;
        Ok(Self { action: "/webhooks".to_owned(), request, once })
    }

    pub(super) fn of(webhook: &Webhook) -> Self {
        let request = WebhookRequest {
            label: webhook.label.clone(),
            url: webhook.url.clone(),
            kinds: webhook.kinds.clone(),
            disabled: webhook.disabled_at.is_some(),
        };
        Self { action: address(webhook.id), request, once: String::new() }
    }

    fn sent(action: String, fields: &Fields) -> Self {
        let kinds = EventKind::ALL.iter().copied();
        let request = WebhookRequest {
            label: fields.text("label"),
            url: fields.text("url"),
            kinds: kinds.filter(|kind| fields.ticked(kind.as_str())).collect(),
            disabled: !fields.ticked("enabled"),
        };
        Self { action, request, once: fields.text("once") }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates hand references over")]
    fn has(&self, kind: &EventKind) -> bool {
        self.request.kinds.contains(kind)
    }
}

fn address(id: i64) -> String {
    format!("/webhooks/{id}")
}

/// `GET /webhooks`
pub(super) async fn get(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    visit: Visit,
) -> Page {
    let webhooks = webhooks::list(&app).await?;
    let shell = visit.shell(&app, &caller, "webhooks");
    page(&WebhooksPage { shell, webhooks, form: WebhookForm::empty()?, problem: None })
}

/// `POST /webhooks`
pub(super) async fn create(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let form = WebhookForm::sent("/webhooks".to_owned(), &fields);
    let shown = |id: i64| Redirect::to(&format!("{}?new=yes", address(id))).into_response();
    let now = app.clock.now();
    if let Some(id) = SECRETS.made_by(caller.account, &form.once, now) {
        return Ok(shown(id));
    }
    let problem = match webhooks::create(&app, &caller, form.request.clone()).await {
        Ok(made) => {
            let (id, secret) = (made.webhook.id, Secret::presented(made.secret));
            SECRETS.keep(caller.account, &form.once, id, secret, now);
            return Ok(shown(id));
        }
        Err(error) => Some(mend(error)?),
    };
    let webhooks = webhooks::list(&app).await?;
    let shell = visit.shell(&app, &caller, "webhooks");
    let again = page(&WebhooksPage { shell, webhooks, form, problem })?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response())
}

/// What stands on the page of one besides itself.
#[derive(Default)]
struct Told {
    form: Option<WebhookForm>,
    test: Option<WebhookDelivery>,
    problem: Option<String>,
}

async fn one(app: &App, caller: &Caller, visit: &Visit, id: i64, told: Told) -> Page {
    let webhook = webhooks::get(app, id).await?;
    let deliveries = webhooks::deliveries(app, id).await?;
    let secret = visit.params.get("new").and_then(|_| {
        let secret = SECRETS.secret(caller.account, id, app.clock.now())?;
        Some(ShownSecret { label: webhook.label.clone(), text: secret.reveal().to_owned() })
    });
    let shell = visit.shell(app, caller, "webhooks");
    let saved = visit.params.get("saved").is_some() && told.problem.is_none();
    let form = told.form.unwrap_or_else(|| WebhookForm::of(&webhook));
    let (test, problem) = (told.test, told.problem);
    page(&WebhookPage { shell, webhook, form, deliveries, secret, test, saved, problem })
}

/// `GET /webhooks/{id}`
pub(super) async fn get_one(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Page {
    one(&app, &caller, &visit, id, Told::default()).await
}

/// `POST /webhooks/{id}`
pub(super) async fn save(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let form = WebhookForm::sent(address(id), &fields);
    let problem = match webhooks::change(&app, &caller, id, form.request.clone()).await {
        Ok(_) => return Ok(Redirect::to(&format!("{}?saved=yes", address(id))).into_response()),
        Err(error) => Some(mend(error)?),
    };
    let told = Told { form: Some(form), problem, ..Told::default() };
    let again = one(&app, &caller, &visit, id, told).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response())
}

/// `POST /webhooks/{id}/test`
pub(super) async fn test(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Page {
    let test = Some(webhooks::test(&app, id).await?);
    one(&app, &caller, &visit, id, Told { test, ..Told::default() }).await
}

/// `POST /webhooks/{id}/delete`
pub(super) async fn delete(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    Path(id): Path<i64>,
) -> Result<Redirect, Error> {
    webhooks::delete(&app, &caller, id).await?;
    Ok(Redirect::to("/webhooks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn a_webhook_says_that_and_why_it_was_switched_off() {
        let webhook = Webhook {
            id: 3,
            label: "tickets".to_owned(),
            url: "https://hooks.example.org/".to_owned(),
            kinds: vec![EventKind::DeviceMissing],
            created_at: sample::NOW,
            created_by: "clara".to_owned(),
            disabled_at: Some(sample::NOW),
            disabled_why: Some("nothing <arrived>".to_owned()),
            failing_since: Some(sample::NOW),
            waiting: 2,
            dropped: 1,
        };
        let form = WebhookForm::of(&webhook);
        let shown = WebhookPage {
            shell: sample::shell(),
            form,
            webhook,
            deliveries: Vec::new(),
            secret: None,
            test: None,
            saved: false,
            problem: None,
        };
        let html = shown.render().unwrap();
        assert!(html.contains("switched off:</b> <bdi>nothing &lt;arrived&gt;</bdi>."));
        assert!(html.contains("name=\"device_missing\" value=\"yes\" checked"), "{html}");
        assert!(html.contains("name=\"enabled\" value=\"yes\">"), "{html}");
    }
}
