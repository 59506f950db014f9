//! The audit log as an export.

use rollcall_shared::api::audit::AuditLine;

use super::record::Record;
use super::{PAGE, Sink, Stop};
use crate::app::App;
use crate::store::audit::{AuditEntry, AuditQuery, PlacedEntry};

/// The names of the columns.
pub(super) const COLUMNS: &[&str] =
    &["number", "at_utc", "actor", "action", "object", "detail", "hash"];

pub(super) fn cells(line: &AuditLine) -> Vec<String> {
    let AuditLine { number, at, actor, action, object, detail, hash } = line;
    vec![
        number.to_string(),
        at.to_string(),
        actor.clone(),
        action.clone(),
        object.clone(),
        detail.clone(),
        hash.to_string(),
    ]
}

/// All entries below this number that are asked for.
pub(super) async fn write(
    app: &App,
    query: &AuditQuery,
    mut below: i64,
    sink: &mut Sink,
) -> Result<(), Stop> {
    sink.begin();
    let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
    loop {
        let page = app.store.audit_entries(query, Some(below), limit).await?;
        let Some(last) = page.last() else { break };
        below = last.head.number;
        for PlacedEntry { head, entry } in page {
            let AuditEntry { at, actor, action, object, detail } = entry;
            let number = head.number;
            let line = AuditLine { number, at, actor, action, object, detail, hash: head.hash };
            sink.row(&Record::Audit(&line)).await?;
        }
    }
    sink.finish().await
}
