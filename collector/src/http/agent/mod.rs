//! The door for agents: enrolment, check-in, a new key after a clone.

use super::Routes;

/// Its routes.
pub fn routes() -> Routes {
    Routes::new()
}
