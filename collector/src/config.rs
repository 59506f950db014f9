//! The collector's configuration: defaults, then a file, then `ROLLCALL_*`, then flags.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure};
use crate::tls::Files;

/// What may stand in the file, the environment and the flags; everything may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT", env = "ROLLCALL_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Folder for the database, the certificate authority and its keys
    #[arg(long, value_name = "FOLDER", env = "ROLLCALL_DATA")]
    pub data: Option<PathBuf>,
    /// Database: `sqlite:PATH` or `postgres://USER@SERVER/NAME`
    #[arg(long, value_name = "URL", env = "ROLLCALL_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Address that agents and people use, when it differs from the one listened on
    #[arg(long, value_name = "URL", env = "ROLLCALL_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Certificate file (PEM); without it Rollcall makes its own certificate authority
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CERTIFICATE")]
    pub certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CERTIFICATE_KEY")]
    pub certificate_key: Option<PathBuf>,
    /// Who speaks TLS: `own` (Rollcall) or `proxy` (a proxy in front of it)
    #[arg(long, value_name = "WHO", env = "ROLLCALL_TLS")]
    pub tls: Option<TlsBy>,
    /// Proxies whose forwarded headers are believed
    #[arg(
        long = "trusted-proxy",
        value_name = "ADDRESS",
        env = "ROLLCALL_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    pub trusted_proxies: Option<Vec<IpAddr>>,
    /// How log lines look
    #[arg(long, value_name = "FORM", env = "ROLLCALL_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "ROLLCALL_LOG_LEVEL")]
    pub log_level: Option<String>,
    /// Connections at the same time
    #[arg(long, value_name = "NUMBER", env = "ROLLCALL_CONNECTIONS")]
    pub connections: Option<usize>,
    /// Connections at the same time from one address
    #[arg(long, value_name = "NUMBER", env = "ROLLCALL_CONNECTIONS_PER_ADDRESS")]
    pub connections_per_address: Option<usize>,
    /// File of the key that second factors are sealed with; secret.key in the data folder when none
    /// is named, and made there at the first start
    #[arg(long, value_name = "FILE", env = "ROLLCALL_SECRET_KEY")]
    pub secret_key: Option<PathBuf>,
    /// Address and port for figures in the form of Prometheus; of this computer only
    #[arg(long, value_name = "ADDRESS:PORT", env = "ROLLCALL_METRICS")]
    pub metrics: Option<SocketAddr>,
}

/// Who speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsBy {
    /// Rollcall itself
    Own,
    /// A proxy in front of it
    Proxy,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people
    Text,
    /// For programs, one object a line
    Json,
}

/// The configuration in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// Folder for everything that is kept beside the database.
    pub data: PathBuf,
    /// Database address.
    pub database: String,
    /// Address that agents and people use; found from `listen` when absent.
    pub public_url: Option<String>,
    /// Where TLS comes from.
    pub tls: Tls,
    /// Proxies whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged.
    pub log_level: String,
    /// Connections at the same time.
    pub connections: usize,
    /// Connections at the same time from one address.
    pub connections_per_address: usize,
    /// File of the key that second factors are sealed with.
    pub secret_key: PathBuf,
    /// Where figures are served; nowhere when absent.
    pub metrics: Option<SocketAddr>,
}

/// Where TLS comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Our own certificate authority in the data folder.
    Own,
    /// Certificate files.
    Files(Files),
    /// A proxy in front.
    Proxy,
}

macro_rules! layered {
    ($upper:expr, $lower:expr; $($field:ident),+) => {
        Raw { $($field: $upper.$field.or($lower.$field)),+ }
    };
}

impl Raw {
    /// These values, and those of `lower` where there are none.
    #[must_use]
    pub fn or(self, lower: Self) -> Self {
        layered!(self, lower; listen, data, database, public_url, certificate, certificate_key,
            tls, trusted_proxies, log_format, log_level, connections, connections_per_address,
            secret_key, metrics)
    }

