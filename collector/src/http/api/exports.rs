//! `GET /api/v1/exports/{file}`: devices, software and findings as CSV or JSON, streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use rollcall_shared::Timestamp;
use rollcall_shared::api::audit::{ExportEnd, ExportReceipt};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::export::{self, Format, Kind, Profile, Rows};
use crate::http::Error;
use crate::http::auth::{Caller, Reader};
use crate::http::input::{Path, Query};
use crate::{store, view};

/// The files there are.
pub(super) const FILES: &[&str] = &[
    "devices.csv",
    "devices.json",
    "software.csv",
    "software.json",
    "findings.csv",
    "findings.json",
];

/// What an export may be asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Parameters {
    /// A moment (`2026-11-23T10:15:00Z`) or a day (`2026-11-23`, meaning its end in UTC).
    as_of: Option<String>,
    /// `spreadsheet` (the default) or `raw`.
    #[schemars(extend("enum" = ["spreadsheet", "raw"]))]
    profile: Option<String>,
}

/// Sends one export; `file` is e.g. `devices.csv`.
pub(super) async fn get(
    Reader(caller): Reader,
    State(app): State<App>,
    Path(file): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Error> {
    let (kind, format) = file.split_once('.').ok_or(Error::NotFound)?;
    let kind = Kind::from_word(kind).ok_or(Error::NotFound)?;
    let format = Format::from_word(format).ok_or(Error::NotFound)?;
    if !FILES.contains(&file.as_str()) {
        return Err(Error::NotFound);
    }
    let profile = profile(parameters.profile.as_deref())?;
    let now = app.clock.now();
    let as_of = match parameters.as_of.as_deref() {
        None | Some("") => None,
        Some(text) => Some(moment(text, now)?),
    };
    if as_of.is_some_and(|at| at > now) {
        return Err(Error::invalid("as_of", "it lies in the future"));
    }
    app.fleet.ready().await;
    view::told(&app, as_of)?;
    let at = as_of.unwrap_or(now);
    let name = export::file_name(kind, format, at);
    let names: Vec<(i64, String)> =
        app.store.units().await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
    let limited = !caller.scope.is_whole();
    let asked = [
        ("as_of", Some(at.to_string())),
        ("profile", Some(profile.as_str().to_owned())),
        ("only", limited.then(|| store::scope::words(&caller.scope, &names))),
    ];
    let receipt = receipt(&app, &caller, &file, &asked).await?;
    let rows = export::rows(&app, &caller.scope, kind, format, profile, as_of, Some(&receipt));
    Ok(send(rows, format, &name, &receipt, at))
}

/// For whom CSV is written, by the word in the query.
pub(super) fn profile(word: Option<&str>) -> Result<Profile, Error> {
    match word {
        None | Some("") => Ok(Profile::Spreadsheet),
        Some(word) => Profile::from_word(word)
            .ok_or_else(|| Error::invalid("profile", "write `spreadsheet` or `raw`")),
    }
}

/// Writes an export into the audit log before its first byte is sent: what cannot be written down
/// is not given out.
pub(super) async fn receipt(
    app: &App,
    caller: &Caller,
    file: &str,
    asked: &[(&str, Option<String>)],
) -> Result<ExportReceipt, Error> {
    let asked: Vec<String> = asked
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref().filter(|v| !v.is_empty())?)))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let by = caller.by(app);
    let entry = by.did(EXPORT, file, asked.join(" "));
    let head = app.store.audit(&entry).await?;
    Ok(ExportReceipt {
        file: entry.object,
        asked: entry.detail,
        made_at: by.at,
        made_by: by.actor,
        audit_entry: head.number,
        audit_hash: head.hash,
        ended: None,
    })
}

/// Sends an export with its receipt in the headers.
pub(super) fn send(
    rows: Rows,
    format: Format,
    name: &str,
    receipt: &ExportReceipt,
    as_of: Timestamp,
) -> Response {
    let ExportReceipt { audit_entry, audit_hash, .. } = receipt;
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
        (
            LINK,
            format!(
                "</api/v1/export-receipts/{audit_entry}>; rel=\"describedby\"; \
                 type=\"application/json\""
            ),
        ),
    ];
    let known = [
        ("x-rollcall-as-of", as_of.to_string()),
        ("x-rollcall-audit", format!("{audit_entry}:{audit_hash}")),
    ];
    (headers, known, Body::new(Streamed(rows))).into_response()
}

