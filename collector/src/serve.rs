//! `rollcall serve`: the collector as a service, from a configuration.

use rollcall_agent::service::Manager;

use crate::cli::Settings;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::http::setup;
use crate::{journal, start};

/// Runs until the system asks it to stop.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let config = settings.resolve()?;
    crate::logging::start(config.log_format, &config.log_level);
    let _folder = Folder::take(&config.data)?;
    let started = start::start(&config, Clock::system()).await?;
    let stop = start::asked_to_stop();
    let app = started.app.clone();
    tracing::info!(
        listen = %started.bound,
        url = app.public_url,
        database = app.store.backend(),
        version = env!("CARGO_PKG_VERSION"),
        "the collector runs"
    );
    let manager = Manager::started_by();
    manager.ready();
    if setup::setup_pending(&app).await? {
        if journal::is_printed_to() {
            tracing::info!(
                "there is no administrator yet: `sudo rollcall set-up` on this computer prints the \
                 link that makes the first"
            );
        } else {
            // To standard output, not to the log: the link is a secret.
            crate::cli::say(format_args!(
                "Make the first administrator within 24 hours:\n{}",
                setup::new_link(&app).await?
            ));
        }
    }
    started
        .run(async {
            stop.await;
            manager.stopping();
        })
        .await?;
    tracing::info!("the collector stopped");
    Ok(())
}
