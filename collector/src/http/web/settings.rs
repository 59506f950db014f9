//! The thresholds: what they are, what others would flag, setting them.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::filters;
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::domain::Policy;
use crate::domain::policy::{DiskFree, MissingAfter, PolicyError};
use crate::http::Error;
use crate::http::api::policy;
use crate::http::auth::WholeIt;
use crate::view;
use crate::view::policy::PolicyPreview;

const PATH: &str = "/settings";
/// People give sizes in GiB.
const GIB: f64 = 1_073_741_824.0;

#[derive(Template)]
#[template(path = "settings.html")]
pub(super) struct SettingsPage {
    shell: Shell,
    groups: Vec<Group>,
    preview: Option<PolicyPreview>,
    problem: Option<String>,
    saved: bool,
}

struct Group {
    key: &'static str,
    title: &'static str,
    about: &'static str,
    fields: Vec<Field>,
}

/// One threshold as the form shows it; its name is the policy's.
struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    value: String,
    low: u32,
    high: u32,
    step: &'static str,
    is_text: bool,
    /// It may be empty.
    optional: bool,
    wrong: bool,
}

const fn field(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    low: u32,
    high: u32,
) -> (&'static str, &'static str, &'static str, u32, u32) {
    (name, label, hint, low, high)
}

