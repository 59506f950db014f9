//! Signing in and out: a 256-bit session id in a `__Host-` cookie, stored only as its hash.
//!
//! Who has a second factor, or must set one up, has a session that waits after the password: it
//! opens nothing but the page that asks for the rest. Each step gets an id of its own.

use std::net::IpAddr;

use axum::http::header::{COOKIE, SET_COOKIE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use rollcall_shared::Digest;
use rollcall_shared::api::account::{Account, Role};
use rollcall_shared::time::{HOUR_MS, MINUTE_MS};

use super::Error;
use super::auth::{Caller, Credential};
use super::figures::SignIn;
use super::throttle::FORGET_AFTER_MS;
use crate::app::App;
use crate::secret::Secret;
use crate::store::account::account_words;
use crate::store::audit::{AuditQuery, By};
use crate::store::session::{Awaits, NewSession};
use crate::totp::{TotpSecret, plain_recovery_code};

const COOKIE_NAME: &str = "__Host-rollcall";
/// A session that is not used ends.
pub(super) const IDLE_MS: i64 = 60 * MINUTE_MS;
/// A session ends after this time in any case.
const ABSOLUTE_MS: i64 = 8 * HOUR_MS;
/// How long a session waits for the second factor.
const WAITING_MS: i64 = 10 * MINUTE_MS;
/// Using a session is written down at most this often.
const TOUCH_MS: i64 = MINUTE_MS;

/// What the audit log calls a refused sign-in.
const REFUSED: &str = "sign_in_refused";
/// Failures that are counted again after a restart.
const RECALLED: u32 = 5_000;

/// What is stored of a session's secret; names the session.
pub type SessionId = Digest;

/// The cookie of a new session, or the one that removes it. Give it beside the answer:
/// `(cookie, Redirect::to("/"))`.
#[derive(Debug, Clone)]
pub struct SessionCookie(Option<Secret>);

impl SessionCookie {
    /// Removes the cookie.
    pub fn none() -> Self {
        Self(None)
    }
}

impl IntoResponseParts for SessionCookie {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
        let text = match &self.0 {
            Some(secret) => format!("{COOKIE_NAME}={}; {attributes}", secret.reveal()),
            None => format!("{COOKIE_NAME}=; {attributes}; Max-Age=0"),
        };
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            parts.headers_mut().append(SET_COOKIE, value);
        }
        Ok(parts)
    }
}

/// From where somebody comes, as far as it can be believed.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The address.
    pub address: IpAddr,
    /// The browser and its system in a few words; empty when it does not say.
    pub browser: String,
}

impl Visitor {
    /// Whoever sent these headers from this address.
    pub fn new(address: IpAddr, headers: &HeaderMap) -> Self {
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Self { address, browser: browser(agent.unwrap_or_default()) }
    }

    /// For the list of sessions.
    fn words(&self) -> String {
        if self.browser.is_empty() {
            self.address.to_string()
        } else {
            format!("{}, {}", self.browser, self.address)
        }
    }
}

impl From<IpAddr> for Visitor {
    fn from(address: IpAddr) -> Self {
        Self { address, browser: String::new() }
    }
}

/// What a browser says of itself, in words. Only known words come out of it.
fn browser(agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(part, _)| agent.contains(part)).map(|(_, word)| *word)
    };
    // Each of these also names those that stand after it.
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(word), None) | (None, Some(word)) => word.to_owned(),
        (None, None) => String::new(),
    }
}

/// What follows on a right password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The person is signed in.
    In,
    /// The person is signed in, and should set a second factor up soon.
    InForNow,
    /// A code is asked for.
    Code,
    /// A second factor must be set up first.
    SetUp,
}

