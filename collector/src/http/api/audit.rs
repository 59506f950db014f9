//! `GET /api/v1/audit` and `GET /api/v1/audit/{file}`: the audit log, page by page or as a file.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::audit::{AuditFilter, AuditLine};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answer;
use super::exports::{profile, send};
use crate::app::App;
use crate::export::{self, Format};
use crate::http::Error;
use crate::http::auth::{Auditor, Caller};
use crate::http::input::{Path, Query};
use crate::store::audit::{AuditQuery, PlacedEntry};

/// The files there are.
pub(super) const FILES: &[&str] = &["audit.csv", "audit.json"];

/// Which entries a file has, and in which form.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Parameters {
    /// From this moment on.
    from: Option<Timestamp>,
    /// Before this moment.
    before: Option<Timestamp>,
    /// A part of who did it, in any case of letters.
    actor: Option<String>,
    /// What was done, as the word says it.
    action: Option<String>,
    /// A part of what it was done to, in any case of letters.
    object: Option<String>,
    /// `spreadsheet` (the default) or `raw`.
    #[schemars(extend("enum" = ["spreadsheet", "raw"]))]
    profile: Option<String>,
}

/// An entry as it is sent.
pub(in crate::http) fn line(placed: PlacedEntry) -> AuditLine {
    let PlacedEntry { head, entry } = placed;
    let crate::store::audit::AuditEntry { at, actor, action, object, detail } = entry;
    AuditLine { number: head.number, at, actor, action, object, detail, hash: head.hash }
}

fn query(
    from: Option<Timestamp>,
    before: Option<Timestamp>,
    [actor, action, object]: [Option<String>; 3],
    caller: &Caller,
) -> AuditQuery {
    let all = AuditQuery::default();
    let words = |text: Option<String>| text.unwrap_or_default();
    AuditQuery {
        from: from.unwrap_or(all.from),
        before: before.unwrap_or(all.before),
        actor: words(actor),
        action: words(action),
        object: words(object),
        only_of: own(caller),
    }
}

/// Whose rights end somewhere reads what they did themselves: the log tells of everything else.
pub(in crate::http) fn own(caller: &Caller) -> Option<String> {
    (!caller.scope.is_whole()).then(|| caller.name.clone())
}

/// One page, newest first, for the API and the page.
pub(in crate::http) async fn page(
    app: &App,
    caller: &Caller,
    filter: AuditFilter,
) -> Result<Page<AuditLine>, Error> {
    let AuditFilter { from, before, actor, action, object, cursor, limit } = filter;
    let limit = answer::limit(limit)?;
    let below = cursor
        .map(|cursor| cursor.parse::<i64>())
        .transpose()
        .map_err(|_| Error::invalid("cursor", "give `next_cursor` of the page before"))?;
    let query = query(from, before, [actor, action, object], caller);
    let total = app.store.count_audit_entries(&query).await?;
    let mut found = app.store.audit_entries(&query, below, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next_cursor =
        found.last().filter(|_| more).map(|last: &PlacedEntry| last.head.number.to_string());
    Ok(Page { items: found.into_iter().map(line).collect(), total, next_cursor })
}

/// One page, newest first.
pub(super) async fn list(
    Auditor(caller): Auditor,
    State(app): State<App>,
    Query(filter): Query<AuditFilter>,
) -> Result<Json<Page<AuditLine>>, Error> {
    Ok(Json(page(&app, &caller, filter).await?))
}

/// Sends the log as a file; `file` is `audit.csv` or `audit.json`.
pub(super) async fn file(
    Auditor(caller): Auditor,
    State(app): State<App>,
    Path(file): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Error> {
    let format = file.strip_prefix("audit.").and_then(Format::from_word);
    let format = format.filter(|_| FILES.contains(&file.as_str())).ok_or(Error::NotFound)?;
    let Parameters { from, before, actor, action, object, profile: word } = parameters;
    let profile = profile(word.as_deref())?;
    let query = query(from, before, [actor, action, object], &caller);
    let asked = [
        ("from", from.map(|at| at.to_string())),
        ("before", before.map(|at| at.to_string())),
        ("actor", Some(query.actor.clone())),
        ("action", Some(query.action.clone())),
        ("object", Some(query.object.clone())),
        ("profile", Some(profile.as_str().to_owned())),
    ];
    let receipt = super::exports::receipt(&app, &caller, &file, &asked).await?;
    let name = format!("rollcall-audit-{}.{}", receipt.made_at.date(), format.as_str());
    let rows = export::audit_rows(&app, query, format, profile, &receipt);
    Ok(send(rows, format, &name, &receipt, receipt.made_at))
}

#[cfg(test)]
mod tests {
    use rollcall_shared::api::account::Role;
    use serde_json::json;

    use crate::http::api::testing::Api;

    #[tokio::test]
    async fn what_people_did_is_read_page_by_page_and_as_a_file() {
        let api = Api::with_devices().await;
        let device = api.device(0).await;
        api.unit("site", "=Oslo").await;
        let asset = json!({ "asset_tag": "A-77", "site": "=Oslo" });
        let set = api.call("PUT", &format!("{device}/asset"), Some(Role::It), Some(&asset)).await;
        assert_eq!(set.status, 200);
        let note = json!({ "text": "lent to Anna" });
        api.call("PUT", &format!("{device}/note"), Some(Role::Helpdesk), Some(&note)).await;
        let read =
            async |query: &str| api.get(Role::Auditor, &format!("/api/v1/audit{query}")).await;
        let first = read("?limit=1").await.json;
        assert_eq!(first["items"][0]["action"], "notes_set");
        assert_eq!(first["items"][0]["detail"], "12 letters", "never the text itself");
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = read(&format!("?limit=1&cursor={cursor}")).await.json;
        let line = &second["items"][0];
        assert_eq!(line["action"], "asset_set");
        assert!(line["object"].as_str().unwrap().starts_with("device "), "{line}");
        assert_eq!(line["detail"], "asset tag: A-77, site: =Oslo, department: none");
        assert!(line["actor"].as_str().unwrap().starts_with("it (API token"), "{line}");
        assert_eq!(read("?action=asset_set&actor=IT&object=device").await.json["total"], 1);
        assert_eq!(read("?before=2001-01-01T00:00:00Z").await.json["total"], 0);
        assert_eq!(read("?cursor=x").await.status, 422);

        let csv = api.get(Role::Auditor, "/api/v1/audit/audit.csv?action=asset_set").await.text;
        assert!(csv.starts_with("number,at_utc,actor,action,object,detail,hash\r\n"), "{csv}");
        assert_eq!(csv.lines().count(), 2);
        let json = api.get(Role::Admin, "/api/v1/audit/audit.json").await.json;
        assert_eq!(
            json["rows"].as_array().unwrap().len() as u64,
            json["row_count"].as_u64().unwrap()
        );
        assert_eq!(json["rows"][0]["action"], "export_ended", "the file before is in it");
        for (role, status) in [(Role::Helpdesk, 403), (Role::It, 403)] {
            assert_eq!(api.get(role, "/api/v1/audit").await.status, status);
            assert_eq!(api.get(role, "/api/v1/audit/audit.csv").await.status, status);
        }
        assert_eq!(api.get(Role::Admin, "/api/v1/audit/audit.jsonl").await.status, 404);
    }
}
