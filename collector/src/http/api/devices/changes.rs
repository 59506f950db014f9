//! `GET /api/v1/devices/{id}/changes`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::Page;
use rollcall_shared::api::change::Change;
use rollcall_shared::{DeviceId, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::http::Error;
use crate::http::api::answer;
use crate::http::auth::Helpdesk;
use crate::http::input::{Path, Query};
use crate::view;

/// Which part of the list.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::http::api) struct Part {
    /// Only what changed up to then; up to now when absent.
    as_of: Option<Timestamp>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Rows a page, 1 to 500; 50 when absent. The changes of one report stay together, so a page
    /// may be longer.
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
}

/// What changed, newest first.
pub(in crate::http::api) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Query(Part { as_of, cursor, limit }): Query<Part>,
) -> Result<Json<Page<Change>>, Error> {
    let limit = answer::limit(limit)?;
    let page =
        view::device::changes(&app, &caller.scope, id, as_of, cursor.as_deref(), limit).await?;
    page.map(Json).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::Value;

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn pages_hold_every_change_once() {
        let api = Api::with_devices().await;
        let mut changes = 0;
        for number in 0..DEVICES {
            let path = format!("{}/changes", api.device(number).await);
            let paged = api.walk(Role::Helpdesk, &format!("{path}?limit=1")).await;
            let whole = api.get(Role::Helpdesk, &format!("{path}?limit=500")).await.json;
            let some: &[Value] = whole["items"].as_array().unwrap();
            assert_eq!(paged[..some.len()], *some);
            assert_eq!(whole["total"], paged.len());
            changes += paged.len();
            let Some(oldest) = paged.last() else { continue };
            let moment = oldest["at"].as_str().unwrap();
            let then = api.query(&path, &[("limit", "500"), ("as_of", moment)]).await.json;
            let of_moment = paged.iter().filter(|change| change["at"] == oldest["at"]).count();
            assert_eq!(then["total"], of_moment, "later changes are left out");
        }
        assert!(changes > 0, "the demo fleet has a past");
        let wrong = format!("{}/changes?cursor=x", api.device(0).await);
        assert_eq!(api.get(Role::Helpdesk, &wrong).await.json["field"], "cursor");
    }
}
