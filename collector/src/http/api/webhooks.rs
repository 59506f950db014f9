//! `/api/v1/webhooks`: programs that are told of events.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::api::webhook::{CreatedWebhook, Webhook, WebhookDelivery, WebhookRequest};

use super::answer::Listed;
use crate::app::App;
use crate::http::auth::WholeAdmin;
use crate::http::input::{Body, Path};
use crate::http::{Error, webhooks};

/// All of them, in the order in which they were made.
pub(super) async fn list(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
) -> Result<Json<Listed<Webhook>>, Error> {
    Ok(Json(Listed { items: webhooks::list(&app).await? }))
}

/// Makes one.
pub(super) async fn create(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Body(request): Body<WebhookRequest>,
) -> Result<(StatusCode, Json<CreatedWebhook>), Error> {
    Ok((StatusCode::CREATED, Json(webhooks::create(&app, &caller, request).await?)))
}

/// Sets one.
pub(super) async fn put(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
    Body(request): Body<WebhookRequest>,
) -> Result<Json<Webhook>, Error> {
    Ok(Json(webhooks::change(&app, &caller, id, request).await?))
}

/// Takes one away.
pub(super) async fn delete(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Error> {
    webhooks::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Its last deliveries.
pub(super) async fn deliveries(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<Listed<WebhookDelivery>>, Error> {
    Ok(Json(Listed { items: webhooks::deliveries(&app, id).await? }))
}

/// Sends a test.
pub(super) async fn test(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<WebhookDelivery>, Error> {
    Ok(Json(webhooks::test(&app, id).await?))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    const PATH: &str = "/api/v1/webhooks";

    #[tokio::test]
    async fn a_webhook_is_made_set_and_deleted_and_its_secret_told_once() {
        let api = Api::empty().await;
        let admin = Some(Role::Admin);
        let body = json!({
            "label": "tickets", "url": "https://hooks.example.org/x", "kinds": ["device_missing"],
        });
        let made = api.call("POST", PATH, admin, Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let secret = made.json["secret"].as_str().unwrap().to_owned();
        assert!(secret.starts_with("rcl_whk_") && secret.len() > 40);
        let path = format!("{PATH}/{}", made.json["webhook"]["id"]);
        let mut off = body.clone();
        off["disabled"] = json!(true);
        let set = api.call("PUT", &path, admin, Some(&off)).await;
        assert!(set.status == 200 && set.json["disabled_at"].is_string(), "{}", set.text);
        let listed = api.get(Role::Admin, PATH).await;
        let audit = api.get(Role::Admin, "/api/v1/audit").await;
        for text in [&set.text, &listed.text, &audit.text] {
            assert!(!text.contains(&secret), "{text}");
        }
        assert!(!audit.text.contains("example.org/x"), "a path may be a secret: {}", audit.text);
        let none = api.get(Role::Admin, &format!("{path}/deliveries")).await;
        assert_eq!(none.json["items"], json!([]));
        assert_eq!(api.call("DELETE", &path, admin, None).await.status, 204);
        assert_eq!(api.call("DELETE", &path, admin, None).await.status, 404);
        assert_eq!(api.get(Role::Admin, &format!("{path}/deliveries")).await.status, 404);
    }

    #[tokio::test]
    async fn wrong_settings_are_named() {
        let api = Api::empty().await;
        let body = |url: &str, kinds: &[&str]| json!({ "label": "x", "url": url, "kinds": kinds });
        let good = "https://hooks.example.org/";
        for (body, field) in [
            (body("http://hooks.example.org/", &["device_new"]), "url"),
            (body("https://127.0.0.1/", &["device_new"]), "url"),
            (body("https://[::ffff:10.0.0.1]/", &["device_new"]), "url"),
            (body("https://user@hooks.example.org/", &["device_new"]), "url"),
            (body(good, &[]), "kinds"),
            (body(good, &["test"]), "kinds"),
            (json!({ "label": " ", "url": good, "kinds": ["device_new"] }), "label"),
        ] {
            let refused = api.call("POST", PATH, Some(Role::Admin), Some(&body)).await;
            let found = (refused.status, refused.json["field"].as_str());
            assert_eq!(found, (422, Some(field)), "{body}");
        }
    }
}
