//! The way through a proxy: `CONNECT`, and after it the same TLS with the collector as without.
//!
//! The proxy sees the collector's name and port and nothing else. Where no proxy is configured,
//! `HTTPS_PROXY` counts, as it does for other programs, but never for this computer itself.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Address;
use crate::reach::ReachError;

/// The value of the key `proxy` that means "straight to the collector, whatever the environment
/// says".
pub const NONE: &str = "none";
/// No proxy's answer is longer.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024;
/// Where proxies are when their address names no port.
const USUAL_PORT: u16 = 80;

/// The value of the key `proxy`, which may hold a password.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Setting(String);

impl Setting {
    /// The whole value, password included.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A proxy, and what it wants to see before it lets through.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What goes into `Proxy-Authorization`: a secret.
    authorization: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Proxy {
    /// Reads `http://name:password@proxy.example:3128`; name and password may be missing.
    pub fn parse(text: &str) -> Result<Self, ReachError> {
        let bad = || ReachError::ProxyAddress(without_password(text));
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(bad()),
            None => text,
        };
        let rest = rest.trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(bad());
        }
        let port = port.map_or(Ok(USUAL_PORT), str::parse).map_err(|_| bad())?;
        let authorization = match user {
            None => None,
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let mut told = decoded(name).ok_or_else(bad)?;
                told.push(b':');
                told.extend(decoded(password).ok_or_else(bad)?);
                Some(format!("Basic {}", BASE64.encode(told)))
            }
        };
        Ok(Self { host: host.to_owned(), port, authorization })
    }

    /// The proxy on the way to a collector: the configured one, or that of the environment.
    pub fn on_the_way(
        configured: Option<&Setting>,
        to: &Address,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ReachError> {
        if !to.tls {
            // Plain HTTP is spoken to this computer itself only.
            return Ok(None);
        }
        match configured.map(Setting::as_str) {
            Some(NONE) => return Ok(None),
            Some(text) => return Self::parse(text).map(Some),
            None => {}
        }
        let variable = |name: &str| {
            let value = environment(name).or_else(|| environment(&name.to_ascii_uppercase()));
            value.filter(|value| !value.is_empty())
        };
        let Some(text) = variable("https_proxy") else { return Ok(None) };
        if is_here(&to.host) || is_excepted(&to.host, &variable("no_proxy").unwrap_or_default()) {
            return Ok(None);
        }
        Self::parse(&text).map(Some)
    }

    /// Asks the proxy for a way to the collector.
    pub async fn connect(&self, to: &Address, limit: Duration) -> Result<TcpStream, ReachError> {
        let proxy = Address::plain(&self.host, self.port);
        let found = proxy.resolve(limit).await?;
        let stream = proxy.connect(&found, limit).await?;
        timeout(limit, self.ask(stream, to))
            .await
            .map_err(|_| ReachError::TimedOut("the proxy's answer"))?
    }

    async fn ask(&self, mut stream: TcpStream, to: &Address) -> Result<TcpStream, ReachError> {
        let broken = |source| ReachError::Connect { address: self.to_string(), source };
        let host = if to.host.contains(':') { format!("[{}]", to.host) } else { to.host.clone() };
        let place = format!("{host}:{}", to.port);
        let authorization = match &self.authorization {
            Some(value) => format!("Proxy-Authorization: {value}\r\n"),
            None => String::new(),
        };
        let version = env!("CARGO_PKG_VERSION");
        let request = format!(
            "CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nUser-Agent: rollcall-agent/{version}\r\n\
             {authorization}\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            // Nothing of what follows may be taken here: it belongs to the collector.
            let byte = stream.read_u8().await.map_err(broken)?;
            answer.push(byte);
            if answer.len() > ANSWER_LIMIT_BYTES {
                return Err(ReachError::Proxy { proxy: self.to_string(), status: 0 });
            }
        }
        match status(&answer) {
            200..=299 => Ok(stream),
            status => Err(ReachError::Proxy { proxy: self.to_string(), status }),
        }
    }
}

/// The number in `HTTP/1.1 200 Connection established`; 0 where there is none.
fn status(answer: &[u8]) -> u16 {
    let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let Some(rest) = line.strip_prefix("HTTP/1.") else { return 0 };
    rest.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// An address without what only its owner may see.
pub fn without_password(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://***@{place}"),
        (None, Some((_, place))) => format!("***@{place}"),
        (_, None) => text,
    }
}

/// Text in which `%40` stands for `@`.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = rest.get(2..)?;
    }
    Some(bytes)
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `NO_PROXY` names this host, its domain, or everything.
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(|one| one.trim().trim_start_matches('.').to_ascii_lowercase()).any(|one| {
        one == "*"
            || (!one.is_empty()
                && host
                    .strip_suffix(one.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn reads_addresses_of_proxies_and_hides_passwords() {
        let proxy = Proxy::parse("http://anna:p%40ss@proxy.example:3128/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        let told = format!("Basic {}", BASE64.encode("anna:p@ss"));
        assert_eq!(proxy.authorization.as_deref(), Some(told.as_str()));
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example:3128)");
        let setting = Setting::from("http://anna:secret@proxy.example:3128");
        assert_eq!(format!("{setting:?}"), "http://***@proxy.example:3128");
        assert_eq!(Proxy::parse("http://[::1]:8080").unwrap().to_string(), "[::1]:8080");
        assert_eq!(Proxy::parse("proxy.example").unwrap().port, USUAL_PORT);
        for bad in [
            "https://proxy",
            "socks5://proxy:1",
            "http://",
            "http://a b",
            "http://x:99999",
            "http://a:%zz@x",
            "http://x\r\nInjected: 1",
        ] {
            let error = Proxy::parse(bad).unwrap_err();
            assert!(matches!(error, ReachError::ProxyAddress(_)), "{bad}");
        }
        let error = Proxy::parse("http://anna:secret@a b").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn the_configuration_counts_before_the_environment() {
        let collector = address("https://collector.example:8443");
        let environment = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://environment:1".to_owned()),
            "no_proxy" => Some("other.example, .internal".to_owned()),
            _ => None,
        };
        let way = |configured: Option<&str>, to: &Address| {
            let configured = configured.map(Setting::from);
            Proxy::on_the_way(configured.as_ref(), to, environment)
                .unwrap()
                .map(|proxy| proxy.to_string())
        };
        assert_eq!(way(None, &collector).as_deref(), Some("environment:1"));
        assert_eq!(way(Some("http://own:2"), &collector).as_deref(), Some("own:2"));
        assert_eq!(way(Some(NONE), &collector), None);
        assert_eq!(way(None, &address("https://a.internal")), None);
        assert_eq!(
            way(None, &address("https://another.example")).as_deref(),
            Some("environment:1")
        );
        assert_eq!(way(None, &address("https://127.0.0.1:8443")), None, "this computer itself");
        assert_eq!(way(Some("http://own:2"), &address("http://127.0.0.1:80")), None, "no TLS");
        assert!(Proxy::on_the_way(Some(&"ftp://x".into()), &collector, environment).is_err());
    }

    #[test]
    fn an_answer_has_a_number_or_is_none() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), 200);
        assert_eq!(status(b"HTTP/1.0 407 Who are you\r\n\r\n"), 407);
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n\r\n"), 0);
    }
}
