//! `run` and `once`: check-ins, until stopped or a single one.

use rollcall_shared::join::JoinString;

use super::{block_on, enroll};
use crate::agent::Agent;
use crate::cli::{Context, print, tell};
use crate::error::{Error, exit};

pub(super) fn once(join: Option<&str>, context: &Context) -> Result<u8, Error> {
    let mut agent = open(context)?;
    block_on(async {
        enroll_first(&mut agent, join).await?;
        let result = agent.once().await;
        agent.publish_status(result.as_ref().err(), None);
        let outcome = result?;
        if let Some(report_id) = outcome.report_id {
            print(&report_id.to_string());
        }
        tell(&format!("{} stored, {} rejected.", outcome.stored, outcome.rejected.len()));
        for why in &outcome.rejected {
            tell(&format!("rejected: {why}"));
        }
        Ok(if outcome.rejected.is_empty() { exit::OK } else { exit::PROBLEMS })
    })
}

pub(super) fn forever(join: Option<&str>, context: &Context) -> Result<u8, Error> {
    let mut agent = open(context)?;
    block_on(async {
        enroll_first(&mut agent, join).await?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
        agent.run(stop_signal()).await?;
        tracing::info!("the agent stops");
        Ok(exit::OK)
    })
}

fn open(context: &Context) -> Result<Agent, Error> {
    Agent::open(context.paths.clone(), context.config.clone())
}

async fn enroll_first(agent: &mut Agent, join: Option<&str>) -> Result<(), Error> {
    let Some(join) = join else { return Ok(()) };
    if agent.identity().is_some() {
        return Ok(());
    }
    let join: JoinString = join.parse()?;
    let outcome = agent.enroll(&join).await?;
    enroll::tell_outcome(&outcome);
    Ok(())
}

/// Ends when the system or a person asks the agent to stop.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        if let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
