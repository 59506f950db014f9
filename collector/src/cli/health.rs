//! `rollcall health`: asks a running collector over the network, as a monitor does.

use clap::Args;
use rollcall_agent::client::{Address, Client, TimeOuts};
use rollcall_agent::tls::{Tls, Trust};
use rollcall_shared::api::health::{Health, HealthStatus};

use super::{Where, say};
use crate::ca::Authority;
use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Address of the collector
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8443")]
    url: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let config = options.place.resolve()?;
    // Our own certificate authority is believed where there is one, else the system's store.
    let trust = match Authority::digest_in(&config.data) {
        Some(digest) => Trust::Digest(digest),
        None => Trust::System,
    };
    let unreachable = |error: &(dyn std::error::Error + 'static)| {
        Failure::of(Exit::Unreachable, error)
            .next("See whether it runs, and whether --url names the right address.")
    };
    let address = Address::parse(&options.url).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let tls = Tls::new(trust).map_err(|error| unreachable(&error))?;
    let mut client = Client::new(address, tls, TimeOuts::default());
    let answer = client.get("/api/health").await.map_err(|error| unreachable(&error))?;
    let health: Health = serde_json::from_slice(&answer.body).map_err(|_| {
        Failure::new(Exit::Unreachable, format!("{} is not a Rollcall collector", options.url))
    })?;
    if options.json {
        say(serde_json::json!({ "schema_version": 1, "health": health }));
    } else {
        let status = match health.status {
            HealthStatus::Starting => "is starting",
            HealthStatus::Ok => "works",
            HealthStatus::ReadOnly => "answers, but cannot store now",
        };
        say(format_args!("{} {status} (version {})", options.url, health.version));
    }
    if health.status == HealthStatus::Ok {
        return Ok(());
    }
    Err(Failure::new(Exit::Problems, "the collector does not fully work").next("Its log says why."))
}
