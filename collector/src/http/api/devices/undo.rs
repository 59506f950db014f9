//! `POST /api/v1/devices/{id}/decisions/{decision}/undo`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::{DecisionKind, DeviceSummary};

use super::{changed, row};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::{Caller, It};
use crate::http::input::Path;
use crate::job::evaluate;
use crate::store::device::DeviceKey;
use crate::store::merge::Undone;
use crate::view;

/// Takes one decision about who a device is back.
pub(in crate::http::api) async fn undo(
    It(caller): It,
    State(app): State<App>,
    Path((id, decision)): Path<(DeviceId, i64)>,
) -> Result<Json<DeviceSummary>, Error> {
    let key = take_back(&app, &caller, id, decision).await?;
    changed(&app, id, key).await.map(Json)
}

/// Takes a decision back; the number of its device.
pub(in crate::http) async fn take_back(
    app: &App,
    caller: &Caller,
    id: DeviceId,
    decision: i64,
) -> Result<DeviceKey, Error> {
    let row = row(app, caller, id).await?;
    let seen = view::device::decisions(app, &caller.scope, row.key, None).await?;
    if !seen.iter().any(|one| one.id == decision) {
        return Err(Error::NotFound);
    }
    let now = app.clock.now();
    match app.store.undo_decision(row.key, decision, &caller.label(), now).await? {
        Undone::Done(_) => {
            evaluate::refresh(app, id, now).await?;
            Ok(row.key)
        }
        Undone::None => Err(Error::NotFound),
        Undone::Impossible(kind) => Err(Error::Conflict(advice(kind).to_owned())),
    }
}

fn advice(kind: DecisionKind) -> &'static str {
    match kind {
        DecisionKind::Enrolled => "an enrolment is not taken back: retire the device instead",
        DecisionKind::Revoked => "a revoked key stays revoked: enrol the device again",
        _ => {
            "two records that became one, or one that became two, stay so: retire the device and \
             enrol the computer again with a token that does not let known devices go on"
        }
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::DeviceId;
    use rollcall_shared::api::account::Role;
    use rollcall_shared::api::device::DecisionKind;

    use crate::http::api::testing::Api;
    use crate::store::device::DeviceRow;
    use crate::store::enroll::Decision;

    async fn look(api: &Api, path: &str) -> DeviceRow {
        let id: DeviceId = path.rsplit('/').next().unwrap().parse().unwrap();
        api.app.store.device(id).await.unwrap().unwrap()
    }

    async fn looks_like(api: &Api, newcomer: &str, known: &str) {
        let (newcomer, known) = (look(api, newcomer).await, look(api, known).await);
        let decision = Decision {
            at: api.app.clock.now(),
            kind: DecisionKind::LooksLike,
            evidence: "serial".to_owned(),
            other: Some(known.key),
            actor: None,
        };
        api.app.store.set_pending(newcomer.key, &decision).await.unwrap();
    }

    #[tokio::test]
    async fn a_guess_that_was_wrong_lets_the_device_in() {
        let api = Api::with_devices().await;
        let (device, known) = (api.device(0).await, api.device(1).await);
        looks_like(&api, &device, &known).await;
        let decisions = api.get(Role::It, &device).await.json["decisions"].clone();
        let path = format!("{device}/decisions/{}/undo", decisions[0]["id"]);
        let done = api.call("POST", &path, Some(Role::It), None).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(!look(&api, &device).await.pending);
        let decisions = api.get(Role::It, &device).await.json["decisions"].clone();
        assert!(decisions[0]["undone_at"].is_string());
        assert_eq!(api.call("POST", &path, Some(Role::It), None).await.status, 404);
        let first = decisions.as_array().unwrap().last().unwrap()["id"].clone();
        let path = format!("{device}/decisions/{first}/undo");
        let refused = api.call("POST", &path, Some(Role::It), None).await;
        assert_eq!((refused.status, refused.kind()), (409, "conflict"));
    }

    #[tokio::test]
    async fn a_guess_that_was_right_makes_two_records_one() {
        let api = Api::with_devices().await;
        let (device, known) = (api.device(0).await, api.device(1).await);
        let path = format!("{device}/merge");
        assert_eq!(api.call("POST", &path, Some(Role::It), None).await.status, 409);
        looks_like(&api, &device, &known).await;
        let (newcomer, old) = (look(&api, &device).await, look(&api, &known).await);
        let key = api.app.store.key_of_device(newcomer.id).unwrap();
        let merged = api.call("POST", &path, Some(Role::It), None).await;
        assert_eq!(merged.status, 200, "{}", merged.text);
        assert_eq!(merged.json["id"], old.id.to_string());
        for id in [newcomer.id, old.id] {
            let now = api.app.store.key_of_device(id).unwrap();
            assert_eq!((now.device, now.public_key), (old.key, key.public_key));
            assert!(!now.revoked && !now.retired && !now.pending);
        }
        let known = api.get(Role::It, &known).await.json;
        assert_eq!(known["decisions"][0]["kind"], "re_imaged");
        assert_eq!(known["decisions"][0]["other_device"], newcomer.id.to_string());
        let gone = api.get(Role::It, &device).await.json;
        assert_eq!(gone["summary"]["presence"], "retired");
        assert_eq!(gone["decisions"][0]["kind"], "merged");
        assert_eq!(api.call("POST", &path, Some(Role::It), None).await.status, 409);
    }
}
