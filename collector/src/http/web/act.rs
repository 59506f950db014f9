//! What people do to one device or finding: notes, where it belongs, who it is, retirement,
//! waivers. Each ends where the person was.

use axum::extract::{Path, State};
use axum::response::Redirect;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::finding::Waiver;
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Timestamp};

use super::shell::local_path;
use super::visit::Fields;
use crate::app::App;
use crate::http::Error;
use crate::http::api::devices::asset::{self, AssetRequest};
use crate::http::api::devices::merge::join_known;
use crate::http::api::devices::undo::take_back;
use crate::http::auth::{Caller, Helpdesk, It};
use crate::job::evaluate;
use crate::store::device::DeviceRow;
use crate::store::enroll::Decision;
use crate::view;

const NOTES_LETTERS: usize = 10_000;
const REASON_LETTERS: usize = 500;
const WAIVED_DAYS_MOST: i64 = 366;

async fn device(app: &App, caller: &Caller, id: &str) -> Result<DeviceRow, Error> {
    let id: DeviceId = id.parse().map_err(|_| Error::NotFound)?;
    let row = app.store.device(id).await?.filter(|row| row.is_in(&caller.scope));
    row.ok_or(Error::NotFound)
}

fn decision(app: &App, caller: &Caller, kind: DecisionKind, evidence: &str) -> Decision {
    Decision {
        at: app.clock.now(),
        kind,
        evidence: evidence.to_owned(),
        other: None,
        actor: Some(caller.label()),
    }
}

/// Lists and findings follow at once.
async fn decided(app: &App, row: &DeviceRow) -> Result<Redirect, Error> {
    evaluate::refresh(app, row.id, app.clock.now()).await?;
    Ok(Redirect::to(&format!("/devices/{}", row.id)))
}

/// `POST /devices/{id}/notes`
pub(super) async fn notes(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    let text = fields.text("notes").replace("\r\n", "\n").replace('\0', "");
    if text.chars().count() > NOTES_LETTERS {
        return Err(Error::invalid("notes", "notes have at most 10 000 letters; go back and cut"));
    }
    app.store.set_notes_text(row.key, &text, &caller.by(&app)).await?;
    Ok(Redirect::to(&format!("/devices/{}#notes", row.id)))
}

/// `POST /devices/{id}/approve`
pub(super) async fn approve(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    if row.pending {
        let said = decision(&app, &caller, DecisionKind::Approved, "approved by a person");
        app.store.approve(row.key, &said).await?;
    }
    decided(&app, &row).await
}

/// `POST /devices/{id}/retire`
pub(super) async fn retire(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    if row.retired_at.is_none() {
        let said = decision(&app, &caller, DecisionKind::Retired, "taken out of service");
        app.store.retire(row.key, &said).await?;
    }
    decided(&app, &row).await
}

/// `POST /devices/{id}/unretire`
pub(super) async fn unretire(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    if row.retired_at.is_some() {
        let said = decision(&app, &caller, DecisionKind::Approved, "taken back into service");
        app.store.return_to_service(row.key, &said).await?;
    }
    decided(&app, &row).await
}

/// `POST /devices/{id}/merge`
pub(super) async fn merge(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let newcomer = device(&app, &caller, &id).await?;
    let known = join_known(&app, &caller, newcomer.id).await?;
    Ok(Redirect::to(&format!("/devices/{known}")))
}

/// `POST /devices/{id}/decisions/{decision}/undo`
pub(super) async fn undo(
    State(app): State<App>,
    It(caller): It,
    Path((id, decision)): Path<(String, i64)>,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    take_back(&app, &caller, row.id, decision).await?;
    Ok(Redirect::to(&format!("/devices/{}#identity", row.id)))
}

/// `POST /devices/{id}/asset`
pub(super) async fn asset(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Redirect, Error> {
    let row = device(&app, &caller, &id).await?;
    let [asset_tag, site, department] =
        ["asset_tag", "site", "department"].map(|name| Some(fields.text(name)));
    asset::set(&app, &caller, row.id, AssetRequest { asset_tag, site, department }).await?;
    Ok(Redirect::to(&format!("/devices/{}", row.id)))
}

/// The waiver that a form asks for, or what to mend.
fn waiver(fields: &Fields, by: String, now: Timestamp) -> Result<Waiver, Error> {
    let reason = fields.text("reason");
    let letters = reason.chars().count();
    if !(3..=REASON_LETTERS).contains(&letters) || reason.contains('\0') {
        return Err(Error::invalid(
            "reason",
            "say in 3 to 500 letters why the finding is accepted",
        ));
    }
    let day = Timestamp::from_date(&fields.text("until"))
        .ok_or_else(|| Error::invalid("until", "choose the day in the calendar"))?;
    let until = day.plus_ms(DAY_MS - 1);
    if until <= now || until.since(now) > WAIVED_DAYS_MOST * DAY_MS {
        return Err(Error::invalid("until", "choose a day from today on, at most a year ahead"));
    }
    Ok(Waiver { by, reason, until })
}

async fn finding_decided(app: &App, id: i64, fields: &Fields) -> Result<Redirect, Error> {
    let now = app.clock.now();
    if let Some(finding) = app.store.finding(id, now).await?
        && let Some(row) = app.store.device(finding.device_id).await?
    {
        evaluate::tell_fleet(app, row.key, now).await?;
    }
    Ok(Redirect::to(local_path(&fields.text("back"))))
}

/// `POST /findings/{id}/waive`
pub(super) async fn waive(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Redirect, Error> {
    let now = app.clock.now();
    let waiver = waiver(&fields, caller.label(), now)?;
    view::findings::get(&app, &caller.scope, id).await?.ok_or(Error::NotFound)?;
    app.store.waive_finding(id, &waiver, now).await?;
    finding_decided(&app, id, &fields).await
}

/// `POST /findings/{id}/unwaive`
pub(super) async fn unwaive(
    State(app): State<App>,
    It(caller): It,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Redirect, Error> {
    view::findings::get(&app, &caller.scope, id).await?.ok_or(Error::NotFound)?;
    app.store.unwaive_finding(id, &caller.by(&app)).await?;
    finding_decided(&app, id, &fields).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::params::Params;
    use crate::http::web::sample::NOW;

    #[test]
    fn a_waiver_needs_a_reason_and_ends() {
        let sent = |reason: &str, until: &str| {
            let pairs = [("reason", reason), ("until", until)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
            waiver(&Fields(Params(pairs.to_vec())), "clara".to_owned(), NOW)
        };
        let good = sent("replaced in March", "2026-12-01").unwrap();
        assert_eq!((good.by.as_str(), good.until.date().as_str()), ("clara", "2026-12-01"));
        assert!(sent("replaced in March", "2026-11-23").is_ok(), "until the end of today");
        for (reason, until) in [
            ("no", "2026-12-01"),
            ("reason", "2026-11-22"),
            ("reason", "2028-01-01"),
            ("reason", ""),
        ] {
            assert!(sent(reason, until).is_err(), "{reason} {until}");
        }
    }
}
