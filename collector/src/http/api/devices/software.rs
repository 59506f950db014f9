//! `GET /api/v1/devices/{id}/software`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DeviceSoftware;

use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::Moment;
use crate::http::auth::Helpdesk;
use crate::http::input::{Path, Query};
use crate::view;

/// The installed software, sorted by name.
pub(in crate::http::api) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Query(Moment { as_of }): Query<Moment>,
) -> Result<Json<DeviceSoftware>, Error> {
    view::device::software(&app, &caller.scope, id, as_of).await?.map(Json).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn shows_as_many_as_the_list_says() {
        let api = Api::with_devices().await;
        let device = api.device(0).await;
        let path = format!("{device}/software");
        let shown = api.get(Role::Helpdesk, &path).await.json;
        let summary = api.get(Role::Helpdesk, &device).await.json["summary"].clone();
        assert_eq!(shown["items"].as_array().unwrap().len() as u64, summary["software_count"]);
        let before = api.query(&path, &[("as_of", "2001-01-01T00:00:00Z")]).await;
        assert_eq!(before.status, 404);
    }
}
