//! Software titles across the fleet, and who has them.

use rollcall_shared::api::Page;
use rollcall_shared::api::software::{SoftwareDetail, SoftwareFilter, SoftwareTitle};

use super::Error;
use crate::app::App;

/// One page of titles, those on most devices first.
pub async fn titles(app: &App, filter: &SoftwareFilter) -> Result<Page<SoftwareTitle>, Error> {
    let _ = (app, filter);
    todo!()
}

/// One title with its versions; its devices come from the list of devices filtered by it.
pub async fn detail(app: &App, source: &str, name: &str) -> Result<Option<SoftwareDetail>, Error> {
    let _ = (app, source, name);
    todo!()
}
