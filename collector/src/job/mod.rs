//! What happens by itself: each job is a function of the app and the time.

mod audit_head;
pub mod evaluate;
pub mod follow;
pub mod load;
pub mod retain;
pub mod units;

use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::time::{HOUR_MS, MINUTE_MS};
use tokio::task::JoinHandle;

use crate::app::App;
use crate::store;

/// How often devices that went silent are looked for.
const SILENT_EVERY: Duration = Duration::from_secs(60);
/// How often every device is judged again.
const SWEEP_EVERY_MS: i64 = HOUR_MS;

/// Of several collectors on one database, the one that holds this judges.
const JUDGE: &str = "judge";
/// How long a collector that went away keeps the others from judging.
const JUDGE_FOR_MS: i64 = 3 * MINUTE_MS;

/// Starts all jobs: reads the fleet into memory at once, then judges it, then keeps judging it; and
/// follows what others write. Abort the handle to stop them; no job leaves anything half done in
/// the tables.
pub fn spawn(app: &App) -> JoinHandle<()> {
    app.fleet.begin_loading();
    let app = app.clone();
    tokio::spawn(async move {
        let judged = async {
            load::until_loaded(&app).await;
            judge(&app).await;
        };
        tokio::join!(judged, follow::run(&app), audit_head::run(&app));
    })
}

async fn judge(app: &App) {
    let mut swept_at = None;
    let mut looked_at = app.clock.now();
    loop {
        let now = app.clock.now();
        let due = swept_at.is_none_or(|at| now.since(at) >= SWEEP_EVERY_MS);
        match judge_once(app, due, looked_at, now).await {
            Ok(true) => {
                looked_at = now;
                if due {
                    swept_at = Some(now);
                }
            }
            // Whoever takes over from another judges everything once.
            Ok(false) => swept_at = None,
            Err(error) => {
                tracing::warn!(%error, "devices could not be judged; tried again in a minute");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(SILENT_EVERY) => {}
            () = app.fleet.judging_asked() => swept_at = None,
        }
    }
}

/// `false`: another collector does it.
async fn judge_once(
    app: &App,
    all: bool,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, store::Error> {
    if !app.store.take_lease(JUDGE, now, now.plus_ms(JUDGE_FOR_MS)).await? {
        return Ok(false);
    }
    if all {
        evaluate::sweep(app, now).await?;
        retain::run(app, now).await?;
    } else {
        evaluate::sweep_silent(app, since, now).await?;
    }
    Ok(true)
}
