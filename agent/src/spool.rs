//! Reports that the collector has not yet acknowledged, oldest first.
//!
//! One compressed file per report, named by its number, on disk before it is sent. The spool is
//! bounded: the oldest go first and are counted. A file that cannot be read never blocks the rest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rollcall_shared::Digest;
use rollcall_shared::report::{CheckIn, limits};

use crate::disk::{Disk, private_folder};
use crate::report::to_request;
use crate::state::StateError;

/// All spooled reports together, in bytes on disk.
pub const BOUND_BYTES: u64 = 20 * 1024 * 1024;
/// So many rejected reports are kept for a person to look at.
pub const REJECTED_KEPT: usize = 5;

const SUFFIX: &str = ".json.zst";
/// A report lies here for a moment as a rule, so speed counts for more than size.
const COMPRESSION_LEVEL: i32 = 1;

/// The folder of unacknowledged reports.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    disk: Disk,
    bound_bytes: u64,
}

/// The digests that make up what a report says; vitals and notes are not a change.
pub type Digests = BTreeMap<String, Digest>;

/// The digests of a report's sections.
pub fn digests_of(report: &CheckIn) -> Digests {
    let digest = |(name, state): (&String, &rollcall_shared::report::SectionState)| {
        Some((name.clone(), state.digest?))
    };
    report.sections.iter().filter_map(digest).collect()
}

impl Spool {
    /// Opens the folder, makes it if needed, and clears away what a crash left half-written.
    pub fn open(folder: &Path, disk: Disk) -> Result<Self, StateError> {
        private_folder(folder)?;
        private_folder(&folder.join("rejected"))?;
        let spool = Self { folder: folder.to_owned(), disk, bound_bytes: BOUND_BYTES };
        for name in spool.names()? {
            if name.starts_with('.') {
                let _ = fs::remove_file(folder.join(name));
            }
        }
        Ok(spool)
    }

