//! `GET /api/v1/devices`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::Page;
use rollcall_shared::api::device::{DeviceFilter, DeviceSummary};

use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::Query;
use crate::view;

/// One page of the devices that pass the filter.
pub(in crate::http::api) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(filter): Query<DeviceFilter>,
) -> Result<Json<Page<DeviceSummary>>, Error> {
    Ok(Json(view::devices::list(&app, &caller.scope, &filter).await?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rollcall_shared::api::account::Role;
    use serde_json::Value;

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn pages_show_each_device_once_in_any_order() {
        let api = Api::with_devices().await;
        for sort in ["hostname", "last_seen", "os", "model", "findings"] {
            for descending in ["false", "true"] {
                let base = format!("/api/v1/devices?limit=2&sort={sort}&descending={descending}");
                let items = api.walk(Role::Helpdesk, &base).await;
                let ids: BTreeSet<&str> =
                    items.iter().map(|item| item["id"].as_str().unwrap()).collect();
                assert_eq!((items.len(), ids.len()), (DEVICES, DEVICES), "{sort} {descending}");
            }
        }
    }

    #[tokio::test]
    async fn filters_narrow_and_titles_tell_who_has_them() {
        let api = Api::with_devices().await;
        let all = api.get(Role::Helpdesk, "/api/v1/devices").await.json;
        let one = &all["items"][0];
        for (field, parameter) in [("hostname", "q"), ("os_name", "os"), ("class", "class")] {
            let value = one[field].as_str().unwrap();
            let found = api.query("/api/v1/devices", &[(parameter, value)]).await;
            let items = found.json["items"].as_array().unwrap();
            assert!(!items.is_empty(), "{parameter}");
            assert!(items.iter().all(|item| item[field] == one[field]), "{parameter}");
        }
        let title = &api.get(Role::Helpdesk, "/api/v1/software?limit=1").await.json["items"][0];
        let name = title["name"].as_str().unwrap();
        let who = api.query("/api/v1/devices", &[("software", name)]).await.json;
        assert!(who["total"].as_u64() >= title["devices"].as_u64());
        assert_eq!(
            api.query("/api/v1/devices", &[("q", "nobody-has-this")]).await.json["total"],
            0
        );
    }

    #[tokio::test]
    async fn the_past_is_a_list_as_well() {
        let api = Api::with_devices().await;
        let then = api.get(Role::Helpdesk, "/api/v1/devices?as_of=2001-01-01T00:00:00Z").await;
        assert_eq!(then.json["total"], 0);
        let now = api.app.clock.now().to_string();
        let now = api.query("/api/v1/devices", &[("as_of", &now)]).await.json;
        assert_eq!(now["items"].as_array().map(Vec::len), Some(DEVICES));
    }

    #[tokio::test]
    async fn wrong_questions_name_the_parameter() {
        let api = Api::empty().await;
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("limit=many", "limit"),
            ("cursor=nonsense", "cursor"),
            ("presence=dead", "presence"),
            ("as_of=2026", "as_of"),
            ("software_version=1", "software_version"),
            ("colour=red", "colour"),
            ("sort=size", "sort"),
        ] {
            let answer = api.get(Role::Helpdesk, &format!("/api/v1/devices?{query}")).await;
            assert_eq!(answer.status, 422, "{query}");
            assert_eq!(answer.json["kind"], "invalid", "{query}");
            assert_eq!(answer.json["field"], Value::from(field), "{query}");
        }
        let long = format!("/api/v1/devices?q={}", "a".repeat(2000));
        assert_eq!(api.get(Role::Helpdesk, &long).await.json["field"], "q");
    }
}
