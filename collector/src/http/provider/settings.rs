//! Making and changing providers: the same checks for the console and the API.

use rollcall_shared::api::provider::{ConnectionTest, ProviderConfig, SignInProvider};

use super::redirect_uri;
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Caller;
use crate::oidc::probe::probe;
use crate::secret::Secret;
use crate::store::provider::Provider;

/// Providers there may be.
const PROVIDERS: usize = 20;
/// Lines of a list.
const LINES: usize = 200;
const NAME_LONGEST: usize = 60;
const TEXT_LONGEST: usize = 500;

/// A provider as it may be shown.
pub fn shown(app: &App, provider: Provider) -> SignInProvider {
    let Provider { id, config, client_secret, created_at } = provider;
    SignInProvider {
        id,
        created_at,
        config,
        redirect_uri: redirect_uri(app, id),
        has_secret: !client_secret.reveal().is_empty(),
    }
}

/// All of them.
pub async fn list(app: &App) -> Result<Vec<SignInProvider>, Error> {
    let all = app.store.providers().await?;
    Ok(all.into_iter().map(|provider| shown(app, provider)).collect())
}

/// One of them.
pub async fn get(app: &App, id: i64) -> Result<SignInProvider, Error> {
    Ok(shown(app, app.store.provider(id).await?.ok_or(Error::NotFound)?))
}

/// Makes a provider.
pub async fn create(
    app: &App,
    caller: &Caller,
    config: ProviderConfig,
    secret: Option<Secret>,
) -> Result<SignInProvider, Error> {
    let config = checked(app, config)?;
    let secret = secret.unwrap_or_else(|| Secret::presented(""));
    check_secret(&secret)?;
    if app.store.providers().await?.len() >= PROVIDERS {
        let why = format!("there are {PROVIDERS} sign-in providers already; delete one first");
        return Err(Error::Conflict(why));
    }
    let id = app.store.create_provider(&config, &secret, &caller.by(app)).await?;
    get(app, id).await
}

/// Sets a provider; without a secret the one it has stays.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: i64,
    config: ProviderConfig,
    secret: Option<Secret>,
) -> Result<SignInProvider, Error> {
    let config = checked(app, config)?;
    if let Some(secret) = &secret {
        check_secret(secret)?;
    }
    let by = caller.by(app);
    if !app.store.change_provider(id, &config, secret.as_ref(), &by).await? {
        return Err(Error::NotFound);
    }
    get(app, id).await
}

/// Takes a provider away.
pub async fn delete(app: &App, caller: &Caller, id: i64) -> Result<(), Error> {
    let done = app.store.delete_provider(id, &caller.by(app)).await?;
    done.then_some(()).ok_or(Error::NotFound)
}

/// Tries a provider's settings.
pub async fn test(app: &App, id: i64) -> Result<ConnectionTest, Error> {
    let provider = app.store.provider(id).await?.ok_or(Error::NotFound)?;
    let to = redirect_uri(app, id);
    Ok(probe(&app.outgoing, &provider.config, &provider.client_secret, &to).await)
}

/// Says that a person at a provider is this account.
pub async fn link(
    app: &App,
    caller: &Caller,
    id: i64,
    account: &str,
    subject: &str,
) -> Result<(), Error> {
    let provider = app.store.provider(id).await?.ok_or(Error::NotFound)?;
    let subject = subject.trim();
    if subject.is_empty() || subject.len() > 255 || !subject.is_ascii() || odd(subject) {
        let why =
            "give the provider's name for the person (`sub`) as the refused sign-in showed it";
        return Err(Error::invalid("subject", why));
    }
    let found = app.store.account_by_name(account.trim()).await?;
    let found = found.ok_or_else(|| Error::invalid("account", "there is no such account"))?;
    let (issuer, by) = (&provider.config.issuer, caller.by(app));
    match app.store.link_identity(issuer, subject, found.account.id, &by).await {
        Err(crate::store::Error::Conflict) => Err(Error::Conflict(
            "this person is linked with an account already; take that link away first".to_owned(),
        )),
        done => Ok(done?),
    }
}

/// Takes such a link away.
pub async fn unlink(app: &App, caller: &Caller, id: i64, subject: &str) -> Result<(), Error> {
    let provider = app.store.provider(id).await?.ok_or(Error::NotFound)?;
    let issuer = &provider.config.issuer;
    let done = app.store.unlink_identity(issuer, subject, &caller.by(app)).await?;
    done.then_some(()).ok_or(Error::NotFound)
}

fn odd(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn check_secret(secret: &Secret) -> Result<(), Error> {
    let text = secret.reveal();
    if text.len() > TEXT_LONGEST || odd(text) {
        return Err(Error::invalid("client_secret", "give it as the provider showed it"));
    }
    Ok(())
}

/// The settings in their stored form, or which one is wrong.
fn checked(app: &App, mut config: ProviderConfig) -> Result<ProviderConfig, Error> {
    let ProviderConfig {
        name,
        issuer,
        client_id,
        scopes,
        groups_claim,
        group_roles,
        email_domains,
        makes_accounts: _,
        second_factor_values,
        enabled: _,
    } = &mut config;
    for (field, text, longest) in [
        ("name", &mut *name, NAME_LONGEST),
        ("issuer", &mut *issuer, TEXT_LONGEST),
        ("client_id", &mut *client_id, TEXT_LONGEST),
        ("groups_claim", &mut *groups_claim, NAME_LONGEST),
    ] {
        *text = text.trim().to_owned();
        if text.is_empty() || text.chars().count() > longest || odd(text) {
            let why = format!("give 1 to {longest} characters");
            return Err(Error::invalid(field, why));
        }
    }
    if issuer.contains(['?', '#']) {
        return Err(Error::invalid("issuer", "an issuer has no query and no part behind #"));
    }
    app.outgoing.check(issuer).map_err(|error| Error::invalid("issuer", error.told()))?;
    *scopes = scopes.split_whitespace().collect::<Vec<_>>().join(" ");
    let allowed = |text: &str| text.chars().all(|letter| letter.is_ascii_graphic());
    if scopes.len() > TEXT_LONGEST || !scopes.split(' ').all(allowed) {
        return Err(Error::invalid("scopes", "give names of scopes with spaces between"));
    }
    for (field, list) in
        [("email_domains", email_domains), ("second_factor_values", second_factor_values)]
    {
        for text in list.iter_mut() {
            *text = text.trim().trim_start_matches('@').to_owned();
        }
        list.retain(|text| !text.is_empty());
        let good = |text: &String| text.len() <= TEXT_LONGEST && allowed(text);
        if list.len() > LINES || !list.iter().all(good) {
            return Err(Error::invalid(field, "give a list of words without spaces"));
        }
    }
    for line in group_roles.iter_mut() {
        line.group = line.group.trim().to_owned();
    }
    let bad = |group: &str| group.is_empty() || group.chars().count() > TEXT_LONGEST || odd(group);
    if group_roles.len() > LINES || group_roles.iter().any(|line| bad(&line.group)) {
        return Err(Error::invalid("group_roles", "give at most 200 groups, each with its name"));
    }
    Ok(config)
}
