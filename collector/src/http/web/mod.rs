//! The pages for people.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};

use super::Routes;

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
}

/// The page that says what went wrong; `request_id` is there when the fault is ours.
pub fn error_page(status: StatusCode, detail: &str, request_id: Option<&str>) -> Response {
    let _ = (detail, request_id);
    (status, Html(format!("<!doctype html><title>{status}</title>"))).into_response()
}
