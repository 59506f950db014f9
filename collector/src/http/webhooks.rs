//! Making and changing webhooks: the same checks for the console and the API.

use rollcall_shared::api::webhook::{
    CreatedWebhook, EventKind, Webhook, WebhookDelivery, WebhookRequest,
};

use super::Error;
use super::auth::Caller;
use crate::app::App;
use crate::job::webhook as job;
use crate::secret::Secret;
use crate::store::webhook::WebhookRow;

/// The start of every secret that deliveries are signed with.
const SECRET_PREFIX: &str = "rcl_whk_";
/// Webhooks there may be.
const WEBHOOKS: usize = 20;
/// Deliveries that are shown.
const SHOWN: u32 = 100;

/// All of them.
pub async fn list(app: &App) -> Result<Vec<Webhook>, Error> {
    Ok(app.store.webhooks().await?.into_iter().map(|row| row.webhook).collect())
}

async fn row(app: &App, id: i64) -> Result<WebhookRow, Error> {
    app.store.webhook(id).await?.ok_or(Error::NotFound)
}

/// One of them.
pub async fn get(app: &App, id: i64) -> Result<Webhook, Error> {
    Ok(row(app, id).await?.webhook)
}

/// The last deliveries of one, newest first.
pub async fn deliveries(app: &App, id: i64) -> Result<Vec<WebhookDelivery>, Error> {
    get(app, id).await?;
    Ok(app.store.deliveries(id, SHOWN).await?)
}

/// Makes a webhook. The answer holds the secret, shown this once.
pub async fn create(
    app: &App,
    caller: &Caller,
    request: WebhookRequest,
) -> Result<CreatedWebhook, Error> {
    let request = checked(app, request)?;
    if app.store.webhooks().await?.len() >= WEBHOOKS {
        let why = format!("there are {WEBHOOKS} webhooks already; delete one first");
        return Err(Error::Conflict(why));
    }
    let secret = Secret::random(SECRET_PREFIX).map_err(Error::internal)?;
    let id = app.store.create_webhook(&request, &secret, &caller.by(app)).await?;
    Ok(CreatedWebhook { webhook: get(app, id).await?, secret: secret.reveal().to_owned() })
}

/// Sets a webhook.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: i64,
    request: WebhookRequest,
) -> Result<Webhook, Error> {
    let request = checked(app, request)?;
    if !app.store.change_webhook(id, &request, &caller.by(app)).await? {
        return Err(Error::NotFound);
    }
    get(app, id).await
}

/// Takes a webhook away, with what waits for it.
pub async fn delete(app: &App, caller: &Caller, id: i64) -> Result<(), Error> {
    let done = app.store.delete_webhook(id, &caller.by(app)).await?;
    done.then_some(()).ok_or(Error::NotFound)
}

/// Sends a test now; the delivery as it went.
pub async fn test(app: &App, id: i64) -> Result<WebhookDelivery, Error> {
    job::test(app, &row(app, id).await?).await?;
    let newest = app.store.deliveries(id, SHOWN).await?;
    newest.into_iter().find(|one| one.kind == EventKind::Test).ok_or(Error::NotFound)
}

fn checked(app: &App, mut request: WebhookRequest) -> Result<WebhookRequest, Error> {
    let WebhookRequest { label, url, kinds, disabled: _ } = &mut request;
    *label = label.trim().to_owned();
    if label.is_empty() || label.chars().count() > 100 || label.chars().any(char::is_control) {
        return Err(Error::invalid("label", "say in 1 to 100 characters what it is for"));
    }
    *url = url.trim().to_owned();
    app.outgoing.check(url).map_err(|error| Error::invalid("url", error.told()))?;
    kinds.sort();
    kinds.dedup();
    if kinds.is_empty() || kinds.contains(&EventKind::Test) {
        return Err(Error::invalid("kinds", "choose at least one kind of event"));
    }
    Ok(request)
}
