//! Once a day the newest place of the audit log is written into the system's log: whoever keeps
//! that log elsewhere can tell whether the audit log was written anew.

use std::time::Duration;

use rollcall_shared::time::DAY_MS;

use crate::app::App;
use crate::store;

/// How often the date is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// At the start and at the first minute of each day (UTC).
pub(super) async fn run(app: &App) {
    let mut told = None;
    loop {
        let today = app.clock.now().0.div_euclid(DAY_MS);
        if told != Some(today) {
            match tell(app).await {
                Ok(()) => told = Some(today),
                Err(error) => tracing::warn!(%error, "the audit log could not be read"),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn tell(app: &App) -> Result<(), store::Error> {
    if let Some(head) = app.store.audit_head().await? {
        tracing::info!(
            audit.entry = head.number,
            audit.hash = %head.hash,
            "the audit log's newest entry; `rollcall audit verify --kept {head}` holds the log \
             against it"
        );
    }
    Ok(())
}
