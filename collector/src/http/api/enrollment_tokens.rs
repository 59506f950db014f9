//! `GET`, `POST /api/v1/enrollment-tokens` and `DELETE /api/v1/enrollment-tokens/{id}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::api::token::{CreatedEnrollmentToken, EnrollmentToken, NewEnrollmentToken};

use super::answer::Listed;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::It;
use crate::http::input::{Body, Path};
use crate::issue;

/// All tokens whose devices the caller may see, newest first.
pub(super) async fn list(
    It(caller): It,
    State(app): State<App>,
) -> Result<Json<Listed<EnrollmentToken>>, Error> {
    Ok(Json(Listed { items: app.store.tokens(&caller.scope).await? }))
}

/// Makes a token; the answer holds its secret, this once.
pub(super) async fn create(
    It(caller): It,
    State(app): State<App>,
    Body(new): Body<NewEnrollmentToken>,
) -> Result<(StatusCode, Json<CreatedEnrollmentToken>), Error> {
    let created = issue::enrollment_token(&app, &caller.label(), &caller.scope, new).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Revokes a token; one that is revoked already is not found.
pub(super) async fn revoke(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Error> {
    if app.store.revoke_token(id, &caller.scope, &caller.by(&app)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use rollcall_shared::join::JoinString;
    use serde_json::json;

    use crate::http::api::testing::Api;

    const PATH: &str = "/api/v1/enrollment-tokens";

    #[tokio::test]
    async fn the_secret_is_shown_once() {
        let api = Api::empty().await;
        api.unit("site", "Oslo").await;
        let body = json!({ "label": "Room 12", "site": "Oslo", "uses_allowed": 30 });
        let made = api.call("POST", PATH, Some(Role::It), Some(&body)).await;
        assert_eq!(made.status, 201);
        let join: JoinString = made.json["join_string"].as_str().unwrap().parse().unwrap();
        assert_eq!(join.url, api.app.public_url);
        let listed = api.get(Role::It, PATH).await;
        assert_eq!(listed.json["items"], json!([made.json["token"]]));
        assert!(!listed.text.contains(&join.token));

        let one = format!("{PATH}/{}", made.json["token"]["id"]);
        assert_eq!(api.call("DELETE", &one, Some(Role::It), None).await.status, 204);
        assert_eq!(api.call("DELETE", &one, Some(Role::It), None).await.status, 404);
        let listed = api.get(Role::It, PATH).await.json;
        assert!(listed["items"][0]["revoked_at"].is_string());
    }

    #[tokio::test]
    async fn wrong_wishes_name_the_field() {
        let api = Api::empty().await;
        for (body, field) in [
            (json!({}), "label"),
            (json!({ "label": " " }), "label"),
            (json!({ "label": "a", "valid_days": 91 }), "valid_days"),
            (json!({ "label": "a", "valid_days": -1 }), "valid_days"),
            (json!({ "label": "a", "site": "a".repeat(101) }), "site"),
            (json!({ "label": "a", "color": "red" }), "color"),
            (json!([]), "body"),
        ] {
            let refused = api.call("POST", PATH, Some(Role::It), Some(&body)).await;
            let field = Some(field);
            assert_eq!((refused.status, refused.json["field"].as_str()), (422, field), "{body}");
        }
    }
}
