//! `GET /api/v1/doctor` and `POST /api/v1/doctor/rebuild`.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::doctor::{self, Diagnosis};
use crate::http::Error;
use crate::http::auth::WholeAdmin;
use crate::store::audit::AuditEntry;

/// Holds memory against the tables, and looks at what surrounds them.
pub(super) async fn get(_: WholeAdmin, State(app): State<App>) -> Result<Json<Diagnosis>, Error> {
    Ok(Json(doctor::examine(&app).await?))
}

/// Builds everything in memory anew from the tables.
pub(super) async fn rebuild(
    WholeAdmin(caller): WholeAdmin,
    State(app): State<App>,
) -> Result<Json<Diagnosis>, Error> {
    let entry = AuditEntry {
        at: app.clock.now(),
        actor: caller.label(),
        action: "memory_rebuilt".to_owned(),
        object: "collector".to_owned(),
        detail: "everything in memory was built anew from the tables".to_owned(),
    };
    app.store.audit(&entry).await?;
    doctor::rebuild(&app).await?;
    Ok(Json(doctor::examine(&app).await?))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn a_running_collector_says_how_it_is() {
        let api = Api::with_devices().await;
        let found = api.get(Role::Admin, "/api/v1/doctor").await.json;
        assert_eq!(found["difference_count"], 0, "{found}");
        let names: Vec<&str> = found["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["name"].as_str().unwrap())
            .collect();
        assert!(names.starts_with(&["memory", "version", "tables", "writing"]), "{names:?}");
        assert!(names.contains(&"backup"));
        let built = api.call("POST", "/api/v1/doctor/rebuild", Some(Role::Admin), None).await;
        assert_eq!((built.status, &built.json["difference_count"]), (200, &0.into()));
        let entry = &api.app.store.newest_audit_entries(1).await.unwrap()[0];
        assert_eq!(entry.action, "memory_rebuilt");
        assert_eq!(api.get(Role::It, "/api/v1/doctor").await.status, 403);
    }
}