/// A right password.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session's cookie.
    pub cookie: SessionCookie,
    /// What follows.
    pub step: Step,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The name or the password is wrong, or the account is disabled: never told which.
    #[error("the name or the password is not right")]
    Refused,
    /// Too many attempts for this name or from this address.
    #[error("too many attempts; try again in {retry_after_s} seconds")]
    TooMany {
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// Too many sign-ins at this moment.
    #[error("the collector is busy; try again in a few seconds")]
    Busy,
    /// Our fault.
    #[error(transparent)]
    Internal(#[from] Error),
}

fn throttled(app: &App, name: &str, client: IpAddr) -> Result<(), SignInError> {
    app.guard.throttle.attempt(name, client, app.clock.now()).map_err(|retry_after_s| {
        app.guard.figures.sign_in(SignIn::Slowed);
        SignInError::TooMany { retry_after_s }
    })
}

/// Signs a person in, or asks for the next step. The attempt is counted before the password is
/// looked at; who has a second factor starts afresh only with a right code.
pub async fn sign_in(
    app: &App,
    name: &str,
    password: &str,
    visitor: impl Into<Visitor>,
) -> Result<SignedIn, SignInError> {
    let visitor = visitor.into();
    let client = visitor.address;
    throttled(app, name, client)?;
    let found = app.store.account_by_name(name.trim()).await.map_err(Error::from)?;
    let known = found.as_ref().map(|found| found.account.name.clone());
    let account = found.filter(|found| found.account.disabled_at.is_none());
    // An unknown name costs the same time as a wrong password.
    let hash = account.as_ref().map(|found| found.password_hash.clone());
    let right = app.guard.passwords.verify(password, hash).await.map_err(|_| SignInError::Busy)?;
    let Some(found) = account.filter(|_| right) else {
        tracing::info!(client.address = %client, "a sign-in was refused");
        refused(app, known.as_deref(), "", client).await;
        return Err(SignInError::Refused);
    };
    let account = found.account;
    let factor = app.store.second_factor(account.id).await.map_err(Error::from)?;
    let factor = factor.ok_or(Error::NotFound)?;
    let step = match (factor.secret, account.role) {
        (Some(_), _) => Step::Code,
        (None, Role::Admin) if app.clock.now() < factor.due_at => Step::InForNow,
        (None, Role::Admin) => Step::SetUp,
        (None, _) => Step::In,
    };
    if step != Step::Code {
        app.guard.throttle.succeeded(name, client);
    }
    let cookie = match step {
        Step::In | Step::InForNow => begin(app, account.id, &account.name, &visitor, "").await?,
        Step::Code => wait(app, account.id, &visitor, Awaits::Code).await?,
        Step::SetUp => wait(app, account.id, &visitor, Awaits::SetUp).await?,
    };
    Ok(SignedIn { cookie, step })
}

/// Begins the session of somebody that a provider spoke for, as far as this step goes.
pub(super) async fn enter(
    app: &App,
    account: &Account,
    step: Step,
    visitor: &Visitor,
    how: &str,
) -> Result<SignedIn, Error> {
    let cookie = match step {
        Step::In | Step::InForNow => begin(app, account.id, &account.name, visitor, how).await?,
        Step::Code => wait(app, account.id, visitor, Awaits::Code).await?,
        Step::SetUp => wait(app, account.id, visitor, Awaits::SetUp).await?,
    };
    Ok(SignedIn { cookie, step })
}

/// Begins a session that opens everything its account may.
pub(super) async fn begin(
    app: &App,
    account: i64,
    name: &str,
    visitor: &Visitor,
    how: &str,
) -> Result<SessionCookie, Error> {
    let secret = Secret::random("").map_err(Error::internal)?;
    let now = app.clock.now();
    let session = NewSession {
        id: secret.digest(),
        account,
        created_at: now,
        expires_at: now.plus_ms(ABSOLUTE_MS),
        client: visitor.words(),
        awaits: None,
    };
    let from = format!("from {}{how}", visitor.words());
    let entry = By::new(name, now).did("sign_in", account_words(name), from);
    app.store.create_session(&session, Some(&entry)).await?;
    app.guard.figures.sign_in(SignIn::Done);
    tracing::info!(account.name = name, client.address = %visitor.address, "signed in");
    Ok(SessionCookie(Some(secret)))
}

/// Begins a session that opens nothing but the next step.
async fn wait(
    app: &App,
    account: i64,
    visitor: &Visitor,
    awaits: Awaits,
) -> Result<SessionCookie, Error> {
    let secret = Secret::random("").map_err(Error::internal)?;
    let now = app.clock.now();
    let session = NewSession {
        id: secret.digest(),
        account,
        created_at: now,
        expires_at: now.plus_ms(WAITING_MS),
        client: visitor.words(),
        awaits: Some(awaits),
    };
    app.store.create_session(&session, None).await?;
    Ok(SessionCookie(Some(secret)))
}

/// Somebody whose password was right and from whom something else is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Number of the account.
    pub account: i64,
    /// Its sign-in name.
    pub name: String,
    /// What is awaited.
    pub awaits: Awaits,
    id: SessionId,
}

