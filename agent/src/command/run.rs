//! `run` and `once`: check-ins, until stopped or a single one.

use std::sync::Arc;

use rollcall_shared::join::JoinString;

use super::{block_on, enroll};
use crate::agent::Agent;
use crate::cli::{Context, print, tell};
use crate::error::{Error, exit};
use crate::join_file::{self, Without};
use crate::service::Manager;

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
        let manager = Arc::new(Manager::started_by());
        manager.ready();
        let alive = tokio::spawn(signs_of_life(Arc::clone(&manager)));
        let result = check_in(agent, context, Without::Refuse, &manager, stop_signal()).await;
        alive.abort();
        manager.stopping();
        result?;
        tracing::info!("the agent stops");
        Ok(exit::OK)
    })
}

/// What the service control manager of Windows starts.
#[cfg(windows)]
pub(super) fn service(context: &Context) -> Result<u8, Error> {
    let agent = open(context)?;
    let context = context.clone();
    let work = move |mut stopped: tokio::sync::watch::Receiver<bool>| {
        let shutdown = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let manager = Arc::new(Manager::started_by());
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
        match block_on(check_in(agent, &context, Without::Wait, &manager, shutdown)) {
            Ok(()) => exit::OK,
            Err(error) => {
                tracing::error!(%error, "the agent ends");
                error.exit_code()
            }
        }
    };
    crate::service::windows::serve(Box::new(work)).map_err(|error| {
        Error::Usage(format!(
            "only the service control manager starts this command (`sc start {}`): {error}",
            crate::service::windows::NAME
        ))
    })?;
    Ok(exit::OK)
}

/// Enrols with a join string in the state folder if need be, then checks in until it is stopped.
async fn check_in(
    agent: Agent,
    context: &Context,
    without: Without,
    manager: &Arc<Manager>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    tokio::pin!(shutdown);
    let enrolled = join_file::enrolled(agent, || open(context), without, join_file::LOOK_EVERY);
    let mut agent = tokio::select! {
        enrolled = enrolled => enrolled?,
        () = &mut shutdown => return Ok(()),
    };
    agent.tell_to(Arc::clone(manager));
    agent.run(shutdown).await
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

/// Tells the service manager that the loop goes round, as often as it wants to hear.
async fn signs_of_life(manager: Arc<Manager>) {
    let Some(interval) = manager.interval() else { return };
    loop {
        manager.alive();
        tokio::time::sleep(interval).await;
    }
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
