//! `POST /api/v1/devices/{id}/merge`.

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

const LIKE_NO_OTHER: &str = "this device looks like no other";

/// Says that a waiting device is the one it looks like. Answers with that one.
pub(in crate::http::api) async fn merge(
    It(caller): It,
    State(app): State<App>,
    Path(id): Path<DeviceId>,
) -> Result<Json<DeviceSummary>, Error> {
    let known = join_known(&app, &caller, id).await?;
    let key = row(&app, &caller, known).await?.key;
    changed(&app, known, key).await.map(Json)
}

/// Makes a waiting device the one it looks like, and gives that one's id.
pub(in crate::http) async fn join_known(
    app: &App,
    caller: &Caller,
    id: DeviceId,
) -> Result<DeviceId, Error> {
    let newcomer = row(app, caller, id).await?;
    if !newcomer.pending {
        return Err(Error::Conflict("this device does not wait for approval".to_owned()));
    }
    let decisions = app.store.decisions(newcomer.key).await?;
    let known = decisions
        .iter()
        .filter(|one| one.kind == DecisionKind::LooksLike && one.undone_at.is_none())
        .find_map(|one| one.other_device)
        .ok_or_else(|| Error::Conflict(LIKE_NO_OTHER.to_owned()))?;
    // A device that the caller may not see is not told by a hint either.
    let known = row(app, caller, known).await.map_err(|error| match error {
        Error::NotFound => Error::Conflict(LIKE_NO_OTHER.to_owned()),
        other => other,
    })?;
    let now = app.clock.now();
    app.store.merge_device(&newcomer, &known, &caller.label(), now).await?;
    evaluate::refresh(app, newcomer.id, now).await?;
    evaluate::refresh(app, known.id, now).await?;
    Ok(known.id)
}
