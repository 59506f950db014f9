//! The page that says what went wrong, and shows a way on.

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use rollcall_shared::Timestamp;

use super::filters;
use super::shell::Shell;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    status: u16,
    title: &'a str,
    detail: &'a str,
    request_id: Option<&'a str>,
}

/// The page that says what went wrong; `request_id` is there when the fault is ours. `headers` are
/// those of the request, for its theme.
pub fn error_page(
    status: StatusCode,
    detail: &str,
    request_id: Option<&str>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not for your role",
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => "That did not fit",
        StatusCode::CONFLICT => "Somebody was faster",
        StatusCode::TOO_MANY_REQUESTS => "Too many tries",
        StatusCode::SERVICE_UNAVAILABLE => "The collector is busy",
        StatusCode::PAYLOAD_TOO_LARGE => "That was too large",
        status if status.is_server_error() => "Something went wrong on our side",
        _ => "That did not work",
    };
    // Who looks is not known here, so the page has no navigation but the ways on in its text.
    let shell = Shell::signed_out(headers, "/", now);
    let page = ErrorPage { shell, status: status.as_u16(), title, detail, request_id };
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => (status, title.to_owned()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;
    use crate::http::web::sample;

    #[tokio::test]
    async fn it_says_what_happened_and_shows_a_way_on() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "rollcall_theme=dark".parse().unwrap());
        let page = |status, detail: &str, id| error_page(status, detail, id, &headers, sample::NOW);
        let text = sample::body(page(StatusCode::NOT_FOUND, "No <such> device.", None)).await;
        assert!(text.contains("data-theme=\"dark\"") && text.contains("2026-11-23"));
        assert!(text.contains("There is nothing here"));
        assert!(text.contains("No &#60;such&#62; device."), "{text}");
        assert!(text.contains("href=\"/devices\"") && !text.contains("number of the event"));
        let ours = page(StatusCode::INTERNAL_SERVER_ERROR, "Sorry.", Some("0197abc"));
        assert!(sample::body(ours).await.contains("<code>0197abc</code>"));
    }
}
