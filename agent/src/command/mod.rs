//! The commands, one file for each that is more than a few lines.

pub(crate) mod enroll;
pub(crate) mod explain;
mod run;
pub(crate) mod show;

use std::time::Duration;

use serde_json::json;

use crate::cli::{Command, Context, confirm, print, tell};
use crate::error::{Error, exit};
use crate::host::Host;
use crate::now::{Present as _, SystemPresent};
use crate::paths::Paths;
use crate::source::{Platform, Privilege, SOURCES, Source};
use crate::state::{State, StateError};
use crate::status::Status;
use crate::{doctor, state};

/// Runs a command and gives its exit code.
pub(crate) fn run(command: Command, context: &Context) -> Result<u8, Error> {
    match command {
        Command::Enroll(arguments) => enroll::run(&arguments, context),
        Command::Run { join } => run::forever(join.as_deref(), context),
        Command::Once { join } => run::once(join.as_deref(), context),
        #[cfg(windows)]
        Command::Service => run::service(context),
        Command::Show(arguments) => show::run(&arguments, context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Sources { json } => sources(json),
        Command::Status { json } => status(json, context),
        Command::Doctor { json } => examine(json, context),
        Command::PrepareImage { yes } => prepare_image(yes, context),
        Command::Unenroll { yes } => unenroll(yes, context),
        Command::Config { json } => config(json, context),
    }
}

/// A thread that hangs in the kernel, on a dead mount for instance, is not waited for longer.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// Waits for a future on this thread. What it left behind on others does not keep the program.
fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Internal(format!("the runtime did not start: {error}")))?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(THREADS_GRACE);
    result
}

/// Any value as JSON lines for a program.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string_pretty(value)
        .map_err(|error| Error::Internal(format!("the answer could not be written: {error}")))
}

#[expect(clippy::unnecessary_wraps, reason = "the same form as the other commands")]
fn sources(as_json: bool) -> Result<u8, Error> {
    let administrator = |privilege| privilege == Privilege::Administrator;
    if as_json {
        let rows: Vec<_> = SOURCES
            .iter()
            .map(|source| {
                json!({
                    "name": source.name,
                    "section": source.section,
                    "about": source.about,
                    "platforms": source
                        .platforms
                        .iter()
                        .map(|platform| format!("{platform:?}").to_lowercase())
                        .collect::<Vec<_>>(),
                    "needs_administrator": administrator(source.privilege),
                    "programs": source
                        .programs
                        .iter()
                        .map(|program| json!({ "path": program.path, "why": program.why }))
                        .collect::<Vec<_>>(),
                })
            })
            .collect();
        print(&json!({ "schema_version": 1, "sources": rows }).to_string());
        return Ok(exit::OK);
    }
    let here =
        |source: &&Source| Platform::CURRENT.is_some_and(|it| source.platforms.contains(&it));
    for source in SOURCES.iter().filter(here) {
        let rights = if administrator(source.privilege) { " (administrator)" } else { "" };
        let programs = match source.programs {
            [] => String::new(),
            programs => {
                let paths: Vec<_> = programs.iter().map(|program| program.path).collect();
                format!("; runs {}", paths.join(", "))
            }
        };
        print(&format!(
            "{:<10} {:<22} {}{programs}{rights}",
            source.section, source.name, source.about
        ));
    }
    Ok(exit::OK)
}

fn status(as_json: bool, context: &Context) -> Result<u8, Error> {
    let read = |paths: &Paths| {
        Status::read(&paths.status).map_err(|source| {
            Error::State(StateError::Io { what: "reading", path: paths.status.clone(), source })
        })
    };
    let mut status = read(&context.paths)?;
    if status.is_none() && context.config.state.is_none() {
        status = read(&Paths::system())?;
    }
    // The file tells what the last agent knew; a damaged identity keeps the next from starting.
    let damaged = match State::peek_identity(&context.paths.state) {
        Err(error @ StateError::Damaged { .. }) => Some(Error::State(error)),
        _ => None,
    };
    let Some(status) = status else { return Err(damaged.unwrap_or(Error::NotEnrolled)) };
    if as_json {
        print(&to_json(&json!({ "schema_version": 1, "status": status }))?);
    } else {
        print(&status.to_text(SystemPresent.now()));
    }
    if let Some(error) = damaged {
        return Err(error);
    }
    let good = status.device_id.is_some() && !status.revoked && status.last_error.is_none();
    Ok(if good { exit::OK } else { exit::PROBLEMS })
}

fn examine(as_json: bool, context: &Context) -> Result<u8, Error> {
    let checks = block_on(async {
        let (paths, config) = (&context.paths, &context.config);
        Ok(doctor::examine(paths, config, &SystemPresent, &Host::live()).await)
    })?;
    if as_json {
        print(&to_json(&json!({ "schema_version": 1, "checks": checks }))?);
    } else {
        for check in &checks {
            print(&check.to_text());
        }
    }
    let failed = checks.iter().any(|check| check.ok == Some(false));
    Ok(if failed { exit::PROBLEMS } else { exit::OK })
}

fn prepare_image(yes: bool, context: &Context) -> Result<u8, Error> {
    confirm("Remove key, id and all unsent reports, so that each copy enrols by itself?", yes)?;
    erase(context)?;
    tell("Done. Take the image before the agent is enrolled again.");
    Ok(exit::OK)
}

fn unenroll(yes: bool, context: &Context) -> Result<u8, Error> {
    confirm("Forget the enrolment and all unsent reports of this computer?", yes)?;
    erase(context)?;
    tell("Done. The collector keeps the device until a person retires it there.");
    Ok(exit::OK)
}

fn erase(context: &Context) -> Result<(), Error> {
    state::erase(&context.paths.state)?;
    match std::fs::remove_file(&context.paths.status) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            let path = context.paths.status.clone();
            Err(StateError::Io { what: "removing", path, source }.into())
        }
        _ => Ok(()),
    }
}

fn config(as_json: bool, context: &Context) -> Result<u8, Error> {
    let values = context.config.values(&context.paths.state);
    let rows = context.origins.iter().map(|(key, origin)| {
        let value = values.get(key).map(String::as_str).unwrap_or_default();
        (*key, value, origin.to_string())
    });
    if as_json {
        let rows: Vec<_> = rows
            .map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin }))
            .collect();
        print(&to_json(&json!({ "schema_version": 1, "config": rows }))?);
    } else {
        for (key, value, origin) in rows {
            print(&format!("{key:<20} {value:<40} # {origin}"));
        }
    }
    Ok(exit::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_keep_the_program() {
        let done = block_on(async {
            tokio::task::spawn_blocking(|| {
                loop {
                    std::thread::park();
                }
            });
            Ok(7)
        });
        assert_eq!(done.unwrap(), 7);
    }
}
