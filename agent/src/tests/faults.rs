//! A disk that fails at every possible step: nothing acknowledged is lost, no number is given
//! twice, and nothing stays poisoned.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collector::{Instead, TestCollector};
use super::{Computer, open, open_with};
use crate::disk::Disk;
use crate::disk::faults::Faults;

/// Offline, a change, online again: with one failing step somewhere. Returns whether the step
/// was reached.
async fn story(faults: Faults, step: u64) -> bool {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let faults = Arc::new(faults);
    let failing = Disk { faults: Some(Arc::clone(&faults)) };
    let mut last_seen = None;
    open(folder.path(), &computer).enroll(&collector.join()).await.unwrap();
    if let Ok(mut agent) = open_with(folder.path(), &computer, failing) {
        let _ = agent.once().await;
        collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
        computer.rename("b");
        let _ = agent.once().await;
        computer.rename("c");
        let _ = agent.once().await;
        last_seen = collector.names().last().cloned();
    }
    // The process dies here; the next one finds a sound disk.
    let number = std::fs::read_to_string(folder.path().join("state/seq"));
    let written: u64 = number.map_or(0, |text| text.trim().parse().unwrap());
    collector.known.lock().unwrap().instead.clear();
    let mut agent = open(folder.path(), &computer);
    computer.rename("d");
    agent.once().await.unwrap();
    assert_eq!(agent.spool.seqs().unwrap(), [0; 0], "step {step}: nothing stays behind");
    let names = collector.names();
    assert_eq!(names.last().map(String::as_str), Some("d"), "step {step}");
    assert!(last_seen.is_none_or(|name| names.contains(&name)), "step {step}");
    let known = collector.known.lock().unwrap();
    let mut by_seq = BTreeMap::new();
    for report in &known.stored {
        let before = by_seq.insert(report.seq, report.report_id);
        // What the disk did not take cannot be known after a restart.
        let may_be_again = report.seq > written;
        assert!(
            before.is_none() || may_be_again,
            "step {step}: number {} was given twice",
            report.seq
        );
    }
    drop(known);
    faults.taken() >= step
}

#[tokio::test]
async fn any_single_failing_step_loses_nothing() {
    let mut step = 1;
    while story(Faults::at(step), step).await {
        step += 1;
    }
    assert!(step > 20, "the story takes many steps, not {step}");
}

#[tokio::test]
async fn a_disk_that_stays_full_from_any_step_on_loses_nothing() {
    let mut step = 1;
    while story(Faults::from(step), step).await {
        step += 1;
    }
}

#[tokio::test]
async fn with_a_full_disk_reports_are_sent_from_memory() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    agent.once().await.unwrap();
    computer.rename("b");
    // Overwriting the number in place still works, as on a real full disk; new files do not.
    agent.spool = crate::spool::Spool::open(
        &agent.paths.spool(),
        Disk { faults: Some(Arc::new(Faults::from(1))) },
    )
    .unwrap();
    let error = agent.once().await.unwrap_err();
    assert!(error.explain().contains("The disk is full"), "{}", error.explain());
    assert_eq!(collector.names(), ["lt-0042", "b"]);
    assert!(agent.unspooled.is_empty());
}

#[tokio::test]
async fn without_a_disk_for_the_number_the_collector_still_hears() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let faults = Arc::new(Faults::default());
    let disk = Disk { faults: Some(Arc::clone(&faults)) };
    let mut agent = open_with(folder.path(), &computer, disk).unwrap();
    agent.enroll(&collector.join()).await.unwrap();
    agent.once().await.unwrap();
    agent.state.ledger.dropped_reports = 2;
    faults.fail_writing(true);
    for name in ["b", "c"] {
        computer.rename(name);
        let error = agent.once().await.unwrap_err();
        assert!(error.explain().contains("The disk is full"), "{}", error.explain());
    }
    assert_eq!(collector.names(), ["lt-0042", "b", "c"]);
    assert_eq!(collector.seqs(), [1, 2, 3]);
    faults.fail_writing(false);
    computer.rename("d");
    agent.once().await.unwrap();
    agent.once().await.unwrap();
    assert_eq!(collector.seqs(), [1, 2, 3, 4, 5]);
    let known = collector.known.lock().unwrap();
    let dropped: Vec<u64> = known.stored.iter().map(|report| report.dropped_reports).collect();
    assert_eq!(dropped, [0, 0, 0, 2, 0], "told once, by a report that is on disk");
}

#[tokio::test]
async fn a_report_that_cannot_be_read_for_the_moment_is_delivered_later() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
    agent.once().await.unwrap_err();
    computer.rename("b");
    // Reads and writes of one report take a few steps; each of them fails once.
    for step in 1..4 {
        let faults = Some(Arc::new(Faults::at(step)));
        let spool = crate::spool::Spool::open(&agent.paths.spool(), Disk { faults }).unwrap();
        let before = std::mem::replace(&mut agent.spool, spool);
        collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
        agent.once().await.unwrap_err();
        agent.spool = before;
        assert_eq!(agent.spool.rejected(), 0, "step {step}");
    }
    collector.known.lock().unwrap().instead.clear();
    agent.once().await.unwrap();
    let names = collector.names();
    assert!(names.contains(&"lt-0042".to_owned()), "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("b"));
    let known = collector.known.lock().unwrap();
    assert!(known.stored.iter().all(|report| report.dropped_reports == 0));
}
