//! `PUT /api/v1/devices/{id}/asset`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DeviceSummary;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{changed, row};
use crate::app::App;
use crate::http::Error;
use crate::http::api::answer::text;
use crate::http::auth::{Caller, It};
use crate::http::input::{Body, Path};
use crate::job::evaluate;
use crate::store::device::DeviceKey;

/// Longest of each.
const LONGEST: usize = 100;

/// The body that says where a device belongs; what is absent is emptied.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AssetRequest {
    /// Asset tag, at most 100 characters; the firmware's is shown when there is none.
    pub(in crate::http) asset_tag: Option<String>,
    /// Site, at most 100 characters.
    pub(in crate::http) site: Option<String>,
    /// Department, at most 100 characters.
    pub(in crate::http) department: Option<String>,
}

/// Sets all three.
pub(in crate::http::api) async fn put(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
    Body(asset): Body<AssetRequest>,
) -> Result<Json<DeviceSummary>, Error> {
    let key = set(&app, &caller, id, asset).await?;
    changed(&app, id, key).await.map(Json)
}

/// Checks and sets all three; the number of the device.
pub(in crate::http) async fn set(
    app: &App,
    caller: &Caller,
    id: DeviceId,
    asset: AssetRequest,
) -> Result<DeviceKey, Error> {
    let tag = text("asset_tag", asset.asset_tag, LONGEST)?;
    let site = text("site", asset.site, LONGEST)?;
    let department = text("department", asset.department, LONGEST)?;
    let row = row(app, id).await?;
    let (site, department, tag) = (site.as_deref(), department.as_deref(), tag.as_deref());
    app.store.set_asset(row.key, site, department, tag, &caller.by(app)).await?;
    evaluate::refresh(app, id, app.clock.now()).await?;
    Ok(row.key)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn is_found_at_once() {
        let api = Api::with_devices().await;
        let device = api.device(0).await;
        let path = format!("{device}/asset");
        let body = json!({ "asset_tag": "A-77", "site": "Oslo", "department": "Sales" });
        let set = api.call("PUT", &path, Some(Role::It), Some(&body)).await.json;
        assert_eq!((&set["asset_tag"], &set["site"]), (&json!("A-77"), &json!("Oslo")));
        assert_eq!(api.query("/api/v1/search", &[("q", "a-77")]).await.json["total"], 1);
        let emptied = api.call("PUT", &path, Some(Role::It), Some(&json!({}))).await.json;
        assert!(emptied.get("site").is_none());
        let wrong = api.call("PUT", &path, Some(Role::It), Some(&json!({ "site": 1 }))).await;
        assert_eq!((wrong.status, &wrong.json["field"]), (422, &json!("site")));
    }
}