/// The waiting session that a request presents.
pub async fn waiting(app: &App, headers: &HeaderMap) -> Result<Option<Waiting>, Error> {
    let Some(id) = presented(headers) else { return Ok(None) };
    let Some(found) = app.store.session(id).await? else { return Ok(None) };
    let (Some(awaits), true) = (found.awaits, app.clock.now() < found.expires_at) else {
        return Ok(None);
    };
    Ok(Some(Waiting { account: found.account, name: found.account_name, awaits, id }))
}

/// Signs somebody in by a code of their app or a recovery code.
pub async fn finish(
    app: &App,
    waiting: &Waiting,
    code: &str,
    visitor: &Visitor,
) -> Result<SessionCookie, SignInError> {
    let client = visitor.address;
    throttled(app, &waiting.name, client)?;
    let Some(how) = proof(app, waiting.account, &waiting.name, code).await? else {
        tracing::info!(client.address = %client, "a code was refused");
        refused(app, Some(&waiting.name), "the code, ", client).await;
        return Err(SignInError::Refused);
    };
    let cookie = promote(app, waiting, visitor, how).await?;
    // The right password counted as well.
    app.guard.throttle.succeeded(&waiting.name, client);
    app.guard.throttle.succeeded(&waiting.name, client);
    Ok(cookie)
}

/// A session in place of one that waited.
pub(super) async fn promote(
    app: &App,
    waiting: &Waiting,
    visitor: &Visitor,
    how: &str,
) -> Result<SessionCookie, Error> {
    app.store.end_session(waiting.id).await?;
    begin(app, waiting.account, &waiting.name, visitor, how).await
}

/// How a code proves who it is, and uses it up; `None`: it does not.
async fn proof(
    app: &App,
    account: i64,
    name: &str,
    code: &str,
) -> Result<Option<&'static str>, Error> {
    let now = app.clock.now();
    let Some(factor) = app.store.second_factor(account).await? else { return Ok(None) };
    let Some(secret) = factor.secret.map(TotpSecret::from_bytes) else { return Ok(None) };
    if let Some(step) = secret.step_of(code, now, factor.last_step) {
        let used = app.store.use_code(account, step).await?;
        return Ok(used.then_some(", with a code"));
    }
    let plain = plain_recovery_code(code);
    let digest = Digest::of(plain.as_bytes());
    let used = app.store.use_recovery_code(account, digest, &By::new(name, now)).await?;
    Ok(used.then_some(", with a recovery code"))
}

