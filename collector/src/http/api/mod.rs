//! The API for programs, as JSON.

pub mod exports;
mod health;

use super::{Access, Routes};

/// Its routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/health", Access::Public, health::get).get(
        "/api/v1/exports/{file}",
        Access::Reader,
        exports::get,
    )
}
