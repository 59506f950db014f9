//! Devices: the list, one of them with its past, and what people decide about it.

pub(super) mod approve;
pub(in crate::http) mod asset;
pub(super) mod changes;
pub(super) mod get;
pub(super) mod list;
pub(in crate::http) mod merge;
pub(super) mod note;
pub(super) mod people;
pub(super) mod retire;
pub(super) mod software;
pub(in crate::http) mod undo;

use rollcall_shared::DeviceId;
use rollcall_shared::api::device::{DecisionKind, DeviceSummary};

use crate::app::App;
use crate::http::Error;
use crate::http::auth::Caller;
use crate::store::device::{DeviceKey, DeviceRow};
use crate::store::enroll::Decision;

/// The device of this id, inside of what the caller may see.
async fn row(app: &App, caller: &Caller, id: DeviceId) -> Result<DeviceRow, Error> {
    app.fleet.ready().await;
    let row = app.store.device(id).await?.filter(|row| row.is_in(&caller.scope));
    row.ok_or(Error::NotFound)
}

/// What a person decided about a device, to be stored with it.
fn decision(app: &App, caller: &Caller, kind: DecisionKind, evidence: String) -> Decision {
    Decision { at: app.clock.now(), kind, evidence, other: None, actor: Some(caller.label()) }
}

/// Tells the fleet in memory what changed in the tables, and shows the device as it is now.
async fn changed(app: &App, id: DeviceId, key: DeviceKey) -> Result<DeviceSummary, Error> {
    crate::job::evaluate::refresh(app, id, app.clock.now()).await?;
    crate::view::devices::summaries(app, &[key]).pop().ok_or(Error::NotFound)
}