    /// A spool that is only looked at, while an agent may be writing to it.
    pub fn peek(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), disk: Disk::default(), bound_bytes: BOUND_BYTES }
    }

    #[cfg(test)]
    pub(crate) fn with_bound(mut self, bound_bytes: u64) -> Self {
        self.bound_bytes = bound_bytes;
        self
    }

    fn names(&self) -> Result<Vec<String>, StateError> {
        let failed = |source| StateError::Io { what: "listing", path: self.folder.clone(), source };
        let entries = fs::read_dir(&self.folder).map_err(failed)?;
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn path(&self, seq: u64) -> PathBuf {
        self.folder.join(format!("{seq:020}{SUFFIX}"))
    }

    /// Numbers of the spooled reports, oldest first.
    pub fn seqs(&self) -> Result<Vec<u64>, StateError> {
        let number = |name: String| name.strip_suffix(SUFFIX)?.parse().ok();
        let mut seqs: Vec<u64> = self.names()?.into_iter().filter_map(number).collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// Reads one report. `None` when what lies there is no report; it is then out of the way. An
    /// error says nothing about the report: the disk may give it the next time.
    pub fn read(&self, seq: u64) -> Result<Option<CheckIn>, StateError> {
        let path = self.path(seq);
        let report = match self.disk.read(&path, BOUND_BYTES) {
            Ok(bytes) => parse(&bytes),
            Err(error) if is_no_report(&path, &error) => Err(error.to_string()),
            Err(source) => return Err(StateError::Io { what: "reading", path, source }),
        };
        match report {
            Ok(report) if report.seq == seq => return Ok(Some(report)),
            Ok(_) => {
                tracing::warn!(report.seq = seq, "a spooled report is not the one it is named");
            }
            Err(why) => tracing::warn!(report.seq = seq, why, "a spooled report is damaged"),
        }
        self.reject(seq)?;
        Ok(None)
    }

    /// Adds a report. `acknowledged` is what the collector holds already.
    ///
    /// Bodies that the collector holds are left out of the file: it will hardly ask for them, and
    /// then the agent knows them from its last look, as long as they are the same. The disk is waited
    /// for only if the report says something that the collector does not know.
    ///
    /// A run of reports that say the same keeps its first (it dates the change) and its last.
    /// `dropped` grows by the reports that were given up meanwhile, because the spool was full or
    /// what lay there was none, together with those that the given up ones had counted. After an
    /// error the report is not on disk; what was dropped until then is counted all the same.
    pub fn add(
        &self,
        report: &mut CheckIn,
        acknowledged: &Digests,
        dropped: &mut u64,
    ) -> Result<(), StateError> {
        let seqs = self.seqs()?;
        let mut superseded = None;
        if let Some((newest, before)) = seqs.split_last() {
            let digests = digests_of(report);
            let previous = match before.last() {
                None => Some(acknowledged.clone()),
                Some(seq) => self.look_at(*seq, dropped).as_ref().map(digests_of),
            };
            if let Some(old) = self.look_at(*newest, dropped)
                && digests_of(&old) == digests
                && previous.as_ref() == Some(&digests)
            {
                report.dropped_reports += old.dropped_reports;
                superseded = Some(*newest);
            }
        }
        let path = self.path(report.seq);
        // What is delivered before this report changes what the collector holds.
        let is_first = seqs.len() == usize::from(superseded.is_some());
        let held = is_first.then_some(acknowledged);
        let is_news = held != Some(&digests_of(report)) || report.dropped_reports > 0;
        let written = pack(report, held).and_then(|bytes| {
            if is_news { self.disk.write(&path, &bytes) } else { self.disk.show(&path, &bytes) }
        });
        written.map_err(|source| StateError::Io { what: "writing", path, source })?;
        // From here on the report is safe. What fails now is tried again with the next one.
        let tidied = superseded.map_or(Ok(()), |seq| self.remove(seq));
        let others = seqs.into_iter().filter(|seq| Some(*seq) != superseded);
        let all: Vec<u64> = others.chain([report.seq]).collect();
        if let Err(error) = tidied.and_then(|()| self.enforce_bound(&all, dropped)) {
            tracing::warn!(%error, "the spool could not be tidied up");
        }
        Ok(())
    }

    /// Reads a report only to compare with it; one that cannot be read now is left alone.
    fn look_at(&self, seq: u64, dropped: &mut u64) -> Option<CheckIn> {
        match self.read(seq) {
            Ok(None) => {
                *dropped += 1;
                None
            }
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(report.seq = seq, %error, "a spooled report cannot be read now");
                None
            }
        }
    }

    /// All spooled reports together, in bytes on disk.
    pub fn size_bytes(&self) -> Result<u64, StateError> {
        let size = |seq: &u64| fs::metadata(self.path(*seq)).map_or(0, |data| data.len());
        Ok(self.seqs()?.iter().map(size).sum())
    }

    /// How many rejected reports are kept.
    pub fn rejected(&self) -> usize {
        fs::read_dir(self.folder.join("rejected")).map_or(0, Iterator::count)
    }

    /// Gives up the oldest reports until the bound holds; the newest always stays.
    fn enforce_bound(&self, seqs: &[u64], dropped: &mut u64) -> Result<(), StateError> {
        let size = |seq: &u64| Some((*seq, fs::metadata(self.path(*seq)).ok()?.len()));
        let files: Vec<(u64, u64)> = seqs.iter().filter_map(size).collect();
        let mut total: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        for (seq, bytes) in files.iter().take(files.len().saturating_sub(1)) {
            if total <= self.bound_bytes {
                break;
            }
            // What cannot be read now may hold a count, so it stays until it can.
            let Ok(report) = self.read(*seq) else { continue };
            if report.is_some() {
                self.remove(*seq)?;
            }
            total -= bytes;
            *dropped += 1 + report.map_or(0, |report| report.dropped_reports);
        }
        Ok(())
    }

    /// Removes a report that is acknowledged or not needed. If a power cut brings it back it is sent
    /// again, and the collector knows it by its id.
    pub fn remove(&self, seq: u64) -> Result<(), StateError> {
        let path = self.path(seq);
        match self.disk.drop_file(&path) {
            Ok(_) => Ok(()),
            Err(source) => Err(StateError::Io { what: "removing", path, source }),
        }
    }

    /// Puts a report aside that the collector will never take; the last few are kept.
    pub fn reject(&self, seq: u64) -> Result<(), StateError> {
        let path = self.path(seq);
        let rejected = self.folder.join("rejected");
        let target = rejected.join(format!("{seq:020}{SUFFIX}"));
        match self.disk.rename(&path, &target) {
            // Out of the way it is, although perhaps not for good after a power cut.
            Err(_) if !path.exists() => {}
            Err(source) => return Err(StateError::Io { what: "moving", path, source }),
            Ok(()) => {}
        }
        let entries = fs::read_dir(&rejected).into_iter().flatten();
        let mut kept: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        kept.sort_unstable();
        for old in kept.iter().take(kept.len().saturating_sub(REJECTED_KEPT)) {
            let _ = fs::remove_file(old);
        }
        Ok(())
    }
}