    /// The defaults of `rollcall serve`.
    pub fn defaults() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))),
            data: Some(PathBuf::from("/var/lib/rollcall")),
            tls: Some(TlsBy::Own),
            trusted_proxies: Some(Vec::new()),
            log_format: Some(LogFormat::Text),
            log_level: Some("info".to_owned()),
            connections: Some(8192),
            connections_per_address: Some(256),
            ..Self::default()
        }
    }

    /// Reads a file. Unknown keys are errors with a suggestion.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let exit = match error.kind() {
                std::io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Usage,
            };
            Failure::new(exit, format!("{} cannot be read: {error}", path.display()))
                .next("Name another file by --config, or check who may read this one.")
        })?;
        Self::parse(&text)
            .map_err(|why| Failure::new(Exit::Usage, format!("{}: {why}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let known = Self::keys();
        for key in table.keys() {
            if !known.contains(&key.as_str()) {
                return Err(match nearest(key, &known) {
                    Some(near) => format!("`{key}` is not known; did you mean `{near}`?"),
                    None => format!("`{key}` is not known; known are {}", known.join(", ")),
                });
            }
        }
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    }

    /// Every key, as the file spells it.
    pub fn keys() -> Vec<&'static str> {
        vec![
            "listen",
            "data",
            "database",
            "public_url",
            "certificate",
            "certificate_key",
            "tls",
            "trusted_proxies",
            "log_format",
            "log_level",
            "connections",
            "connections_per_address",
            "secret_key",
            "metrics",
        ]
    }

    /// The values that are set, by key, as the file would spell them.
    pub fn values(&self) -> BTreeMap<String, String> {
        let table = toml::Table::try_from(self).unwrap_or_default();
        table.into_iter().map(|(key, value)| (key, value.to_string())).collect()
    }

    /// Checks the values and fills in what follows from others.
    pub fn resolve(self) -> Result<Config, Failure> {
        let raw = self.or(Self::defaults());
        let usage = |text: &str| Failure::new(Exit::Usage, text.to_owned());
        let (Some(listen), Some(data)) = (raw.listen, raw.data) else {
            return Err(usage("listen and data are needed"));
        };
        let tls = match (raw.tls, raw.certificate, raw.certificate_key) {
            (Some(TlsBy::Proxy), None, None) => Tls::Proxy,
            (Some(TlsBy::Proxy), _, _) => {
                return Err(usage("with tls = \"proxy\" the certificate belongs to the proxy"));
            }
            (_, Some(certificate), Some(key)) => Tls::Files(Files { certificate, key }),
            (_, None, None) => Tls::Own,
            _ => return Err(usage("certificate and certificate_key come together")),
        };
        if let Some(address) = raw.metrics.filter(|address| !address.ip().is_loopback()) {
            return Err(usage(&format!("figures are not served on {address}"))
                .next("Give an address of this computer only, e.g. 127.0.0.1:9464."));
        }
        let public_url = raw.public_url.map(|url| check_public_url(&url)).transpose()?;
        Ok(Config {
            listen,
            database: raw.database.unwrap_or_else(|| database_in(&data)),
            secret_key: raw.secret_key.unwrap_or_else(|| data.join(crate::seal::FILE)),
            data,
            public_url,
            tls,
            trusted_proxies: raw.trusted_proxies.unwrap_or_default(),
            log_format: raw.log_format.unwrap_or(LogFormat::Text),
            log_level: raw.log_level.unwrap_or_default(),
            connections: raw.connections.unwrap_or(8192).max(16),
            connections_per_address: raw.connections_per_address.unwrap_or(256).max(1),
            metrics: raw.metrics,
        })
    }
}

/// The database that belongs to a data folder.
pub fn database_in(data: &Path) -> String {
    format!("sqlite:{}", data.join("rollcall.db").display())
}

/// A database address as it may be shown: without what stands before the server.
pub fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://***{}", &url[..scheme], &url[at..])
        }
        _ => url.to_owned(),
    }
}

fn check_public_url(url: &str) -> Result<String, Failure> {
    let url = url.trim_end_matches('/');
    let host = url.split_once("://").map_or("", |(_, rest)| rest);
    if rollcall_shared::join::address_allowed(url) && !host.contains(['/', '?', '#']) {
        return Ok(url.to_owned());
    }
    Err(Failure::new(Exit::Usage, format!("public_url `{url}` cannot be used"))
        .next("Write it as https://NAME or https://NAME:PORT, without a path."))
}

/// The address people and agents use when none is configured.
pub fn public_url(config: &Config, bound: SocketAddr, computer: Option<&str>) -> String {
    if let Some(url) = &config.public_url {
        return url.clone();
    }
    let scheme = if config.tls == Tls::Proxy { "http" } else { "https" };
    match bound.ip() {
        ip if !ip.is_unspecified() => format!("{scheme}://{}", SocketAddr::new(ip, bound.port())),
        _ => format!("{scheme}://{}:{}", computer.unwrap_or("localhost"), bound.port()),
    }
}

/// The known word that is most like this one, if any is.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.replace('-', "_").to_lowercase();
    let best = known.iter().map(|name| (distance(&word, name), *name)).min()?;
    (best.0 <= 3 || best.1.contains(&word) && word.len() > 3).then_some(best.1)
}

/// Letters to change, add or leave out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let change = before + usize::from(letter != *other);
            before = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_defaults() {
        let example = include_str!("../config.example.toml");
        assert_eq!(Raw::parse(example).unwrap(), Raw::defaults());
        for key in Raw::keys() {
            assert!(example.contains(&format!("{key} =")), "{key} is not in the example");
        }
    }

    #[test]
    fn unknown_keys_come_with_a_suggestion() {
        let why = Raw::parse("lisen = \"127.0.0.1:1\"").unwrap_err();
        assert_eq!(why, "`lisen` is not known; did you mean `listen`?");
        let why = Raw::parse("public-url = \"https://x\"").unwrap_err();
        assert!(why.contains("`public_url`"), "{why}");
        assert!(Raw::parse("colour = 1").unwrap_err().contains("known are listen, data"));
        assert!(Raw::parse("listen = 5").is_err());
    }

    #[test]
    fn upper_layers_win_and_impossible_ones_are_refused() {
        let file = Raw { connections: Some(20), tls: Some(TlsBy::Proxy), ..Raw::default() };
        let flags = Raw { connections: Some(30), ..Raw::default() };
        let config = flags.or(file).resolve().unwrap();
        assert_eq!((config.connections, config.tls), (30, Tls::Proxy));
        assert_eq!(config.database, "sqlite:/var/lib/rollcall/rollcall.db");
        let half = Raw { certificate: Some("a.pem".into()), ..Raw::default() };
        assert!(half.resolve().is_err());
        let open = Raw { metrics: Some(([0, 0, 0, 0], 9464).into()), ..Raw::default() };
        assert!(open.resolve().is_err(), "figures stay on this computer");
        let bad = Raw { public_url: Some("http://example.org".into()), ..Raw::default() };
        assert!(bad.resolve().is_err());
        let good = Raw { public_url: Some("https://example.org/".into()), ..Raw::default() };
        assert_eq!(good.resolve().unwrap().public_url.as_deref(), Some("https://example.org"));
    }
}