type Declared = (&'static str, &'static str, &'static str, u32, u32);

const GROUPS: &[(&str, &str, &str, &[Declared])] = &[
    (
        "missing",
        "Missing devices",
        "Days without a check-in after which a device is missing.",
        &[
            field("missing_after_days.server", "Server, days", "", 1, 3650),
            field("missing_after_days.desktop", "Desktop, days", "", 1, 3650),
            field("missing_after_days.laptop", "Laptop, days", "", 1, 3650),
            field("missing_after_days.other", "Anything else, days", "", 1, 3650),
        ],
    ),
    (
        "check-ins",
        "Check-ins",
        "How often agents speak, and from when on a device counts as late.",
        &[
            field(
                "check_in_interval_s",
                "Seconds between check-ins",
                "900 is 15 minutes",
                60,
                86_400,
            ),
            field("stale_after_intervals", "Late after missed check-ins", "", 2, 1000),
            field("clock_error_minutes", "Clock may be wrong by minutes", "", 1, 525_600),
            field(
                "agent_minimum_version",
                "Oldest agent version",
                "Empty: two minor versions behind this collector",
                0,
                0,
            ),
        ],
    ),
    (
        "support",
        "Operating systems",
        "From when on a system is flagged before its support ends.",
        &[field("ending_soon_days", "Days before the end", "", 0, 3650)],
    ),
    (
        "updates",
        "Updates",
        "How long updates may wait. Days of grace count from when each update began to wait.",
        &[
            field("security_updates_grace_days", "Security updates may wait, days", "", 0, 3650),
            field("updates_grace_days", "Other updates may wait, days", "", 0, 3650),
            field("updates_pending_from", "Flag from how many updates", "", 1, 100_000),
            field("update_lists_stale_days", "Lists are old after days", "", 1, 3650),
        ],
    ),
    (
        "disks",
        "Disk space",
        "A volume is flagged when it is below the percentage and below the size.",
        &[
            field("disk_free.warning_percent", "Warning below percent free", "", 0, 90),
            field("disk_free.warning_floor_bytes", "and below GiB free", "", 0, 1_000_000),
            field("disk_free.critical_percent", "Critical below percent free", "", 0, 90),
            field(
                "disk_free.critical_floor_bytes",
                "and below GiB free, critical",
                "",
                0,
                1_000_000,
            ),
        ],
    ),
    (
        "history",
        "History",
        "How much of the past is kept. What is older goes for good, the oldest first; devices and \
         the audit log stay. A preview says what would go.",
        &[field("keep_history_days", "Keep days", "Empty: everything is kept", 7, 36_500)],
    ),
];

#[expect(clippy::cast_precision_loss, reason = "sizes of disks are far below 2^53 bytes")]
fn gib(bytes: u64) -> String {
    (bytes as f64 / GIB).to_string()
}

/// A threshold as the form shows it.
fn shown(policy: &Policy, name: &str) -> String {
    let Policy {
        missing_after_days: MissingAfter { server, desktop, laptop, other },
        check_in_interval_s,
        stale_after_intervals,
        ending_soon_days,
        disk_free:
            DiskFree { warning_percent, critical_percent, warning_floor_bytes, critical_floor_bytes },
        update_lists_stale_days,
        updates_pending_from,
        updates_grace_days,
        security_updates_grace_days,
        clock_error_minutes,
        keep_history_days,
        agent_minimum_version,
    } = policy;
    match name {
        "missing_after_days.server" => server.to_string(),
        "missing_after_days.desktop" => desktop.to_string(),
        "missing_after_days.laptop" => laptop.to_string(),
        "missing_after_days.other" => other.to_string(),
        "check_in_interval_s" => check_in_interval_s.to_string(),
        "stale_after_intervals" => stale_after_intervals.to_string(),
        "ending_soon_days" => ending_soon_days.to_string(),
        "disk_free.warning_percent" => warning_percent.to_string(),
        "disk_free.critical_percent" => critical_percent.to_string(),
        "disk_free.warning_floor_bytes" => gib(*warning_floor_bytes),
        "disk_free.critical_floor_bytes" => gib(*critical_floor_bytes),
        "update_lists_stale_days" => update_lists_stale_days.to_string(),
        "updates_pending_from" => updates_pending_from.to_string(),
        "updates_grace_days" => updates_grace_days.to_string(),
        "security_updates_grace_days" => security_updates_grace_days.to_string(),
        "clock_error_minutes" => clock_error_minutes.to_string(),
        "keep_history_days" => keep_history_days.map_or_else(String::new, |days| days.to_string()),
        _ => agent_minimum_version.clone().unwrap_or_default(),
    }
}

/// The policy that a form asks for, or the field to mend.
fn read(fields: &Fields) -> Result<Policy, PolicyError> {
    fn number<T: std::str::FromStr>(
        fields: &Fields,
        field: &'static str,
    ) -> Result<T, PolicyError> {
        let text = fields.text(field);
        text.parse().map_err(|_| PolicyError { field, why: format!("`{text}` is no such number") })
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    fn bytes(fields: &Fields, field: &'static str) -> Result<u64, PolicyError> {
        let size: f64 = number(fields, field)?;
        if !(0.0..=1_000_000.0).contains(&size) {
            let why = format!("{size} GiB is not between 0 and 1000000");
            return Err(PolicyError { field, why });
        }
        Ok((size * GIB).round() as u64)
    }
    let policy = Policy {
        missing_after_days: MissingAfter {
            server: number(fields, "missing_after_days.server")?,
            desktop: number(fields, "missing_after_days.desktop")?,
            laptop: number(fields, "missing_after_days.laptop")?,
            other: number(fields, "missing_after_days.other")?,
        },
        check_in_interval_s: number(fields, "check_in_interval_s")?,
        stale_after_intervals: number(fields, "stale_after_intervals")?,
        ending_soon_days: number(fields, "ending_soon_days")?,
        disk_free: DiskFree {
            warning_percent: number(fields, "disk_free.warning_percent")?,
            critical_percent: number(fields, "disk_free.critical_percent")?,
            warning_floor_bytes: bytes(fields, "disk_free.warning_floor_bytes")?,
            critical_floor_bytes: bytes(fields, "disk_free.critical_floor_bytes")?,
        },
        update_lists_stale_days: number(fields, "update_lists_stale_days")?,
        updates_pending_from: number(fields, "updates_pending_from")?,
        updates_grace_days: number(fields, "updates_grace_days")?,
        security_updates_grace_days: number(fields, "security_updates_grace_days")?,
        clock_error_minutes: number(fields, "clock_error_minutes")?,
        keep_history_days: match fields.text("keep_history_days").as_str() {
            "" => None,
            _ => Some(number(fields, "keep_history_days")?),
        },
        agent_minimum_version: Some(fields.text("agent_minimum_version"))
            .filter(|version| !version.is_empty()),
    };
    policy.validate()?;
    Ok(policy)
}

impl SettingsPage {
    /// The form with these values; `wrong` is the field to mend.
    pub(super) fn new(
        shell: Shell,
        value: impl Fn(&str) -> String,
        wrong: Option<&PolicyError>,
        preview: Option<PolicyPreview>,
    ) -> Self {
        let field = |&(name, label, hint, low, high): &Declared| Field {
            name,
            label,
            hint,
            value: value(name),
            low,
            high,
            step: if name.ends_with("_bytes") { "any" } else { "1" },
            is_text: name == "agent_minimum_version",
            optional: name == "keep_history_days",
            wrong: wrong.is_some_and(|error| error.field == name),
        };
        let group = |&(key, title, about, fields): &(_, _, _, &[Declared])| Group {
            key,
            title,
            about,
            fields: fields.iter().map(field).collect(),
        };
        let groups: Vec<Group> = GROUPS.iter().map(group).collect();
        let problem = wrong.map(|error| {
            let label = groups
                .iter()
                .flat_map(|group| &group.fields)
                .find(|field| field.wrong)
                .map_or(error.field, |field| field.label);
            format!("{label}: {}.", error.why)
        });
        Self { shell, groups, preview, problem, saved: false }
    }

    /// With the thresholds in force.
    pub(super) fn in_force(shell: Shell, policy: &Policy, saved: bool) -> Self {
        Self { saved, ..Self::new(shell, |name| shown(policy, name), None, None) }
    }
}

/// `GET /settings`
pub(super) async fn get(State(app): State<App>, WholeIt(caller): WholeIt, visit: Visit) -> Page {
    app.fleet.ready().await;
    let saved = visit.params.get("saved").is_some();
    let shell = visit.shell(&app, &caller, "settings");
    page(&SettingsPage::in_force(shell, &app.fleet.policy(), saved))
}

/// `POST /settings`: a look at what these thresholds would flag, or setting them.
pub(super) async fn post(
    State(app): State<App>,
    WholeIt(caller): WholeIt,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let again = |wrong: Option<&PolicyError>, preview| {
        let shell = visit.shell(&app, &caller, "settings");
        page(&SettingsPage::new(shell, |name| fields.text(name), wrong, preview))
    };
    let asked = match read(&fields) {
        Ok(asked) => asked,
        Err(wrong) => {
            return Ok(
                (StatusCode::UNPROCESSABLE_ENTITY, again(Some(&wrong), None)?).into_response()
            );
        }
    };
    if fields.text("do") == "save" {
        policy::set(&app, &caller, asked).await?;
        return Ok(Redirect::to(&format!("{PATH}?saved=1")).into_response());
    }
    let preview = view::policy::preview(&app, &asked).await?;
    Ok(again(None, Some(preview))?.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::params::Params;
    use crate::http::web::sample;

    fn sent(policy: &Policy, changes: &[(&str, &str)]) -> Fields {
        let names = GROUPS.iter().flat_map(|group| group.3).map(|field| field.0);
        let value = |name: &str| {
            let other = changes.iter().find(|(changed, _)| *changed == name);
            other.map_or_else(|| shown(policy, name), |(_, value)| (*value).to_owned())
        };
        Fields(Params(names.map(|name| (name.to_owned(), value(name))).collect()))
    }

    #[test]
    fn every_threshold_is_read_back_as_it_is_shown() {
        let policy = Policy {
            agent_minimum_version: Some("0.3.0".into()),
            disk_free: DiskFree { critical_floor_bytes: 1_234_567, ..DiskFree::default() },
            updates_grace_days: 7,
            keep_history_days: Some(400),
            ..Policy::default()
        };
        assert_eq!(read(&sent(&policy, &[])), Ok(policy));
        let policy = Policy::default();
        assert_eq!(read(&sent(&policy, &[])), Ok(policy));
    }

    #[test]
    fn what_is_wrong_is_said_and_kept() {
        let policy = Policy::default();
        for (name, value) in [
            ("missing_after_days.laptop", "0"),
            ("missing_after_days.laptop", "many"),
            ("disk_free.critical_percent", "11"),
            ("disk_free.warning_floor_bytes", "NaN"),
            ("agent_minimum_version", "new"),
        ] {
            let fields = sent(&policy, &[(name, value)]);
            let wrong = read(&fields).unwrap_err();
            assert_eq!(wrong.field, name, "{value}");
            let shell = sample::shell();
            let html = SettingsPage::new(shell, |name| fields.text(name), Some(&wrong), None);
            let html = html.render().unwrap();
            assert!(html.contains("role=\"alert\"") && html.contains("aria-invalid"), "{name}");
            assert!(html.contains(&format!("value=\"{value}\"")), "the form keeps its input");
        }
    }

    #[test]
    fn a_preview_says_how_many() {
        let html = sample::settings().render().unwrap();
        assert!(html.contains("Would flag 37 devices") && html.contains("nothing is saved yet"));
        assert!(html.contains("name=\"do\" value=\"save\""));
    }
}
