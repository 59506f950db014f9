//! Light, dark, or as the system wants: a cookie, so that the server draws the page right at once.

use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect};

use super::shell::{Theme, local_path};
use super::visit::Fields;

/// `POST /theme`
pub(super) async fn post(fields: Fields) -> impl IntoResponse {
    let theme = Theme::from_word(&fields.text("theme"));
    let cookie = format!(
        "rollcall_theme={}; Path=/; SameSite=Lax; HttpOnly; Max-Age=31536000",
        theme.as_str()
    );
    ([(SET_COOKIE, cookie)], Redirect::to(local_path(&fields.text("back"))))
}