/// Whether this is the caller's password, asked once more before something that matters. Who signs
/// in by a provider and has none proves it with a code of the second factor.
pub(super) async fn confirms(
    app: &App,
    caller: &Caller,
    present: &str,
    client: IpAddr,
) -> Result<(), SignInError> {
    throttled(app, &caller.name, client)?;
    let found = app.store.account(caller.account).await.map_err(Error::from)?;
    let (right, what) = if found.as_ref().is_some_and(|found| !found.has_password()) {
        let proof = proof(app, caller.account, &caller.name, present).await?;
        (proof.is_some(), "a code once more, ")
    } else {
        let hash = found.map(|found| found.password_hash);
        let right = app.guard.passwords.verify(present, hash).await;
        (right.map_err(|_| SignInError::Busy)?, "a password once more, ")
    };
    if !right {
        refused(app, Some(&caller.name), what, client).await;
        return Err(SignInError::Refused);
    }
    app.guard.throttle.succeeded(&caller.name, client);
    Ok(())
}

/// Writes a refused sign-in down. A name that nobody has may be a password in the wrong field: it is
/// not kept. Nor does a full disk change the answer.
async fn refused(app: &App, account: Option<&str>, what: &str, client: IpAddr) {
    app.guard.figures.sign_in(SignIn::Refused);
    let by = By::new("nobody", app.clock.now());
    let object = account.map_or_else(|| "no account".to_owned(), account_words);
    let entry = by.did(REFUSED, object, format!("{what}from {client}"));
    if let Err(error) = app.store.audit(&entry).await {
        tracing::error!(%error, "a refused sign-in could not be written into the audit log");
    }
}

/// Counts the failures that the audit log has of the last half hour: whoever guesses gains nothing
/// by a restart of the collector, nor by going on at another one.
pub async fn recall_failures(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let query = AuditQuery {
        from: now.plus_ms(-FORGET_AFTER_MS),
        action: REFUSED.to_owned(),
        ..AuditQuery::default()
    };
    let mut found = app.store.audit_entries(&query, None, RECALLED).await?;
    found.reverse();
    for placed in found {
        let entry = placed.entry;
        let address = entry.detail.rsplit_once("from ").and_then(|(_, text)| text.parse().ok());
        app.guard.throttle.recall(entry.object.strip_prefix("account "), address, entry.at);
    }
    Ok(())
}

/// Ends the caller's session and removes its cookie.
pub async fn sign_out(app: &App, caller: &Caller) -> Result<SessionCookie, Error> {
    if let Credential::Session(id) = caller.by {
        let entry = caller.by(app).did("sign_out", account_words(&caller.name), "");
        app.store.sign_out(id, &entry).await?;
    }
    Ok(SessionCookie::none())
}

/// The session that a request presents.
pub(super) fn presented(headers: &HeaderMap) -> Option<SessionId> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE_NAME && (40..=64).contains(&value.len()))
        .map(|(_, value)| Secret::presented(value).digest())
}

/// A use that could not be written down is no reason to refuse it.
pub(super) fn not_noted(done: Result<(), crate::store::Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "the last use of a session or an API token could not be noted");
    }
}

/// Whose session it is, while it lasts and awaits nothing.
pub(super) async fn caller(app: &App, id: SessionId) -> Result<Option<Caller>, Error> {
    let now = app.clock.now();
    let Some(found) = app.store.session(id).await? else { return Ok(None) };
    let over = now >= found.expires_at || now.since(found.used_at) >= IDLE_MS;
    // With a full disk people still read: what cannot be noted now is noted another time.
    if over {
        not_noted(app.store.end_session(id).await);
        return Ok(None);
    }
    if found.awaits.is_some() {
        return Ok(None);
    }
    if now.since(found.used_at) >= TOUCH_MS {
        not_noted(app.store.touch_session(id, now).await);
    }
    Ok(Some(Caller {
        name: found.account_name,
        role: found.role,
        account: found.account,
        by: Credential::Session(id),
        scope: app.store.scope_of(found.account).await?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_in_known_words() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                    Gecko) Chrome/128.0.0.0 Safari/537.36 Edg/128.0.0.0";
        assert_eq!(browser(edge), "Edge on Windows");
        assert_eq!(browser("curl/8.9"), "curl");
        assert_eq!(browser("<script>alert(1)</script>"), "");
    }
}
