//! `rollcall user`: accounts from the command line. Passwords never stand in the arguments.

use std::collections::BTreeSet;
use std::io::Read as _;

use clap::Subcommand;
use rollcall_shared::api::account::{Account, Role};
use rollcall_shared::api::unit::UnitKind;

use super::{Where, say};
use crate::app::App;
use crate::domain::Scope;
use crate::failure::{Exit, Failure};
use crate::http::password;
use crate::secret::Secret;
use crate::store::audit::By;
use crate::store::{self, scope};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account and print its first password
    Add {
        /// Sign-in name
        name: String,
        /// What the person may do: helpdesk, auditor, it or admin
        #[arg(long, value_parser = role)]
        role: Role,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        place: Where,
    },
    /// Say where an account's rights end: at these sites and departments, and end its sessions
    #[command(group = clap::ArgGroup::new("where").required(true).multiple(true))]
    Limit {
        /// Sign-in name
        name: String,
        /// It sees all devices
        #[arg(long, group = "where", conflicts_with_all = ["sites", "departments"])]
        everything: bool,
        #[command(flatten)]
        within: Within,
        #[command(flatten)]
        place: Where,
    },
    /// Give an account a new password, take its second factor away and end its sessions
    Reset {
        /// Sign-in name
        name: String,
        /// Read the password from standard input instead of making one
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        place: Where,
    },
    /// Close an account and end its sessions
    Disable {
        /// Sign-in name
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// Open a closed account again
    Enable {
        /// Sign-in name
        name: String,
        #[command(flatten)]
        place: Where,
    },
    /// List the accounts
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Where,
    },
}

/// Where rights end; nowhere when nothing is named.
#[derive(Debug, clap::Args)]
pub(super) struct Within {
    /// Only devices of this site; may be given several times
    #[arg(long = "site", value_name = "SITE", group = "where")]
    sites: Vec<String>,
    /// Only devices of this department; may be given several times
    #[arg(long = "department", value_name = "DEPARTMENT", group = "where")]
    departments: Vec<String>,
}

impl Within {
    async fn scope(&self, app: &App) -> Result<Scope, Failure> {
        let sites = units(app, UnitKind::Site, &self.sites).await?;
        Ok(Scope::of(sites, units(app, UnitKind::Department, &self.departments).await?))
    }
}

/// The numbers of these sites or departments; `None` when none is named.
async fn units(
    app: &App,
    kind: UnitKind,
    names: &[String],
) -> Result<Option<BTreeSet<i64>>, Failure> {
    let mut found = BTreeSet::new();
    for name in names {
        let Some(unit) = app.store.unit_of_name(kind, name).await? else {
            let text = format!("there is no {} `{name}`", kind.as_str());
            return Err(Failure::new(Exit::Usage, text)
                .next("Their names stand on the page \"Sites and departments\"."));
        };
        found.insert(unit);
    }
    Ok((!names.is_empty()).then_some(found))
}

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| "one of helpdesk, auditor, it, admin".to_owned())
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { name, role, password_stdin, within, place } => {
            let name = password::check_name(&name)
                .map_err(|why| Failure::new(Exit::Usage, why))?
                .to_lowercase();
            let app = place.open().await?;
            let scope = within.scope(&app).await?;
            let (text, hash) = new_password(&name, password_stdin)?;
            let by = by(&app);
            let made = app.store.create_account_within(&name, role, &hash, &scope, &by).await;
            if matches!(made, Err(store::Error::Conflict)) {
                return Err(Failure::new(Exit::Conflict, format!("`{name}` exists already"))
                    .next(format!("Give it a new password with `rollcall user reset {name}`.")));
            }
            made?;
            told(&name, text.as_deref());
        }
        Command::Limit { name, everything: _, within, place } => {
            let app = place.open().await?;
            let account = named(&app, &name).await?;
            let scope = within.scope(&app).await?;
            let done = app.store.set_scope(account.id, &scope, &by(&app)).await;
            if matches!(done, Err(store::Error::Conflict)) {
                return Err(last_administrator(&account.name, "is not limited"));
            }
            done?;
            let sees = scope::words(&scope, &names(&app).await?);
            say(format_args!("The account {} sees {sees}.", account.name));
        }
        Command::Reset { name, password_stdin, place } => {
            let app = place.open().await?;
            let account = named(&app, &name).await?;
            let name = account.name;
            let (text, hash) = new_password(&name, password_stdin)?;
            app.store.turn_off_second_factor(account.id, &by(&app)).await?;
            app.store.set_password(account.id, &hash, &by(&app)).await?;
            told(&name, text.as_deref());
        }
        Command::Disable { name, place } => set_disabled(&name, &place, true).await?,
        Command::Enable { name, place } => set_disabled(&name, &place, false).await?,
        Command::List { json, place } => {
            let app = place.open().await?;
            let accounts = app.store.accounts().await?;
            if json {
                say(serde_json::json!({ "schema_version": 1, "accounts": accounts }));
                return Ok(());
            }
            let (scopes, names) = (app.store.scopes().await?, names(&app).await?);
            for account in accounts {
                let sees = scopes.get(&account.id).map(|one| scope::words(one, &names));
                let sees = sees.map(|words| format!("  {words}")).unwrap_or_default();
                let disabled = if account.disabled_at.is_some() { "  disabled" } else { "" };
                let factor = if account.second_factor { "  second factor" } else { "" };
                let role = account.role.as_str();
                say(format_args!("{role:<9} {}{factor}{disabled}{sees}", account.name));
            }
        }
    }
    Ok(())
}

