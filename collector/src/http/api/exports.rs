//! `GET /api/v1/exports/{file}`: devices, software and findings as CSV or JSON, streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use rollcall_shared::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::App;
use crate::export::{self, Format, Kind, Profile, Rows};
use crate::http::Error;
use crate::http::auth::Reader;
use crate::http::input::{Path, Query};
use crate::view;

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
    profile: Option<String>,
}

/// Sends one export; `file` is e.g. `devices.csv`.
pub(super) async fn get(
    _: Reader,
    State(app): State<App>,
    Path(file): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Error> {
    let (kind, format) = file.split_once('.').ok_or(Error::NotFound)?;
    let kind = Kind::from_word(kind).ok_or(Error::NotFound)?;
    let format = Format::from_word(format).ok_or(Error::NotFound)?;
    let profile = match parameters.profile.as_deref() {
        None | Some("") => Profile::Spreadsheet,
        Some(word) => Profile::from_word(word)
            .ok_or_else(|| Error::invalid("profile", "write `spreadsheet` or `raw`"))?,
    };
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
    let headers = [
        (CONTENT_TYPE, format.media_type().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    let known = [("x-rollcall-as-of", at.to_string())];
    let rows = export::rows(&app, kind, format, profile, as_of);
    Ok((headers, known, Body::new(Streamed(rows))).into_response())
}

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
    use rollcall_shared::api::account::Role;

    use super::FILES;
    use crate::http::api::testing::{Api, DEVICES};

    #[tokio::test]
    async fn each_file_is_sent_whole() {
        let api = Api::with_devices().await;
        for file in FILES {
            let answer = api.get(Role::Auditor, &format!("/api/v1/exports/{file}")).await;
            assert_eq!(answer.status, 200, "{file}");
            assert!(answer.text.len() > 100, "{file}");
        }
        let csv = api.get(Role::It, "/api/v1/exports/devices.csv?profile=raw").await.text;
        assert!(csv.lines().count() > DEVICES);
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
