//! `rollcall user`: accounts from the command line. Passwords never stand in the arguments.

use std::io::Read as _;

use clap::Subcommand;
use rollcall_shared::api::account::{Account, Role};

use super::{Where, say};
use crate::app::App;
use crate::failure::{Exit, Failure};
use crate::http::password;
use crate::secret::Secret;
use crate::store;
use crate::store::audit::By;

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

fn role(word: &str) -> Result<Role, String> {
    Role::from_word(word).ok_or_else(|| "one of helpdesk, auditor, it, admin".to_owned())
}

pub(super) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { name, role, password_stdin, place } => {
            let name = password::check_name(&name)
                .map_err(|why| Failure::new(Exit::Usage, why))?
                .to_lowercase();
            let app = place.open().await?;
            let (text, hash) = new_password(&name, password_stdin)?;
            let made = app.store.create_account(&name, role, &hash, &by(&app)).await;
            if matches!(made, Err(store::Error::Conflict)) {
                return Err(Failure::new(Exit::Conflict, format!("`{name}` exists already"))
                    .next(format!("Give it a new password with `rollcall user reset {name}`.")));
            }
            made?;
            told(&name, text.as_deref());
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
            for account in accounts {
                let disabled = if account.disabled_at.is_some() { "  disabled" } else { "" };
                let factor = if account.second_factor { "  second factor" } else { "" };
                let role = account.role.as_str();
                say(format_args!("{role:<9} {}{factor}{disabled}", account.name));
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
        let text = format!("{} is the last administrator who can sign in", account.name);
        return Err(Failure::new(Exit::Conflict, text)
            .next("Make another first: `rollcall user add NAME --role admin`."));
    }
    done?;
    let state = if disabled { "closed" } else { "open" };
    say(format_args!("The account {} is {state}.", account.name));
    Ok(())
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
