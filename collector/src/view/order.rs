//! The order of the list of devices, and one page of it, whether the list is at hand or read piece
//! by piece.

use roaring::RoaringBitmap;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page;
use rollcall_shared::api::device::{DeviceFilter, DeviceSort, DeviceSummary};
use serde::{Deserialize, Serialize};

use super::devices::Row;
use super::{Error, cursor};
use crate::domain::Scope;
use crate::fleet::facets::{SortKey, sort_key};
use crate::fleet::{Entry, Inner};
use crate::store::device::DeviceKey;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum SortValue {
    Number(i64),
    Text(String),
}

/// Where a page of this list ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Position {
    sort: DeviceSort,
    descending: bool,
    as_of: Option<Timestamp>,
    value: SortValue,
    key: u32,
}

pub(super) struct Order {
    sort: DeviceSort,
    descending: bool,
    as_of: Option<Timestamp>,
    after: Option<Position>,
    scope: Scope,
}

impl Order {
    pub(super) fn of(scope: &Scope, filter: &DeviceFilter) -> Result<Self, Error> {
        let sort = filter.sort.unwrap_or(DeviceSort::Hostname);
        let (descending, as_of) = (filter.descending, filter.as_of);
        let decode = |text: &str| cursor::decode::<Position>(scope, text);
        let after = filter.cursor.as_deref().map(decode).transpose()?;
        let other = |p: &Position| {
            let number = matches!(p.value, SortValue::Number(_));
            let numeric = matches!(sort, DeviceSort::LastSeen | DeviceSort::Findings);
            (p.sort, p.descending, p.as_of, number) != (sort, descending, as_of, numeric)
        };
        if after.as_ref().is_some_and(other) {
            return Err(cursor::invalid());
        }
        Ok(Self { sort, descending, as_of, after, scope: scope.clone() })
    }

    fn compare(&self, a: (&SortKey<'_>, u32), b: (&SortKey<'_>, u32)) -> std::cmp::Ordering {
        let by_value = a.0.cmp(b.0);
        let by_value = if self.descending { by_value.reverse() } else { by_value };
        by_value.then(a.1.cmp(&b.1))
    }

    fn value<'a>(&self, entry: &'a Entry) -> SortKey<'a> {
        sort_key(entry, self.sort)
    }

    /// Whether a row comes after the page before.
    fn is_after(&self, value: &SortKey<'_>, key: u32) -> bool {
        self.after.as_ref().is_none_or(|after| {
            self.compare((value, key), (&after.value.as_ref(), after.key)).is_gt()
        })
    }

    /// Where a page ends that ends with this row.
    fn cursor(&self, value: &SortKey<'_>, key: u32) -> Option<String> {
        let position = Position {
            sort: self.sort,
            descending: self.descending,
            as_of: self.as_of,
            value: owned(value),
            key,
        };
        cursor::encode(&self.scope, &position)
    }

    /// The rows of these devices after the cursor, read in their order.
    pub(super) fn page<'a>(
        &self,
        fleet: &'a Inner,
        passing: &RoaringBitmap,
        limit: usize,
        row: impl Fn(&'a Entry) -> Row<'a>,
    ) -> Page<DeviceSummary> {
        let from = self.after.as_ref().map(|after| after.value.as_ref());
        let mut rows = fleet
            .facets()
            .ordered(self.sort, self.descending, from)
            .filter(|(value, key)| passing.contains(*key) && self.is_after(value, *key))
            .filter_map(|(value, key)| Some((value, key, fleet.entry(DeviceKey(key))?)));
        let page: Vec<_> = rows.by_ref().take(limit).collect();
        let more = rows.next().is_some();
        let last = page.last().filter(|_| more);
        let next_cursor = last.and_then(|(value, key, _)| self.cursor(value, *key));
        let items = page.iter().map(|(_, _, entry)| row(entry).summary()).collect();
        Page { items, total: passing.len(), next_cursor }
    }
}

/// One page of a list that is read piece by piece.
pub(super) struct Best<'a> {
    order: &'a Order,
    limit: usize,
    total: u64,
    rows: Vec<(SortValue, u32, DeviceSummary)>,
}

impl<'a> Best<'a> {
    pub(super) fn new(order: &'a Order, limit: usize) -> Self {
        Self { order, limit, total: 0, rows: Vec::new() }
    }

    pub(super) fn add<'r>(&mut self, rows: impl Iterator<Item = Row<'r>>) {
        for row in rows {
            self.total += 1;
            let (value, key) = (self.order.value(row.entry), row.entry.row.key.0);
            if self.order.is_after(&value, key) {
                self.rows.push((owned(&value), key, row.summary()));
            }
        }
        // One more than the page shows that there is a next one.
        if self.rows.len() > self.limit + 1 {
            let order = self.order;
            self.rows.select_nth_unstable_by(self.limit, |a, b| {
                order.compare((&a.0.as_ref(), a.1), (&b.0.as_ref(), b.1))
            });
            self.rows.truncate(self.limit + 1);
        }
    }

    pub(super) fn page(mut self) -> Page<DeviceSummary> {
        let order = self.order;
        self.rows
            .sort_unstable_by(|a, b| order.compare((&a.0.as_ref(), a.1), (&b.0.as_ref(), b.1)));
        let more = self.rows.len() > self.limit;
        self.rows.truncate(self.limit);
        let last = self.rows.last().filter(|_| more);
        let next_cursor = last.and_then(|(value, key, _)| order.cursor(&value.as_ref(), *key));
        let items = self.rows.into_iter().map(|(_, _, summary)| summary).collect();
        Page { items, total: self.total, next_cursor }
    }
}

fn owned(value: &SortKey<'_>) -> SortValue {
    match value {
        SortKey::Number(number) => SortValue::Number(*number),
        SortKey::Text(text) => SortValue::Text((*text).to_owned()),
    }
}

impl SortValue {
    fn as_ref(&self) -> SortKey<'_> {
        match self {
            Self::Number(number) => SortKey::Number(*number),
            Self::Text(text) => SortKey::Text(text),
        }
    }
}
