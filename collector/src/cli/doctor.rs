//! `rollcall doctor`: looks at the tables of a collector, running or not, and changes nothing.

use clap::Args;
use serde_json::json;

use super::{Where, say};
use crate::clock::Clock;
use crate::config::{Config, Tls};
use crate::doctor::{self, Check, Health};
use crate::failure::{Exit, Failure};
use crate::job::load;
use crate::store::Store;
use crate::tls::Certificate;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let config = options.place.resolve()?;
    let store = Store::open_unchanged(&config.database).await?;
    let app = crate::start::beside(&config, store).await?;
    load::load(&app).await?;
    let mut found = doctor::examine(&app).await?;
    found.checks.push(doctor::derived(&app).await?);
    found.checks.extend(certificate(&config, &app.clock));
    found.health = found.checks.iter().map(|check| check.health).max().unwrap_or(Health::Ok);
    if options.json {
        say(json!({ "schema_version": 1, "diagnosis": found }));
    } else {
        for Check { name, health, says, mend } in &found.checks {
            let mark = match health {
                Health::Ok => "ok",
                Health::Warning => "see to it",
                Health::Wrong => "WRONG",
            };
            say(format_args!("{mark:<10} {name}: {says}"));
            if let Some(mend) = mend {
                say(format_args!("           {mend}"));
            }
        }
        for one in &found.differences {
            say(format_args!(
                "  {} of {}: memory says {}, the tables say {}",
                one.structure, one.subject, one.memory, one.tables
            ));
        }
    }
    if found.health == Health::Wrong {
        return Err(Failure::new(Exit::Problems, "something is wrong with this collector"));
    }
    Ok(())
}

/// When the certificate that agents see ends.
fn certificate(config: &Config, clock: &Clock) -> Option<Check> {
    let files = match &config.tls {
        Tls::Proxy => return None,
        Tls::Files(files) => files.clone(),
        Tls::Own => crate::ca::Authority::server_files_in(&config.data),
    };
    let ends = Certificate::open(files).ok()?.ends_at()?;
    Some(doctor::certificate(ends, clock.now(), config.tls == Tls::Own))
}
