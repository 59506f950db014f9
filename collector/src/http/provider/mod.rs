//! Signing in with a provider: sending somebody there, and believing what they come back with.
//!
//! Nothing is kept on this side while somebody is away: the state, the nonce and the verifier are
//! made from a secret in a cookie of that browser (`away`). Whose account it is, and what that may
//! do, is decided in `person`.

mod away;
mod person;
pub mod settings;

use axum::http::HeaderMap;
use rollcall_shared::Digest;

use super::Error;
use super::figures::SignIn;
use super::session::{SignedIn, Visitor};
use crate::app::App;
use crate::oidc::token::{Claims, Expected, TokenError, believe};
use crate::oidc::{self, OidcError};
use crate::store::audit::By;
use crate::store::provider::Provider;

pub use away::{Away, StartCookie};

/// The part of the path before a provider's number.
pub const PATH: &str = "/sign-in/with/";

/// Where a provider sends people back to.
pub fn redirect_uri(app: &App, provider: i64) -> String {
    format!("{}{PATH}{provider}/back", app.public_url)
}

/// What a browser comes back with.
#[derive(Debug, Clone, Default)]
pub struct Back<'a> {
    /// What we gave along.
    pub state: Option<&'a str>,
    /// What becomes tokens.
    pub code: Option<&'a str>,
    /// Who says that it sends the browser back.
    pub issuer: Option<&'a str>,
    /// Why there is no code.
    pub error: Option<&'a str>,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The browser did not begin it, or too long ago.
    #[error("This browser did not begin this sign-in, or more than ten minutes ago. Begin again.")]
    NotBegun,
    /// Another provider answers than the one that was asked.
    #[error("Another provider answered than the one that was asked. Begin again.")]
    OtherProvider,
    /// The provider says no.
    #[error("The provider did not sign you in: {0}.")]
    Provider(String),
    /// The provider could not be asked or is not believed.
    #[error(
        "What the provider says cannot be used. An administrator finds out why with “Test the \
         connection”, and in the log."
    )]
    NotBelieved(#[source] OidcError),
    /// The answer was used before.
    #[error("This answer of the provider was used before. Begin again.")]
    Replayed,
    /// No verified address of an allowed domain.
    #[error(
        "Your e-mail address is not one that may sign in here, or the provider has not verified it."
    )]
    Domain,
    /// No group gives a role.
    #[error(
        "None of your groups may use Rollcall. Ask whoever looks after the groups of your company."
    )]
    NoRole,
    /// Nobody is known by this name, and no account is made.
    #[error(
        "You have no account here. Give an administrator this name to link with one: {subject}"
    )]
    Unknown {
        /// The provider's name for the person.
        subject: String,
    },
    /// A person closed the account.
    #[error("Your account is closed. Ask an administrator.")]
    Closed,
    /// The provider would take the last administrator away.
    #[error(
        "The provider gives you another role now, and you are the last administrator. Make another \
         one first."
    )]
    LastAdministrator,
    /// Our fault.
    #[error(transparent)]
    Internal(#[from] Error),
}

