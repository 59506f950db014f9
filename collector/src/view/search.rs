//! The one search box: host name, person, serial, MAC in any spelling, IP, asset tag, model.

use std::cmp::Reverse;

use rollcall_shared::api::search::{SearchAnswer, SearchHit};

use super::Error;
use super::devices::Row;
use crate::app::App;
use crate::fleet::lookup::{QUERY_BYTES, Query};

/// Most hits of one answer.
const HIGHEST_LIMIT: u32 = 500;

/// Searches present and past values; best first: whole value, then beginning, then inside.
pub async fn search(app: &App, query: &str, limit: u32) -> Result<SearchAnswer, Error> {
    if query.len() > QUERY_BYTES {
        let why = format!("it is longer than {QUERY_BYTES} bytes");
        return Err(Error::Invalid { field: "q", why });
    }
    let limit = limit.clamp(1, HIGHEST_LIMIT) as usize;
    let asked = Query::new(query);
    app.fleet.ready().await;
    let (policy, now) = (app.fleet.policy(), app.clock.now());
    let fleet = app.fleet.read();
    let mut found: Vec<_> = asked
        .iter()
        .flat_map(|asked| fleet.entries().filter_map(|e| Some((e.lookup.find(asked)?, e))))
        .collect();
    let total = found.len() as u64;
    let first = |(found, entry): &(crate::fleet::lookup::Match, &crate::fleet::Entry)| {
        let seen = Reverse(entry.row.last_seen_at);
        (found.fit, found.past, found.kind, seen, entry.row.key)
    };
    if found.len() > limit {
        found.select_nth_unstable_by_key(limit, first);
        found.truncate(limit);
    }
    found.sort_unstable_by_key(first);
    let hits = found.into_iter().map(|(found, entry)| SearchHit {
        device: Row::new(entry, &policy, now).summary(),
        matched: found.kind,
        value: found.value,
        past: found.past,
    });
    Ok(SearchAnswer { query: query.to_owned(), hits: hits.collect(), total })
}
