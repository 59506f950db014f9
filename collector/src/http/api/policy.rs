//! `GET` and `PUT /api/v1/policy`, and `POST /api/v1/policy/preview`.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::domain::Policy;
use crate::domain::policy::PolicyError;
use crate::http::Error;
use crate::http::auth::{Caller, Reader, WholeIt};
use crate::http::input::Body;
use crate::job::evaluate::{self, POLICY_SETTING};
use crate::view;
use crate::view::policy::PolicyPreview;

impl From<PolicyError> for Error {
    fn from(error: PolicyError) -> Self {
        Self::invalid(error.field, error.why)
    }
}

/// The thresholds in force.
pub(super) async fn get(_: Reader, State(app): State<App>) -> Json<Policy> {
    app.fleet.ready().await;
    Json(Policy::clone(&app.fleet.policy()))
}

/// Sets all of them; absent ones get their defaults.
pub(super) async fn put(
    WholeIt(caller): WholeIt,
    State(app): State<App>,
    Body(policy): Body<Policy>,
) -> Result<Json<Policy>, Error> {
    set(&app, &caller, policy.clone()).await?;
    Ok(Json(policy))
}

/// Counts what would be flagged; changes nothing.
pub(super) async fn preview(
    _: WholeIt,
    State(app): State<App>,
    Body(policy): Body<Policy>,
) -> Result<Json<PolicyPreview>, Error> {
    policy.validate()?;
    Ok(Json(view::policy::preview(&app, &policy).await?))
}

/// Checks, writes down and sets a policy, and has the fleet judged by it.
pub(in crate::http) async fn set(app: &App, caller: &Caller, policy: Policy) -> Result<(), Error> {
    policy.validate()?;
    app.fleet.ready().await;
    let changes = differences(&app.fleet.policy(), &policy);
    let entry = caller.by(app).did("policy_set", "policy", changes);
    app.store.change_setting(POLICY_SETTING, &policy, &entry).await?;
    evaluate::load_policy(app).await?;
    // Agents are told the interval with their next check-in.
    app.store.follow().await?;
    app.fleet.judge_soon();
    Ok(())
}

