//! What every request passes: a name for the log, a net under panics, security headers, the check
//! that unsafe requests of browsers come from our own pages, and the way to the set-up page.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, ORIGIN,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::error::{Asked, Error, render};
use super::setup;
use crate::app::App;

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'",
);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Whether a path belongs to people, who get pages.
fn is_page(path: &str) -> bool {
    !path.starts_with("/api/") && !path.starts_with("/agent/")
}

/// The outermost layer.
pub(super) async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let request_id = uuid::Uuid::now_v7().simple().to_string();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    // Only for the theme of a page that says what went wrong.
    let cookies: HeaderMap =
        request.headers().get_all(COOKIE).iter().map(|value| (COOKIE, value.clone())).collect();
    let started = tokio::time::Instant::now();
    let response = match caught(next.run(request)).await {
        Ok(response) => response,
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Error::internal(format!("a handler panicked: {what}")).into_response()
        }
    };
    let asked = Asked {
        method: &method,
        path: uri.path(),
        address: uri.path_and_query().map_or("/", |both| both.as_str()),
        request_id: &request_id,
        headers: &cookies,
        now: app.clock.now(),
    };
    let mut response = render(response, &asked);
    headers(response.headers_mut(), app.guard.own_tls);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    app.guard.figures.request(uri.path(), response.status().as_u16(), started.elapsed());
    // The query may carry secrets and names of people: never logged.
    tracing::debug!(
        request.id = request_id,
        http.method = %method,
        http.path = uri.path(),
        http.status = response.status().as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1000.0,
        "answered"
    );
    response
}

async fn caught(
    future: impl Future<Output = Response>,
) -> Result<Response, Box<dyn Any + Send + 'static>> {
    let mut future = Box::pin(future);
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn headers(headers: &mut HeaderMap, own_tls: bool) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if own_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    // Whoever serves something without data (style sheets, scripts) says so itself.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Refuses unsafe requests that a browser sends on behalf of another site. Programs with an API
/// token and agents carry no ambient credentials and pass.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let exempt = request.uri().path().starts_with("/agent/") || headers.contains_key(AUTHORIZATION);
    if safe || exempt || from_our_pages(headers) {
        return next.run(request).await;
    }
    Error::Refused {
        status: StatusCode::FORBIDDEN,
        kind: "cross-site",
        detail: "this request did not come from a page of this collector; \
                 open the page again and repeat it there"
            .to_owned(),
        field: None,
    }
    .into_response()
}

fn from_our_pages(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let (Ok(origin), Some(Ok(host))) =
            (origin.to_str(), headers.get(HOST).map(HeaderValue::to_str))
        else {
            return false;
        };
        return origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    }
    // No browser of today sends neither; what has no cookie has nothing to abuse.
    !headers.contains_key(COOKIE)
}

/// Until there is an administrator, every page leads to the set-up page.
pub(super) async fn set_up_first(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if app.guard.admin_exists()
        || !is_page(path)
        || path == setup::PATH
        || path.starts_with("/assets/")
    {
        return next.run(request).await;
    }
    match setup::setup_pending(&app).await {
        Ok(false) => next.run(request).await,
        Ok(true) => Redirect::to(setup::PATH).into_response(),
        Err(error) => error.into_response(),
    }
}
