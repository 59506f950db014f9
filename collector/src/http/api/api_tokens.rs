//! `GET`, `POST /api/v1/api-tokens` and `DELETE /api/v1/api-tokens/{id}`: the caller's own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::api::account::{ApiToken, CreatedApiToken, NewApiToken};

use super::answer::Listed;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::{Credential, Helpdesk};
use crate::http::input::{Body, Path};
use crate::issue;

/// The caller's tokens, newest first.
pub(super) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
) -> Result<Json<Listed<ApiToken>>, Error> {
    Ok(Json(Listed { items: app.store.api_tokens(Some(caller.account)).await? }))
}

/// Makes a token; the answer holds its secret, this once. A stolen token must not be able to
/// prolong itself, so only a person makes one.
pub(super) async fn create(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Body(new): Body<NewApiToken>,
) -> Result<(StatusCode, Json<CreatedApiToken>), Error> {
    if let Credential::ApiToken(_) = caller.by {
        return Err(Error::Refused {
            status: StatusCode::FORBIDDEN,
            kind: "session-needed",
            detail: "an API token cannot make another; sign in and make it on your account's page"
                .to_owned(),
            field: None,
        });
    }
    Ok((StatusCode::CREATED, Json(issue::api_token(&app, &caller, new).await?)))
}

/// Revokes one of the caller's tokens.
pub(super) async fn revoke(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Error> {
    if app.store.revoke_api_token(id, Some(caller.account), &caller.by(&app)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    const PATH: &str = "/api/v1/api-tokens";

    #[tokio::test]
    async fn a_person_makes_one_and_a_token_does_not() {
        let api = Api::empty().await;
        let body = json!({ "label": "nightly export", "role": "helpdesk" });
        let refused = api.call("POST", PATH, Some(Role::It), Some(&body)).await;
        assert_eq!((refused.status, refused.kind()), (403, "session-needed"));
        let session = api.session(Role::It).await;
        let made = api.send("POST", PATH, &[("cookie", &session)], Some(&body)).await;
        assert_eq!(made.status, 201);
        let bearer = format!("Bearer {}", made.json["secret"].as_str().unwrap());
        let listed = api.send("GET", PATH, &[("authorization", &bearer)], None).await;
        assert_eq!(listed.json["items"][0]["label"], "nightly export");
        assert_eq!(listed.json["items"][0]["role"], "helpdesk");

        let more = json!({ "label": "too much", "role": "admin" });
        let refused = api.send("POST", PATH, &[("cookie", &session)], Some(&more)).await;
        assert_eq!((refused.status, refused.json["field"].as_str()), (422, Some("role")));
        let foreign = [("cookie", session.as_str()), ("origin", "https://evil.example")];
        let refused = api.send("POST", PATH, &foreign, Some(&body)).await;
        assert_eq!((refused.status, refused.kind()), (403, "cross-site"));
    }

    #[tokio::test]
    async fn only_ones_own_are_seen_and_revoked() {
        let api = Api::empty().await;
        let mine = api.get(Role::It, PATH).await.json["items"].clone();
        assert_eq!(mine.as_array().map(Vec::len), Some(1));
        let path = format!("{PATH}/{}", mine[0]["id"]);
        assert_eq!(api.call("DELETE", &path, Some(Role::Auditor), None).await.status, 404);
        assert_eq!(api.call("DELETE", &path, Some(Role::It), None).await.status, 204);
        assert_eq!(api.get(Role::It, PATH).await.status, 401);
    }
}
