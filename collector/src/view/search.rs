//! The one search box: host name, person, serial, MAC in any spelling, IP, asset tag, model.

use std::cmp::Reverse;

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::DeviceSummary;
use rollcall_shared::api::search::{SearchAnswer, SearchHit};

use super::Error;
use super::devices::Row;
use super::past::{self, PastEntry};
use crate::app::App;
use crate::domain::Scope;
use crate::fleet::Entry;
use crate::fleet::lookup::{Match, QUERY_BYTES, Query};
use crate::store::device::DeviceKey;

/// Most hits of one answer.
const HIGHEST_LIMIT: u32 = 500;

/// Devices of the past that are rebuilt at a time.
const PIECE: usize = 200;

/// Searches present and past values; best first: whole value, then beginning, then inside. With
/// `as_of`, what was known then: what was a device's value then is its present one, and what came
/// later is not found.
pub async fn search(
    app: &App,
    scope: &Scope,
    query: &str,
    limit: u32,
    as_of: Option<Timestamp>,
) -> Result<SearchAnswer, Error> {
    if query.len() > QUERY_BYTES {
        let why = format!("it is longer than {QUERY_BYTES} bytes");
        return Err(Error::Invalid { field: "q", why });
    }
    super::told(app, as_of)?;
    let limit = limit.clamp(1, HIGHEST_LIMIT) as usize;
    let asked = Query::new(query);
    app.fleet.ready().await;
    let (hits, total) = match (&asked, as_of) {
        (None, _) => (Vec::new(), 0),
        (Some(asked), None) => {
            let (policy, now) = (app.fleet.policy(), app.clock.now());
            let fleet = app.fleet.read();
            let seen = fleet.candidates(asked).filter(|entry| entry.row.is_in(scope));
            let found = seen.filter_map(|e| Some((e.lookup.find(asked)?, e)));
            let (best, total) = best(found.collect(), limit);
            let hit = |(found, entry)| hit(found, Row::new(entry, &policy, now).summary());
            (best.into_iter().map(hit).collect(), total)
        }
        (Some(asked), Some(at)) => {
            let entries = then(app, scope, asked, at).await?;
            let found = entries.iter().filter_map(|one| Some((one.entry.lookup.find(asked)?, one)));
            let found = found.map(|(found, one)| (found, &one.entry));
            let (best, total) = best(found.collect(), limit);
            let summary = |entry: &Entry| {
                entries
                    .iter()
                    .find(|one| one.entry.row.key == entry.row.key)
                    .map(PastEntry::summary)
            };
            let hits = best.into_iter().filter_map(|(found, e)| Some(hit(found, summary(e)?)));
            (hits.collect(), total)
        }
    };
    Ok(SearchAnswer { query: query.to_owned(), hits, total, as_of })
}

/// The devices that may match, as they were: whatever was known of a device then is known of it
/// still, but for a model it had.
async fn then(
    app: &App,
    scope: &Scope,
    asked: &Query,
    at: Timestamp,
) -> Result<Vec<PastEntry>, Error> {
    let candidates: Vec<DeviceKey> = {
        let fleet = app.fleet.read();
        let seen = fleet.candidates(asked).filter(|entry| entry.row.is_in(scope));
        let found = seen.filter(|entry| entry.lookup.find(asked).is_some());
        found.map(|entry| entry.row.key).collect()
    };
    let mut entries = Vec::new();
    if candidates.len() <= PIECE {
        for key in candidates {
            entries.extend(past::one_found(app, key, at).await?);
        }
    } else {
        for piece in candidates.chunks(PIECE) {
            entries.extend(past::found(app, piece, at).await?);
        }
    }
    Ok(entries)
}

/// The best of what was found, in order, and how many there were.
fn best(mut found: Vec<(Match, &Entry)>, limit: usize) -> (Vec<(Match, &Entry)>, u64) {
    let total = found.len() as u64;
    let first = |(found, entry): &(Match, &Entry)| {
        let seen = Reverse(entry.row.last_seen_at);
        (found.fit, found.past, found.kind, seen, entry.row.key)
    };
    if found.len() > limit {
        found.select_nth_unstable_by_key(limit, first);
        found.truncate(limit);
    }
    found.sort_unstable_by_key(first);
    (found, total)
}

fn hit(found: Match, device: DeviceSummary) -> SearchHit {
    SearchHit { device, matched: found.kind, value: found.value, past: found.past }
}
