//! `rollcall health`: asks a running collector over the network, as a monitor does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::Args;
use rollcall_agent::client::{Address, Client, TimeOuts};
use rollcall_agent::tls::{Tls, Trust};
use rollcall_shared::api::health::{Health, HealthStatus};

use super::{Where, say};
use crate::ca::Authority;
use crate::config::{self, Config};
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Address of the collector; without it, where the configuration has it listen
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Where a collector of this configuration is asked from its own computer.
fn usual_url(of: &Config) -> String {
    let listen = match of.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, of.listen.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, of.listen.port()).into(),
        _ => of.listen,
    };
    match (&of.tls, &of.public_url) {
        // The certificate of somebody else hardly names a number.
        (config::Tls::Files(_), Some(url)) => url.clone(),
        (config::Tls::Proxy, _) => format!("http://{listen}"),
        _ => format!("https://{listen}"),
    }
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let config = options.place.resolve()?;
    let url = options.url.clone().unwrap_or_else(|| usual_url(&config));
    // Our own certificate authority is believed where there is one, else the system's store.
    let trust = match Authority::digest_in(&config.data) {
        Some(digest) => Trust::Digest(digest),
        None => Trust::System,
    };
    let unreachable = |error: &(dyn std::error::Error + 'static)| {
        Failure::of(Exit::Unreachable, error)
            .next("See whether it runs, and whether --url names the right address.")
    };
    let address = Address::parse(&url).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let tls = Tls::new(trust).map_err(|error| unreachable(&error))?;
    let mut client = Client::new(address, tls, TimeOuts::default());
    let answer = client.get("/api/health").await.map_err(|error| unreachable(&error))?;
    let health: Health = serde_json::from_slice(&answer.body).map_err(|_| {
        Failure::new(Exit::Unreachable, format!("{url} is not a Rollcall collector"))
    })?;
    if options.json {
        say(serde_json::json!({ "schema_version": 1, "health": health }));
    } else {
        let status = match health.status {
            HealthStatus::Starting => "is starting",
            HealthStatus::Ok => "works",
            HealthStatus::ReadOnly => "answers, but cannot store now",
        };
        say(format_args!("{} {status} (version {})", url, health.version));
    }
    if health.status == HealthStatus::Ok {
        return Ok(());
    }
    Err(Failure::new(Exit::Problems, "the collector does not fully work").next("Its log says why."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Raw, TlsBy};

    #[test]
    fn a_collector_is_asked_where_it_listens() {
        let url = |raw: Raw| usual_url(&raw.resolve().unwrap());
        assert_eq!(url(Raw::default()), "https://127.0.0.1:8443");
        let listen = Some("[::]:9000".parse().unwrap());
        assert_eq!(url(Raw { listen, ..Raw::default() }), "https://[::1]:9000");
        let proxy = Raw { tls: Some(TlsBy::Proxy), ..Raw::default() };
        assert_eq!(url(proxy), "http://127.0.0.1:8443");
        let files = Raw {
            certificate: Some("a.pem".into()),
            certificate_key: Some("b.pem".into()),
            public_url: Some("https://rollcall.example.org".to_owned()),
            ..Raw::default()
        };
        assert_eq!(url(files), "https://rollcall.example.org");
    }
}
