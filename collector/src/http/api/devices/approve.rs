//! `POST /api/v1/devices/{id}/approve`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::{DecisionKind, DeviceSummary};

use super::{changed, decision, row};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::It;
use crate::http::input::Path;

/// Lets a waiting device in.
pub(in crate::http::api) async fn approve(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
) -> Result<Json<DeviceSummary>, Error> {
    let row = row(&app, &caller, id).await?;
    if !row.pending {
        return Err(Error::Conflict("this device does not wait for approval".to_owned()));
    }
    let decision = decision(&app, &caller, DecisionKind::Approved, "let in by hand".to_owned());
    app.store.approve(row.key, &decision).await?;
    changed(&app, id, row.key).await.map(Json)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use rollcall_shared::api::device::DecisionKind;

    use crate::http::api::testing::Api;
    use crate::store::enroll::Decision;

    #[tokio::test]
    async fn lets_a_waiting_device_in_once() {
        let api = Api::with_devices().await;
        let device = api.device(0).await;
        let id = device.rsplit('/').next().unwrap().parse().unwrap();
        let row = api.app.store.device(id).await.unwrap().unwrap();
        let decision = Decision {
            at: api.app.clock.now(),
            kind: DecisionKind::LooksLike,
            evidence: "serial".to_owned(),
            other: None,
            actor: None,
        };
        api.app.store.set_pending(row.key, &decision).await.unwrap();
        let path = format!("{device}/approve");
        let let_in = api.call("POST", &path, Some(Role::It), None).await;
        assert_eq!(let_in.status, 200);
        assert_ne!(let_in.json["presence"], "pending");
        let decisions = api.get(Role::It, &device).await.json["decisions"].clone();
        assert_eq!(decisions[0]["kind"], "approved");
        assert!(decisions[0]["by"].as_str().unwrap().starts_with("it (API token"));
        let again = api.call("POST", &path, Some(Role::It), None).await;
        assert_eq!((again.status, again.kind()), (409, "conflict"));
    }
}
