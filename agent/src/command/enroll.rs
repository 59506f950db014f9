//! `enroll`: reads the join string from where it is not seen by others, and enrols.

use std::io::{self, IsTerminal as _, Read as _, Write as _};

use clap::Args;
use rollcall_shared::api::enroll::EnrollStatus;
use rollcall_shared::join::JoinString;

use super::block_on;
use crate::agent::{Agent, EnrollOutcome};
use crate::cli::{Context, print, tell};
use crate::error::{Error, exit};

/// A join string is far shorter.
const LINE_LIMIT_BYTES: u64 = 4096;

/// What `enroll` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The join string of the Enrol page, or `-` to read it from standard input
    #[arg(env = "ROLLCALL_JOIN", hide_env_values = true, value_name = "JOIN")]
    join: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<u8, Error> {
    let line = match arguments.join.as_deref() {
        Some("-") | None => read_line()?,
        Some(join) => join.to_owned(),
    };
    let join: JoinString = line.parse()?;
    let mut agent = Agent::open(context.paths.clone(), context.config.clone())?;
    let outcome = block_on(agent.enroll(&join))?;
    agent.publish_status(None, None);
    if arguments.json {
        let EnrollOutcome { device_id, status, url } = &outcome;
        let status = status.as_str();
        print(
            &serde_json::json!({
                "schema_version": 1, "device_id": device_id, "status": status, "url": url
            })
            .to_string(),
        );
    } else {
        print(&outcome.device_id.to_string());
    }
    tell_outcome(&outcome);
    Ok(exit::OK)
}

pub(super) fn tell_outcome(outcome: &EnrollOutcome) {
    tell(&format!("Enrolled at {}.", outcome.url));
    if outcome.status == EnrollStatus::Pending {
        tell("A person must approve this device on the collector before its reports are shown.");
    }
    tell("Next: `rollcall-agent once`, or start the service.");
}

fn read_line() -> Result<String, Error> {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr(), "Paste the join string: ");
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        return Ok(line);
    }
    let mut text = String::new();
    io::stdin()
        .take(LINE_LIMIT_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Error::Usage(format!("standard input could not be read: {error}")))?;
    Ok(text)
}
