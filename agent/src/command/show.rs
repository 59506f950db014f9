//! `show`: what would be sent. Needs no rights, no state and no collector.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Context, print};
use crate::error::{Error, exit};
use crate::gather::gather;
use crate::host::Host;
use crate::now::{Present as _, SystemPresent};
use crate::report::{Naming, assemble};
use crate::state::State;
use crate::{settings, show};

/// What `show` takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Only this section or part, e.g. `software`, `vitals`, `hardware_ids`
    section: Option<String>,
    /// The bytes that are sent
    #[arg(long)]
    json: bool,
    /// Look at a system mounted here instead of the running one
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<u8, Error> {
    let host = arguments.root.as_ref().map_or_else(Host::live, Host::at);
    // What the collector switched off is not sent, so it is not shown either.
    let asked = State::peek_settings(&context.paths.state);
    let options = settings::options(&context.config, &asked);
    let naming = Naming {
        report_id: SystemPresent.report_id(),
        seq: 0,
        observed_at: SystemPresent.now(),
        dropped_reports: 0,
    };
    let report = assemble(gather(&host, &options), naming);
    let unwritable = |error| Error::Internal(format!("the report could not be written: {error}"));
    let Some(name) = &arguments.section else {
        if arguments.json {
            print(&serde_json::to_string(&report).map_err(unwritable)?);
        } else {
            print(&show::to_text(&report, None));
        }
        return Ok(exit::OK);
    };
    if let Some(part) = show::other_part(&report, name) {
        let part = part.map_err(unwritable)?;
        print(&if arguments.json { part } else { show::to_text(&report, Some(name)) });
        return Ok(exit::OK);
    }
    let Some(state) = report.sections.get(name) else {
        let sections = report.sections.keys().map(String::as_str);
        let known: Vec<&str> = sections.chain(show::OTHER_PARTS).collect();
        return Err(Error::Usage(format!(
            "there is no section `{name}`; there are {}",
            known.join(", ")
        )));
    };
    if !arguments.json {
        print(&show::to_text(&report, Some(name)));
    } else if let Some(body) = &state.body {
        print(body.get());
    } else {
        print(&super::to_json(&state.notes)?);
    }
    Ok(if state.body.is_some() { exit::OK } else { exit::PROBLEMS })
}