/// Whether it is certain that no report lies there: the file is gone, or it is something else.
fn is_no_report(path: &Path, error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
        || fs::symlink_metadata(path).is_ok_and(|data| !data.is_file())
}

fn parse(bytes: &[u8]) -> Result<CheckIn, String> {
    let json = unpack(bytes).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| error.to_string())
}

fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    // A file that is longer than any report is cut, and then no JSON any more.
    let limit_bytes = limits::DECOMPRESSED_BYTES as u64;
    zstd::stream::Decoder::new(bytes)?.take(limit_bytes).read_to_end(&mut json)?;
    Ok(json)
}

/// Without the bodies that the collector holds, if that is known.
fn pack(report: &CheckIn, held: Option<&Digests>) -> io::Result<Vec<u8>> {
    let is_needed = |name: &str| {
        let digest = report.sections.get(name).and_then(|state| state.digest);
        digest.is_none() || held.and_then(|held| held.get(name)) != digest.as_ref()
    };
    let json = to_request(report, report.sent_at, is_needed, None)?;
    zstd::bulk::compress(&json, COMPRESSION_LEVEL)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rollcall_shared::report::SectionState;
    use rollcall_shared::{HardwareIds, Timestamp};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn report(seq: u64, body: &str) -> CheckIn {
        let body = RawValue::from_string(format!("\"{body}\"")).unwrap();
        CheckIn {
            report_id: Uuid::from_u128(u128::from(seq)),
            seq,
            observed_at: Timestamp(0),
            sent_at: Timestamp(0),
            agent: rollcall_shared::report::AgentInfo::default(),
            hardware_ids: HardwareIds::default(),
            vitals: rollcall_shared::report::Vitals::default(),
            sections: BTreeMap::from([("os".to_owned(), SectionState::with_body(body))]),
            cost: rollcall_shared::report::Cost::default(),
            dropped_reports: 0,
        }
    }

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&folder.path().join("spool"), Disk::default()).unwrap();
        (folder, spool)
    }

    #[test]
    fn a_run_of_equal_reports_keeps_its_first_and_last() {
        let (_folder, spool) = spool();
        let none = Digests::new();
        for (seq, body) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "b"), (6, "b"), (7, "a")] {
            spool.add(&mut report(seq, body), &none, &mut 0).unwrap();
        }
        assert_eq!(spool.seqs().unwrap(), [1, 3, 4, 6, 7]);
    }

    #[test]
    fn an_unchanged_computer_spools_one_report() {
        let (_folder, spool) = spool();
        let acknowledged = digests_of(&report(0, "a"));
        for seq in 1..9 {
            spool.add(&mut report(seq, "a"), &acknowledged, &mut 0).unwrap();
        }
        assert_eq!(spool.seqs().unwrap(), [8]);
    }

    #[test]
    fn a_body_that_the_collector_holds_is_left_out_of_the_first_report_alone() {
        let (_folder, spool) = spool();
        let acknowledged = digests_of(&report(0, "a"));
        let has_body =
            |seq| spool.read(seq).unwrap().unwrap().sections["os"].body.as_ref().is_some();
        spool.add(&mut report(1, "a"), &acknowledged, &mut 0).unwrap();
        assert!(!has_body(1));
        spool.add(&mut report(2, "a"), &acknowledged, &mut 0).unwrap();
        assert_eq!((spool.seqs().unwrap().as_slice(), has_body(2)), (&[2][..], false));
        spool.add(&mut report(3, "b"), &acknowledged, &mut 0).unwrap();
        assert!(has_body(3));
        // Once the one before is delivered, the collector holds something else.
        spool.add(&mut report(4, "a"), &acknowledged, &mut 0).unwrap();
        assert!(has_body(4));
    }

    #[test]
    fn bodies_come_back_byte_for_byte() {
        let (_folder, spool) = spool();
        let mut first = report(1, "ä  \\u0041");
        spool.add(&mut first, &Digests::new(), &mut 0).unwrap();
        let back = spool.read(1).unwrap().unwrap();
        assert_eq!(
            back.sections["os"].body.as_ref().unwrap().get(),
            first.sections["os"].body.as_ref().unwrap().get()
        );
    }

    #[test]
    fn damaged_files_step_aside() {
        let (_folder, spool) = spool();
        spool.add(&mut report(1, "a"), &Digests::new(), &mut 0).unwrap();
        spool.add(&mut report(2, "b"), &Digests::new(), &mut 0).unwrap();
        fs::write(spool.path(1), b"no report").unwrap();
        assert!(spool.read(1).unwrap().is_none());
        assert_eq!(spool.seqs().unwrap(), [2]);
    }

    #[test]
    fn what_cannot_be_read_for_the_moment_is_kept() {
        let (folder, spool) = spool();
        spool.add(&mut report(1, "a"), &Digests::new(), &mut 0).unwrap();
        let faults = std::sync::Arc::new(crate::disk::faults::Faults::at(1));
        let failing = Spool::open(&folder.path().join("spool"), Disk { faults: Some(faults) });
        let failing = failing.unwrap();
        assert!(matches!(failing.read(1), Err(StateError::Io { what: "reading", .. })));
        assert_eq!((failing.seqs().unwrap().as_slice(), failing.rejected()), (&[1][..], 0));
        assert!(failing.read(1).unwrap().is_some(), "the disk gives it the next time");
    }

    #[test]
    fn every_damaged_report_is_counted() {
        let (_folder, spool) = spool();
        for (seq, body) in [(1, "a"), (2, "b")] {
            spool.add(&mut report(seq, body), &Digests::new(), &mut 0).unwrap();
        }
        for seq in [1, 2] {
            fs::write(spool.path(seq), b"no report").unwrap();
        }
        let mut dropped = 0;
        spool.add(&mut report(3, "c"), &Digests::new(), &mut dropped).unwrap();
        assert_eq!((dropped, spool.seqs().unwrap().as_slice()), (2, &[3][..]));
    }

    #[test]
    fn few_rejected_reports_are_kept() {
        let (_folder, spool) = spool();
        for seq in 1..10 {
            spool.add(&mut report(seq, &seq.to_string()), &Digests::new(), &mut 0).unwrap();
            spool.reject(seq).unwrap();
        }
        let kept = fs::read_dir(spool.folder.join("rejected")).unwrap().count();
        assert_eq!((kept, spool.seqs().unwrap().len()), (REJECTED_KEPT, 0));
    }

    proptest! {
        #[test]
        fn order_and_bound_hold_and_every_loss_is_counted(
            bodies in proptest::collection::vec(0u8..6, 1..40),
            bound in 200u64..3000,
        ) {
            let (_folder, spool) = spool();
            let spool = spool.with_bound(bound);
            let mut dropped = 0;
            for (seq, body) in (1..).zip(&bodies) {
                // Long enough that a handful fill the spool.
                let mut next = report(seq, &body.to_string());
                spool.add(&mut next, &Digests::new(), &mut dropped).unwrap();
            }
            let seqs = spool.seqs().unwrap();
            prop_assert!(seqs.is_sorted());
            prop_assert_eq!(*seqs.last().unwrap(), bodies.len() as u64, "the newest is never given up");
            let size = |seq: &u64| fs::metadata(spool.path(*seq)).unwrap().len();
            prop_assert!(seqs.len() == 1 || seqs.iter().map(size).sum::<u64>() <= bound);
            // Every change that is not there any more was counted.
            let mut changes: Vec<u64> = Vec::new();
            let mut last = None;
            for (seq, body) in (1..).zip(&bodies) {
                if last != Some(body) {
                    changes.push(seq);
                }
                last = Some(body);
            }
            let lost = changes.iter().filter(|seq| !seqs.contains(seq)).count() as u64;
            prop_assert!(dropped >= lost, "{} lost, {} counted", lost, dropped);
        }
    }
}
