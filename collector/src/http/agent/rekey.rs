//! `POST /agent/v1/rekey`: one of two computers with the same key becomes a device of its own.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::enroll::{EnrollAnswer, RekeyRequest};
use rollcall_shared::signature::{ALGORITHM, decode_public_key, verify_rekey_proof};

use super::check_in::known_key;
use super::enroll::{answer, plain_ids};
use super::envelope::{Envelope, refused};
use super::place;
use crate::app::App;
use crate::http::Error;
use crate::job::evaluate;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};

pub(super) async fn post(
    State(app): State<App>,
    request: Request,
) -> Result<Json<EnrollAnswer>, Error> {
    let _place = place(&app)?;
    let envelope = Envelope::take(request).await?;
    let old = known_key(&app, &envelope)?;
    let old_id: DeviceId = envelope.key_id.parse().map_err(|_| refused())?;
    let asked: RekeyRequest = envelope.open().await?;
    let public_key = decode_public_key(&asked.public_key).map_err(|_| refused())?;
    if asked.alg != ALGORITHM || public_key == old.public_key {
        return Err(refused());
    }
    verify_rekey_proof(old_id, &asked.public_key, &asked.proof).map_err(|_| refused())?;
    if let Some(row) = app.store.device_by_public_key(&public_key).await? {
        // The same new key again: the first answer got lost.
        return match app.store.key_of_device(row.id) {
            Some(key) if key.public_key == public_key && !key.revoked => {
                answer(&app, row.id, row.key, row.pending).await.map(Json)
            }
            _ => Err(refused()),
        };
    }
    let Some(known) = app.store.device_by_key(old.device).await? else { return Err(refused()) };
    if !app.guard.may_rekey(old.device, app.clock.now()) {
        return Err(Error::Refused {
            status: StatusCode::TOO_MANY_REQUESTS,
            kind: rollcall_shared::problem::kind::BUSY,
            detail: "too many copies of this device ask for keys; try again in an hour".to_owned(),
            field: None,
        });
    }
    let decision = Decision {
        at: app.clock.now(),
        kind: DecisionKind::Cloned,
        evidence: format!("the key of {} spoke from two computers", known.summary.hostname),
        other: Some(old.device),
        actor: None,
    };
    let new = NewDevice {
        id: DeviceId(uuid::Uuid::now_v7()),
        public_key,
        hostname: asked.hostname,
        hardware_ids: plain_ids(asked.hardware_ids),
        pending: old.pending,
        demo: false,
    };
    let grant =
        TokenGrant { site: known.site, department: known.department, ..TokenGrant::default() };
    let row =
        app.store.enroll(&Permission::Grant(grant), new, &decision).await?.ok_or_else(refused)?;
    app.fleet.row_changed(&row);
    // The copy has a key of its own: what was suspected is settled.
    evaluate::device(&app, old.device, app.clock.now()).await?;
    tracing::info!(device.id = %row.id, device.cloned_from = %known.id, "a cloned device got its own key");
    answer(&app, row.id, row.key, row.pending).await.map(Json)
}
