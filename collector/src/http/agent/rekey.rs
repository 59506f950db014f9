//! `POST /agent/v1/rekey`: one of two computers with the same key becomes a device of its own.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::enroll::{EnrollAnswer, RekeyRequest};
use rollcall_shared::signature::{ALGORITHM, decode_public_key, verify_rekey_proof};
use rollcall_shared::time::DAY_MS;

use super::check_in::{known, may_speak};
use super::enroll::{answer, plain_ids};
use super::envelope::{Envelope, KEY_REQUEST, refused};
use crate::app::App;
use crate::http::Error;
use crate::job::evaluate;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};

/// A copy gets a key of its own while the suspicion is this fresh. Several copies of one image come
/// one after the other.
const SUSPICION_MS: i64 = DAY_MS;

pub(super) async fn post(
    State(app): State<App>,
    request: Request,
) -> Result<Json<EnrollAnswer>, Error> {
    let (envelope, old) =
        Envelope::take(request, KEY_REQUEST, async |id| known(&app, id).await).await?;
    let old = may_speak(&app, &envelope, old).await?;
    let _place = app.guard.places.take().await?;
    let old_id: DeviceId = envelope.key_id.parse().map_err(|_| refused())?;
    let asked: RekeyRequest = envelope.open().await?;
    let public_key = decode_public_key(&asked.public_key).map_err(|_| refused())?;
    if asked.alg != ALGORITHM || public_key == old.public_key {
        return Err(refused());
    }
    verify_rekey_proof(old_id, &asked.public_key, &asked.proof).map_err(|_| refused())?;
    if let Some(row) = app.store.device_by_public_key(&public_key).await? {
        // The same new key again: the first answer got lost.
        app.store.catch_up().await?;
        return match app.store.key_of_device(row.id) {
            Some(key) if key.public_key == public_key && !key.revoked => {
                answer(&app, row.id, row.key, row.pending).await.map(Json)
            }
            _ => Err(refused()),
        };
    }
    let Some(known) = app.store.device_by_key(old.device).await? else { return Err(refused()) };
    let since = app.clock.now().plus_ms(-SUSPICION_MS);
    if !app.store.suspected_since(old.device, since).await? {
        return Err(Error::Conflict(
            "nothing says that two computers use this key; check in with it".to_owned(),
        ));
    }
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
    // Nobody placed the copy yet: it begins where the known one belongs.
    let grant = TokenGrant {
        site: known.site.as_ref().map(|site| site.unit),
        department: known.department.as_ref().map(|department| department.unit),
        ..TokenGrant::default()
    };
    let row =
        app.store.enroll(&Permission::Grant(grant), new, &decision).await?.ok_or_else(refused)?;
    app.fleet.row_changed(&row);
    // The copy has a key of its own: what was suspected is settled.
    evaluate::device(&app, old.device, app.clock.now()).await?;
    tracing::info!(device.id = %row.id, device.cloned_from = %known.id, "a cloned device got its own key");
    answer(&app, row.id, row.key, row.pending).await.map(Json)
}
