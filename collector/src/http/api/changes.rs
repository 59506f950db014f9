//! `GET /api/v1/changes`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::change::Change;

use super::answer::{Limit, Listed};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::Query;
use crate::view;

/// The newest changes of all devices.
pub(super) async fn list(
    _: Helpdesk,
    State(app): State<App>,
    Query(Limit { limit }): Query<Limit>,
) -> Result<Json<Listed<Change>>, Error> {
    let items = view::changes::recent(&app, Limit::checked(limit)?).await?;
    Ok(Json(Listed { items }))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn newest_come_first() {
        let api = Api::with_devices().await;
        let found = api.get(Role::Helpdesk, "/api/v1/changes?limit=3").await.json;
        let items = found["items"].as_array().unwrap();
        assert_eq!(items.len(), 3);
        assert!(items.windows(2).all(|two| two[0]["at"].as_str() >= two[1]["at"].as_str()));
        let wrong = api.get(Role::Helpdesk, "/api/v1/changes?limit=501").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("limit")));
    }
}
