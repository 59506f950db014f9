//! `GET /api/v1/search`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::Timestamp;
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
    #[schemars(length(min = 1))]
    q: String,
    /// At most this many hits, 1 to 500; 50 when absent.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    /// What was known then; now when absent.
    as_of: Option<Timestamp>,
}

/// Finds devices, best first.
pub(super) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(Asked { q, limit, as_of }): Query<Asked>,
) -> Result<Json<SearchAnswer>, Error> {
    let limit = answer::limit(limit)?;
    Ok(Json(view::search::search(&app, &caller.scope, &q, limit, as_of).await?))
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
    async fn a_past_day_knows_what_was_known_then() {
        let api = Api::with_devices().await;
        let newest = api.get(Role::Helpdesk, "/api/v1/devices?limit=500").await.json;
        let mut compared = 0;
        for device in newest["items"].as_array().unwrap() {
            let path =
                format!("/api/v1/devices/{}/changes?limit=500", device["id"].as_str().unwrap());
            let changes = api.get(Role::Helpdesk, &path).await.json;
            let named = |change: &&serde_json::Value| {
                change["section"] == "system" && change["subject"] == "hostname"
            };
            let items = changes["items"].as_array().unwrap();
            let Some(renamed) = items.iter().find(named) else { continue };
            let (old, new) =
                (renamed["before"].as_str().unwrap(), renamed["after"].as_str().unwrap());
            let at: rollcall_shared::Timestamp = renamed["at"].as_str().unwrap().parse().unwrap();
            let before = at.plus_ms(-1).to_string();
            let then = [("q", old), ("as_of", &before)];
            let then = api.query("/api/v1/search", &then).await.json;
            assert_eq!(
                (&then["hits"][0]["past"], &then["as_of"]),
                (&false.into(), &before.as_str().into())
            );
            assert_eq!(then["hits"][0]["device"]["hostname"], old);
            let not_yet = [("q", new), ("as_of", before.as_str())];
            assert_eq!(api.query("/api/v1/search", &not_yet).await.json["total"], 0);
            let now = api.query("/api/v1/search", &[("q", old)]).await.json;
            assert_eq!(now["hits"][0]["past"], true);
            compared += 1;
        }
        eprintln!("{compared} renamed devices");
        let first = [("q", "a"), ("as_of", "2001-01-01T00:00:00Z")];
        assert_eq!(api.query("/api/v1/search", &first).await.json["total"], 0);
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
