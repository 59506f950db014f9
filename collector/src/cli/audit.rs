//! `rollcall audit`: whether the audit log is as it was written.

use clap::Subcommand;
use serde_json::json;

use super::{Where, say};
use crate::failure::{Exit, Failure};
use crate::store::Store;
use crate::store::audit::AuditHead;
use crate::store::audit_chain::Verified;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Hold every entry against the one before and name what was changed
    Verify {
        /// A place kept elsewhere, from an export or the system's log: the log must still have it
        #[arg(long, value_name = "NUMBER:HASH")]
        kept: Option<AuditHead>,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    let Command::Verify { kept, json, place } = command;
    let store = Store::open_unchanged(&place.resolve()?.database).await?;
    let Verified { entries, head, tampered } = store.verify_audit_chain(kept).await?;
    let problems: Vec<String> = tampered.iter().map(ToString::to_string).collect();
    let newest = head.map(|head| head.to_string());
    if json {
        say(json!({
            "schema_version": 1, "entries": entries, "newest": newest, "problems": problems,
        }));
    } else {
        say(format_args!("{entries} entries, the newest is {}", newest.unwrap_or("none".into())));
        for problem in &problems {
            say(format_args!("  {problem}"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Problems, "the audit log is not as it was written").next(
        "Compare it with a backup from before, and ask who may write to the database itself.",
    ))
}
