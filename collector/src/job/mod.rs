//! What happens by itself: each job is a function of the app and the time.

pub mod evaluate;
pub mod load;
pub mod retain;

use std::time::Duration;

use rollcall_shared::time::HOUR_MS;
use tokio::task::JoinHandle;

use crate::app::App;

/// How often devices that went silent are looked for.
const SILENT_EVERY: Duration = Duration::from_secs(60);
/// How often every device is judged again.
const SWEEP_EVERY_MS: i64 = HOUR_MS;

/// Starts all jobs: reads the fleet into memory at once, then judges it, then keeps judging it.
/// Abort the handle to stop them; no job leaves anything half done in the tables.
pub fn spawn(app: &App) -> JoinHandle<()> {
    app.fleet.begin_loading();
    let app = app.clone();
    tokio::spawn(async move {
        load::until_loaded(&app).await;
        let mut swept_at = None;
        let mut looked_at = app.clock.now();
        loop {
            let now = app.clock.now();
            let due = swept_at.is_none_or(|at| now.since(at) >= SWEEP_EVERY_MS);
            let done = if due {
                match evaluate::sweep(&app, now).await {
                    Ok(()) => retain::run(&app, now).await,
                    failed => failed,
                }
            } else {
                evaluate::sweep_silent(&app, looked_at, now).await
            };
            match done {
                Ok(()) => {
                    looked_at = now;
                    if due {
                        swept_at = Some(now);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "devices could not be judged; tried again in a minute");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(SILENT_EVERY) => {}
                () = app.fleet.judging_asked() => swept_at = None,
            }
        }
    })
}
