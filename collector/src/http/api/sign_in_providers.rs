//! `/api/v1/sign-in-providers`: where people sign in besides here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::api::provider::{
    ConnectionTest, LinkRequest, LinkedIdentity, ProviderConfig, SignInProvider,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::Listed;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::WholeAdmin;
use crate::http::input::{Body, Path, Query};
use crate::http::provider::settings;
use crate::secret::Secret;

/// The body that makes or sets a sign-in provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderRequest {
    /// What is set, all of it.
    config: ProviderConfig,
    /// The client's secret. It is never answered. Absent: the one that is set stays; empty: none.
    #[serde(default)]
    client_secret: Option<Secret>,
}

/// Which link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Subject {
    /// The provider's name for the person (`sub`).
    subject: String,
}

/// All of them, in the order in which they were made.
pub(super) async fn list(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
) -> Result<Json<Listed<SignInProvider>>, Error> {
    Ok(Json(Listed { items: settings::list(&app).await? }))
}

/// Makes one.
pub(super) async fn create(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Body(ProviderRequest { config, client_secret }): Body<ProviderRequest>,
) -> Result<(StatusCode, Json<SignInProvider>), Error> {
    let made = settings::create(&app, &caller, config, client_secret).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Sets one.
pub(super) async fn put(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
    Body(ProviderRequest { config, client_secret }): Body<ProviderRequest>,
) -> Result<Json<SignInProvider>, Error> {
    Ok(Json(settings::change(&app, &caller, id, config, client_secret).await?))
}

/// Takes one away.
pub(super) async fn delete(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Error> {
    settings::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tries one.
pub(super) async fn test(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<ConnectionTest>, Error> {
    Ok(Json(settings::test(&app, id).await?))
}

/// Who is linked.
pub(super) async fn identities(
    WholeAdmin(_): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<Listed<LinkedIdentity>>, Error> {
    let issuer = settings::get(&app, id).await?.config.issuer;
    Ok(Json(Listed { items: app.store.identities(&issuer).await? }))
}

/// Links.
pub(super) async fn link(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
    Body(LinkRequest { account, subject }): Body<LinkRequest>,
) -> Result<StatusCode, Error> {
    settings::link(&app, &caller, id, &account, &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a link away.
pub(super) async fn unlink(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
    Path(id): Path<i64>,
    Query(Subject { subject }): Query<Subject>,
) -> Result<StatusCode, Error> {
    settings::unlink(&app, &caller, id, &subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::{Value, json};

    use crate::http::api::testing::Api;

    const PATH: &str = "/api/v1/sign-in-providers";

    fn body(issuer: &str) -> Value {
        json!({
            "config": {
                "name": "Example", "issuer": issuer, "client_id": "rollcall",
                "groups_claim": "groups", "enabled": true,
                "group_roles": [{ "group": "it", "role": "it" }],
            },
            "client_secret": "do-not-tell",
        })
    }

    #[tokio::test]
    async fn a_provider_is_made_set_and_deleted_and_its_secret_never_told() {
        let api = Api::empty().await;
        let admin = Some(Role::Admin);
        let made = api.call("POST", PATH, admin, Some(&body("https://login.example.org"))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!(made.json["has_secret"], true);
        assert_eq!(made.json["config"]["groups_claim"], "groups");
        let to = "https://rollcall.example/sign-in/with/1/back";
        assert_eq!(made.json["redirect_uri"], to);
        let path = format!("{PATH}/{}", made.json["id"]);
        let mut changed = body("https://login.example.org/realm");
        changed.as_object_mut().unwrap().remove("client_secret");
        let set = api.call("PUT", &path, admin, Some(&changed)).await;
        assert_eq!((set.status, &set.json["has_secret"]), (200, &json!(true)), "{}", set.text);
        let listed = api.get(Role::Admin, PATH).await;
        let audit = api.get(Role::Admin, "/api/v1/audit").await;
        for text in [&made.text, &set.text, &listed.text, &audit.text] {
            assert!(!text.contains("do-not-tell"), "{text}");
        }
        let link = json!({ "account": "helpdesk", "subject": "s-1" });
        let people = format!("{path}/identities");
        assert_eq!(api.call("POST", &people, admin, Some(&link)).await.status, 204);
        assert_eq!(api.call("POST", &people, admin, Some(&link)).await.status, 409);
        let shown = api.get(Role::Admin, &people).await.json;
        assert_eq!(shown["items"][0]["account"], "helpdesk");
        let one = format!("{people}?subject=s-1");
        assert_eq!(api.call("DELETE", &one, admin, None).await.status, 204);
        assert_eq!(api.call("DELETE", &one, admin, None).await.status, 404);
        assert_eq!(api.call("DELETE", &path, admin, None).await.status, 204);
        assert_eq!(api.call("PUT", &path, admin, Some(&changed)).await.status, 404);
    }

    #[tokio::test]
    async fn wrong_settings_are_named() {
        let api = Api::empty().await;
        for (issuer, words) in [
            ("http://login.example.org", "without TLS"),
            ("https://10.0.0.1", "private network"),
            ("https://169.254.169.254", "credentials"),
            ("login.example.org", "no address"),
            ("https://login.example.org?x=y", "no query"),
        ] {
            let refused = api.call("POST", PATH, Some(Role::Admin), Some(&body(issuer))).await;
            assert_eq!((refused.status, refused.json["field"].as_str()), (422, Some("issuer")));
            assert!(refused.text.contains(words), "{issuer}: {}", refused.text);
        }
        let mut odd = body("https://login.example.org");
        odd["config"]["colour"] = json!("red");
        let refused = api.call("POST", PATH, Some(Role::Admin), Some(&odd)).await;
        assert_eq!((refused.status, refused.json["field"].as_str()), (422, Some("config")));
    }
}
