//! `GET`, `POST /api/v1/units`, `PUT` and `DELETE /api/v1/units/{id}`: sites and departments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rollcall_shared::api::unit::{NewUnit, Unit, UnitName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::Listed;
use crate::app::App;
use crate::domain::Scope;
use crate::http::Error;
use crate::http::auth::{Caller, It, WholeIt};
use crate::http::input::{Body, Path, Query};
use crate::job::units;
use crate::{issue, store, view};

/// What happens to the devices of a unit that goes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Goes {
    /// Number of a unit of the same kind that gets its devices, tokens and rules; nobody when
    /// absent.
    move_to: Option<i64>,
}

/// Those the caller may see.
pub(super) async fn list(
    It(caller): It,
    State(app): State<App>,
) -> Result<Json<Listed<Unit>>, Error> {
    Ok(Json(Listed { items: view::units::list(&app, &caller.scope).await? }))
}

/// Makes one.
pub(super) async fn create(
    WholeIt(caller): WholeIt,
    State(app): State<App>,
    Body(NewUnit { kind, name }): Body<NewUnit>,
) -> Result<(StatusCode, Json<Unit>), Error> {
    let name = issue::unit_name("name", &name)?;
    let id = app.store.create_unit(kind, &name, &caller.by(&app)).await.map_err(taken)?;
    Ok((StatusCode::CREATED, Json(Unit { id, kind, name, devices: 0 })))
}

/// Gives one another name.
pub(super) async fn rename(
    WholeIt(caller): WholeIt,
    State(app): State<App>,
    Path(id): Path<i64>,
    Body(UnitName { name }): Body<UnitName>,
) -> Result<Json<Unit>, Error> {
    renamed(&app, &caller, id, &name).await?;
    let units = view::units::list(&app, &Scope::whole()).await?;
    units.into_iter().find(|unit| unit.id == id).map(Json).ok_or(Error::NotFound)
}

/// Takes one away.
pub(super) async fn delete(
    WholeIt(caller): WholeIt,
    State(app): State<App>,
    Path(id): Path<i64>,
    Query(Goes { move_to }): Query<Goes>,
) -> Result<StatusCode, Error> {
    deleted(&app, &caller, id, move_to).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a unit another name, and shows it so everywhere.
pub(in crate::http) async fn renamed(
    app: &App,
    caller: &Caller,
    id: i64,
    name: &str,
) -> Result<(), Error> {
    let name = issue::unit_name("name", name)?;
    let devices = app.store.rename_unit(id, &name, &caller.by(app)).await.map_err(taken)?;
    units::tell_fleet(app, &devices.ok_or(Error::NotFound)?).await?;
    Ok(())
}

/// Takes a unit away, and puts its devices where they go.
pub(in crate::http) async fn deleted(
    app: &App,
    caller: &Caller,
    id: i64,
    to: Option<i64>,
) -> Result<(), Error> {
    let known = app.store.units().await?;
    let unit = known.iter().find(|unit| unit.id == id).ok_or(Error::NotFound)?;
    let fits = |to: i64| known.iter().any(|o| o.id == to && o.id != id && o.kind == unit.kind);
    if to.is_some_and(|to| !fits(to)) {
        let why = format!("give the number of another {}", unit.kind.as_str());
        return Err(Error::invalid("move_to", why));
    }
    let devices = app.store.delete_unit(id, to, &caller.by(app)).await?;
    units::tell_fleet(app, &devices.ok_or(Error::NotFound)?).await?;
    settled(app).await
}

/// Holds every device against the rules. It goes on when the caller goes away.
pub(in crate::http) async fn settled(app: &App) -> Result<(), Error> {
    let app = app.clone();
    let work = tokio::spawn(async move { units::settle(&app).await });
    work.await.map_err(Error::internal)??;
    Ok(())
}

/// What a name that is taken means.
pub(in crate::http) fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Conflict => Error::Conflict("there is one of this name already".to_owned()),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::{Value, json};

    use crate::http::api::testing::Api;

    /// Site and where it comes from, of every device.
    async fn sites(api: &Api) -> Vec<(Value, Value)> {
        let devices = api.get(Role::Helpdesk, "/api/v1/devices").await.json;
        let devices = devices["items"].as_array().unwrap().clone();
        devices.iter().map(|one| (one["site"].clone(), one["site_from"].clone())).collect()
    }

    #[tokio::test]
    async fn a_unit_is_made_renamed_and_deleted_with_its_devices() {
        let api = Api::with_devices().await;
        let it = Some(Role::It);
        let body = json!({ "kind": "site", "name": " Oslo " });
        let made = api.call("POST", "/api/v1/units", it, Some(&body)).await;
        assert_eq!((made.status, &made.json["name"]), (201, &json!("Oslo")));
        let again = api.call("POST", "/api/v1/units", it, Some(&body)).await;
        assert_eq!(again.status, 409);
        let oslo = made.json["id"].as_i64().unwrap();

        let given = sites(&api).await[0].clone();
        assert_eq!(given.1, "token");
        let device = api.device(0).await;
        let asset = json!({ "site": "Oslo" });
        let placed = api.call("PUT", &format!("{device}/asset"), it, Some(&asset)).await;
        assert_eq!(placed.json["site_from"], "hand");
        let path = format!("/api/v1/units/{oslo}");
        let named = json!({ "name": "Oslo 2" });
        let renamed = api.call("PUT", &path, it, Some(&named)).await;
        assert_eq!((renamed.status, &renamed.json["devices"]), (200, &json!(1)));
        assert_eq!(sites(&api).await[0], (json!("Oslo 2"), json!("hand")));
        assert_eq!(api.query("/api/v1/devices", &[("site", "Oslo 2")]).await.json["total"], 1);
        assert_eq!(api.query("/api/v1/devices", &[("site", "Oslo")]).await.json["total"], 0);

        let units = api.get(Role::It, "/api/v1/units").await.json["items"].clone();
        let units = units.as_array().unwrap().clone();
        let other = units
            .iter()
            .find(|one| one["kind"] == "site" && one["id"] != oslo && one["name"] != given.0)
            .unwrap();
        let department = units.iter().find(|one| one["kind"] == "department").unwrap();
        for wrong in [department["id"].as_i64().unwrap(), oslo, 99_999] {
            let refused = api.call("DELETE", &format!("{path}?move_to={wrong}"), it, None).await;
            assert_eq!((refused.status, &refused.json["field"]), (422, &json!("move_to")));
        }
        let to = format!("{path}?move_to={}", other["id"]);
        assert_eq!(api.call("DELETE", &to, it, None).await.status, 204);
        assert_eq!(sites(&api).await[0], (other["name"].clone(), json!("hand")));
        assert_eq!(api.call("DELETE", &path, it, None).await.status, 404);

        // Without one that gets them their tokens decide, and no person said so.
        let path = format!("/api/v1/units/{}", other["id"]);
        assert_eq!(api.call("DELETE", &path, it, None).await.status, 204);
        assert_eq!(sites(&api).await[0], given);
        let audit = api.get(Role::Auditor, "/api/v1/audit?action=unit_deleted").await.json;
        assert_eq!(audit["total"], 2);
    }
}
