//! The command line: what can be asked, and how an error ends the program.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::command;
use crate::config::{Config, ConfigError, KEYS, Origin, Raw};
use crate::error::{Error, exit};
use crate::paths::{Paths, is_privileged, usual_config};

const EXAMPLES: &str = "\
Examples:
  rollcall-agent show                 what would be sent, without sending it
  rollcall-agent explain software     what is read for it, and what it tells of people
  rollcall-agent enroll -             paste the join string from the Enrol page
  rollcall-agent once                 look and report now
  rollcall-agent status               enrolled where, last report, next run
  rollcall-agent doctor               why does it not report?

Looks at this computer and tells a Rollcall collector what it found.";

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 problems found, 2 usage or configuration, 3 collector not reached (the
report is kept), 4 refused or not believed, 5 missing rights, 6 something else is in the way,
70 a mistake in the agent.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "rollcall-agent", version, about = EXAMPLES, after_help = EXIT_CODES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Configuration file
    #[arg(long, global = true, env = "ROLLCALL_CONFIG", value_name = "FILE")]
    #[arg(help_heading = "Configuration")]
    config: Option<PathBuf>,
    #[command(flatten)]
    raw: Raw,
}

/// What can be asked.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Enrol this computer at a collector
    Enroll(command::enroll::Arguments),
    /// Check in again and again, as a service does
    Run {
        /// Enrol with this first if the computer is not enrolled (better given as environment)
        #[arg(long, env = "ROLLCALL_JOIN", value_name = "JOIN", hide_env_values = true)]
        join: Option<String>,
    },
    /// Look and report once, now
    Once {
        /// Enrol with this first if the computer is not enrolled (better given as environment)
        #[arg(long, env = "ROLLCALL_JOIN", value_name = "JOIN", hide_env_values = true)]
        join: Option<String>,
    },
    /// Check in again and again, started by the service control manager
    #[cfg(windows)]
    Service,
    /// Show what would be sent
    Show(command::show::Arguments),
    /// Say of one section what is read for it and why, what is missing, and what it tells of people
    Explain(command::explain::Arguments),
    /// List what is looked at on this system, and where; as JSON on every system
    Sources {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show who this device is, its last report and its next run
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check the way to the collector step by step
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove key, id and spool before a disk image is taken
    PrepareImage {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Forget the enrolment and everything not yet sent
    Unenroll {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the effective configuration and where each value comes from
    Config {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// What every command gets.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) paths: Paths,
    /// Where each key's value comes from.
    pub(crate) origins: Vec<(&'static str, Origin)>,
}

/// The command line, as its manual and completions describe it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::USAGE } else { exit::OK });
        }
    };
    match start(&matches) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(&error.explain());
            ExitCode::from(error.exit_code())
        }
    }
}

fn start(matches: &ArgMatches) -> Result<u8, Error> {
    let cli = Cli::from_arg_matches(matches).map_err(|error| Error::Usage(error.to_string()))?;
    let (file, file_path) = read_file(cli.config.as_deref())?;
    let origins = origins(matches, &file, &file_path);
    let config = cli.raw.or(file).resolve()?;
    let environment = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let paths = match &config.state {
        Some(state) => Paths::at(state),
        None => Paths::usual(is_privileged(), environment),
    };
    let log_is_set =
        origins.iter().any(|(key, origin)| *key == "log" && *origin != Origin::Default);
    match &cli.command {
        #[cfg(windows)]
        Command::Service => start_log_file(&config, &paths)?,
        command => start_log(&config, log_is_set || matches!(command, Command::Run { .. })),
    }
    warn_of_secrets(matches);
    command::run(cli.command, &Context { config, paths, origins })
}

fn read_file(named: Option<&Path>) -> Result<(Raw, PathBuf), Error> {
    let path = named.unwrap_or_else(|| usual_config()).to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((Raw::from_toml(&text, &path)?, path)),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok((Raw::default(), path))
        }
        Err(source) => Err(ConfigError::Read { path, source }.into()),
    }
}

fn origins(matches: &ArgMatches, file: &Raw, path: &Path) -> Vec<(&'static str, Origin)> {
    let in_file = [
        file.state.is_some(),
        file.sections_off.is_some(),
        file.home_folders.is_some(),
        file.check_in_interval_s.is_some(),
        file.connect_timeout_s.is_some(),
        file.request_timeout_s.is_some(),
        file.proxy.is_some(),
        file.log.is_some(),
        file.log_format.is_some(),
    ];
    let origin = |(key, in_file): (&&'static str, bool)| {
        let origin = match matches.value_source(key) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => {
                Origin::Environment(format!("ROLLCALL_{}", key.to_ascii_uppercase()))
            }
            _ if in_file => Origin::File(path.to_owned()),
            _ => Origin::Default,
        };
        (*key, origin)
    };
    KEYS.iter().zip(in_file).map(origin).collect()
}

/// Everything on a command line can be read by every user of a computer.
fn warn_of_secrets(matches: &ArgMatches) {
    let Some((_, sub)) = matches.subcommand() else { return };
    let given = matches!(sub.try_contains_id("join"), Ok(true))
        && sub.value_source("join") == Some(ValueSource::CommandLine)
        && sub.get_one::<String>("join").is_some_and(|join| join != "-");
    if given {
        tell(
            "warning: other users of this computer can read a join string on the command line.\n\
             Give it by `rollcall-agent enroll -` or as ROLLCALL_JOIN instead.",
        );
    }
}

fn start_log(config: &Config, wanted: bool) {
    let level = if wanted { config.log.as_str() } else { "error" };
    let level: tracing::Level = level.parse().unwrap_or(tracing::Level::INFO);
    let terminal = io::stderr().is_terminal();
    let text = match config.log_format.as_str() {
        "json" => false,
        "text" => true,
        _ => terminal,
    };
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_ansi(terminal);
    // Another subscriber is there only in tests.
    let _ = if text { builder.with_target(false).try_init() } else { builder.json().try_init() };
}

/// A service of Windows has nobody who reads its standard error: its log is a file in the state
/// folder, and the one before it.
#[cfg(windows)]
fn start_log_file(config: &Config, paths: &Paths) -> Result<(), Error> {
    const LOG_LIMIT_BYTES: u64 = 1024 * 1024;
    crate::disk::private_folder(&paths.state).map_err(crate::state::StateError::from)?;
    let path = paths.state.join("agent.log");
    if std::fs::metadata(&path).is_ok_and(|data| data.len() > LOG_LIMIT_BYTES) {
        let _ = std::fs::rename(&path, paths.state.join("agent.log.old"));
    }
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|source| crate::state::StateError::Io { what: "writing", path, source })?;
    let level: tracing::Level = config.log.parse().unwrap_or(tracing::Level::INFO);
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::sync::Mutex::new(file))
        .with_ansi(false);
    let json = config.log_format == "json";
    let _ = if json { builder.json().try_init() } else { builder.with_target(false).try_init() };
    Ok(())
}

/// Prints data. A reader that went away is no error.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
}

/// Prints a message for a person.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Asks for a yes; without a terminal `--yes` is needed.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::Usage(format!("{question} There is no terminal to ask: add --yes")));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let mut line = String::new();
    let _ = io::stdin().read_line(&mut line);
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Error::Usage("nothing was changed".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_come_first_in_the_help() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.starts_with("Examples:"), "{help}");
        assert!(help.contains("Exit codes:"));
    }
}
