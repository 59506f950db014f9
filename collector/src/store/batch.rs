//! Reads what a batch of reports needs of the tables, a few statements for all of its devices.

use std::collections::{BTreeSet, HashMap};

use rollcall_shared::{Digest, Timestamp};

use super::device::{DeviceColumns, DeviceKey, DeviceRow, LastReport, key_of};
use super::load::SOFTWARE_NAME;
use super::memory::{Memory, lock};
use super::plan;
use super::report::{Prepared, PreparedSection};
use super::row::{Document, Loaded, SoftwareRow};
use super::{Error, Tables};

pub(super) type LoadedReport = (i64, i64, String, i64, i64, i64, String, String, String, String);
pub(super) type LoadedDocument = (i64, String, i64, Vec<u8>, Vec<u8>);
pub(super) type LoadedSoftware = (i64, i64, i64, Vec<u8>, Vec<u8>, Vec<u8>);

pub(super) const LOAD_REPORTS: &str = "SELECT device, seq, report_id, observed_at, received_at,
    clock_error_ms, vitals, agent, cost, hardware_ids FROM device_report WHERE device";
pub(super) const LOAD_DOCUMENTS: &str =
    "SELECT device, name, at, digest, document FROM section WHERE device";
/// Of devices whose documents do not change: what rules look at, read here for all of a batch.
pub(super) const LOAD_JUDGED: &str = "SELECT device, name, at, digest, document FROM section
    WHERE name IN ('os', 'volume', 'update') AND device";
pub(super) const LOAD_SOFTWARE: &str =
    "SELECT device, first_at, at, digest, titles, extra FROM software WHERE device";

/// What stands before the lists of keys, for the test that prepares every statement.
#[cfg(test)]
pub(super) const HEADS: &[&str] = &[LOAD_REPORTS, LOAD_DOCUMENTS, LOAD_JUDGED, LOAD_SOFTWARE];

/// What the tables say of the devices of some reports, read within the transaction.
macro_rules! load_batch {
    ($pool:ident, $tx:ident, $tables:expr, $reports:expr) => {{
        let reports: &[&$crate::store::report::Prepared] = $reports;
        let devices: std::collections::BTreeSet<$crate::store::device::DeviceKey> =
            reports.iter().map(|report| report.device).collect();
        let keys = $crate::store::batch::numbers(&devices);
        $pool.lock_devices(&mut $tx, &keys).await?;
        // From here on nobody else changes them: what somebody changed before is learnt now.
        let numbers = $crate::store::statement::select_in!(
            $tx,
            (i64, i64),
            $crate::store::touch::NUMBERS,
            &keys
        );
        let behind = $tables.behind(&keys, &numbers);
        if !behind.is_empty() {
            let rows = $crate::store::state::state_rows!($tx, &behind);
            $tables.remember_states(rows.states()?, true);
            $tables.memory().following.behind(&behind);
        }
        if $tables.brings_titles(reports) {
            // Whoever numbers titles is alone until the commit, and knows those of the others.
            sqlx::query($crate::store::load::HOLD_TITLES).execute(&mut *$tx).await?;
            loop {
                let last = i64::from($tables.memory().titles().next_id()) - 1;
                let rows: Vec<$crate::store::load::TitleRow> =
                    sqlx::query_as($crate::store::load::NEXT_TITLES)
                        .bind(last)
                        .fetch_all(&mut *$tx)
                        .await?;
                if rows.is_empty() {
                    break;
                }
                $tables.remember_titles($crate::store::load::titles(rows)?);
            }
        }
        let (mut documents, mut software) = $tables.holders(reports);
        let rows = $crate::store::statement::select_in!(
            $tx,
            $crate::store::device::DeviceColumns,
            $crate::store::device::ROWS_OF,
            &keys
        );
        let last = $crate::store::statement::select_in!(
            $tx,
            $crate::store::batch::LoadedReport,
            $crate::store::batch::LOAD_REPORTS,
            &keys
        );
        let mut loaded = $crate::store::row::Loaded::default();
        loaded.rows(rows)?;
        loaded.reports(last)?;
        loaded.overlay($tables.memory());
        documents.extend(loaded.documents_needed($tables.memory(), reports));
        let rows = $crate::store::statement::select_in!(
            $tx,
            $crate::store::batch::LoadedDocument,
            $crate::store::batch::LOAD_DOCUMENTS,
            &$crate::store::batch::numbers(&documents)
        );
        loaded.documents(rows)?;
        let rows = $crate::store::statement::select_in!(
            $tx,
            $crate::store::batch::LoadedDocument,
            $crate::store::batch::LOAD_JUDGED,
            &$crate::store::batch::numbers(devices.difference(&documents))
        );
        loaded.judged(rows)?;
        software.extend(&devices);
        let rows = $crate::store::statement::select_in!(
            $tx,
            $crate::store::batch::LoadedSoftware,
            $crate::store::batch::LOAD_SOFTWARE,
            &$crate::store::batch::numbers(&software)
        );
        loaded.software(rows)?;
        loaded
    }};
}
pub(super) use load_batch;