impl From<crate::store::Error> for Refused {
    fn from(error: crate::store::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<OidcError> for Refused {
    fn from(error: OidcError) -> Self {
        Self::NotBelieved(error)
    }
}

/// A provider that people may sign in with now.
async fn enabled(app: &App, id: i64) -> Result<Provider, Refused> {
    let found = app.store.provider(id).await?.filter(|provider| provider.config.enabled);
    found.ok_or(Refused::Internal(Error::NotFound))
}

/// Begins a sign-in: the cookie for the browser, and where it goes.
pub async fn begin(app: &App, id: i64, next: &str) -> Result<(StartCookie, String), Refused> {
    let provider = enabled(app, id).await?;
    let config = &provider.config;
    let known = &app.guard.providers;
    let now = app.clock.now();
    let published = oidc::published(&app.outgoing, known, &config.issuer, now, false).await;
    let published = published.inspect_err(|error| not_believed(&provider, error))?;
    let away = Away::new(id, now, next).map_err(Error::internal)?;
    let to = away.address(&published.metadata, config, &redirect_uri(app, id));
    Ok((away.cookie(), to))
}

/// Signs in whoever comes back, or says what follows; and where they wanted to go.
pub async fn finish(
    app: &App,
    id: i64,
    back: &Back<'_>,
    headers: &HeaderMap,
    visitor: &Visitor,
) -> Result<(SignedIn, String), Refused> {
    let provider = enabled(app, id).await?;
    let now = app.clock.now();
    let away = Away::of(headers).filter(|away| away.provider == id && away.lasts(now));
    let away = away.ok_or(Refused::NotBegun)?;
    if back.state.is_none_or(|state| !away.is_state(state)) {
        return Err(Refused::NotBegun);
    }
    let found = claims(app, &provider, &away, back).await;
    if let Err(Refused::NotBelieved(error)) = &found {
        not_believed(&provider, error);
    }
    let claims = found?;
    let signed_in = person::enter(app, &provider, &claims, visitor).await;
    if let Err(refused) = &signed_in
        && !matches!(refused, Refused::Internal(_))
    {
        refusal(app, &provider, &claims, refused, visitor).await;
    }
    Ok((signed_in?, away.next))
}

/// What the provider says of the person, believed once.
async fn claims(
    app: &App,
    provider: &Provider,
    away: &Away,
    back: &Back<'_>,
) -> Result<Claims, Refused> {
    let (config, now) = (&provider.config, app.clock.now());
    let (outgoing, known) = (&app.outgoing, &app.guard.providers);
    let published = oidc::published(outgoing, known, &config.issuer, now, false).await?;
    let metadata = &published.metadata;
    let names_itself = metadata.authorization_response_iss_parameter_supported;
    match back.issuer {
        Some(issuer) if issuer == config.issuer => {}
        None if !names_itself => {}
        _ => return Err(Refused::OtherProvider),
    }
    if let Some(error) = back.error {
        return Err(Refused::Provider(oidc::plain(error)));
    }
    let code = back.code.ok_or(Refused::NotBegun)?;
    let client = oidc::Client { id: &config.client_id, secret: &provider.client_secret };
    let redirect_uri = redirect_uri(app, provider.id);
    let verifier = away.verifier();
    let tokens = oidc::exchange(outgoing, metadata, client, code, &verifier, &redirect_uri).await?;
    let nonce = away.nonce();
    let expected = Expected {
        issuer: &config.issuer,
        client_id: &config.client_id,
        nonce: &nonce,
        access_token: tokens.access_token.as_deref(),
        now: app.clock.now(),
    };
    let mut claims = match believe(&tokens.id_token, &published.keys, &expected) {
        // The provider may have new keys; the token came from itself, so asking is worth it.
        Err(TokenError::UnknownKey | TokenError::Signature) => {
            let anew = oidc::published(outgoing, known, &config.issuer, now, true).await?;
            believe(&tokens.id_token, &anew.keys, &expected)
        }
        believed => believed,
    }
    .map_err(OidcError::from)?;
    if !app.store.use_answer(Digest::of(nonce.as_bytes()), now).await? {
        return Err(Refused::Replayed);
    }
    let lacks = !claims.has(&config.groups_claim)
        || (!config.email_domains.is_empty() && !claims.has("email"));
    if let (true, Some(url), Some(access)) =
        (lacks, &metadata.userinfo_endpoint, &tokens.access_token)
    {
        let subject = claims.subject().to_owned();
        claims.fill(oidc::user_info(outgoing, url, access, &subject).await?);
    }
    Ok(claims)
}

fn not_believed(provider: &Provider, error: &OidcError) {
    tracing::warn!(
        provider.id,
        provider.name = provider.config.name,
        error.chain = super::error::chain(error),
        "a sign-in provider gave nothing usable"
    );
}

/// Writes down who was refused. Only people that the provider itself named are: nobody fills the
/// audit log by asking.
async fn refusal(
    app: &App,
    provider: &Provider,
    claims: &Claims,
    refused: &Refused,
    visitor: &Visitor,
) {
    app.guard.figures.sign_in(SignIn::Refused);
    let name = &provider.config.name;
    let object = format!("{} at {}", claims.subject(), provider.config.issuer);
    let said = format!("with {name}: {refused} From {}", visitor.address);
    let entry = By::new("nobody", app.clock.now()).did("provider_sign_in_refused", object, said);
    if let Err(error) = app.store.audit(&entry).await {
        tracing::error!(%error, "a refused sign-in could not be written into the audit log");
    }
}
