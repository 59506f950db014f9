//! Reads the fleet from the tables into memory, once at start.

use std::collections::HashMap;
use std::time::Duration;

use rollcall_shared::section::Os;

use crate::app::App;
use crate::codec::ids::PackedSet;
use crate::domain::{CycleMatch, Facts};
use crate::fleet::{Loaded, OpenFindings, TitleText};
use crate::store;
use crate::store::device::DeviceKey;

/// How long to wait before the tables are asked again.
const RETRY: Duration = Duration::from_secs(5);

/// Reads the fleet; tries again until the tables answer. Call
/// [`begin_loading`](crate::fleet::Fleet::begin_loading) before the first report is taken.
pub async fn until_loaded(app: &App) {
    while let Err(error) = load(app).await {
        tracing::error!(%error, "the fleet could not be read; tried again in a few seconds");
        tokio::time::sleep(RETRY).await;
    }
}

/// Reads the fleet from the tables into memory.
pub async fn load(app: &App) -> Result<(), store::Error> {
    app.fleet.begin_loading();
    super::evaluate::load_policy(app).await?;
    let loaded = read(app).await?;
    let devices = loaded.devices.len();
    app.fleet.loaded(loaded);
    tracing::info!(devices, "the fleet is in memory");
    Ok(())
}

/// Everything the tables hold that the fleet is built from.
pub async fn read(app: &App) -> Result<Loaded, store::Error> {
    let mut findings: HashMap<DeviceKey, OpenFindings> = HashMap::new();
    for (device, rule, severity) in app.store.open_findings(app.clock.now()).await? {
        findings.entry(device).or_default().add(&rule, severity);
    }
    Ok(Loaded {
        devices: app.store.devices().await?,
        sets: title_sets(app).await?,
        // After the sets, so that every number in them has its text.
        titles: app.store.titles().await?.iter().map(title).collect(),
        seen_values: app.store.all_seen_values().await?,
        findings: findings.into_iter().collect(),
        cycles: cycles(app).await?,
    })
}

/// The cycle of each operating system. One that cannot be read is not known.
async fn cycles(app: &App) -> Result<Vec<(DeviceKey, CycleMatch)>, store::Error> {
    let (facts, mut cycles, mut after) = (Facts::built_in(), Vec::new(), None);
    loop {
        let page = app.store.systems_after(after).await?;
        let Some((last, _)) = page.last() else { return Ok(cycles) };
        after = Some(*last);
        cycles.extend(page.into_iter().filter_map(|(device, text)| {
            let os: Os = serde_json::from_str(&text).ok()?;
            Some((device, facts.cycle_of(&os)))
        }));
    }
}

async fn title_sets(app: &App) -> Result<Vec<(DeviceKey, PackedSet)>, store::Error> {
    let mut sets: Vec<(DeviceKey, PackedSet)> = Vec::new();
    loop {
        let after = sets.last().map(|(device, _)| *device);
        let mut page = app.store.title_sets_after(after).await?;
        if page.is_empty() {
            return Ok(sets);
        }
        sets.append(&mut page);
    }
}

/// A title of the tables as the fleet keeps it.
pub(crate) fn title(title: &store::title::Title) -> (u32, TitleText) {
    let [source, name, version, architecture, publisher, _, _] =
        title.text.parts().map(str::to_owned);
    (title.id, TitleText { source, name, version, architecture, publisher })
}
