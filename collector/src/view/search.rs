//! The one search box: host name, person, serial, MAC in any spelling, IP, asset tag, model.

use rollcall_shared::api::search::SearchAnswer;

use super::Error;
use crate::app::App;

/// Searches present and past values; best first: whole value, then beginning, then inside.
pub async fn search(app: &App, query: &str, limit: u32) -> Result<SearchAnswer, Error> {
    let _ = (app, query, limit);
    todo!()
}
