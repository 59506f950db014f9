//! What changed lately in the fleet.

use rollcall_shared::api::change::Change;
use rollcall_shared::{DeviceId, Timestamp};

use super::{Error, cursor};
use crate::app::App;
use crate::domain::Scope;
use crate::store::device::DeviceKey;
use crate::store::feed::FeedPosition;

/// Most changes of one answer.
const HIGHEST_LIMIT: u32 = 500;

/// The newest changes of all devices of a scope, newest first, at most `limit`.
pub async fn recent(app: &App, scope: &Scope, limit: u32) -> Result<Vec<Change>, Error> {
    app.fleet.ready().await;
    let limit = limit.clamp(1, HIGHEST_LIMIT);
    let mut changes: Vec<Change> = Vec::new();
    for (device, at) in app.store.recently_changed(scope, limit).await? {
        changes.append(&mut of_moment(app, device, at).await?);
        if changes.len() >= limit as usize {
            break;
        }
    }
    changes.truncate(limit as usize);
    Ok(changes)
}

/// All that the newest `reports` reports changed, newest first.
pub async fn of_newest_reports(
    app: &App,
    scope: &Scope,
    reports: u32,
) -> Result<Vec<Change>, Error> {
    app.fleet.ready().await;
    let mut changes = Vec::new();
    for (device, at) in app.store.recently_changed(scope, reports).await? {
        changes.append(&mut of_moment(app, device, at).await?);
    }
    Ok(changes)
}

/// What changed on a device at one moment; nothing when it is gone.
async fn of_moment(app: &App, device: DeviceKey, at: Timestamp) -> Result<Vec<Change>, Error> {
    let known: Option<(DeviceId, String)> = app
        .fleet
        .read()
        .entry(device)
        .map(|entry| (entry.row.id, entry.row.summary.hostname.clone()));
    let Some((id, hostname)) = known else { return Ok(Vec::new()) };
    let mut changes = app.store.changes_at(device, at).await?;
    for change in &mut changes {
        change.device_id = id;
        change.hostname.clone_from(&hostname);
    }
    Ok(changes)
}

/// What a follower of the fleet gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feed {
    /// Changes in the order in which they were stored.
    pub items: Vec<Change>,
    /// Where to go on.
    pub next_cursor: String,
    /// Whether there is more already.
    pub more: bool,
}

/// The cursor behind everything that is stored now.
pub async fn head(app: &App, scope: &Scope) -> Result<String, Error> {
    Ok(encoded(scope, &app.store.feed_head().await?))
}

/// What was stored after a cursor, `start` for everything that is kept: at least `limit` changes
/// if there are as many, those of one section of one report always together. Whoever sees a part
/// of the fleet follows that part.
pub async fn feed(app: &App, scope: &Scope, after: &str, limit: u32) -> Result<Feed, Error> {
    app.fleet.ready().await;
    let mut position = match after {
        "start" => FeedPosition::start(),
        after => {
            let (stored, device, at, section) =
                cursor::decode(scope, after).map_err(|_| Error::Invalid {
                    field: "after",
                    why: "it is no cursor of this feed; write `start` to begin".to_owned(),
                })?;
            FeedPosition { stored, device, at: Timestamp(at), section }
        }
    };
    if position.section.contains('\0') {
        let why = "it is no cursor of this feed; write `start` to begin".to_owned();
        return Err(Error::Invalid { field: "after", why });
    }
    let limit = limit.clamp(1, HIGHEST_LIMIT);
    let found = app.store.feed_after(scope, &position, limit + 1).await?;
    let (mut items, mut read) = (Vec::new(), 0);
    let mut of_last: Option<(DeviceKey, Timestamp, Vec<Change>)> = None;
    for next in found.iter().take(limit as usize) {
        if items.len() >= limit as usize {
            break;
        }
        let (device, at) = (next.device()?, next.at);
        let same = of_last.take().filter(|last| (last.0, last.1) == (device, at));
        let changes = match same {
            Some((_, _, changes)) => changes,
            None => of_moment(app, device, at).await?,
        };
        items.extend(changes.iter().filter(|one| one.section == next.section).cloned());
        of_last = Some((device, at, changes));
        position = next.clone();
        read += 1;
    }
    Ok(Feed { items, next_cursor: encoded(scope, &position), more: read < found.len() })
}

fn encoded(scope: &Scope, position: &FeedPosition) -> String {
    let FeedPosition { stored, device, at, section } = position;
    cursor::encode(scope, &(stored, device, at.0, section)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rollcall_shared::section::{Section, Software};
    use rollcall_shared::time::DAY_MS;

    use super::*;
    use crate::job::evaluate::tests::{START, enrolled, report, system};
    use crate::store::testing::store_test;
    use crate::view::tests::app;

    fn titles(versions: &[&str]) -> Section {
        let title = |version: &&str| Software {
            source: "dpkg".into(),
            name: "openssl".into(),
            version: (*version).into(),
            ..Software::default()
        };
        Section::Software(versions.iter().map(title).collect())
    }

    fn told(feed: &Feed) -> Vec<(i64, &str, Option<&str>)> {
        feed.items
            .iter()
            .map(|one| (one.at.since(START) / DAY_MS, one.section.as_str(), one.after.as_deref()))
            .collect()
    }

    store_test!(what_is_stored_later_is_told_later, |store| {
        let app = app(store, START.plus_ms(30 * DAY_MS));
        let (one, two) = (enrolled(&app, 1).await, enrolled(&app, 2).await);
        let day = |days: i64| START.plus_ms(days * DAY_MS);
        for device in [one, two] {
            report(&app, device, 1, day(0), &[system("a"), titles(&["1"])]).await;
        }
        let whole = Scope::whole();
        let begin = head(&app, &whole).await.unwrap();
        report(&app, one, 4, day(10), &[system("b"), titles(&["4"])]).await;
        report(&app, two, 2, day(2), &[system("a"), titles(&["2"])]).await;
        let feed_all = async |after: &str| feed(&app, &whole, after, 100).await.unwrap();
        let first = feed_all(&begin).await;
        let expected =
            [(10, "software", Some("4")), (10, "system", Some("b")), (2, "software", Some("2"))];
        assert_eq!(told(&first), expected);
        assert!(!first.more);
        // A report from before arrives late: its change, and the one after it known anew.
        report(&app, one, 3, day(5), &[system("a"), titles(&["3"])]).await;
        let second = feed_all(&first.next_cursor).await;
        assert_eq!(told(&second), [(5, "software", Some("3")), (10, "software", Some("4"))]);
        assert_eq!(second.items[1].before.as_deref(), Some("3"));
        let third = feed_all(&second.next_cursor).await;
        assert_eq!((third.items.len(), &third.next_cursor), (0, &second.next_cursor));
        // One by one it is the same.
        let (mut cursor, mut items) = ("start".to_owned(), Vec::new());
        loop {
            let page = feed(&app, &whole, &cursor, 1).await.unwrap();
            items.extend(page.items);
            cursor = page.next_cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(items, feed_all("start").await.items);
        assert_eq!(items.len(), 4);
        assert_eq!(cursor, second.next_cursor);
    });

    store_test!(a_cursor_of_somebody_else_is_refused, |store| {
        let app = app(store, START);
        for wrong in ["", "x", "bm9uc2Vuc2U"] {
            let refused = feed(&app, &Scope::whole(), wrong, 1).await;
            assert!(matches!(refused, Err(Error::Invalid { field: "after", .. })), "{wrong}");
        }
    });
}
