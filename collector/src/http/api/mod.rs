//! The API for programs, as JSON.

pub mod exports;

use super::Routes;
use super::routes::Access;

/// Its routes.
pub fn routes() -> Routes {
    Routes::new().get("/exports/{file}", Access::Reader, exports::get)
}