impl Tables {
    /// Those of these devices that somebody changed since memory last agreed with the tables.
    pub(super) fn behind(&self, devices: &[i64], numbers: &[(i64, i64)]) -> Vec<i64> {
        let numbers: HashMap<i64, i64> = numbers.iter().copied().collect();
        let behind = |device: &&i64| {
            let Ok(key) = key_of(**device) else { return false };
            let number = numbers.get(*device).copied().unwrap_or_default();
            lock(&self.memory().device(key)).touched != number
        };
        devices.iter().filter(behind).copied().collect()
    }

    /// Whether a report brings titles that memory does not know.
    pub(super) fn brings_titles(&self, reports: &[&Prepared]) -> bool {
        let dictionary = self.memory().titles();
        let new = |section: &PreparedSection| match section {
            PreparedSection::Software { rows, .. } => {
                rows.new.iter().any(|(text, _)| dictionary.id(text).is_none())
            }
            PreparedSection::Changed { change, .. } => {
                change.come.iter().any(|(text, _)| dictionary.id(text).is_none())
            }
            _ => false,
        };
        reports.iter().any(|report| report.sections.values().any(new))
    }

    /// Devices whose contents the reports claim: of documents, of software.
    pub(super) fn holders(
        &self,
        reports: &[&Prepared],
    ) -> (BTreeSet<DeviceKey>, BTreeSet<DeviceKey>) {
        let (mut documents, mut software) = (BTreeSet::new(), BTreeSet::new());
        let all = reports.iter().flat_map(|report| {
            report.sections.iter().map(|(name, section)| (report.device, name, section))
        });
        for (device, name, section) in all {
            if let PreparedSection::Claimed(digest) = section
                && lock(&self.memory().device(device)).sections.get(name) != Some(digest)
                && let Some(holder) = self.memory().holder(name, digest)
            {
                if &**name == SOFTWARE_NAME {
                    software.insert(holder);
                } else {
                    documents.insert(holder);
                }
            }
        }
        (documents, software)
    }
}

pub(super) fn numbers<'a>(devices: impl IntoIterator<Item = &'a DeviceKey>) -> Vec<i64> {
    devices.into_iter().map(|device| i64::from(device.0)).collect()
}

impl Loaded {
    pub(super) fn rows(&mut self, rows: Vec<DeviceColumns>) -> Result<(), Error> {
        for row in rows {
            let row = DeviceRow::from_row(row)?;
            self.rows.insert(row.key, row);
        }
        Ok(())
    }

    pub(super) fn reports(&mut self, rows: Vec<LoadedReport>) -> Result<(), Error> {
        for (device, seq, _, observed_at, received_at, clock, vitals, agent, cost, ids) in rows {
            let damaged = |_| Error::Damaged(format!("the last report of device {device}"));
            let report = LastReport {
                seq: u64::try_from(seq).unwrap_or_default(),
                observed_at: Timestamp(observed_at),
                received_at: Timestamp(received_at),
                clock_error_ms: clock,
                vitals: serde_json::from_str(&vitals).map_err(damaged)?,
                agent: serde_json::from_str(&agent).map_err(damaged)?,
                cost: serde_json::from_str(&cost).map_err(damaged)?,
                hardware_ids: serde_json::from_str(&ids).map_err(damaged)?,
            };
            self.reports.insert(key_of(device)?, report);
        }
        Ok(())
    }

    /// Adds contacts that are not written yet. Their hardware ids are raw, those of the table are
    /// the good ones.
    pub(super) fn overlay(&mut self, memory: &Memory) {
        let contacts = memory.contacts();
        for (device, report) in &mut self.reports {
            if let Some(contact) = contacts.get(device)
                && report.seq < contact.report.seq
            {
                let hardware_ids = std::mem::take(&mut report.hardware_ids);
                *report = LastReport { hardware_ids, ..contact.report.clone() };
            }
        }
    }

    /// Devices whose documents the reports touch.
    pub(super) fn documents_needed(
        &self,
        memory: &Memory,
        reports: &[&Prepared],
    ) -> BTreeSet<DeviceKey> {
        reports
            .iter()
            .filter(|report| {
                plan::touches_documents(memory, report, self.reports.get(&report.device))
            })
            .map(|report| report.device)
            .collect()
    }

    pub(super) fn documents(&mut self, rows: Vec<LoadedDocument>) -> Result<(), Error> {
        for (device, name, at, digest, packed) in rows {
            let row = Document { at: Timestamp(at), digest: digest_of(&digest, device)?, packed };
            self.documents.entry(key_of(device)?).or_default().insert(name, row);
        }
        Ok(())
    }

    pub(super) fn judged(&mut self, rows: Vec<LoadedDocument>) -> Result<(), Error> {
        for (device, name, _, _, packed) in rows {
            self.judged.entry(key_of(device)?).or_default().push((name, packed));
        }
        Ok(())
    }

    pub(super) fn software(&mut self, rows: Vec<LoadedSoftware>) -> Result<(), Error> {
        for (device, first_at, at, digest, titles, extra) in rows {
            let (first_at, at) = (Timestamp(first_at), Timestamp(at));
            let digest = digest_of(&digest, device)?;
            let row = SoftwareRow { first_at, at, digest, titles, extra };
            self.software.insert(key_of(device)?, row);
        }
        Ok(())
    }
}

fn digest_of(bytes: &[u8], device: i64) -> Result<Digest, Error> {
    Digest::from_slice(bytes).ok_or_else(|| Error::Damaged(format!("a digest of device {device}")))
}
