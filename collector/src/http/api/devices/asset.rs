//! `PUT /api/v1/devices/{id}/asset`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DeviceSummary;
use rollcall_shared::api::unit::{UnitFrom, UnitKind};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{changed, row};
use crate::app::App;
use crate::domain::unit::Place;
use crate::http::Error;
use crate::http::api::answer::text;
use crate::http::auth::{Caller, It};
use crate::http::input::{Body, Path};
use crate::issue;
use crate::job::{evaluate, units};
use crate::store::device::{DeviceKey, DeviceRow};

/// Longest of each.
const LONGEST: usize = 100;

/// The body that says where a device belongs. Without a site or department, the rules and the
/// token that the device enrolled with decide.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct AssetRequest {
    /// Asset tag, at most 100 characters; the firmware's is shown when there is none.
    pub(in crate::http) asset_tag: Option<String>,
    /// Name of the site; no rule changes it from then on.
    pub(in crate::http) site: Option<String>,
    /// Name of the department; no rule changes it from then on.
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
    let row = row(app, caller, id).await?;
    let site = place(app, caller, &row, UnitKind::Site, asset.site).await?;
    let department = place(app, caller, &row, UnitKind::Department, asset.department).await?;
    if !caller.scope.holds(site.to.unit, department.to.unit) {
        return Err(Error::Conflict(
            "the device would leave what your account may see; somebody whose account is not \
             limited can do it"
                .to_owned(),
        ));
    }
    let said = format!(
        "asset tag: {}, site: {}, department: {}",
        tag.as_deref().unwrap_or("none"),
        site.said,
        department.said
    );
    let places = [site.to, department.to];
    app.store.set_asset(row.key, places, tag.as_deref(), &said, &caller.by(app)).await?;
    evaluate::refresh(app, id, app.clock.now()).await?;
    Ok(row.key)
}

/// Where a device goes, and how the audit log says it.
struct Told {
    to: Place,
    said: String,
}

/// The place of this name, by hand; without one what rules and the token say.
async fn place(
    app: &App,
    caller: &Caller,
    row: &DeviceRow,
    kind: UnitKind,
    name: Option<String>,
) -> Result<Told, Error> {
    match issue::unit(app, &caller.scope, kind, name).await? {
        Some((unit, name)) => Ok(Told { to: Place::of(unit, UnitFrom::Hand), said: name }),
        None => Ok(Told { to: units::derived(app, row, kind), said: "none".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn is_found_at_once() {
        let api = Api::with_devices().await;
        api.unit("site", "Oslo").await;
        api.unit("department", "Sales").await;
        let device = api.device(0).await;
        let path = format!("{device}/asset");
        let body = json!({ "asset_tag": "A-77", "site": "Oslo", "department": "Sales" });
        let set = api.call("PUT", &path, Some(Role::It), Some(&body)).await.json;
        assert_eq!((&set["asset_tag"], &set["site"]), (&json!("A-77"), &json!("Oslo")));
        assert_eq!(api.query("/api/v1/search", &[("q", "a-77")]).await.json["total"], 1);
        let emptied = api.call("PUT", &path, Some(Role::It), Some(&json!({}))).await.json;
        assert_eq!([&emptied["site_from"], &emptied["department_from"]], ["token", "token"]);
        let unknown = json!({ "site": "Osl" });
        let unknown = api.call("PUT", &path, Some(Role::It), Some(&unknown)).await;
        assert_eq!((unknown.status, &unknown.json["field"]), (422, &json!("site")));
        let wrong = api.call("PUT", &path, Some(Role::It), Some(&json!({ "site": 1 }))).await;
        assert_eq!((wrong.status, &wrong.json["field"]), (422, &json!("site")));
    }
}
