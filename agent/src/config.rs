//! Configuration: defaults < file < environment < flags, and where each value came from.
//!
//! One struct of options is read from the file, the environment and the command line alike.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::proxy;

/// The example file, which is also the documentation of every key.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// What one layer says; absent is left to the layer below.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Args)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Configuration")]
pub struct Raw {
    /// State folder
    #[arg(long, global = true, env = "ROLLCALL_STATE", value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Sections not to look at, whatever the collector says, e.g. `user,network`
    #[arg(long, global = true, env = "ROLLCALL_SECTIONS_OFF", value_delimiter = ',')]
    #[arg(value_name = "SECTIONS")]
    pub sections_off: Option<Vec<String>>,
    /// Look into the homes of people for extensions of browsers and editors, for virtual machines,
    /// and on Windows for packages of languages
    #[arg(long, global = true, env = "ROLLCALL_HOME_FOLDERS", value_name = "YES_OR_NO")]
    pub home_folders: Option<bool>,
    /// Seconds between check-ins, instead of what the collector says
    #[arg(long, global = true, env = "ROLLCALL_CHECK_IN_INTERVAL_S", value_name = "SECONDS")]
    pub check_in_interval_s: Option<u32>,
    /// Seconds that finding and connecting to the collector may take, each
    #[arg(long, global = true, env = "ROLLCALL_CONNECT_TIMEOUT_S", value_name = "SECONDS")]
    pub connect_timeout_s: Option<u32>,
    /// Seconds that one request may take
    #[arg(long, global = true, env = "ROLLCALL_REQUEST_TIMEOUT_S", value_name = "SECONDS")]
    pub request_timeout_s: Option<u32>,
    /// Proxy on the way to the collector, `none` for no proxy whatever the environment says
    /// (better given as environment or in the file when it holds a password)
    #[arg(long, global = true, env = "ROLLCALL_PROXY", value_name = "URL", hide_env_values = true)]
    #[arg(value_parser = |text: &str| Ok::<_, std::convert::Infallible>(proxy::Setting::from(text)))]
    pub proxy: Option<proxy::Setting>,
    /// What is told on stderr: error, warn, info, debug or trace
    #[arg(long, global = true, env = "ROLLCALL_LOG", value_name = "LEVEL")]
    pub log: Option<String>,
    /// How it is told: auto, text or json
    #[arg(long, global = true, env = "ROLLCALL_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
}

/// The keys, in the order in which `config` prints them.
pub const KEYS: &[&str] = &[
    "state",
    "sections_off",
    "home_folders",
    "check_in_interval_s",
    "connect_timeout_s",
    "request_timeout_s",
    "proxy",
    "log",
    "log_format",
];

impl Raw {
    /// This layer over another.
    #[must_use]
    pub fn or(self, below: Self) -> Self {
        Self {
            state: self.state.or(below.state),
            sections_off: self.sections_off.or(below.sections_off),
            home_folders: self.home_folders.or(below.home_folders),
            check_in_interval_s: self.check_in_interval_s.or(below.check_in_interval_s),
            connect_timeout_s: self.connect_timeout_s.or(below.connect_timeout_s),
            request_timeout_s: self.request_timeout_s.or(below.request_timeout_s),
            proxy: self.proxy.or(below.proxy),
            log: self.log.or(below.log),
            log_format: self.log_format.or(below.log_format),
        }
    }

    /// Reads the text of a configuration file.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let damaged = |error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            why: error.message().to_owned(),
        };
        let table: toml::Table = toml::from_str(text).map_err(damaged)?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                key: key.clone(),
                suggestion: Suggestion(nearest(key, KEYS)),
            });
        }
        toml::from_str(text).map_err(damaged)
    }

    /// Checks every value and fills in the defaults.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let defaults = Config::default();
        let seconds =
            |key, value: Option<u32>, range: std::ops::RangeInclusive<u32>, default| match value {
                None => Ok(default),
                Some(value) if range.contains(&value) => Ok(value),
                Some(value) => Err(ConfigError::Value {
                    key,
                    value: value.to_string(),
                    allowed: format!("{} to {} seconds", range.start(), range.end()),
                }),
            };
        let check_in_interval_s = self
            .check_in_interval_s
            .map(|value| seconds("check_in_interval_s", Some(value), 60..=86_400, value))
            .transpose()?;
        let sections_off = self.sections_off.unwrap_or_default();
        let known: Vec<&str> =
            rollcall_shared::section::SECTIONS.iter().map(|info| info.name).collect();
        if let Some(name) = sections_off.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(ConfigError::Value {
                key: "sections_off",
                value: name.clone(),
                allowed: format!("names of sections: {}", known.join(", ")),
            });
        }
        Ok(Config {
            state: self.state.filter(|path| !path.as_os_str().is_empty()),
            sections_off,
            home_folders: self.home_folders.unwrap_or(defaults.home_folders),
            check_in_interval_s,
            connect_timeout_s: seconds(
                "connect_timeout_s",
                self.connect_timeout_s,
                1..=600,
                defaults.connect_timeout_s,
            )?,
            request_timeout_s: seconds(
                "request_timeout_s",
                self.request_timeout_s,
                1..=3600,
                defaults.request_timeout_s,
            )?,
            proxy: match self.proxy.filter(|proxy| !proxy.as_str().is_empty()) {
                Some(proxy)
                    if proxy.as_str() != proxy::NONE
                        && proxy::Proxy::parse(proxy.as_str()).is_err() =>
                {
                    return Err(ConfigError::Value {
                        key: "proxy",
                        value: format!("{proxy:?}"),
                        allowed: "http://name:password@host:port, none".to_owned(),
                    });
                }
                proxy => proxy,
            },
            log: one_of("log", self.log, &["error", "warn", "info", "debug", "trace"])?
                .unwrap_or(defaults.log),
            log_format: one_of("log_format", self.log_format, &["auto", "text", "json"])?
                .unwrap_or(defaults.log_format),
        })
    }
}

