//! `POST /api/v1/devices/{id}/retire`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::{DecisionKind, DeviceSummary};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{changed, decision, row};
use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::text;
use crate::http::auth::It;
use crate::http::input::{Body, Path};

/// The body that takes a device out of service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::api) struct RetireRequest {
    /// Why, at most 500 characters: sold, broken, lost.
    reason: Option<String>,
}

/// Takes a device out of service.
pub(in crate::http::api) async fn retire(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Body(RetireRequest { reason }): Body<RetireRequest>,
) -> Result<Json<DeviceSummary>, Error> {
    let reason = text("reason", reason, 500)?.unwrap_or_else(|| "no reason given".to_owned());
    let row = row(&app, &caller, id).await?;
    if row.retired_at.is_some() {
        return Err(Error::Conflict("this device is retired already".to_owned()));
    }
    let decision = decision(&app, &caller, DecisionKind::Retired, reason);
    app.store.retire(row.key, &decision).await?;
    changed(&app, id, row.key).await.map(Json)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn takes_a_device_out_of_service_once() {
        let api = Api::with_devices().await;
        let device = api.device(1).await;
        let path = format!("{device}/retire");
        let body = json!({ "reason": "sold" });
        let retired = api.call("POST", &path, Some(Role::It), Some(&body)).await;
        assert_eq!(retired.json["presence"], "retired");
        let decisions = api.get(Role::It, &device).await.json["decisions"].clone();
        assert_eq!(
            (&decisions[0]["kind"], &decisions[0]["evidence"]),
            (&json!("retired"), &json!("sold"))
        );
        assert_eq!(api.query("/api/v1/devices", &[("presence", "retired")]).await.json["total"], 1);
        assert_eq!(api.call("POST", &path, Some(Role::It), Some(&body)).await.status, 409);
        let long = json!({ "reason": "a".repeat(501) });
        let refused = api.call("POST", &path, Some(Role::It), Some(&long)).await;
        assert_eq!((refused.status, &refused.json["field"]), (422, &json!("reason")));
    }
}
