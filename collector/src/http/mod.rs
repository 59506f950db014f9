//! Every route on one page, grouped by who calls it: agents, API clients, browsers.
//!
//! Each group hands over a table ([`Routes`]), so that a test can walk all routes and hold their
//! rights against what they declare. The layers around them are the same for all.

pub mod agent;
pub mod api;
pub mod auth;
pub mod client;
mod door;
pub mod error;
pub mod figures;
mod guard;
pub mod input;
mod openapi;
pub mod operation;
pub mod password;
pub mod provider;
pub mod routes;
pub mod session;
pub mod setup;
mod throttle;
pub mod web;
pub mod webhooks;

pub use error::Error;
pub use guard::Guard;
pub use routes::{Access, Routes};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::app::App;

/// Largest body of a request by a person or a program; agents have limits of their own.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;

/// All routes, as they are declared.
pub fn routes() -> Routes {
    Routes::new().merge(agent::routes()).merge(api::routes()).merge(web::routes())
}

/// The whole collector as one service.
pub fn router(app: App) -> Router {
    layers(routes().into_router(), app)
}

/// What stands around every route.
fn layers(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        // The last layer is the outermost: it names the request, catches panics, renders errors.
        .layer(from_fn_with_state(app.clone(), door::set_up_first))
        .layer(from_fn(door::same_origin))
        .layer(from_fn_with_state(app.clone(), door::around))
        .with_state(app)
}

#[cfg(test)]
mod tests;
