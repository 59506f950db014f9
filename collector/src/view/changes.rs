//! What changed lately in the fleet.

use rollcall_shared::api::change::Change;

use super::Error;
use crate::app::App;

/// The newest changes of all devices, newest first, at most `limit`.
pub async fn recent(app: &App, limit: u32) -> Result<Vec<Change>, Error> {
    let _ = (app, limit);
    todo!()
}
