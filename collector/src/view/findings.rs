//! Findings: the list, one of them, and how many are open.

use rollcall_shared::api::Page;
use rollcall_shared::api::finding::{Finding, FindingFilter, RuleCount};

use super::Error;
use crate::app::App;

/// One page of findings, worst first, then oldest first.
pub async fn list(app: &App, filter: &FindingFilter) -> Result<Page<Finding>, Error> {
    let _ = (app, filter);
    todo!()
}

/// One finding by its number.
pub async fn get(app: &App, id: i64) -> Result<Option<Finding>, Error> {
    let _ = (app, id);
    todo!()
}

/// Open findings by rule, worst first.
pub async fn counts(app: &App) -> Result<Vec<RuleCount>, Error> {
    let _ = app;
    todo!()
}