/// What changes, as `name: before -> after`.
fn differences(before: &Policy, after: &Policy) -> String {
    let lines = |policy: &Policy| {
        let mut lines = std::collections::BTreeMap::new();
        let value = serde_json::to_value(policy).unwrap_or_default();
        for (name, value) in value.as_object().into_iter().flatten() {
            match value.as_object() {
                Some(parts) => lines.extend(
                    parts.iter().map(|(part, value)| (format!("{name}.{part}"), value.to_string())),
                ),
                None => {
                    lines.insert(name.clone(), value.to_string());
                }
            }
        }
        lines
    };
    let (before, after) = (lines(before), lines(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = "none".to_owned();
    let changes: Vec<String> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let value = |lines: &std::collections::BTreeMap<String, String>| {
                lines.get(name).unwrap_or(&none).clone()
            };
            format!("{name}: {} -> {}", value(&before), value(&after))
        })
        .collect();
    if changes.is_empty() { "nothing changed".to_owned() } else { changes.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rollcall_shared::api::account::Role;
    use serde_json::{Value, json};

    use crate::http::api::testing::Api;

    async fn findings(api: &Api, rule: &str) -> u64 {
        let path = format!("/api/v1/findings?rule={rule}");
        api.get(Role::Helpdesk, &path).await.json["total"].as_u64().unwrap()
    }

    #[tokio::test]
    async fn thresholds_are_set_and_the_fleet_is_judged_by_them() {
        let api = Api::with_devices().await;
        let job = crate::job::spawn(&api.app);
        let before = api.get(Role::Auditor, "/api/v1/policy").await.json;
        assert_eq!(before["missing_after_days"]["laptop"], 14);
        let full = findings(&api, "disk_nearly_full").await;
        let strict = json!({
            "missing_after_days": { "laptop": 1 },
            "check_in_interval_s": 600,
            "disk_free": { "warning_percent": 90, "warning_floor_bytes": 1_u64 << 50 },
        });
        let path = "/api/v1/policy/preview";
        let preview = api.call("POST", path, Some(Role::It), Some(&strict)).await.json;
        let rules = preview["rules"].as_array().unwrap();
        let told = rules.iter().find(|one| one["rule"] == "disk_nearly_full").unwrap();
        assert_eq!(told["findings_now"], full);
        let then = told["findings_then"].as_u64().unwrap();
        assert!(then > full, "{preview}");
        assert!(told["devices_then"].as_u64().unwrap() <= then);
        assert_eq!(findings(&api, "disk_nearly_full").await, full, "a look changes nothing");
        assert_eq!(api.get(Role::It, "/api/v1/policy").await.json, before);

        let set = api.call("PUT", "/api/v1/policy", Some(Role::It), Some(&strict)).await;
        assert_eq!(set.json["missing_after_days"]["laptop"], 1);
        assert_eq!(set.json["ending_soon_days"], 90, "what is absent has its default");
        assert_eq!(api.app.store.agent_settings().check_in_interval_s, 600);
        for _ in 0..500 {
            if findings(&api, "disk_nearly_full").await == then {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(findings(&api, "disk_nearly_full").await, then, "as the preview said");
        let entry = &api.app.store.newest_audit_entries(1).await.unwrap()[0];
        assert!(entry.detail.contains("missing_after_days.laptop: 14 -> 1"), "{entry:?}");
        job.abort();
    }

    #[tokio::test]
    async fn nonsense_is_refused_by_name() {
        let api = Api::empty().await;
        for (body, field) in [
            (json!({ "ending_soon_days": 4000 }), "ending_soon_days"),
            (json!({ "missing_after_days": { "laptop": 0 } }), "missing_after_days.laptop"),
            (json!({ "missing_after_days": { "toaster": 1 } }), "missing_after_days"),
            (json!({ "disk_free": { "critical_percent": 50 } }), "disk_free.critical_percent"),
            (json!({ "updates_grace": 1 }), "updates_grace"),
            (json!({ "check_in_interval_s": "soon" }), "check_in_interval_s"),
        ] {
            for (method, path) in [("PUT", "/api/v1/policy"), ("POST", "/api/v1/policy/preview")] {
                let refused = api.call(method, path, Some(Role::It), Some(&body)).await;
                let expected = (422, Value::from(field));
                assert_eq!((refused.status, refused.json["field"].clone()), expected, "{body}");
            }
        }
        let kept = api.get(Role::It, "/api/v1/policy").await.json;
        assert_eq!(kept["ending_soon_days"], 90);
    }

    #[tokio::test]
    async fn the_page_previews_and_saves_without_scripts() {
        let api = Api::with_devices().await;
        let cookie = api.session(Role::It).await;
        let headers = [
            ("cookie", cookie.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let shown = api.send("GET", "/settings", &[("cookie", &cookie)], None).await;
        assert_eq!(shown.status, 200);
        // Every field as the page shows it, with one changed.
        let fields: Vec<String> = shown
            .text
            .split("<input id=\"")
            .skip(1)
            .map(|rest| {
                let name = rest.split('"').next().unwrap();
                let value = rest.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
                let value = if name == "ending_soon_days" { "30" } else { value };
                format!("{name}={value}")
            })
            .filter(|pair| !pair.starts_with("search="))
            .collect();
        let send = async |what: &str, changed: (&str, &str)| {
            let form = format!("{}&do={what}", fields.join("&")).replace(changed.0, changed.1);
            api.send_bytes("POST", "/settings", &headers, form.into_bytes()).await
        };
        let preview = send("preview", ("", "")).await;
        assert!(preview.status == 200 && preview.text.contains("Would flag"), "{}", preview.text);
        assert_eq!(api.app.fleet.policy().ending_soon_days, 90);
        let wrong = send("save", ("ending_soon_days=30", "ending_soon_days=never")).await;
        assert!(wrong.status == 422 && wrong.text.contains("value=\"never\""));
        assert_eq!(send("save", ("", "")).await.status, 303);
        assert_eq!(api.app.fleet.policy().ending_soon_days, 30);
        let cookie = api.session(Role::Auditor).await;
        let refused = api.send("GET", "/settings", &[("cookie", &cookie)], None).await;
        assert_eq!(refused.status, 403);
    }
}
