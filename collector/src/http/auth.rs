//! Who calls: extractors whose name in a handler's signature states the right it asks for.
//!
//! People come with a session cookie, programs with `Authorization: Bearer rcl_api_…`.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use rollcall_shared::api::account::Role;

use super::Error;
use super::operation::{Input, Part};
use super::routes::Access;
use super::session::{self, SessionId};
use crate::app::App;
use crate::domain::Scope;
use crate::secret::Secret;
use crate::store::audit::By;

/// The start of every API token.
pub const API_TOKEN_PREFIX: &str = "rcl_api_";

/// Who calls, and by what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Sign-in name of the person, or of the owner of the API token.
    pub name: String,
    /// What this call may do.
    pub role: Role,
    /// Number of the account.
    pub account: i64,
    /// How it is known who calls.
    pub by: Credential,
    /// Where the rights of the account end; an API token's end where its owner's do.
    pub scope: Scope,
}

/// How it is known who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A session in a browser.
    Session(SessionId),
    /// The number of an API token.
    ApiToken(i64),
}

impl Caller {
    /// The name as decisions and the audit log show it.
    pub fn label(&self) -> String {
        match self.by {
            Credential::Session(_) => self.name.clone(),
            Credential::ApiToken(id) => format!("{} (API token {id})", self.name),
        }
    }

    /// Who changes something now, for the audit log.
    pub fn by(&self, app: &App) -> By {
        By::new(self.label(), app.clock.now())
    }

    /// Reads the credentials of a request. `None` when there are none or they are not valid.
    async fn of(parts: &Parts, app: &App) -> Result<Option<Self>, Error> {
        // Pages are for people: a token reads and changes what the API offers, and nothing else.
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            if !parts.uri.path().starts_with("/api/") {
                return Ok(None);
            }
            let secret = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            let Some(secret) = secret.filter(|text| text.starts_with(API_TOKEN_PREFIX)) else {
                return Ok(None);
            };
            let reads = parts.method.is_safe();
            return by_api_token(app, &Secret::presented(secret), reads).await;
        }
        let Some(id) = session::presented(&parts.headers) else { return Ok(None) };
        session::caller(app, id).await
    }
}

async fn by_api_token(app: &App, secret: &Secret, reads: bool) -> Result<Option<Caller>, Error> {
    let now = app.clock.now();
    let Some(found) = app.store.api_token_by_digest(secret.digest(), now).await? else {
        return Ok(None);
    };
    if found.read_only && !reads {
        return Err(Error::Refused {
            status: StatusCode::FORBIDDEN,
            kind: "read-only-token",
            detail: "this API token may only read; make one that may change things".to_owned(),
            field: None,
        });
    }
    session::not_noted(app.store.touch_api_token(found.token, now).await);
    Ok(Some(Caller {
        name: found.account_name,
        role: found.role,
        account: found.account,
        by: Credential::ApiToken(found.token),
        scope: app.store.scope_of(found.account).await?,
    }))
}

async fn allowed(parts: &Parts, app: &App, access: Access) -> Result<Caller, Error> {
    match Caller::of(parts, app).await? {
        None => Err(Error::Unauthorised),
        Some(caller) if access.allows(caller.role) => {
            if matches!(access, Access::Whole(_)) && !caller.scope.is_whole() {
                return Err(Error::Limited);
            }
            Ok(caller)
        }
        Some(_) => Err(Error::Forbidden),
    }
}

macro_rules! rights {
    ($($(#[$about:meta])* $name:ident = $access:expr;)+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
                allowed(parts, app, $access).await.map(Self)
            }
        }

        impl Part for $name {
            fn describe(input: &mut Input) {
                input.access = Some($access);
            }
        }
    )+};
}

rights! {
    /// May look devices up and write notes on them: everybody who can sign in.
    Helpdesk = Access::Role(Role::Helpdesk);
    /// May read everything, with the audit log.
    Auditor = Access::Role(Role::Auditor);
    /// May change devices, tokens and policies.
    It = Access::Role(Role::It);
    /// May do everything.
    Admin = Access::Role(Role::Admin);
    /// May export: `auditor` or `it`.
    Reader = Access::Reader;
    /// May change what belongs to everybody: `it`, of everything.
    WholeIt = Access::Whole(Role::It);
    /// May look after the collector itself: `admin`, of everything.
    WholeAdmin = Access::Whole(Role::Admin);
}

/// Whoever calls, when somebody does: for pages that show more to those who are signed in.
#[derive(Debug, Clone)]
pub struct Anyone(pub Option<Caller>);

impl FromRequestParts<App> for Anyone {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Caller::of(parts, app).await.map(Self)
    }
}
