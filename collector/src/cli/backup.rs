//! `rollcall backup`, `verify` and `restore`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Where, say};
use crate::backup;
use crate::clock::Clock;
use crate::failure::{Exit, Failure};
use crate::seal;
use crate::store::Store;
use crate::store::examine::Examined;

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// New folder for the backup
    to: PathBuf,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A backup; without it, the collector's own tables are examined
    backup: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup
    backup: PathBuf,
    /// New or empty data folder
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
}

pub(super) async fn make(options: &Backup) -> Result<(), Failure> {
    let config = options.place.resolve()?;
    let Some(database) = config.database.strip_prefix("sqlite:") else {
        return Err(Failure::new(Exit::Usage, "PostgreSQL is backed up by its own tools").next(
            "Use pg_dump or continuous archiving, keep the CA files and the secret key of the \
             data folder, apart from it, and check the result with `rollcall verify --database URL`.",
        ));
    };
    let now = Clock::system().now();
    let made =
        backup::make(&config.data, database.as_ref(), &config.secret_key, &options.to, now).await?;
    let bytes: u64 = made.files.values().map(|file| file.bytes).sum();
    say(format_args!("{} holds {} files, {bytes} bytes.", options.to.display(), made.files.len()));
    say("It contains the certificate authority's key and that of second factors: keep it as safe \
         as the collector itself.");
    if !made.files.contains_key(seal::FILE) {
        say(format_args!(
            "The key of second factors is not in it: there is none at {}. Keep a copy of it, or they \
             must be set up again after a restore.",
            config.secret_key.display()
        ));
    }
    Ok(())
}

pub(super) async fn verify(options: &Verify) -> Result<(), Failure> {
    let (manifest, examined) = if let Some(folder) = &options.backup {
        let (manifest, examined) = backup::verify(folder).await?;
        (Some(manifest), examined)
    } else {
        let store = Store::open_unchanged(&options.place.resolve()?.database).await?;
        (None, store.examine().await?)
    };
    let Examined { devices, titles, changes, audit_entries, problems, problem_count } = &examined;
    if options.json {
        say(json!({
            "schema_version": 1, "manifest": manifest, "devices": devices, "titles": titles,
            "changes": changes, "audit_entries": audit_entries, "problems": problems,
            "problem_count": problem_count,
        }));
    } else {
        if let Some(manifest) = manifest {
            say(format_args!("made {} by version {}", manifest.made_at, manifest.version));
        }
        say(format_args!(
            "{devices} devices, {titles} titles, {changes} changes and {audit_entries} audit \
             entries were read back to their beginning"
        ));
        for problem in problems {
            say(format_args!("  {problem}"));
        }
    }
    if *problem_count == 0 {
        return Ok(());
    }
    Err(Failure::new(Exit::Problems, format!("{problem_count} things do not hold together"))
        .next("Restore the newest backup that verifies."))
}

pub(super) async fn restore(options: &Restore) -> Result<(), Failure> {
    let made = backup::restore(&options.backup, &options.data).await?;
    let data = options.data.display();
    say(format_args!("The collector of {} is in {data}.", made.made_at));
    say(format_args!("Start it there, e.g. with `rollcall up --data {data}`, at its old address."));
    Ok(())
}
