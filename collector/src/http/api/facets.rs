//! `GET /api/v1/facets`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::device::DeviceFilter;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Count;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::Query;
use crate::view;

/// How many devices have each value of a column, most first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Facets {
    /// By operating system.
    os: Vec<Count>,
    /// By model.
    model: Vec<Count>,
    /// By class.
    class: Vec<Count>,
    /// By presence.
    presence: Vec<Count>,
    /// By site.
    site: Vec<Count>,
    /// By department.
    department: Vec<Count>,
    /// By rule of open findings.
    rule: Vec<Count>,
    /// By support of the operating system.
    os_support: Vec<Count>,
}

/// Counts the devices that pass the filter.
pub(super) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(filter): Query<DeviceFilter>,
) -> Result<Json<Facets>, Error> {
    // It pages nothing, and still takes no value that lists refuse.
    super::answer::limit(filter.limit)?;
    let view::devices::Facets { os, model, class, presence, site, department, rule, os_support } =
        view::devices::facets(&app, &caller.scope, &filter).await?;
    Ok(Json(Facets {
        os: Count::list(os),
        model: Count::list(model),
        class: Count::list(class),
        presence: Count::list(presence),
        site: Count::list(site),
        department: Count::list(department),
        rule: Count::list(rule),
        os_support: Count::list(os_support),
    }))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::Value;

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn counts_what_the_filter_finds() {
        let api = Api::with_devices().await;
        let facets = api.get(Role::Helpdesk, "/api/v1/facets").await.json;
        let count = |facet: &Value| -> u64 {
            facet.as_array().unwrap().iter().map(|one| one["devices"].as_u64().unwrap()).sum()
        };
        assert_eq!(count(&facets["presence"]), DEVICES as u64);
        for facet in ["os", "model", "site", "class", "presence", "rule", "os_support"] {
            for one in facets[facet].as_array().unwrap() {
                let value = one["value"].as_str().unwrap();
                let found = api.query("/api/v1/devices", &[(facet, value)]).await.json;
                assert_eq!(found["total"], one["devices"], "{facet} {value}");
            }
        }
        let wrong = api.get(Role::Helpdesk, "/api/v1/facets?class=toaster").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("class")));
        let wrong = api.get(Role::Helpdesk, "/api/v1/facets?limit=501").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("limit")));
    }
}
