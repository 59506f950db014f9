//! The command line: what can be asked, and which function answers.

mod audit;
mod backup;
mod doctor;
mod health;
mod migrate;
mod set_up;
mod token;
mod user;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::app::App;
use crate::config::{Config, Raw};
use crate::failure::{Exit, Failure};
use crate::store::Store;
use crate::{folder, serve, up};

/// Keeps the inventory of your computers: what they are, what they run, what changed.
#[derive(Debug, Parser)]
#[command(
    name = "rollcall",
    version,
    after_help = "Begin with `rollcall up`: it needs no configuration and prints what to do next."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start here: a complete collector on this computer, without any configuration
    Up(up::Options),
    /// Run the collector from a configuration, as a service does
    Serve(Settings),
    /// Make a new link for the first administrator
    SetUp(set_up::Options),
    /// Show the configuration in effect and where each value comes from
    Config(Settings),
    /// Make, list and revoke enrolment tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Make accounts, list them, give new passwords
    #[command(subcommand)]
    User(user::Command),
    /// Hold the audit log against its own chain
    #[command(subcommand)]
    Audit(audit::Command),
    /// Ask whether a collector works
    Health(health::Options),
    /// Look whether the tables and the certificate are well; changes nothing
    Doctor(doctor::Options),
    /// Bring the tables up to date, or say what that would do
    Migrate(migrate::Options),
    /// Copy a running collector on SQLite into a new folder
    Backup(backup::Backup),
    /// Read a backup, or the collector's own tables, back to their beginning
    Verify(backup::Verify),
    /// Make a data folder from a backup
    Restore(backup::Restore),
}

/// The configuration file and what overrides it.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Configuration file
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    raw: Raw,
}

impl Settings {
    /// The configuration in effect.
    pub fn resolve(&self) -> Result<Config, Failure> {
        let file = self.config.as_deref().map(Raw::read).transpose()?.unwrap_or_default();
        self.raw.clone().or(file).resolve()
    }
}

/// The configuration of the system's own collector.
const SERVICE_CONFIG: &str = "/etc/rollcall/collector.toml";

/// Which collector's data an administrative command works on.
#[derive(Debug, Clone, Args)]
pub(crate) struct Where {
    /// Configuration file of `rollcall serve`
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
    /// Data folder of `rollcall up`. When neither is named: ./rollcall-data where it is there, else
    /// what /etc/rollcall/collector.toml says
    #[arg(long, value_name = "FOLDER", env = "ROLLCALL_DATA")]
    data: Option<PathBuf>,
    /// Database, when it is not in the data folder
    #[arg(long, value_name = "URL", env = "ROLLCALL_DATABASE", hide_env_values = true)]
    database: Option<String>,
}

impl Where {
    fn resolve(&self) -> Result<Config, Failure> {
        self.resolve_with(Path::new(folder::USUAL), Path::new(SERVICE_CONFIG))
    }

    /// `tried` is the folder of `rollcall up`, `service` the file of the system's collector.
    fn resolve_with(&self, tried: &Path, service: &Path) -> Result<Config, Failure> {
        let flags =
            Raw { data: self.data.clone(), database: self.database.clone(), ..Raw::default() };
        let usual = match (&self.config, &self.data) {
            (None, None) if !tried.exists() && service.exists() => Some(service),
            (config, _) => config.as_deref(),
        };
        let Some(file) = usual else {
            let folder = Raw { data: Some(tried.to_owned()), ..Raw::default() };
            return flags.or(folder).resolve();
        };
        flags.or(Raw::read(file)?).resolve()
    }

    /// The collector's tables and what its join strings carry, without a listener.
    async fn open(&self) -> Result<App, Failure> {
        let config = self.resolve()?;
        let missing = config.database.strip_prefix("sqlite:").map(PathBuf::from);
        if let Some(path) = missing.filter(|path| !path.exists()) {
            return Err(Failure::new(
                Exit::Usage,
                format!("there is no collector's database at {}", path.display()),
            )
            .next("Name its folder with --data or its file with --config, or run `rollcall up`."));
        }
        let store = Store::open(&config.database).await?;
        crate::start::beside(&config, store).await
    }
}

/// The command line, as its manual and completions describe it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the arguments name; the exit code.
pub fn main() -> u8 {
    let matches = Cli::command().get_matches();
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command, &matches)),
        Err(error) => Err(Failure::of(Exit::Internal, &error)),
    };
    match ended {
        Ok(()) => 0,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "rollcall: {failure}");
            failure.exit as u8
        }
    }
}

async fn run(command: Command, matches: &ArgMatches) -> Result<(), Failure> {
    match command {
        Command::Up(options) => up::run(options).await,
        Command::Serve(settings) => serve::run(&settings).await,
        Command::SetUp(options) => set_up::run(&options).await,
        Command::Config(settings) => show_config(&settings, matches.subcommand_matches("config")),
        Command::Token(command) => token::run(command).await,
        Command::User(command) => user::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Health(options) => health::run(&options).await,
        Command::Doctor(options) => doctor::run(&options).await,
        Command::Migrate(options) => migrate::run(&options).await,
        Command::Backup(options) => backup::make(&options).await,
        Command::Verify(options) => backup::verify(&options).await,
        Command::Restore(options) => backup::restore(&options).await,
    }
}

/// Writes a line to standard output; a closed pipe ends it quietly.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn show_config(settings: &Settings, matches: Option<&ArgMatches>) -> Result<(), Failure> {
    let file = settings.config.as_deref().map(Raw::read).transpose()?.unwrap_or_default();
    let from_file = file.values();
    let merged = settings.raw.clone().or(file).or(Raw::defaults());
    let values = merged.values();
    for key in Raw::keys() {
        let origin = match matches.and_then(|matches| matches.value_source(key)) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ if from_file.contains_key(key) => "file",
            _ => "default",
        };
        let value = match values.get(key) {
            Some(value) if key == "database" => crate::config::without_password(value),
            Some(value) => value.clone(),
            None => continue,
        };
        say(format_args!("{:<44} # {origin}", format!("{key} = {value}")));
    }
    settings.resolve().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_folder_tried_out_comes_before_the_service() {
        let outer = tempfile::tempdir().unwrap();
        let (tried, service) = (outer.path().join("tried"), outer.path().join("service.toml"));
        let of = |config: Option<&Path>, data: Option<&Path>| {
            let place = Where {
                config: config.map(Path::to_owned),
                data: data.map(Path::to_owned),
                database: None,
            };
            place.resolve_with(&tried, &service).unwrap().data
        };
        assert_eq!(of(None, None), tried, "neither is there");
        std::fs::write(&service, "data = \"/srv/rollcall\"").unwrap();
        assert_eq!(of(None, None), Path::new("/srv/rollcall"));
        assert_eq!(of(Some(&service), None), Path::new("/srv/rollcall"));
        assert_eq!(of(None, Some(Path::new("/named"))), Path::new("/named"));
        std::fs::create_dir(&tried).unwrap();
        assert_eq!(of(None, None), tried);
    }
}
