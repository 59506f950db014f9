//! The API for programs, as JSON.

use super::Routes;

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
}
