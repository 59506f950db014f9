//! `GET /api/v1/software` and `GET /api/v1/software/{source}/{name}`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::Page;
use rollcall_shared::api::software::{SoftwareDetail, SoftwareFilter, SoftwareTitle};

use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::http::input::{Path, Query};
use crate::view;

/// One page of titles, those on most devices first.
pub(super) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(filter): Query<SoftwareFilter>,
) -> Result<Json<Page<SoftwareTitle>>, Error> {
    Ok(Json(view::software::titles(&app, &caller.scope, &filter).await?))
}

/// One title with its versions.
pub(super) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path((source, name)): Path<(String, String)>,
) -> Result<Json<SoftwareDetail>, Error> {
    view::software::detail(&app, &caller.scope, &source, &name)
        .await?
        .map(Json)
        .ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::{Api, encoded};

    #[tokio::test]
    async fn pages_show_each_title_once() {
        let api = Api::with_devices().await;
        let items = api.walk(Role::Helpdesk, "/api/v1/software?limit=100").await;
        let names: BTreeSet<(&str, &str)> = items
            .iter()
            .map(|item| (item["source"].as_str().unwrap(), item["name"].as_str().unwrap()))
            .collect();
        assert_eq!(names.len(), items.len());
    }

    #[tokio::test]
    async fn a_title_adds_up() {
        let api = Api::with_devices().await;
        let items = api.get(Role::Helpdesk, "/api/v1/software?limit=5").await.json;
        for item in items["items"].as_array().unwrap() {
            let (source, name) = (item["source"].as_str().unwrap(), item["name"].as_str().unwrap());
            let path = format!("/api/v1/software/{}/{}", encoded(source), encoded(name));
            let title = api.get(Role::Helpdesk, &path).await.json;
            assert_eq!(title["devices"], item["devices"]);
            assert_eq!(title["versions"].as_array().unwrap().len() as u64, item["versions"]);
            for version in title["versions"].as_array().unwrap() {
                let text = version["version"].as_str().unwrap();
                let asked = [("software", name), ("software_version", text)];
                let who = api.query("/api/v1/devices", &asked).await.json;
                assert!(who["total"].as_u64() >= version["devices"].as_u64());
            }
        }
        let none = api.get(Role::Helpdesk, "/api/v1/software/dpkg/no-such-title").await;
        assert_eq!(none.status, 404);
        let wrong = api.get(Role::Helpdesk, "/api/v1/software?cursor=x").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("cursor")));
    }
}
