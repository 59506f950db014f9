//! The only place that turns an error into an answer: a problem for programs, a page for people.
//!
//! A handler returns `Result<_, http::Error>`. Which form the answer takes depends on the path and
//! is decided by the outermost layer, which also knows the request's id.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rollcall_shared::Timestamp;
use rollcall_shared::problem::{Problem, kind};

use crate::{store, view};

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404: there is no such thing, or the caller may not know of it.
    #[error("there is nothing at this address")]
    NotFound,
    /// 405: the address exists, but not for this method.
    #[error("this address does not answer that method")]
    MethodNotAllowed,
    /// 422 (programs) or 400: a value is wrong.
    #[error("`{field}`: {why}")]
    Invalid {
        /// The parameter.
        field: Cow<'static, str>,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// 401: nobody is signed in. Pages lead to the sign-in page.
    #[error("sign in first")]
    Unauthorised,
    /// 403: the caller's role is not enough.
    #[error("your role does not allow this; ask an administrator")]
    Forbidden,
    /// 403: it belongs to everybody, and the caller's rights end at some sites or departments.
    #[error(
        "this belongs to everybody, and your account is limited to some sites or departments; ask \
         an administrator whose account is not"
    )]
    Limited,
    /// 409: somebody else was faster, or it exists already. The text says what to do.
    #[error("{0}")]
    Conflict(String),
    /// 413: larger than the limits allow.
    #[error("the request is larger than the limits allow")]
    TooLarge,
    /// 503: come back later.
    #[error("the collector is busy; try again in {retry_after_s} seconds")]
    Busy {
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
    /// 429: too many from this caller.
    #[error("too many requests; try again in {retry_after_s} seconds")]
    TooMany {
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
    /// A refusal with a kind of its own, e.g. those that agents act on.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What a program compares.
        kind: &'static str,
        /// What happened and what to do next.
        detail: String,
        /// The parameter or section that was wrong.
        field: Option<String>,
    },
    /// 500: our fault. The chain goes to the log, never to the caller.
    #[error("something went wrong inside the collector")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// A wrong value.
    pub fn invalid(field: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), why: why.into() }
    }

    /// Our fault, with its cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Limited => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused { status, .. } => *status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a program compares.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Invalid { .. } => "invalid",
            Self::Unauthorised => kind::UNAUTHORISED,
            Self::Forbidden => "forbidden",
            Self::Limited => "limited-account",
            Self::Conflict(_) => "conflict",
            Self::TooLarge => kind::TOO_LARGE,
            Self::Busy { .. } | Self::TooMany { .. } => kind::BUSY,
            Self::Refused { kind, .. } => kind,
            Self::Internal(_) => "internal",
        }
    }

    fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Busy { retry_after_s } | Self::TooMany { retry_after_s } => Some(*retry_after_s),
            _ => None,
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Invalid { field, .. } => Some(field.clone().into_owned()),
            Self::Refused { field, .. } => field.clone(),
            _ => None,
        }
    }
}

impl From<view::Error> for Error {
    fn from(error: view::Error) -> Self {
        match error {
            view::Error::Invalid { field, why } => Self::Invalid { field: field.into(), why },
            view::Error::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Conflict => Self::Conflict(
                "It was changed by somebody else at the same time; load it again.".to_owned(),
            ),
            store::Error::Unavailable(ref cause) => {
                tracing::error!(error.message = %cause, "the database is not available");
                Self::Busy { retry_after_s: 15 }
            }
            store::Error::Busy => Self::Busy { retry_after_s: 5 },
            other => Self::internal(other),
        }
    }
}

/// An error on its way to the outermost layer, inside a response's extensions.
#[derive(Clone)]
struct Unrendered(Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Unrendered(Arc::new(self)));
        response
    }
}

/// What the outermost layer knows of the request.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// Path and query.
    pub(super) address: &'a str,
    pub(super) request_id: &'a str,
    /// For the theme of the page.
    pub(super) headers: &'a HeaderMap,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// Programs get problems, people get pages.
    pub(super) fn by_program(&self) -> bool {
        self.path.starts_with("/api/") || self.path.starts_with("/agent/")
    }
}

/// Gives an error its form. Other responses pass unchanged.
pub(super) fn render(mut response: Response, asked: &Asked<'_>) -> Response {
    let unrendered = response.extensions_mut().remove::<Unrendered>();
    let Some(Unrendered(error)) = unrendered.or_else(|| of_framework(&response)) else {
        return response;
    };
    let status = error.status();
    if let Error::Internal(cause) = &*error {
        tracing::error!(
            request.id = asked.request_id,
            http.path = asked.path,
            error.chain = chain(cause.as_ref()),
            "a request failed inside the collector"
        );
    }
    let detail = sentence(&error.to_string());
    let request_id = status.is_server_error().then(|| asked.request_id.to_owned());
    let mut rendered = if asked.by_program() {
        problem(&error, detail, request_id)
    } else if matches!(*error, Error::Unauthorised) {
        sign_in_first(asked)
    } else {
        super::web::error_page(status, &detail, request_id.as_deref(), asked.headers, asked.now)
    };
    if let Some(seconds) = error.retry_after_s() {
        rendered.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    rendered
}

/// A refusal by the framework itself, e.g. of a form that cannot be read, told like ours.
fn of_framework(response: &Response) -> Option<Unrendered> {
    let status = response.status();
    let plain = response
        .headers()
        .get(CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !plain || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let error = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        status => Error::Refused {
            status,
            kind: "bad-request",
            detail: "the request could not be understood; check its path, query and body"
                .to_owned(),
            field: None,
        },
    };
    Some(Unrendered(Arc::new(error)))
}

fn problem(error: &Error, detail: String, request_id: Option<String>) -> Response {
    let status = error.status();
    let problem = Problem {
        type_uri: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        kind: error.kind().to_owned(),
        detail,
        request_id,
        field: error.field(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
}

fn sign_in_first(asked: &Asked<'_>) -> Response {
    // Only what was to be looked at is gone back to; a form that was sent is not repeated.
    let next = if asked.method == Method::GET { asked.address } else { "/" };
    let location = match next {
        "/" => "/sign-in".to_owned(),
        next => format!("/sign-in?next={}", super::client::percent_encode(next)),
    };
    let location =
        HeaderValue::from_str(&location).unwrap_or_else(|_| HeaderValue::from_static("/sign-in"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

/// The message and all its causes on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut sentence: String = letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
