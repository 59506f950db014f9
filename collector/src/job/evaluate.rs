//! Judges devices against the policy: opens, updates and closes findings.

use rollcall_shared::Timestamp;

use crate::app::App;
use crate::store::{self, device::DeviceKey};

/// Judges one device, after its report was stored.
pub async fn device(app: &App, device: DeviceKey, now: Timestamp) -> Result<(), store::Error> {
    let _ = (app, device, now);
    todo!()
}

/// Judges every device: dates pass without a report.
pub async fn sweep(app: &App, now: Timestamp) -> Result<(), store::Error> {
    let _ = (app, now);
    todo!()
}
