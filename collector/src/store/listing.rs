//! The software and the sections of many devices at once, now or at a past moment, for exports and
//! lists of the past: a read of each table for a whole page of devices.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rollcall_shared::Timestamp;

use super::device::{DeviceKey, key_of};
use super::history::{damaged, decode_delta, undo};
use super::title::TitleText;
use super::{Error, ONE_MOMENT, Store, on_backend, queries};
use crate::codec::extra::{self, Extra};
use crate::codec::{document, ids};

queries! {
    LISTS = "SELECT device, first_at, titles, extra FROM software
        WHERE device > $1 AND device <= $2 ORDER BY device";
    DELTAS = "SELECT device, delta FROM software_change
        WHERE device > $1 AND device <= $2 AND at > $3 ORDER BY device, at DESC";
    DOCUMENTS = "SELECT device, name, document FROM section
        WHERE device > $1 AND device <= $2 AND name IN ('network', 'os', 'system', 'user')";
    PASTS = "SELECT device, name, before FROM section_past
        WHERE device > $1 AND device <= $2 AND at > $3
          AND name IN ('network', 'os', 'system', 'user')
        ORDER BY device, name, at DESC";
}

type ListRow = (i64, i64, Vec<u8>, Vec<u8>);
type DocumentRow = (i64, String, Vec<u8>);

/// The titles of the fleet in the order of lists: by name, then version, then source.
#[derive(Debug, Clone, Default)]
pub struct TitleOrder(Arc<Vec<Option<(u32, TitleText)>>>);

impl TitleOrder {
    /// Its texts; `None` for a number that stands for nothing.
    pub fn text(&self, id: u32) -> Option<&TitleText> {
        self.0.get(id as usize)?.as_ref().map(|(_, text)| text)
    }

    fn rank(&self, id: u32) -> u32 {
        self.0.get(id as usize).and_then(Option::as_ref).map_or(u32::MAX, |(rank, _)| *rank)
    }

    fn of(mut titles: Vec<(usize, TitleText)>) -> Self {
        titles.sort_by_cached_key(|(_, text)| {
            let [source, name, version, ..] = text.parts();
            [&name.to_lowercase(), name, version, source].join("\0")
        });
        let length = titles.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        let mut ordered = vec![None; length];
        for (rank, (id, text)) in (0..).zip(titles) {
            ordered[id] = Some((rank, text));
        }
        Self(Arc::new(ordered))
    }
}

/// What a device has installed: titles by number, in the order of lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftwareList {
    /// The device.
    pub device: DeviceKey,
    /// Its titles, each with what is the device's own.
    pub titles: Vec<(u32, Extra)>,
}

impl Store {
    /// The lists of the devices with numbers above `after` up to `last`, now or at a past moment;
    /// one whose software is or was not known is left out. `order` is made anew when titles came.
    pub async fn software_lists(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
        as_of: Option<Timestamp>,
        order: &mut TitleOrder,
    ) -> Result<Vec<SoftwareList>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let last = i64::from(last.0);
        let (rows, deltas): (Vec<ListRow>, Vec<(i64, Vec<u8>)>) = on_backend!(self, read pool => {
            // One moment for both, so that each change is undone that the lists hold.
            let mut transaction = pool.begin().await?;
            if self.backend() == "postgres" {
                sqlx::query(ONE_MOMENT).execute(&mut *transaction).await?;
            }
            let rows = sqlx::query_as(LISTS)
                .bind(after).bind(last).fetch_all(&mut *transaction).await?;
            let deltas = match as_of {
                None => Vec::new(),
                Some(at) => sqlx::query_as(DELTAS)
                    .bind(after).bind(last).bind(at.0).fetch_all(&mut *transaction).await?,
            };
            (rows, deltas)
        });
        let mut changes: HashMap<i64, Vec<Vec<u8>>> = HashMap::new();
        for (device, delta) in deltas {
            changes.entry(device).or_default().push(delta);
        }
        let from = self.history_from();
        let mut lists = Vec::with_capacity(rows.len());
        for (device, first_at, titles, extra) in rows {
            if as_of.is_some_and(|as_of| as_of < Timestamp(first_at).max(from)) {
                continue;
            }
            let key = key_of(device)?;
            let now = ids::decode(&titles).map_err(|why| damaged(key, &why))?;
            let extras = extra::decode(&extra, now.len()).map_err(|why| damaged(key, &why))?;
            let titles = match changes.remove(&device) {
                None => now.into_iter().zip(extras).collect(),
                Some(deltas) => {
                    let mut set = now.clone();
                    for delta in deltas {
                        set = decode_delta(&delta, key)?.undo(&set);
                    }
                    let mut extras: HashMap<u32, Extra> = now.into_iter().zip(extras).collect();
                    set.into_iter().map(|id| (id, extras.remove(&id).unwrap_or_default())).collect()
                }
            };
            lists.push(SoftwareList { device: key, titles });
        }
        self.put_in_order(&mut lists, order).await?;
        Ok(lists)
    }

    async fn put_in_order(
        &self,
        lists: &mut [SoftwareList],
        order: &mut TitleOrder,
    ) -> Result<(), Error> {
        let newest = lists.iter().flat_map(|list| &list.titles).map(|(id, _)| *id).max();
        if newest.is_some_and(|newest| newest as usize >= order.0.len()) {
            self.know_titles(newest.as_slice()).await?;
            let titles = self.memory().titles().all();
            let sorted = tokio::task::spawn_blocking(|| TitleOrder::of(titles)).await;
            *order =
                sorted.map_err(|error| Error::Damaged(format!("the order of titles: {error}")))?;
        }
        for list in lists {
            list.titles.sort_unstable_by_key(|(id, _)| order.rank(*id));
        }
        Ok(())
    }

    /// The texts of the sections `network`, `os`, `system` and `user` that the devices with numbers
    /// above `after` up to `last` had at a moment; a section that was not known is left out. Whether
    /// a device had reported by then is for the caller to say.
    pub async fn sections_at(
        &self,
        after: Option<DeviceKey>,
        last: DeviceKey,
        at: Timestamp,
    ) -> Result<HashMap<DeviceKey, BTreeMap<String, String>>, Error> {
        let after = after.map_or(-1, |key| i64::from(key.0));
        let last = i64::from(last.0);
        let (rows, pasts): (Vec<DocumentRow>, Vec<DocumentRow>) = on_backend!(self, read pool => {
            let mut transaction = pool.begin().await?;
            if self.backend() == "postgres" {
                sqlx::query(ONE_MOMENT).execute(&mut *transaction).await?;
            }
            let rows = sqlx::query_as(DOCUMENTS)
                .bind(after).bind(last).fetch_all(&mut *transaction).await?;
            let pasts = sqlx::query_as(PASTS)
                .bind(after).bind(last).bind(at.0).fetch_all(&mut *transaction).await?;
            (rows, pasts)
        });
        let mut sections: HashMap<DeviceKey, BTreeMap<String, String>> = HashMap::new();
        for (device, name, packed) in rows {
            let key = key_of(device)?;
            let text = document::decompress(&packed).map_err(|why| damaged(key, &why))?;
            sections.entry(key).or_default().insert(name, text);
        }
        // Newest first: each patch leads one step further back.
        for (device, name, patch) in pasts {
            let key = key_of(device)?;
            let text = sections.entry(key).or_default().entry(name).or_default();
            *text = undo(text, &patch, key)?;
        }
        for texts in sections.values_mut() {
            texts.retain(|_, text| !text.is_empty());
        }
        Ok(sections)
    }
}
