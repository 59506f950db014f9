//! Whether all that was answered as stored is in the tables and is what the computers have.

use std::path::Path;
use std::time::Duration;

use rollcall_tests::console::Console;
use rollcall_tests::synthetic::Computer;
use rollcall_tests::wire::Device;

use crate::measure::{Watched, sql};

/// Devices whose whole lists are compared.
const COMPARED: usize = 50;
/// Check-ins without changes are written about once a second.
const FLUSH: Duration = Duration::from_secs(3);

/// What every device was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// Number of its last report.
    pub(crate) seq: u64,
    /// The day whose software it has.
    pub(crate) day: u32,
    /// Changes of software of all devices together.
    pub(crate) changes: u64,
}

/// Compares counts in the tables, and the lists of some devices title by title.
pub(crate) async fn check(
    expected: &Expected,
    console: &Console,
    data: &Path,
    watched: &Watched,
    devices: &[Device],
) -> (String, usize) {
    tokio::time::sleep(FLUSH).await;
    let count = |question: &str| match &watched.database {
        Some(url) => sql(url, question).unwrap_or(0),
        None => sqlite(&data.join("rollcall.db"), question).unwrap_or(0),
    };
    let seq = expected.seq;
    let reports = count(&format!("SELECT count(*) FROM device_report WHERE seq = {seq}"));
    let changes = count("SELECT count(*) FROM software_change");
    let mut other = 0;
    let step = devices.len().div_ceil(COMPARED).max(1);
    for (number, device) in devices.iter().enumerate().step_by(step) {
        let list = console.json(&format!("/api/v1/devices/{}/software", device.id)).await;
        let computer = Computer { number: u32::try_from(number).unwrap_or(0) };
        let mut has: Vec<_> = computer
            .software(expected.day)
            .iter()
            .filter_map(|row| serde_json::to_string(row).ok())
            .collect();
        let mut shown: Vec<String> = list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| serde_json::from_value(row.clone()).ok())
            .filter_map(|row: rollcall_shared::section::Software| serde_json::to_string(&row).ok())
            .collect();
        has.sort_unstable();
        shown.sort_unstable();
        other += usize::from(has != shown);
    }
    let all = devices.len() as u64;
    let failures = usize::from(reports != all) + usize::from(changes != expected.changes) + other;
    let line = format!(
        "stored as answered       {reports} of {all} last reports, {changes} of {} changes, \
         {other} of {} lists are others",
        expected.changes,
        devices.len().div_ceil(step)
    );
    (line, failures)
}

fn sqlite(file: &Path, question: &str) -> Option<u64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let database = rusqlite::Connection::open_with_flags(file, flags).ok()?;
    database.query_row(question, [], |row| row.get::<_, i64>(0)).ok()?.try_into().ok()
}
