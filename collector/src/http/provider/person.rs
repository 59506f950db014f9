//! Whose account somebody is who a provider speaks for, and what it may do today.
//!
//! A person is known by issuer and subject, never by an address or a name: those are chosen, given
//! away and given to others.

use rollcall_shared::Timestamp;
use rollcall_shared::api::account::{Account, Role};
use rollcall_shared::api::provider::ProviderConfig;

use super::Refused;
use crate::app::App;
use crate::http::Error;
use crate::http::session::{self, SignedIn, Step, Visitor};
use crate::oidc::token::Claims;
use crate::store;
use crate::store::audit::By;
use crate::store::provider::Provider;
use crate::store::second_factor::SecondFactor;

/// Names that are tried for a new account.
const NAMES: u32 = 20;
/// Letters of a sign-in name.
const NAME_LONGEST: usize = 64;

/// Signs a person in whose claims are believed, or says what follows.
pub(super) async fn enter(
    app: &App,
    provider: &Provider,
    claims: &Claims,
    visitor: &Visitor,
) -> Result<SignedIn, Refused> {
    let config = &provider.config;
    if !domain_allowed(config, claims) {
        return Err(Refused::Domain);
    }
    let (issuer, subject) = (config.issuer.as_str(), claims.subject());
    let by = By::new(format!("sign-in provider {}", config.name), app.clock.now());
    let role = config.role_of(&claims.list(&config.groups_claim));
    let known = app.store.identity(issuer, subject).await?;
    let Some(role) = role else {
        if known.is_some() {
            app.store.shut_identity(issuer, subject, &by).await?;
        }
        return Err(Refused::NoRole);
    };
    let number = match known {
        Some(identity) => {
            if identity.shut {
                app.store.reopen_identity(issuer, subject, &by).await?;
            }
            identity.account
        }
        None if config.makes_accounts => new_account(app, config, claims, role, &by).await?,
        None => return Err(Refused::Unknown { subject: subject.to_owned() }),
    };
    let account = today(app, number, role, &by).await?;
    app.store.identity_used(issuer, subject, by.at).await?;
    let factor = app.store.second_factor(account.id).await?.ok_or(Error::NotFound)?;
    let step = step(vouched(config, claims), &factor, account.role, by.at);
    Ok(session::enter(app, &account, step, visitor, &format!(", with {}", config.name)).await?)
}

/// The account with the role that the provider gives it today.
async fn today(app: &App, number: i64, role: Role, by: &By) -> Result<Account, Refused> {
    let mut account = app.store.account(number).await?.ok_or(Error::NotFound)?.account;
    if account.disabled_at.is_some() {
        return Err(Refused::Closed);
    }
    if account.role != role {
        match app.store.set_role(number, role, by).await {
            Ok(_) => account.role = role,
            Err(store::Error::Conflict) => return Err(Refused::LastAdministrator),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(account)
}

/// What follows on a believed answer. Our own second factor is asked for where the provider does
/// not say that one was used.
fn step(vouched: bool, factor: &SecondFactor, role: Role, now: Timestamp) -> Step {
    match (vouched, &factor.secret, role) {
        (false, Some(_), _) => Step::Code,
        (false, None, Role::Admin) if now < factor.due_at => Step::InForNow,
        (false, None, Role::Admin) => Step::SetUp,
        (true, ..) | (false, None, _) => Step::In,
    }
}

/// Whether the provider says that a second factor was used.
fn vouched(config: &ProviderConfig, claims: &Claims) -> bool {
    let said = claims.list("amr").into_iter().chain(claims.text("acr").map(str::to_owned));
    said.into_iter().any(|value| config.second_factor_values.contains(&value))
}

fn domain_allowed(config: &ProviderConfig, claims: &Claims) -> bool {
    config.email_domains.is_empty()
        || claims.verified_email().and_then(|email| email.rsplit_once('@')).is_some_and(
            |(_, domain)| config.email_domains.iter().any(|one| one.eq_ignore_ascii_case(domain)),
        )
}

/// A new account under a name that nobody has: one that exists is never taken over.
async fn new_account(
    app: &App,
    config: &ProviderConfig,
    claims: &Claims,
    role: Role,
    by: &By,
) -> Result<i64, Refused> {
    let (issuer, subject) = (config.issuer.as_str(), claims.subject());
    let wanted = wanted_name(claims);
    for number in 1..=NAMES {
        let name = if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
        match app.store.make_account_for(issuer, subject, &name, role, by).await {
            Ok(account) => return Ok(account),
            Err(store::Error::Conflict) => {
                // Perhaps it was made by another request of the same person.
                if let Some(made) = app.store.identity(issuer, subject).await? {
                    return Ok(made.account);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    let text = format!("the names from {wanted} to {wanted}-{NAMES} are taken");
    Err(Refused::Internal(Error::Conflict(text)))
}

/// The sign-in name that a person would like, in letters that names have here.
fn wanted_name(claims: &Claims) -> String {
    let plain = |text: &str| -> String {
        let allowed = |letter: &char| letter.is_alphanumeric() || "._-@+".contains(*letter);
        text.chars().filter(allowed).take(NAME_LONGEST - 4).collect()
    };
    let wanted = ["preferred_username", "email", "sub"];
    let mut names = wanted.iter().filter_map(|claim| claims.text(claim)).map(plain);
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "person".to_owned())
}