/// What stands beside an export: what was asked, when, by whom, where the audit log stood, and what
/// the file was when it was whole.
pub(super) async fn get_receipt(
    Reader(caller): Reader,
    State(app): State<App>,
    Path(number): Path<i64>,
) -> Result<Json<ExportReceipt>, Error> {
    let placed = app.store.audit_entry(number).await?;
    // Whose rights end somewhere reads the receipts of their own exports.
    let may = |actor: &str| {
        let tokens = || actor.strip_prefix(&caller.name).is_some_and(|r| r.starts_with(" (API"));
        caller.scope.is_whole() || actor == caller.name || tokens()
    };
    let placed = placed
        .filter(|placed| placed.entry.action == EXPORT && may(&placed.entry.actor))
        .ok_or(Error::NotFound)?;
    let end =
        app.store.audit_entry_of(number, export::ENDED, &export::ended_object(number)).await?;
    let ended = end.and_then(|end| ExportEnd::read(&end.entry.detail, end.entry.at));
    Ok(Json(ExportReceipt {
        file: placed.entry.object,
        asked: placed.entry.detail,
        made_at: placed.entry.at,
        made_by: placed.entry.actor,
        audit_entry: placed.head.number,
        audit_hash: placed.head.hash,
        ended,
    }))
}

/// What the audit log calls an export.
const EXPORT: &str = "export";

/// A moment, or the last millisecond of a day; of the day that is not over yet, the present.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Error> {
    let day_end = |day: Timestamp| {
        let end = day.plus_ms(rollcall_shared::time::DAY_MS - 1);
        if day <= now { end.min(now) } else { end }
    };
    text.parse()
        .ok()
        .or_else(|| Timestamp::from_date(text).map(day_end))
        .ok_or_else(|| Error::invalid("as_of", "write it as 2026-11-23 or 2026-11-23T10:15:00Z"))
}

struct Streamed(Rows);

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = view::Error;

    /// An error breaks the connection off, so that nobody takes a part for the whole.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, view::Error>>> {
        self.0
            .poll_next(context)
            .map(|next| next.map(|bytes| bytes.map(|bytes| Frame::data(bytes.into()))))
    }
}

#[cfg(test)]
mod tests {
    use rollcall_shared::Digest;
    use rollcall_shared::api::account::Role;

    use super::FILES;
    use crate::http::api::testing::{Api, DEVICES};
    use crate::store::audit::By;

    #[tokio::test]
    async fn each_file_is_sent_whole() {
        let api = Api::with_devices().await;
        for file in FILES {
            let answer = api.get(Role::Auditor, &format!("/api/v1/exports/{file}")).await;
            assert_eq!(answer.status, 200, "{file}");
            assert!(answer.text.len() > 100, "{file}");
            let entry = &api.app.store.newest_audit_entries(1).await.unwrap()[0];
            assert_eq!(entry.action, "export_ended");
            assert!(entry.detail.starts_with(&format!("{file}, ")), "{}", entry.detail);
            let head = api.app.store.audit_head().await.unwrap().unwrap();
            let path = format!("/api/v1/export-receipts/{}", head.number - 1);
            let kept = api.get(Role::It, &path).await.json;
            let sha256 = Digest::of(answer.text.as_bytes()).to_string();
            assert_eq!(kept["ended"]["sha256"], sha256, "{file}");
            assert_eq!(kept["ended"]["bytes"], answer.text.len(), "{file}");
            if answer.json.is_object() {
                let rows = answer.json["rows"].as_array().unwrap().len();
                assert_eq!(answer.json["row_count"], rows, "{file}");
                let number = &answer.json["export"]["audit_entry"];
                let path = format!("/api/v1/export-receipts/{number}");
                let mut receipt = api.get(Role::It, &path).await.json;
                receipt.as_object_mut().unwrap().remove("ended").unwrap();
                assert_eq!(receipt, answer.json["export"], "{file}");
            }
        }
        let head = api.app.store.audit_head().await.unwrap().unwrap();
        let other = format!("/api/v1/export-receipts/{}", head.number + 1);
        assert_eq!(api.get(Role::It, &other).await.status, 404);
        let csv = api.get(Role::It, "/api/v1/exports/devices.csv?profile=raw").await.text;
        assert!(csv.lines().count() > DEVICES);
    }

    #[tokio::test]
    async fn an_export_that_nobody_reads_to_its_end_has_no_digest() {
        let api = Api::with_devices().await;
        let by = By::new("it", api.app.clock.now());
        let head = api.app.store.audit(&by.did("export", "software.csv", "")).await.unwrap();
        let path = format!("/api/v1/export-receipts/{}", head.number);
        let kept = api.get(Role::It, &path).await;
        assert_eq!((kept.status, kept.json.get("ended")), (200, None));
    }

    #[tokio::test]
    async fn wrong_wishes_are_refused() {
        let api = Api::empty().await;
        for file in ["devices", "devices.xls", "secrets.csv", ".csv"] {
            let answer = api.get(Role::Auditor, &format!("/api/v1/exports/{file}")).await;
            assert_eq!(answer.status, 404, "{file}");
        }
        for (query, field) in [
            ("as_of=2200-01-01", "as_of"),
            ("as_of=soon", "as_of"),
            ("profile=nice", "profile"),
            ("format=csv", "format"),
        ] {
            let path = format!("/api/v1/exports/devices.csv?{query}");
            let answer = api.get(Role::Auditor, &path).await;
            assert_eq!((answer.status, answer.json["field"].as_str()), (422, Some(field)));
        }
    }
}
