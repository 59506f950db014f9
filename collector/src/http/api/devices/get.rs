//! `GET /api/v1/devices/{id}`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DeviceDetail;

use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::Moment;
use crate::http::auth::Helpdesk;
use crate::http::input::{Path, Query};
use crate::view;

/// Everything of one device but its software.
pub(in crate::http::api) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Query(Moment { as_of }): Query<Moment>,
) -> Result<Json<DeviceDetail>, Error> {
    view::device::detail(&app, &caller.scope, id, as_of).await?.map(Json).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn shows_sections_now_and_then() {
        let api = Api::with_devices().await;
        let path = api.device(0).await;
        let now = api.get(Role::Helpdesk, &path).await;
        assert_eq!(now.status, 200);
        assert!(now.json["sections"]["os"]["body"].is_object());
        assert!(now.json.get("as_of").is_none());
        let first = now.json["first_report_at"].as_str().unwrap().to_owned();
        let then = api.query(&path, &[("as_of", &first)]).await;
        assert_eq!(then.json["as_of"], first);
        let before = api.query(&path, &[("as_of", "2001-01-01T00:00:00Z")]).await;
        assert_eq!(before.status, 404);
    }

    #[tokio::test]
    async fn what_is_no_device_is_not_found() {
        let api = Api::empty().await;
        for id in ["7", "0199b0d4-0000-7000-8000-000000000001", "%00", "a%2Fb"] {
            let answer = api.get(Role::Helpdesk, &format!("/api/v1/devices/{id}")).await;
            assert_eq!((answer.status, answer.kind()), (404, "not-found"), "{id}");
        }
    }
}
