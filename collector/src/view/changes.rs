//! What changed lately in the fleet.

use rollcall_shared::api::change::Change;

use super::Error;
use crate::app::App;

/// Most changes of one answer.
const HIGHEST_LIMIT: u32 = 500;

/// The newest changes of all devices, newest first, at most `limit`.
pub async fn recent(app: &App, limit: u32) -> Result<Vec<Change>, Error> {
    app.fleet.ready().await;
    let limit = limit.clamp(1, HIGHEST_LIMIT);
    let mut changes: Vec<Change> = Vec::new();
    for (device, at) in app.store.recently_changed(limit).await? {
        let Some((id, hostname)) = app
            .fleet
            .read()
            .entry(device)
            .map(|entry| (entry.row.id, entry.row.summary.hostname.clone()))
        else {
            continue;
        };
        let mut of_report = app.store.changes(device, Some(at.plus_ms(1)), 1).await?;
        of_report.retain(|change| change.at == at);
        for change in &mut of_report {
            change.device_id = id;
            change.hostname.clone_from(&hostname);
        }
        changes.append(&mut of_report);
        if changes.len() >= limit as usize {
            break;
        }
    }
    changes.truncate(limit as usize);
    Ok(changes)
}
