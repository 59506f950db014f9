//! Puts devices into the sites and departments that rules and tokens say: a device when it has
//! reported, all of them when the rules have changed.

use std::collections::BTreeMap;

use rollcall_shared::api::unit::{UnitFrom, UnitKind, UnitMove, UnitPreview};

use crate::app::App;
use crate::domain::unit::{Place, Rules};
use crate::store;
use crate::store::device::{DeviceKey, DeviceRow};
use crate::store::unit::Move;

/// Devices held against the rules, and written, at a time.
const PAGE: usize = 500;

/// Where a device goes by these rules.
fn moves(rules: &Rules, row: &DeviceRow) -> impl Iterator<Item = Move> {
    let kinds = UnitKind::ALL.iter().filter_map(|&kind| {
        let now = row.place(kind);
        let to = rules.decide(kind, &row.looks(), now, row.token_unit(kind));
        (to != now).then_some(Move { device: row.key, kind, to })
    });
    kinds.collect::<Vec<_>>().into_iter()
}

/// Where a device would belong if no person had said anything.
pub fn derived(app: &App, row: &DeviceRow, kind: UnitKind) -> Place {
    app.store.unit_rules().derived(kind, &row.looks(), row.token_unit(kind))
}

/// Holds a device against the rules after its report was stored.
pub async fn after_report(app: &App, row: &DeviceRow) -> Result<(), store::Error> {
    let rules = app.store.unit_rules();
    let moves: Vec<Move> = moves(&rules, row).collect();
    if moves.is_empty() {
        return Ok(());
    }
    app.store.place_devices(&moves).await?;
    tell_fleet(app, &[row.key]).await
}

/// Holds every device against the rules; how many went elsewhere.
pub async fn settle(app: &App) -> Result<u64, store::Error> {
    app.fleet.ready().await;
    let (rules, mut moved) = (app.store.unit_rules(), 0);
    let keys = app.fleet.read().keys();
    for page in keys.chunks(PAGE) {
        let found: Vec<Move> = {
            let fleet = app.fleet.read();
            let entries = page.iter().filter_map(|key| fleet.entry(*key));
            entries.flat_map(|entry| moves(&rules, &entry.row)).collect()
        };
        if !found.is_empty() {
            app.store.place_devices(&found).await?;
            let mut devices: Vec<DeviceKey> = found.iter().map(|one| one.device).collect();
            devices.dedup();
            tell_fleet(app, &devices).await?;
            moved += devices.len() as u64;
        }
        // A large fleet takes seconds; other requests of this thread go on meanwhile.
        tokio::task::yield_now().await;
    }
    Ok(moved)
}

/// Tells the fleet in memory where these devices belong now.
pub async fn tell_fleet(app: &App, devices: &[DeviceKey]) -> Result<(), store::Error> {
    for page in devices.chunks(PAGE) {
        for row in app.store.devices_of(page).await? {
            app.fleet.row_changed(&row);
        }
    }
    Ok(())
}

/// What other rules would change; changes nothing.
pub async fn preview(app: &App, rules: &Rules) -> Result<UnitPreview, store::Error> {
    app.fleet.ready().await;
    let names: BTreeMap<i64, String> =
        app.store.units().await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
    let name = |place: Place| place.unit.map(|unit| names.get(&unit).cloned().unwrap_or_default());
    let mut preview = UnitPreview::default();
    let mut counted: BTreeMap<(UnitKind, Option<String>, Option<String>), u64> = BTreeMap::new();
    let keys = app.fleet.read().keys();
    for page in keys.chunks(PAGE) {
        {
            let fleet = app.fleet.read();
            for entry in page.iter().filter_map(|key| fleet.entry(*key)) {
                let (row, mut goes, mut stays) = (&entry.row, false, false);
                for &kind in UnitKind::ALL {
                    let now = row.place(kind);
                    let to = rules.derived(kind, &row.looks(), row.token_unit(kind));
                    if to.unit == now.unit {
                        continue;
                    }
                    if now.from == Some(UnitFrom::Hand) {
                        stays |= to.from == Some(UnitFrom::Rule);
                        continue;
                    }
                    goes = true;
                    *counted.entry((kind, name(now), name(to))).or_default() += 1;
                }
                preview.devices += u64::from(goes);
                preview.held_by_hand += u64::from(stays);
            }
        }
        tokio::task::yield_now().await;
    }
    let moves = counted.into_iter().map(|((kind, before, after), devices)| UnitMove {
        kind,
        before,
        after,
        devices,
    });
    preview.moves = moves.collect();
    preview.moves.sort_by_key(|one| std::cmp::Reverse(one.devices));
    Ok(preview)
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