fn one_of(
    key: &'static str,
    value: Option<String>,
    allowed: &[&str],
) -> Result<Option<String>, ConfigError> {
    match value {
        Some(value) if !allowed.contains(&value.as_str()) => {
            Err(ConfigError::Value { key, value, allowed: allowed.join(", ") })
        }
        value => Ok(value),
    }
}

fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |name: &str| strsim::damerau_levenshtein(key, name);
    let near_enough = key.len() / 3 + 1;
    let nearest = known.iter().copied().min_by_key(|name| distance(name));
    nearest.filter(|name| distance(name) <= near_enough)
}

/// The effective configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// State folder; the usual one when absent.
    pub state: Option<PathBuf>,
    /// Sections not to look at, whatever the collector says.
    pub sections_off: Vec<String>,
    /// Whether the homes of people are looked into for extensions of browsers and editors, for
    /// virtual machines, and on Windows for packages of languages.
    pub home_folders: bool,
    /// Seconds between check-ins; what the collector says when absent.
    pub check_in_interval_s: Option<u32>,
    /// Seconds that finding and connecting to the collector may take, each.
    pub connect_timeout_s: u32,
    /// Seconds that one request may take.
    pub request_timeout_s: u32,
    /// The proxy on the way to the collector; `none` for no proxy, and absent when the environment
    /// decides. It may hold a password.
    pub proxy: Option<proxy::Setting>,
    /// What is told on stderr.
    pub log: String,
    /// How it is told.
    pub log_format: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state: None,
            sections_off: Vec::new(),
            home_folders: false,
            check_in_interval_s: None,
            connect_timeout_s: 10,
            request_timeout_s: 60,
            proxy: None,
            log: "info".to_owned(),
            log_format: "auto".to_owned(),
        }
    }
}

/// A variable of this process's environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

impl Config {
    /// Every key with its effective value.
    pub fn values(&self, state: &Path) -> BTreeMap<&'static str, String> {
        let interval = self.check_in_interval_s.map(|seconds| seconds.to_string());
        BTreeMap::from([
            ("state", state.display().to_string()),
            ("sections_off", self.sections_off.join(",")),
            ("home_folders", self.home_folders.to_string()),
            ("check_in_interval_s", interval.unwrap_or_else(|| "as the collector says".into())),
            ("connect_timeout_s", self.connect_timeout_s.to_string()),
            ("request_timeout_s", self.request_timeout_s.to_string()),
            (
                "proxy",
                self.proxy
                    .as_ref()
                    .map_or_else(|| "as HTTPS_PROXY says".to_owned(), |proxy| format!("{proxy:?}")),
            ),
            ("log", self.log.clone()),
            ("log_format", self.log_format.clone()),
        ])
    }
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading the configuration {path} failed")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML or holds a value of the wrong kind.
    #[error("the configuration {path} is wrong: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file holds a key that means nothing.
    #[error("the configuration {path} has an unknown key `{key}`{suggestion}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What was probably meant.
        suggestion: Suggestion,
    },
    /// A value is out of its range.
    #[error("`{key}` cannot be `{value}`; allowed are {allowed}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What would be right.
        allowed: String,
    },
}

/// The known key nearest to an unknown one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion(Option<&'static str>);

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |key| write!(f, "; did you mean `{key}`?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Raw, ConfigError> {
        Raw::from_toml(text, Path::new("agent.toml"))
    }

    #[test]
    fn the_example_equals_the_defaults() {
        assert_eq!(read(EXAMPLE).unwrap().resolve().unwrap(), Config::default());
        // Keys whose default is "absent" stand there commented out; they must be right as well.
        let all: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if KEYS.iter().any(|key| rest.starts_with(&format!("{key} ="))) => rest,
                _ => line,
            })
            .fold(String::new(), |text, line| text + line + "\n");
        read(&all).unwrap().resolve().unwrap();
        for key in KEYS {
            assert!(all.lines().any(|line| line.starts_with(&format!("{key} ="))), "{key}");
        }
    }

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let error = read("section_off = []").unwrap_err();
        assert!(error.to_string().ends_with("did you mean `sections_off`?"), "{error}");
        let error = read("colour = 1").unwrap_err().to_string();
        assert!(error.ends_with("unknown key `colour`"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_errors() {
        for text in [
            "check_in_interval_s = 1",
            "connect_timeout_s = 0",
            "sections_off = ['softwar']",
            "log = 'loud'",
            "log_format = 'xml'",
        ] {
            let error = read(text).unwrap().resolve().unwrap_err();
            assert!(error.to_string().contains("allowed are"), "{error}");
        }
        assert!(matches!(read("log = 1"), Err(ConfigError::Syntax { .. })));
        assert!(matches!(read("log = "), Err(ConfigError::Syntax { .. })));
    }

    #[test]
    fn a_higher_layer_wins() {
        let high = Raw { log: Some("debug".into()), ..Raw::default() };
        let low = read("log = 'error'\nrequest_timeout_s = 5").unwrap();
        let config = high.or(low).resolve().unwrap();
        assert_eq!((config.log.as_str(), config.request_timeout_s), ("debug", 5));
    }
}
