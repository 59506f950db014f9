//! `GET /api/v1/overview`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::api::device::DeviceSummary;
use rollcall_shared::api::finding::RuleCount;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Count;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::view;

/// The fleet in numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overview {
    /// Devices in service.
    devices: u64,
    /// Devices that report in time.
    fresh: u64,
    /// Devices that are late.
    stale: u64,
    /// Devices gone past their limit.
    missing: u64,
    /// Devices that wait for approval.
    pending: u64,
    /// Devices made by `--demo`.
    demo: u64,
    /// Software titles in the fleet.
    titles: u64,
    /// Open findings by rule, worst first.
    rules: Vec<RuleCount>,
    /// Operating systems, most first.
    os: Vec<Count>,
    /// The devices enrolled last, newest first.
    newest: Vec<DeviceSummary>,
    /// Devices last seen in each of the last 24 hours, oldest hour first.
    seen_by_hour: Vec<u64>,
}

impl From<view::overview::Overview> for Overview {
    fn from(found: view::overview::Overview) -> Self {
        let view::overview::Overview {
            devices,
            fresh,
            stale,
            missing,
            pending,
            demo,
            titles,
            rules,
            os,
            newest,
            seen_by_hour,
        } = found;
        let os = Count::list(os);
        Self {
            devices,
            fresh,
            stale,
            missing,
            pending,
            demo,
            titles,
            rules,
            os,
            newest,
            seen_by_hour,
        }
    }
}

/// Counts the fleet.
pub(super) async fn get(_: Helpdesk, State(app): State<App>) -> Result<Json<Overview>, Error> {
    Ok(Json(view::overview::overview(&app).await?.into()))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;

    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn counts_every_device() {
        let api = Api::with_devices().await;
        let found = api.get(Role::Helpdesk, "/api/v1/overview").await.json;
        assert_eq!(found["demo"], DEVICES);
        let sum: u64 =
            ["fresh", "stale", "missing"].iter().map(|word| found[word].as_u64().unwrap()).sum();
        assert_eq!(found["devices"], sum);
        assert!(found["titles"].as_u64().unwrap() > 0);
        assert_eq!(found["seen_by_hour"].as_array().map(Vec::len), Some(24));
    }
}
