//! The API for programs, as JSON.

mod health;

use super::{Access, Routes};

/// Its routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/health", Access::Public, health::get)
}
