//! `GET /api/v1/findings`, one of them, and `POST …/waive` and `…/unwaive`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::finding::{Finding, FindingFilter, WaiveRequest, Waiver};
use rollcall_shared::time::DAY_MS;

use super::answer::text;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::{Caller, Helpdesk, It};
use crate::http::input::{Body, Path, Query};
use crate::view;

/// How long a waiver lasts when nobody says.
const USUAL_MS: i64 = 90 * DAY_MS;
/// How long a waiver lasts at most: what is accepted is looked at again.
const LONGEST_MS: i64 = 366 * DAY_MS;

/// One page of findings, worst first, then oldest first.
pub(super) async fn list(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Query(filter): Query<FindingFilter>,
) -> Result<Json<Page<Finding>>, Error> {
    Ok(Json(view::findings::list(&app, &caller.scope, &filter).await?))
}

/// One finding.
pub(super) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<Finding>, Error> {
    view::findings::get(&app, &caller.scope, id).await?.map(Json).ok_or(Error::NotFound)
}

/// Accepts an open finding for a time.
pub(super) async fn waive(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<i64>,
    Body(WaiveRequest { reason, until }): Body<WaiveRequest>,
) -> Result<Json<Finding>, Error> {
    let now = app.clock.now();
    let reason = text("reason", Some(reason), 500)?
        .filter(|reason| reason.chars().count() >= 3)
        .ok_or_else(|| Error::invalid("reason", "say in at least three characters why"))?;
    let until = until.unwrap_or(now.plus_ms(USUAL_MS));
    if until <= now || until > now.plus_ms(LONGEST_MS) {
        return Err(Error::invalid("until", "give a moment within the next year"));
    }
    let finding = view::findings::get(&app, &caller.scope, id).await?.ok_or(Error::NotFound)?;
    let waiver = Waiver { by: caller.label(), reason, until };
    if !app.store.waive_finding(id, &waiver, now).await? {
        return Err(Error::Conflict("this finding is closed already".to_owned()));
    }
    changed(&app, &caller, &finding, now).await
}

/// Ends a waiver now.
pub(super) async fn unwaive(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Json<Finding>, Error> {
    let now = app.clock.now();
    let finding = view::findings::get(&app, &caller.scope, id).await?.ok_or(Error::NotFound)?;
    if !app.store.unwaive_finding(id, &caller.by(&app)).await? {
        return Err(Error::Conflict("no waiver of this finding is in force".to_owned()));
    }
    changed(&app, &caller, &finding, now).await
}

/// Counts the findings of the device again and shows this one as it is now.
async fn changed(
    app: &App,
    caller: &Caller,
    finding: &Finding,
    now: Timestamp,
) -> Result<Json<Finding>, Error> {
    let device = app.fleet.read().by_id(finding.device_id).map(|entry| entry.row.key);
    if let Some(device) = device {
        crate::job::evaluate::tell_fleet(app, device, now).await?;
    }
    view::findings::get(app, &caller.scope, finding.id).await?.map(Json).ok_or(Error::NotFound)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn pages_show_each_finding_once() {
        let api = Api::with_devices().await;
        let items = api.walk(Role::Helpdesk, "/api/v1/findings?limit=2").await;
        assert!(!items.is_empty());
        let ids: BTreeSet<i64> = items.iter().map(|item| item["id"].as_i64().unwrap()).collect();
        assert_eq!(ids.len(), items.len());
        let first = &items[0];
        let path = format!("/api/v1/findings/{}", first["id"]);
        assert_eq!(&api.get(Role::Helpdesk, &path).await.json, first);
        let rule = first["rule"].as_str().unwrap();
        let same = api.query("/api/v1/findings", &[("rule", rule)]).await.json;
        assert!(same["items"].as_array().unwrap().iter().all(|item| item["rule"] == rule));
        for path in ["/api/v1/findings/0", "/api/v1/findings/x", "/api/v1/findings/-1"] {
            assert_eq!(api.get(Role::Helpdesk, path).await.status, 404);
        }
        let wrong = api.get(Role::Helpdesk, "/api/v1/findings?state=gone").await;
        assert_eq!((wrong.status, wrong.json["field"].as_str()), (422, Some("state")));
    }

    #[tokio::test]
    async fn a_waiver_takes_a_finding_from_the_list_for_its_time() {
        let api = Api::with_devices().await;
        let open = api.get(Role::Helpdesk, "/api/v1/findings").await.json;
        let total = open["total"].as_u64().unwrap();
        let finding = &open["items"][0];
        let device = format!("/api/v1/devices/{}", finding["device_id"].as_str().unwrap());
        let before = api.get(Role::It, &device).await.json["summary"]["open_findings"].clone();
        let path = format!("/api/v1/findings/{}", finding["id"]);
        let body = json!({ "reason": "replaced next month" });
        let waive = format!("{path}/waive");
        let waived = api.call("POST", &waive, Some(Role::It), Some(&body)).await.json;
        assert_eq!(waived["state"], "waived");
        assert!(waived["waiver"]["by"].as_str().unwrap().starts_with("it (API token"));
        assert_eq!(api.get(Role::It, "/api/v1/findings").await.json["total"], total - 1);
        let after = api.get(Role::It, &device).await.json["summary"]["open_findings"].clone();
        assert_eq!(after.as_u64().unwrap() + 1, before.as_u64().unwrap());

        let unwaive = format!("{path}/unwaive");
        let opened = api.call("POST", &unwaive, Some(Role::It), None).await;
        assert_eq!(opened.json["state"], "open");
        assert_eq!(api.call("POST", &unwaive, Some(Role::It), None).await.status, 409);
        let later = json!({ "reason": "for ever", "until": "2200-01-01T00:00:00Z" });
        for (body, field) in [
            (json!({ "reason": " a " }), "reason"),
            (later, "until"),
            (json!({ "reason": "long since", "until": "2001-01-01T00:00:00Z" }), "until"),
            (json!({ "reason": "why not", "untill": 1 }), "untill"),
        ] {
            let refused = api.call("POST", &waive, Some(Role::It), Some(&body)).await;
            assert_eq!((refused.status, refused.json["field"].as_str()), (422, Some(field)));
        }
        let none = json!({ "reason": "no such finding" });
        let none = api.call("POST", "/api/v1/findings/0/waive", Some(Role::It), Some(&none)).await;
        assert_eq!(none.status, 404);
    }
}