async fn named(app: &App, name: &str) -> Result<Account, Failure> {
    match app.store.account_by_name(name).await? {
        Some(found) => Ok(found.account),
        None => Err(Failure::new(Exit::Usage, format!("there is no account `{name}`"))
            .next("See `rollcall user list`.")),
    }
}

async fn set_disabled(name: &str, place: &Where, disabled: bool) -> Result<(), Failure> {
    let app = place.open().await?;
    let account = named(&app, name).await?;
    let done = app.store.set_disabled(account.id, disabled, &by(&app)).await;
    if matches!(done, Err(store::Error::Conflict)) {
        return Err(last_administrator(&account.name, "can sign in"));
    }
    done?;
    let state = if disabled { "closed" } else { "open" };
    say(format_args!("The account {} is {state}.", account.name));
    Ok(())
}

fn last_administrator(name: &str, who: &str) -> Failure {
    Failure::new(Exit::Conflict, format!("{name} is the last administrator who {who}"))
        .next("Make another first: `rollcall user add NAME --role admin`.")
}

/// The names of all sites and departments.
async fn names(app: &App) -> Result<Vec<(i64, String)>, Failure> {
    let units = app.store.units().await?;
    Ok(units.into_iter().map(|row| (row.id, row.name)).collect())
}

fn by(app: &App) -> By {
    By::new("command line", app.clock.now())
}

/// A password (when it was made here) and its hash.
fn new_password(name: &str, from_stdin: bool) -> Result<(Option<String>, String), Failure> {
    let (shown, text) = if from_stdin {
        let mut text = String::new();
        std::io::stdin()
            .take(4096)
            .read_to_string(&mut text)
            .map_err(|error| Failure::of(Exit::Usage, &error))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        password::check_password(&text, name).map_err(|why| Failure::new(Exit::Usage, why))?;
        (None, text)
    } else {
        let made = Secret::random("").map_err(|error| Failure::of(Exit::Internal, &error))?;
        let text: String = made.reveal().chars().take(24).collect();
        (Some(text.clone()), text)
    };
    let hash = password::hash_now(&text)
        .ok_or_else(|| Failure::new(Exit::Internal, "the password could not be hashed"))?;
    Ok((shown, hash))
}

fn told(name: &str, password: Option<&str>) {
    match password {
        Some(password) => say(format_args!("{name} may sign in with this password:\n{password}")),
        None => say(format_args!("{name} may sign in with the new password.")),
    }
}
