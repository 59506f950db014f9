//! Whether the collector works, for monitors: no word about the fleet.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::health::{Health, HealthStatus};

use crate::app::App;

/// Answers always; the status says how well.
pub(super) async fn get(State(app): State<App>) -> Json<Health> {
    let status = match app.store.ping().await {
        Ok(()) => HealthStatus::Ok,
        Err(_) => HealthStatus::ReadOnly,
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Health { status, version, time: app.clock.now() })
}
