//! Whether the collector works, for monitors: no word about the fleet.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::health::{Health, HealthStatus};

use crate::app::App;

/// Answers always; the status says how well.
pub(super) async fn get(State(app): State<App>) -> Json<Health> {
    let status = match app.store.ping().await {
        Ok(()) if !app.store.takes_writes() => HealthStatus::ReadOnly,
        Ok(()) if app.fleet.is_ready() => HealthStatus::Ok,
        Ok(()) => HealthStatus::Starting,
        Err(_) => HealthStatus::ReadOnly,
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Health { status, version, time: app.clock.now() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn everybody_may_ask() {
        let api = Api::empty().await;
        for path in ["/api/v1/health", "/api/health"] {
            let answer = api.call("GET", path, None, None).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.json["status"], json!("ok"));
        }
        api.app.fleet.begin_loading();
        assert_eq!(api.call("GET", "/api/v1/health", None, None).await.json["status"], "starting");
    }
}
