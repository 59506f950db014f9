//! `POST /agent/v1/enroll`: a token becomes a device key.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::enroll::{EnrollAnswer, EnrollRequest, EnrollStatus};
use rollcall_shared::problem::kind;
use rollcall_shared::report::Settings;
use rollcall_shared::signature::{ALGORITHM, decode_public_key};
use rollcall_shared::{DeviceId, HardwareIds};

use super::envelope::{Envelope, KEY_REQUEST, refused};
use super::evidence;
use super::places::spread;
use crate::app::App;
use crate::domain::matching::Enrolment;
use crate::http::Error;
use crate::http::client::Client;
use crate::secret::Secret;
use crate::store::device::DeviceKey;
use crate::store::enroll::{Decision, NewDevice, Permission};

/// Longest host name and identifier that is looked at.
const TEXT_LONGEST: usize = 255;

/// The one refusal for every bad token: unknown, ended, used up or revoked, never told which.
fn token_refused() -> Error {
    Error::Refused {
        status: StatusCode::FORBIDDEN,
        kind: kind::TOKEN_REFUSED,
        detail: "this enrolment token is not accepted; ask for a new join string".to_owned(),
        field: None,
    }
}

pub(super) async fn post(
    State(app): State<App>,
    client: Client,
    request: Request,
) -> Result<Json<EnrollAnswer>, Error> {
    // The key id is the new key itself: the signature shows that the sender holds it.
    let new_key = async |key_id: &str| decode_public_key(key_id).map_err(|_| refused());
    let (envelope, public_key) = Envelope::take(request, KEY_REQUEST, new_key).await?;
    envelope.verify(&public_key)?;
    let _place = app.guard.places.take().await?;
    let key_id = envelope.key_id.clone();
    let asked: EnrollRequest = envelope.open().await?;
    if asked.public_key != key_id || asked.alg != ALGORITHM {
        return Err(refused());
    }
    if let Some(answer) = lost_answer(&app, &public_key).await? {
        return Ok(Json(answer));
    }
    let token = Secret::presented(asked.token).digest();
    let now = app.clock.now();
    let refusals = &app.guard.enrolments;
    refusals
        .may_try(client.0, now)
        .map_err(|wait| Error::TooMany { retry_after_s: wait.saturating_add(spread(0, 20)) })?;
    let Some(grant) = app.store.token_grant(token, now).await? else {
        refusals.refused(client.0, now);
        tracing::info!(client.address = %client.0, "an enrolment was refused");
        return Err(token_refused());
    };
    let ids = plain_ids(asked.hardware_ids);
    let decided = evidence::decide(&app, &ids, grant.allows_reenrollment).await?;
    let mut decision = Decision {
        at: now,
        kind: DecisionKind::Enrolled,
        evidence: String::new(),
        other: None,
        actor: None,
    };
    let permission = Permission::Token(token);
    let mut pending = false;
    match decided {
        Enrolment::Continues { device, evidence } => {
            let Some(known) = app.store.key_of_device(device) else {
                return Err(Error::internal("a known device has no key"));
            };
            decision.kind = DecisionKind::ReImaged;
            decision.evidence = evidence;
            let pending = app
                .store
                .continue_device(&permission, known.device, public_key, &decision)
                .await?
                .ok_or_else(token_refused)?;
            if let Some(row) = app.store.device_by_key(known.device).await? {
                app.fleet.row_changed(&row);
            }
            tracing::info!(device.id = %device, "a known device enrolled again");
            return answer(&app, device, known.device, pending).await.map(Json);
        }
        Enrolment::LooksLike { device, evidence } => {
            decision.kind = DecisionKind::LooksLike;
            decision.evidence = evidence;
            decision.other = app.store.key_of_device(device).map(|known| known.device);
            pending = true;
        }
        Enrolment::New { evidence } => decision.evidence = evidence,
    }
    let new = NewDevice {
        id: DeviceId(uuid::Uuid::now_v7()),
        public_key,
        hostname: asked.hostname,
        hardware_ids: ids,
        pending,
        demo: false,
    };
    let row = app.store.enroll(&permission, new, &decision).await?.ok_or_else(token_refused)?;
    app.fleet.row_changed(&row);
    tracing::info!(device.id = %row.id, device.pending = row.pending, "a device enrolled");
    answer(&app, row.id, row.key, row.pending).await.map(Json)
}

/// The same key asks again: its first answer got lost. Nothing changes, the token is not used.
async fn lost_answer(app: &App, public_key: &[u8; 32]) -> Result<Option<EnrollAnswer>, Error> {
    let Some(row) = app.store.device_by_public_key(public_key).await? else { return Ok(None) };
    app.store.catch_up().await?;
    match app.store.key_of_device(row.id) {
        Some(key) if key.public_key == *public_key && !key.revoked && !key.retired => {
            answer(app, row.id, row.key, row.pending).await.map(Some)
        }
        _ => Err(token_refused()),
    }
}

/// The answer, with the number to go on from where there are reports already.
pub(super) async fn answer(
    app: &App,
    device_id: DeviceId,
    device: DeviceKey,
    pending: bool,
) -> Result<EnrollAnswer, Error> {
    let last = app.store.last_report(device).await?.map_or(0, |report| report.seq);
    Ok(EnrollAnswer {
        device_id,
        status: if pending { EnrollStatus::Pending } else { EnrollStatus::Active },
        settings: Settings::default(),
        next_seq: (last > 0).then(|| last.saturating_add(1)),
    })
}

/// Identifiers of bounded length; what is longer is no identifier.
pub(super) fn plain_ids(ids: HardwareIds) -> HardwareIds {
    let HardwareIds { serial, uuid, board_serial, machine_id_digest, macs } = ids;
    let fits = |text: &String| text.len() <= TEXT_LONGEST && !text.contains('\0');
    HardwareIds {
        serial: serial.filter(fits),
        uuid: uuid.filter(fits),
        board_serial: board_serial.filter(fits),
        machine_id_digest: machine_id_digest.filter(fits),
        macs: macs.into_iter().filter(fits).take(64).collect(),
    }
}
