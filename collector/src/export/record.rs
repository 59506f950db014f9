//! One row of each export: its columns with units, its cells, its JSON form.

use std::borrow::Cow;
use std::io::Write as _;

use rollcall_shared::Timestamp;
use rollcall_shared::api::audit::AuditLine;
use rollcall_shared::api::device::{DeviceSummary, Presence};
use rollcall_shared::api::finding::{Finding, Severity};
use rollcall_shared::api::unit::UnitFrom;
use rollcall_shared::section::Software;
use rollcall_shared::section::software::SoftwareScope;
use serde::Serialize;

use super::Kind;
use crate::codec::extra::Extra;
use crate::store::title::TitleText;
use crate::{store, view};

/// The device of many rows.
pub(super) struct Holder<'a> {
    id: String,
    hostname: &'a str,
    presence: Presence,
}

impl<'a> Holder<'a> {
    pub(super) fn of(device: &'a DeviceSummary) -> Self {
        let DeviceSummary { id, hostname, presence, .. } = device;
        Self { id: id.to_string(), hostname, presence: *presence }
    }
}

/// One row.
pub(super) enum Record<'a> {
    Device(&'a DeviceSummary),
    Software { device: &'a Holder<'a>, text: &'a TitleText, extra: &'a Extra },
    Finding(&'a Finding),
    Audit(&'a AuditLine),
}

/// The names of the columns. Times are UTC in RFC 3339.
pub(super) fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Devices => &[
            "device_id",
            "hostname",
            "class",
            "presence",
            "last_seen_at_utc",
            "enrolled_at_utc",
            "os_name",
            "manufacturer",
            "model",
            "serial",
            "user",
            "addresses",
            "site",
            "site_from",
            "department",
            "department_from",
            "asset_tag",
            "agent_version",
            "software_count",
            "open_findings_count",
            "worst_severity",
            "demo",
        ],
        Kind::Software => &[
            "device_id",
            "hostname",
            "presence",
            "source",
            "name",
            "version",
            "architecture",
            "publisher",
            "source_package",
            "source_version",
            "installed_at_utc",
            "size_bytes",
            "scope",
            "origin",
        ],
        Kind::Findings => &[
            "finding_id",
            "device_id",
            "hostname",
            "rule",
            "title",
            "severity",
            "state",
            "since_utc",
            "subject",
            "value",
            "threshold",
            "source",
            "source_date_utc",
            "next_step",
            "waived_by",
            "waived_reason",
            "waived_until_utc",
        ],
    }
}

/// A title with the device it is on, for JSON.
#[derive(Serialize)]
struct Installation<'a> {
    device_id: &'a str,
    hostname: &'a str,
    presence: Presence,
    #[serde(flatten)]
    title: Software,
}

impl Record<'_> {
    /// The cells in the order of the columns. Each struct is taken apart field by field, so that
    /// a new field must be decided upon.
    pub(super) fn cells(&self) -> Vec<Cow<'_, str>> {
        let owned = |cells: Vec<String>| cells.into_iter().map(Cow::Owned).collect();
        match self {
            Self::Device(summary) => owned(device(summary)),
            Self::Software { device, text, extra } => software(device, text, extra),
            Self::Finding(found) => owned(finding(found)),
            Self::Audit(line) => owned(super::audit::cells(line)),
        }
    }

    /// The row as one JSON object.
    pub(super) fn json(&self, out: &mut Vec<u8>) -> Result<(), view::Error> {
        let out = out.by_ref();
        match self {
            Self::Device(summary) => serde_json::to_writer(out, summary),
            Self::Software { device, text, extra } => {
                let Holder { id: device_id, hostname, presence } = device;
                let (presence, title) = (*presence, text.with((*extra).clone()));
                serde_json::to_writer(out, &Installation { device_id, hostname, presence, title })
            }
            Self::Finding(found) => serde_json::to_writer(out, found),
            Self::Audit(line) => serde_json::to_writer(out, line),
        }
        .map_err(|error| store::Error::Damaged(format!("a row for an export: {error}")).into())
    }
}

fn some(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// Who says where a device belongs.
fn from(says: Option<UnitFrom>) -> String {
    says.map(UnitFrom::as_str).unwrap_or_default().to_owned()
}

fn moment(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn device(summary: &DeviceSummary) -> Vec<String> {
    let DeviceSummary {
        id,
        hostname,
        class,
        presence,
        last_seen_at,
        enrolled_at,
        os_name,
        manufacturer,
        model,
        serial,
        user,
        user_full_name: _,
        addresses,
        site,
        site_from,
        department,
        department_from,
        asset_tag,
        agent_version,
        software_count,
        open_findings,
        worst_severity,
        demo,
    } = summary;
    vec![
        id.to_string(),
        hostname.clone(),
        class.as_str().to_owned(),
        presence.as_str().to_owned(),
        moment(*last_seen_at),
        enrolled_at.to_string(),
        os_name.clone(),
        some(manufacturer.as_ref()),
        some(model.as_ref()),
        some(serial.as_ref()),
        some(user.as_ref()),
        addresses.join(" "),
        some(site.as_ref()),
        from(*site_from),
        some(department.as_ref()),
        from(*department_from),
        some(asset_tag.as_ref()),
        some(agent_version.as_ref()),
        software_count.to_string(),
        open_findings.to_string(),
        worst_severity.map(Severity::as_str).unwrap_or_default().to_owned(),
        demo.to_string(),
    ]
}

fn software<'a>(
    device: &'a Holder<'_>,
    text: &'a TitleText,
    extra: &'a Extra,
) -> Vec<Cow<'a, str>> {
    let Extra { installed_at, size_bytes, scope, origin } = extra;
    let mut cells = Vec::with_capacity(14);
    cells.extend([&device.id, device.hostname, device.presence.as_str()].map(Cow::Borrowed));
    cells.extend(text.parts().map(Cow::Borrowed));
    cells.push(Cow::Owned(moment(*installed_at)));
    cells.push(size_bytes.map_or(Cow::Borrowed(""), |size| Cow::Owned(size.to_string())));
    cells.push(Cow::Borrowed(match scope {
        None => "",
        Some(SoftwareScope::Machine) => "machine",
        Some(SoftwareScope::User) => "user",
        Some(SoftwareScope::Other(word)) => word,
    }));
    cells.push(Cow::Borrowed(origin.as_deref().unwrap_or_default()));
    cells
}

fn finding(found: &Finding) -> Vec<String> {
    let Finding {
        id,
        device_id,
        hostname,
        rule,
        title,
        severity,
        state,
        since,
        closed_at: _, // Only findings that hold are exported.
        subject,
        value,
        threshold,
        source,
        source_date,
        next_step,
        evidence: _, // In the JSON form only.
        waiver,
    } = found;
    let waiver = waiver.as_ref();
    vec![
        id.to_string(),
        device_id.to_string(),
        hostname.clone(),
        rule.clone(),
        title.clone(),
        severity.as_str().to_owned(),
        state.as_str().to_owned(),
        since.to_string(),
        some(subject.as_ref()),
        value.clone(),
        threshold.clone(),
        source.clone(),
        moment(*source_date),
        next_step.clone(),
        waiver.map(|waiver| waiver.by.clone()).unwrap_or_default(),
        waiver.map(|waiver| waiver.reason.clone()).unwrap_or_default(),
        moment(waiver.map(|waiver| waiver.until)),
    ]
}
