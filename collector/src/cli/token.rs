//! `rollcall token`: enrolment tokens from the command line.

use clap::{Args, Subcommand};
use rollcall_shared::Timestamp;
use rollcall_shared::api::token::{EnrollmentToken, NewEnrollmentToken};
use rollcall_shared::api::unit::UnitKind;

use super::{Where, say};
use crate::domain::Scope;
use crate::failure::{Exit, Failure};
use crate::issue;
use crate::store::audit::By;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print the line to paste on the computers
    Create(Create),
    /// List the tokens
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Revoke a token; devices that used it stay
    Revoke {
        /// Its number, as `rollcall token list` shows it
        id: i64,
        #[command(flatten)]
        place: Where,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it is for, e.g. "Room 12"
    #[arg(long, default_value = "command line")]
    label: String,
    /// Site its devices get; it is made where there is none of this name
    #[arg(long)]
    site: Option<String>,
    /// Department its devices get; it is made where there is none of this name
    #[arg(long)]
    department: Option<String>,
    /// Days until it ends, 1 to 90
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    days: u32,
    /// How many computers may use it; 0: any number
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    uses: u32,
    /// A person must approve its devices
    #[arg(long)]
    approve: bool,
    /// It may continue the record of a known device that fell silent
    #[arg(long)]
    reenroll: bool,
    #[command(flatten)]
    place: Where,
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => self::create(create).await,
        Command::List { json, place } => list(json, &place).await,
        Command::Revoke { id, place } => {
            let app = place.open().await?;
            let by = By::new("command line", app.clock.now());
            if app.store.revoke_token(id, &Scope::whole(), &by).await? {
                say(format_args!("Token {id} is revoked."));
                return Ok(());
            }
            Err(Failure::new(Exit::Usage, format!("there is no token {id} that could be revoked"))
                .next("See `rollcall token list`."))
        }
    }
}

async fn create(create: Create) -> Result<(), Failure> {
    let Create { label, site, department, days, uses, approve, reenroll, place } = create;
    let app = place.open().await?;
    let by = By::new("command line", app.clock.now());
    for (kind, name) in [(UnitKind::Site, &site), (UnitKind::Department, &department)] {
        let Some(name) = name.as_deref().map(str::trim).filter(|name| !name.is_empty()) else {
            continue;
        };
        let name = issue::unit_name(kind.as_str(), name);
        let name = name.map_err(|error| Failure::of(Exit::Usage, &error))?;
        app.store.need_unit(kind, &name, &by).await?;
    }
    let new = NewEnrollmentToken {
        label,
        site,
        department,
        valid_days: Some(days),
        uses_allowed: Some(uses),
        needs_approval: approve,
        allows_reenrollment: reenroll,
    };
    let made = issue::enrollment_token(&app, "command line", &Scope::whole(), new)
        .await
        .map_err(|error| Failure::of(Exit::Usage, &error))?;
    say(made.join_string);
    Ok(())
}

async fn list(json: bool, place: &Where) -> Result<(), Failure> {
    let app = place.open().await?;
    let tokens = app.store.tokens(&Scope::whole()).await?;
    if json {
        let text = serde_json::json!({ "schema_version": 1, "tokens": tokens });
        say(text);
        return Ok(());
    }
    if tokens.is_empty() {
        say("There are no tokens. Make one with `rollcall token create --label \"Room 12\"`.");
        return Ok(());
    }
    let now = app.clock.now();
    say(format_args!("{:>5}  {:<9} {:>9}  {:<10}  LABEL", "ID", "STATE", "USED", "ENDS"));
    for token in tokens {
        let used = match token.uses_allowed {
            Some(allowed) => format!("{} of {allowed}", token.uses),
            None => token.uses.to_string(),
        };
        let (id, ends) = (token.id, token.expires_at.date());
        say(format_args!("{id:>5}  {:<9} {used:>9}  {ends}  {}", state(&token, now), token.label));
    }
    Ok(())
}

fn state(token: &EnrollmentToken, now: Timestamp) -> &'static str {
    if token.revoked_at.is_some() {
        "revoked"
    } else if token.expires_at <= now {
        "ended"
    } else if token.uses_allowed.is_some_and(|allowed| token.uses >= allowed) {
        "used up"
    } else {
        "open"
    }
}
