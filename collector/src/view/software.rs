//! Software titles across the fleet, and who has them.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;
use rollcall_shared::api::Page;
use rollcall_shared::api::software::{
    SoftwareDetail, SoftwareFilter, SoftwareTitle, SoftwareVersion,
};
use rollcall_shared::version::{self, Scheme};

use super::{Error, cursor};
use crate::app::App;
use crate::domain::Scope;
use crate::fleet::Inner;
use crate::fleet::lookup::QUERY_BYTES;
use crate::fleet::title::TitleGroup;

/// Where a page of titles ended: devices, name, source.
type Position = (u64, String, String);

/// One page of titles, those on most devices first.
pub async fn titles(
    app: &App,
    scope: &Scope,
    filter: &SoftwareFilter,
) -> Result<Page<SoftwareTitle>, Error> {
    let limit = cursor::limit(filter.limit)?;
    let decode = |text: &str| cursor::decode::<Position>(scope, text);
    let after = filter.cursor.as_deref().map(decode).transpose()?;
    let asked = filter.q.as_deref().unwrap_or_default().trim().to_lowercase();
    if asked.len() > QUERY_BYTES {
        let why = format!("it is longer than {QUERY_BYTES} bytes");
        return Err(Error::Invalid { field: "q", why });
    }
    let words: Vec<&str> = asked.split_whitespace().collect();
    super::ready(app).await;
    let fleet = app.fleet.read();
    let within = fleet.counted_within(scope);
    let within = within.as_ref();
    let mut rows: Vec<(u64, &TitleGroup)> = fleet
        .titles()
        .groups()
        .iter()
        .filter(|group| filter.source.as_ref().is_none_or(|source| *source == group.source))
        .filter(|group| words.iter().all(|word| group.lower.contains(word)))
        .map(|group| (fleet.group_count_within(group, within), group))
        .filter(|(devices, _)| *devices > 0)
        .collect();
    let total = rows.len() as u64;
    let order = |a: &(u64, &TitleGroup), b: &(u64, &TitleGroup)| {
        b.0.cmp(&a.0).then_with(|| (&a.1.name, &a.1.source).cmp(&(&b.1.name, &b.1.source)))
    };
    if let Some((devices, name, source)) = after {
        let last = TitleGroup { source, name, ..TitleGroup::default() };
        rows.retain(|row| order(row, &(devices, &last)).is_gt());
    }
    let more = rows.len() > limit;
    if more {
        rows.select_nth_unstable_by(limit, order);
        rows.truncate(limit);
    }
    rows.sort_unstable_by(order);
    let next_cursor = rows
        .last()
        .filter(|_| more)
        .and_then(|(devices, group)| cursor::encode(scope, &(devices, &group.name, &group.source)));
    let items = rows.iter().map(|(devices, group)| SoftwareTitle {
        source: group.source.clone(),
        name: group.name.clone(),
        publisher: publisher(&fleet, group, within),
        versions: by_version(&fleet, group, within).len() as u64,
        devices: *devices,
    });
    Ok(Page { items: items.collect(), total, next_cursor })
}

/// One title with its versions; its devices come from the list of devices filtered by it. Whoever
/// sees a part of the fleet sees titles that a device of that part has.
pub async fn detail(
    app: &App,
    scope: &Scope,
    source: &str,
    name: &str,
) -> Result<Option<SoftwareDetail>, Error> {
    super::ready(app).await;
    let fleet = app.fleet.read();
    let within = fleet.counted_within(scope);
    let within = within.as_ref();
    let Some(group) = fleet.titles().named(name).find(|group| group.source == source) else {
        return Ok(None);
    };
    if within.is_some() && fleet.group_count_within(group, within) == 0 {
        return Ok(None);
    }
    let mut versions: Vec<SoftwareVersion> = by_version(&fleet, group, within)
        .into_iter()
        .map(|(version, ids)| {
            let mut architectures: Vec<String> = ids
                .iter()
                .filter_map(|id| Some(fleet.titles().text(*id)?.architecture.clone()))
                .filter(|architecture| !architecture.is_empty())
                .collect();
            architectures.sort_unstable();
            architectures.dedup();
            let devices = fleet.title_count_within(&ids, within);
            SoftwareVersion { version: version.to_owned(), architectures, devices }
        })
        .collect();
    newest_first(&mut versions, Scheme::of_source(source));
    Ok(Some(SoftwareDetail {
        source: group.source.clone(),
        name: group.name.clone(),
        publisher: publisher(&fleet, group, within),
        devices: fleet.group_count_within(group, within),
        versions,
    }))
}

/// The numbers of each version that some device has.
fn by_version<'a>(
    fleet: &'a Inner,
    group: &TitleGroup,
    within: Option<&RoaringBitmap>,
) -> BTreeMap<&'a str, Vec<u32>> {
    let mut versions: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for &id in &group.ids {
        let had = fleet.title_count_within(&[id], within) > 0;
        if let Some(text) = fleet.titles().text(id).filter(|_| had) {
            versions.entry(&text.version).or_default().push(id);
        }
    }
    versions
}

/// The maker most devices name.
fn publisher(fleet: &Inner, group: &TitleGroup, within: Option<&RoaringBitmap>) -> Option<String> {
    group
        .ids
        .iter()
        .filter_map(|&id| Some((fleet.title_count_within(&[id], within), fleet.titles().text(id)?)))
        // Of one that is only elsewhere nothing is told.
        .filter(|(devices, _)| within.is_none() || *devices > 0)
        .filter(|(_, text)| !text.publisher.is_empty())
        .max_by_key(|(devices, text)| (*devices, &text.version))
        .map(|(_, text)| text.publisher.clone())
}

/// Sorts by insertion, because versions that cannot be compared give no total order.
fn newest_first(versions: &mut Vec<SoftwareVersion>, scheme: Scheme) {
    let mut sorted: Vec<SoftwareVersion> = Vec::with_capacity(versions.len());
    for version in versions.drain(..) {
        let newer = |other: &SoftwareVersion| {
            version::compare(scheme, &version.version, &other.version)
                .unwrap_or_else(|| version.version.cmp(&other.version))
                .is_gt()
        };
        let at = sorted.iter().position(newer).unwrap_or(sorted.len());
        sorted.insert(at, version);
    }
    *versions = sorted;
}
