//! `GET /api/v1/changes`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::change::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::Query;
use crate::view;

/// Which changes are asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Asked {
    /// Only what was stored after this cursor, oldest first; `start` for all that is kept. Absent:
    /// the newest changes, newest first.
    after: Option<String>,
    /// About this many, 1 to 500; 50 when absent. With `after`, those of one section of one report
    /// stay together, so there may be some more.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// Changes of the fleet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Changes {
    /// The changes.
    items: Vec<Change>,
    /// What to ask for with `after` to get what is stored from here on.
    next_cursor: String,
    /// With `after`: whether there is more already.
    more: bool,
}

/// The newest changes of all devices, or those after a cursor.
pub(super) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(Asked { after, limit }): Query<Asked>,
) -> Result<Json<Changes>, Error> {
    let limit = answer::limit(limit)?;
    if let Some(after) = after {
        let view::changes::Feed { items, next_cursor, more } =
            view::changes::feed(&app, &caller.scope, &after, limit).await?;
        return Ok(Json(Changes { items, next_cursor, more }));
    }
    // The cursor first: what is stored meanwhile comes twice rather than never.
    let next_cursor = view::changes::head(&app, &caller.scope).await?;
    let items = view::changes::recent(&app, &caller.scope, limit).await?;
    Ok(Json(Changes { items, next_cursor, more: false }))
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

    #[tokio::test]
    async fn a_follower_learns_of_everything_once() {
        let api = Api::with_devices().await;
        let newest = api.get(Role::Helpdesk, "/api/v1/changes").await.json;
        let (mut cursor, mut items) = ("start".to_owned(), Vec::new());
        loop {
            let path = format!("/api/v1/changes?limit=20&after={cursor}");
            let page = api.get(Role::Helpdesk, &path).await.json;
            items.extend(page["items"].as_array().unwrap().iter().map(ToString::to_string));
            cursor = page["next_cursor"].as_str().unwrap().to_owned();
            if page["more"] == false {
                break;
            }
        }
        let mut expected = Vec::new();
        for number in 0..crate::http::api::testing::DEVICES {
            let path = format!("{}/changes?limit=500", api.device(number).await);
            let found = api.walk(Role::Helpdesk, &path).await;
            expected.extend(found.iter().map(ToString::to_string));
        }
        items.sort();
        expected.sort();
        assert_eq!(items, expected);
        // From the list of the newest a program can follow on.
        let head = newest["next_cursor"].as_str().unwrap();
        let path = format!("/api/v1/changes?after={head}");
        assert_eq!(api.get(Role::Helpdesk, &path).await.json["items"], serde_json::json!([]));
        let wrong = api.get(Role::Helpdesk, "/api/v1/changes?after=nonsense").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("after")));
    }
}
