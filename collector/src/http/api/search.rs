//! `GET /api/v1/search`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::search::SearchAnswer;
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::Query;
use crate::view;

/// What is searched.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// A value or its parts, e.g. a host name, a person, a MAC address in any spelling.
    q: String,
    /// At most this many hits, 1 to 500; 50 when absent.
    limit: Option<u32>,
}

/// Finds devices, best first.
pub(super) async fn get(
    _: Helpdesk,
    State(app): State<App>,
    Query(Asked { q, limit }): Query<Asked>,
) -> Result<Json<SearchAnswer>, Error> {
    let limit = answer::limit(limit)?;
    Ok(Json(view::search::search(&app, &q, limit).await?))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn finds_by_name_and_address() {
        let api = Api::with_devices().await;
        let device = api.get(Role::Helpdesk, "/api/v1/devices?limit=1").await.json;
        let device = &device["items"][0];
        let name = device["hostname"].as_str().unwrap().to_uppercase();
        let hits = api.query("/api/v1/search", &[("q", &name)]).await.json["hits"].clone();
        assert_eq!(hits[0]["device"]["id"], device["id"]);
        assert_eq!(hits[0]["matched"], "hostname");
        let detail = api.get(Role::Helpdesk, &api.device(0).await).await.json;
        if let Some(mac) = detail["hardware_ids"]["macs"][0].as_str() {
            let mac = mac.replace(':', "-").to_uppercase();
            assert_eq!(api.query("/api/v1/search", &[("q", &mac)]).await.json["total"], 1);
        }
    }

    #[tokio::test]
    async fn wrong_questions_name_the_parameter() {
        let api = Api::empty().await;
        for (query, field) in [("", "q"), ("?q=", "q"), ("?q=a&limit=0", "limit"), ("?x=a", "x")] {
            let answer = api.get(Role::Helpdesk, &format!("/api/v1/search{query}")).await;
            assert_eq!((answer.status, answer.json["field"].as_str()), (422, Some(field)));
        }
    }
}
