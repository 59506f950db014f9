//! One device: its detail, software, changes and people, now or at a past moment.

use rollcall_shared::api::Page;
use rollcall_shared::api::change::Change;
use rollcall_shared::api::device::{DeviceDetail, DeviceSoftware, Person};
use rollcall_shared::{DeviceId, Timestamp};

use super::Error;
use crate::app::App;

/// Everything but the software. `None` when there is no such device, or none yet at that moment.
pub async fn detail(
    app: &App,
    id: DeviceId,
    as_of: Option<Timestamp>,
) -> Result<Option<DeviceDetail>, Error> {
    let _ = (app, id, as_of);
    todo!()
}

/// The installed software, sorted by name.
pub async fn software(
    app: &App,
    id: DeviceId,
    as_of: Option<Timestamp>,
) -> Result<Option<DeviceSoftware>, Error> {
    let _ = (app, id, as_of);
    todo!()
}

/// What changed, newest first. `cursor` is the one of the page before.
pub async fn changes(
    app: &App,
    id: DeviceId,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Option<Page<Change>>, Error> {
    let _ = (app, id, cursor, limit);
    todo!()
}

/// People seen on the device, latest first.
pub async fn people(app: &App, id: DeviceId) -> Result<Option<Vec<Person>>, Error> {
    let _ = (app, id);
    todo!()
}
