//! `GET /api/v1/overview`.

use axum::Json;
use axum::extract::State;
use rollcall_shared::Timestamp;
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
    /// Devices in service made by `--demo`.
    demo: u64,
    /// Software titles in the fleet.
    titles: u64,
    /// Open findings by rule, worst first.
    rules: Vec<RuleCount>,
    /// Operating systems of the devices in service, most first.
    os: Vec<Count>,
    /// Devices in service of which it is not known whether their system is supported.
    os_support_unknown: u64,
    /// The day of the lifecycle facts by which systems are judged.
    facts_date: Timestamp,
    /// Whether those facts are older than 180 days: ends were announced that they do not know.
    facts_are_old: bool,
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
            os_support_unknown,
            facts_date,
            facts_are_old,
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
            os_support_unknown,
            facts_date,
            facts_are_old,
            newest,
            seen_by_hour,
        }
    }
}

/// Counts the fleet.
pub(super) async fn get(
    Helpdesk(caller): Helpdesk,
    State(app): State<App>,
) -> Result<Json<Overview>, Error> {
    Ok(Json(view::overview::overview(&app, &caller.scope).await?.into()))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

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

    /// Every link to a list of devices on a page, with the number it stands beside.
    fn counted(html: &str) -> Vec<(String, u64)> {
        let number = |text: &str| -> u64 {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_else(|_| panic!("no number in {text}"))
        };
        let links = html.split("href=\"/devices?").skip(1);
        links
            .map(|rest| {
                let (query, rest) = rest.split_once('"').unwrap();
                let starts = ["<b>", "<td class=\"num\">"]
                    .map(|mark| rest.find(mark).map_or(usize::MAX, |at| at + mark.len()));
                let start = starts[0].min(starts[1]);
                let shown = rest[start..].split('<').next().unwrap();
                (query.replace("&#38;", "&").replace("&amp;", "&"), number(shown))
            })
            .collect()
    }

    #[tokio::test]
    async fn every_number_leads_to_exactly_that_many_rows() {
        let api = Api::with_devices().await;
        // Whatever is out of service is in no number but its own.
        let newest = api.get(Role::It, "/api/v1/devices?limit=500").await.json;
        let gone = newest["items"][0]["id"].as_str().unwrap();
        let retire = format!("/api/v1/devices/{gone}/retire");
        let retired = api.call("POST", &retire, Some(Role::It), Some(&json!({}))).await;
        assert_eq!(retired.status, 200);
        let waits = newest["items"][1]["id"].as_str().unwrap();
        let mut row = api.app.store.device(waits.parse().unwrap()).await.unwrap().unwrap();
        row.pending = true;
        api.app.fleet.row_changed(&row);
        // A system that the facts do not know.
        let other = newest["items"][2]["id"].as_str().unwrap();
        let other = api.app.store.device(other.parse().unwrap()).await.unwrap().unwrap();
        api.app.fleet.cycle_changed(other.key, None);

        let found = api.get(Role::Helpdesk, "/api/v1/overview").await.json;
        assert_eq!((found["devices"].as_u64(), found["pending"].as_u64()), (Some(5), Some(1)));
        assert!(found["os_support_unknown"].as_u64() >= Some(1));
        assert_eq!(found["facts_date"], "2026-08-22T00:00:00Z");
        assert_eq!(found["facts_are_old"], false);
        let systems = found["os"].as_array().unwrap();
        let sum: u64 = systems.iter().map(|one| one["devices"].as_u64().unwrap()).sum();
        assert_eq!(found["devices"], sum, "each device in service has one system");
        let cookie = api.session(Role::It).await;
        let home = api.send("GET", "/", &[("cookie", &cookie)], None).await.text;
        let counted = counted(&home);
        assert!(counted.len() >= 5 + systems.len(), "{counted:?}");
        assert!(counted.iter().any(|(query, _)| query.contains("os_support=unknown")));
        for (query, number) in counted {
            let list = api.get(Role::Helpdesk, &format!("/api/v1/devices?{query}")).await.json;
            assert_eq!(list["total"], number, "{query}");
        }
        let titles = api.get(Role::Helpdesk, "/api/v1/software?limit=500").await.json;
        assert_eq!(titles["total"], found["titles"]);
        for title in titles["items"].as_array().unwrap().iter().step_by(25) {
            let text = |name: &str| title[name].as_str().unwrap();
            let asked = [
                ("software", text("name")),
                ("software_source", text("source")),
                ("in_service", "true"),
            ];
            let list = api.query("/api/v1/devices", &asked).await.json;
            assert_eq!(list["total"], title["devices"], "{title}");
        }
        let csv = api.get(Role::Auditor, "/api/v1/exports/software.csv").await.text;
        assert!(
            csv.starts_with("\u{feff}device_id,hostname,presence,")
                || csv.starts_with("device_id,hostname,presence,"),
            "{:?}",
            &csv[..60]
        );
        for word in ["retired", "pending"] {
            assert!(csv.contains(&format!(",{word},")), "{word} devices are marked");
        }
    }
}
