//! `POST /agent/v1/check-in`: who speaks, may it speak, and what does it say.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use rollcall_shared::problem::kind;
use rollcall_shared::report::{CheckIn, CheckInAnswer};

use super::envelope::{Envelope, REPORT, refused};
use crate::app::App;
use crate::http::Error;
use crate::ingest::{self, Refusal};
use crate::store::key::KeyState;

pub(super) async fn post(
    State(app): State<App>,
    request: Request,
) -> Result<Json<CheckInAnswer>, Error> {
    let places = &app.guard.places;
    let admit = async |id: &str| {
        let key = known(&app, id).await?;
        places.may_wait().await.map(|()| key)
    };
    let (envelope, key) = Envelope::take(request, REPORT, admit).await?;
    let key = may_speak(&app, &envelope, key).await?;
    let place = places.take().await?;
    let seq = envelope.seq;
    let check_in: CheckIn = envelope.open().await?;
    if check_in.seq != seq {
        return Err(Error::Refused {
            status: StatusCode::BAD_REQUEST,
            kind: "bad-request",
            detail: "the signed number is not the report's number".to_owned(),
            field: Some("seq".to_owned()),
        });
    }
    // A connection that breaks now must not stop it half way: what is stored is told to the fleet.
    let ingesting = tokio::spawn(async move {
        let _place = place;
        ingest::check_in(&app, key.device, check_in).await
    });
    Ok(Json(ingesting.await.map_err(Error::internal)??))
}

/// The key of the device that claims to speak.
pub(super) async fn known(app: &App, key_id: &str) -> Result<KeyState, Error> {
    let id = key_id.parse().map_err(|_| refused())?;
    if let Some(key) = app.store.key_of_device(id) {
        return Ok(key);
    }
    // It may have enrolled at another collector just now.
    app.store.catch_up().await?;
    app.store.key_of_device(id).ok_or_else(refused)
}

/// The key that made the signature, if it may be used.
pub(super) async fn may_speak(
    app: &App,
    envelope: &Envelope,
    mut key: KeyState,
) -> Result<KeyState, Error> {
    if envelope.verify(&key.public_key).is_err() {
        // It may have got another key at another collector just now.
        key = app.store.newer_key(&envelope.key_id, &key).await?.ok_or_else(refused)?;
        envelope.verify(&key.public_key)?;
    }
    // Only who holds the key learns that it was revoked.
    if key.revoked || key.retired {
        return Err(Error::Refused {
            status: StatusCode::FORBIDDEN,
            kind: kind::DEVICE_REVOKED,
            detail: "this device was revoked or taken out of service; enrol it again if it \
                     shall report"
                .to_owned(),
            field: None,
        });
    }
    Ok(key)
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let told = |status, kind, field| Self::Refused {
            status,
            kind,
            detail: refusal.to_string(),
            field,
        };
        match refusal {
            Refusal::ReportConflict(_) => told(StatusCode::CONFLICT, kind::REPORT_CONFLICT, None),
            Refusal::CloneSuspected => told(StatusCode::CONFLICT, kind::CLONE_SUSPECTED, None),
            Refusal::BadSection { ref section, .. } => {
                told(StatusCode::UNPROCESSABLE_ENTITY, kind::BAD_SECTION, Some(section.clone()))
            }
            Refusal::Busy { retry_after_s } => Self::Busy { retry_after_s },
            Refusal::Store(error) => error.into(),
        }
    }
}
