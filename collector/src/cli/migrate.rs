//! `rollcall migrate`: brings the tables up to date, or says what that would do.

use clap::Args;
use serde_json::json;

use super::{Where, say};
use crate::config::without_password;
use crate::failure::Failure;
use crate::store::Store;
use crate::store::upgrade::{Copy, Upgrade};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(options: &Options) -> Result<(), Failure> {
    let database = options.place.resolve()?.database;
    let plan = Store::upgrade_of(&database).await?;
    if !options.dry_run && !plan.missing.is_empty() {
        Store::upgrade(&database).await?;
    }
    if options.json {
        say(as_json(&plan, options.dry_run));
    } else {
        for line in lines(&plan, &without_password(&database), options.dry_run) {
            say(line);
        }
    }
    Ok(())
}

fn as_json(plan: &Upgrade, dry_run: bool) -> serde_json::Value {
    let Upgrade { backend, found, known, missing, copy } = plan;
    let copy = copy.as_ref().map(|Copy { path, bytes, is_there }| {
        json!({ "path": path, "bytes": bytes, "is_there": is_there })
    });
    json!({
        "schema_version": 1, "backend": backend, "found": found, "known": known,
        "migrations": missing, "copy": copy, "applied": !dry_run && !missing.is_empty(),
    })
}

fn lines(plan: &Upgrade, database: &str, dry_run: bool) -> Vec<String> {
    let Upgrade { backend, found, known, missing, copy } = plan;
    let is = if *found == 0 {
        "has no tables yet".to_owned()
    } else {
        format!("has version {found} of its tables")
    };
    let mut lines = vec![format!("{database} {is}; this program needs {known}.")];
    if missing.is_empty() {
        lines.push("Nothing is to be done.".to_owned());
        return lines;
    }
    let applied = if dry_run { "Would be applied" } else { "Applied" };
    lines.push(format!("{applied}: {}", missing.join(", ")));
    match copy {
        Some(Copy { path, bytes, is_there: false }) if dry_run => lines.push(format!(
            "Before that, a copy of about {bytes} bytes would be made: {}",
            path.display()
        )),
        Some(Copy { path, is_there: false, .. }) => {
            lines.push(format!("The tables as they were: {}", path.display()));
        }
        Some(Copy { path, is_there: true, .. }) => lines
            .push(format!("A copy from before is there already and is kept: {}", path.display())),
        None if *backend == "postgres" && *found > 0 => lines.push(
            "PostgreSQL is copied by its own tools: make a dump with pg_dump first.".to_owned(),
        ),
        None => {}
    }
    if dry_run {
        lines.push("Nothing was changed. Stop the collector before you do it.".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_would_do_and_what_it_did() {
        let copy = Copy { path: "/data/r.db.before-0002".into(), bytes: 4096, is_there: false };
        let plan = Upgrade {
            backend: "sqlite",
            found: 1,
            known: 2,
            missing: vec!["0002_more".to_owned()],
            copy: Some(copy),
        };
        let would = lines(&plan, "sqlite:r.db", true).join("\n");
        assert!(would.contains("version 1 of its tables; this program needs 2"), "{would}");
        assert!(
            would.contains("Would be applied: 0002_more") && would.contains("about 4096 bytes")
        );
        assert!(would.contains("/data/r.db.before-0002") && would.contains("Nothing was changed"));
        let did = lines(&plan, "sqlite:r.db", false).join("\n");
        assert!(did.contains("Applied: 0002_more") && !did.contains("would"), "{did}");
        let server = Upgrade { backend: "postgres", copy: None, ..plan };
        assert!(lines(&server, "postgres://r", true).join("\n").contains("pg_dump"));
        assert_eq!(as_json(&server, true)["applied"], false);
    }
}
