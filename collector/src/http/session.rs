//! Signing in and out: a 256-bit session id in a `__Host-` cookie, stored only as its hash.

use std::net::IpAddr;

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use rollcall_shared::Digest;
use rollcall_shared::time::{HOUR_MS, MINUTE_MS};

use super::Error;
use super::auth::{Caller, Credential};
use crate::app::App;
use crate::secret::Secret;
use crate::store::account::account_words;
use crate::store::audit::By;
use crate::store::session::NewSession;

const COOKIE_NAME: &str = "__Host-rollcall";
/// A session that is not used ends.
const IDLE_MS: i64 = 60 * MINUTE_MS;
/// A session ends after this time in any case.
const ABSOLUTE_MS: i64 = 8 * HOUR_MS;
/// Using a session is written down at most this often.
const TOUCH_MS: i64 = MINUTE_MS;

/// What is stored of a session's secret; names the session.
pub type SessionId = Digest;

/// The cookie of a new session, or the one that removes it. Give it beside the answer:
/// `(cookie, Redirect::to("/"))`.
#[derive(Debug, Clone)]
pub struct SessionCookie(Option<Secret>);

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

/// Signs a person in. The attempt is counted before the password is looked at.
pub async fn sign_in(
    app: &App,
    name: &str,
    password: &str,
    client: IpAddr,
) -> Result<SessionCookie, SignInError> {
    let now = app.clock.now();
    app.guard
        .throttle
        .attempt(name, client, now)
        .map_err(|retry_after_s| SignInError::TooMany { retry_after_s })?;
    let found = app.store.account_by_name(name.trim()).await.map_err(Error::from)?;
    let known = found.as_ref().map(|found| found.account.name.clone());
    let account = found.filter(|found| found.account.disabled_at.is_none());
    // An unknown name costs the same time as a wrong password.
    let hash = account.as_ref().map(|found| found.password_hash.clone());
    let right = app.guard.passwords.verify(password, hash).await.map_err(|_| SignInError::Busy)?;
    let Some(account) = account.filter(|_| right) else {
        tracing::info!(client.address = %client, "a sign-in was refused");
        refused(app, known.as_deref(), client).await;
        return Err(SignInError::Refused);
    };
    app.guard.throttle.succeeded(name, client);
    let secret = Secret::random("").map_err(Error::internal)?;
    let session = NewSession {
        id: secret.digest(),
        account: account.account.id,
        created_at: now,
        expires_at: now.plus_ms(ABSOLUTE_MS),
    };
    let name = &account.account.name;
    let entry = By::new(name, now).did("sign_in", account_words(name), format!("from {client}"));
    app.store.create_session(&session, &entry).await.map_err(Error::from)?;
    tracing::info!(account.name = account.account.name, client.address = %client, "signed in");
    Ok(SessionCookie(Some(secret)))
}

/// Writes a refused sign-in down. A name that nobody has may be a password in the wrong field: it is
/// not kept. Nor does a full disk change the answer.
async fn refused(app: &App, account: Option<&str>, client: IpAddr) {
    let by = By::new("nobody", app.clock.now());
    let object = account.map_or_else(|| "no account".to_owned(), account_words);
    let entry = by.did("sign_in_refused", object, format!("from {client}"));
    if let Err(error) = app.store.audit(&entry).await {
        tracing::error!(%error, "a refused sign-in could not be written into the audit log");
    }
}

/// Ends the caller's session and removes its cookie.
pub async fn sign_out(app: &App, caller: &Caller) -> Result<SessionCookie, Error> {
    if let Credential::Session(id) = caller.by {
        let entry = caller.by(app).did("sign_out", account_words(&caller.name), "");
        app.store.sign_out(id, &entry).await?;
    }
    Ok(SessionCookie(None))
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

/// Whose session it is, while it lasts.
pub(super) async fn caller(app: &App, id: SessionId) -> Result<Option<Caller>, Error> {
    let now = app.clock.now();
    let Some(found) = app.store.session(id).await? else { return Ok(None) };
    let over = now >= found.expires_at || now.since(found.used_at) >= IDLE_MS;
    // With a full disk people still read: what cannot be noted now is noted another time.
    if over {
        not_noted(app.store.end_session(id).await);
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
    }))
}
