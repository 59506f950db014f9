//! Check-ins: what is sent, what is remembered, what is kept for later.

use std::collections::BTreeSet;
use std::time::Duration;

use rollcall_shared::Note;
use rollcall_shared::problem::kind;
use tempfile::TempDir;

use super::collector::{Instead, TestCollector};
use super::{Computer, open};
use crate::agent::Agent;
use crate::error::{Error, exit};

async fn enrolled() -> (TestCollector, TempDir, Computer, Agent) {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    (collector, folder, computer, agent)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn waiting(agent: &Agent) -> usize {
    agent.spool.seqs().unwrap().len()
}

#[tokio::test]
async fn bodies_travel_once_and_a_change_takes_one_request() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    agent.once().await.unwrap();
    agent.once().await.unwrap();
    computer.rename("lt-0043");
    agent.once().await.unwrap();
    drop(agent);
    // The memory of what the collector holds survives a restart.
    open(folder.path(), &computer).once().await.unwrap();
    let known = collector.known.lock().unwrap();
    assert_eq!(
        known.came,
        [set(&["cpu", "software", "system"]), set(&[]), set(&["system"]), set(&[])]
    );
    drop(known);
    assert_eq!(collector.names(), ["lt-0042", "lt-0042", "lt-0043", "lt-0043"]);
    assert_eq!(collector.seqs(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_change_of_the_software_travels_in_place_of_the_list() {
    for follows in [true, false] {
        let (collector, folder, computer, mut agent) = enrolled().await;
        collector.known.lock().unwrap().follows = follows;
        computer.install("1");
        agent.once().await.unwrap();
        computer.install("2");
        agent.once().await.unwrap();
        agent.once().await.unwrap();
        drop(agent);
        computer.install("3");
        // After a start nothing is known of the list that the collector holds.
        open(folder.path(), &computer).once().await.unwrap();
        let known = collector.known.lock().unwrap();
        let whole = ["cpu", "software", "system"];
        let changed: &[&[&str]] = if follows { &[&[]] } else { &[&[], &["software"]] };
        let expected = [&[&whole[..]], changed, &[&[], &["software"]]].concat();
        assert_eq!(known.came, expected.iter().map(|names| set(names)).collect::<Vec<_>>());
        let change = known.stored[1].sections["software"].change.as_ref();
        assert_eq!(change.map(|one| (one.gone.len(), one.come.len())), follows.then_some((1, 1)));
    }
}

#[tokio::test]
async fn from_time_to_time_the_whole_list_goes() {
    let (collector, _folder, computer, mut agent) = enrolled().await;
    collector.known.lock().unwrap().follows = true;
    for version in 0..34 {
        computer.install(&version.to_string());
        agent.once().await.unwrap();
    }
    let known = collector.known.lock().unwrap();
    let whole = known.came.iter().enumerate().filter(|(_, came)| came.contains("software"));
    assert_eq!(whole.map(|(number, _)| number).collect::<Vec<_>>(), [0, 31]);
}

#[tokio::test]
async fn what_the_collector_wants_is_sent_with_the_same_report() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    agent.once().await.unwrap();
    collector.instead([Instead::Want(vec!["software".into(), "nonsense".into()])]);
    agent.once().await.unwrap();
    let known = collector.known.lock().unwrap();
    assert_eq!(known.came[1..], [set(&[]), set(&["software"])]);
    assert_eq!(known.stored.len(), 2);
}

/// Bodies that the collector holds are not written down, so one that was restored from a backup may
/// want what is kept nowhere any more.
#[tokio::test]
async fn a_collector_that_lost_what_it_held_gets_what_is_still_known() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    agent.once().await.unwrap();
    collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
    agent.once().await.unwrap_err();
    let kept = agent.spool.read(2).unwrap().unwrap();
    assert!(kept.sections.values().all(|state| state.digest.is_some() && state.body.is_none()));
    drop(agent);
    collector.known.lock().unwrap().bodies.clear();
    computer.rename("lt-0043");
    let mut agent = open(folder.path(), &computer);
    assert_eq!(agent.once().await.unwrap().stored, 2);
    let known = collector.known.lock().unwrap();
    let [_, old, new] = known.stored.as_slice() else { panic!("three reports") };
    assert_eq!(old.sections["software"].digest, new.sections["software"].digest);
    assert_eq!(old.sections["system"].digest, None, "the name was another then");
    assert!(old.sections["system"].notes.iter().any(Note::leaves_open), "unknown is never gone");
    assert!(new.sections["system"].digest.is_some());
    assert_eq!(waiting(&agent), 0);
}

#[tokio::test]
async fn a_collector_that_always_wants_more_is_given_up_on() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    let want = Instead::Want(vec!["software".into()]);
    collector.instead(vec![want; 9]);
    let error = agent.once().await.unwrap_err();
    assert_eq!(error.exit_code(), exit::UNREACHABLE);
    assert_eq!(waiting(&agent), 1);
}

#[tokio::test]
async fn a_lost_answer_costs_a_resend_and_never_a_change() {
    let (collector, _folder, computer, mut agent) = enrolled().await;
    collector.instead([Instead::LoseAnswer]);
    assert!(agent.once().await.is_err());
    computer.rename("lt-0043");
    let outcome = agent.once().await.unwrap();
    assert_eq!(outcome.stored, 2);
    assert_eq!(collector.names(), ["lt-0042", "lt-0043"]);
    assert!(collector.known.lock().unwrap().duplicates > 0);
    assert_eq!(waiting(&agent), 0);
}

#[tokio::test]
async fn what_is_not_the_collectors_word_is_tried_again() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    let html = |status| Instead::Answer(status, Vec::new(), b"<html>Please sign in".to_vec());
    let redirect = Instead::Answer(
        302,
        vec![("location", "https://elsewhere.invalid/".to_owned())],
        Vec::new(),
    );
    let foreign = br#"{"report_id":"00000000-0000-0000-0000-000000000000","stored":true,"server_time":"2026-11-23T10:15:00Z"}"#;
    for instead in [
        html(200),
        html(400),
        html(403),
        html(404),
        redirect,
        Instead::Answer(200, Vec::new(), vec![b' '; 3 * 1024 * 1024]),
        Instead::Answer(200, Vec::new(), foreign.to_vec()),
        Instead::problem(401, kind::UNAUTHORISED),
        Instead::problem(500, "internal"),
    ] {
        collector.instead([instead.clone()]);
        assert!(agent.once().await.is_err(), "{instead:?}");
        assert!(waiting(&agent) >= 1);
    }
    agent.once().await.unwrap();
    assert_eq!(waiting(&agent), 0);
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    let headers = vec![("retry-after", "120".to_owned())];
    collector.instead([Instead::Answer(503, headers, Vec::new())]);
    let error = agent.once().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(error.exit_code(), exit::UNREACHABLE);
}

#[tokio::test]
async fn one_bad_report_never_blocks_the_queue() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    collector.instead([Instead::problem(500, "internal")]);
    agent.once().await.unwrap_err();
    computer.rename("lt-0043");
    collector.instead([Instead::problem(400, "invalid")]);
    let outcome = agent.once().await.unwrap();
    assert_eq!((outcome.stored, outcome.rejected.as_slice()), (1, &["because".to_owned()][..]));
    assert_eq!(collector.names(), ["lt-0043"]);
    let rejected = folder.path().join("state/spool/rejected");
    assert_eq!(std::fs::read_dir(rejected).unwrap().count(), 1);
}

#[tokio::test]
async fn a_bad_section_is_sent_once_more_with_everything() {
    let (collector, _folder, computer, mut agent) = enrolled().await;
    agent.once().await.unwrap();
    computer.rename("lt-0043");
    collector.instead([Instead::problem(422, kind::BAD_SECTION)]);
    assert_eq!(agent.once().await.unwrap().stored, 1);
    assert_eq!(
        collector.known.lock().unwrap().came[1..],
        [set(&["system"]), set(&["cpu", "software", "system"])]
    );
    let bad = Instead::problem(422, kind::BAD_SECTION);
    collector.instead([bad.clone(), bad]);
    assert_eq!(agent.once().await.unwrap().rejected.len(), 1);
}

#[tokio::test]
async fn offline_every_change_is_kept_and_arrives_in_order() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    for name in ["a", "a", "a", "b", "b", "b", "c"] {
        computer.rename(name);
        collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
        agent.once().await.unwrap_err();
    }
    drop(agent);
    let mut agent = open(folder.path(), &computer);
    agent.once().await.unwrap();
    assert_eq!(collector.names(), ["a", "a", "b", "b", "c", "c"]);
    assert!(collector.seqs().is_sorted());
    assert_eq!(waiting(&agent), 0);
}

#[tokio::test]
async fn a_copied_key_is_replaced_and_the_spool_kept() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    let old = agent.identity().unwrap().clone();
    collector.instead([Instead::problem(409, kind::CLONE_SUSPECTED)]);
    let outcome = agent.once().await.unwrap();
    let new = agent.identity().unwrap().clone();
    assert_eq!((outcome.stored, outcome.rekeyed), (1, Some(new.device_id)));
    assert!(new.device_id != old.device_id && new.public_key != old.public_key);
    drop(agent);
    open(folder.path(), &computer).once().await.unwrap();
    assert_eq!(collector.names().len(), 2);
}

#[tokio::test]
async fn a_revoked_device_stops() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    collector.instead([Instead::problem(403, kind::DEVICE_REVOKED)]);
    let error = agent.run(std::future::pending()).await.unwrap_err();
    assert!(matches!(error, Error::Revoked));
    assert_eq!(error.exit_code(), exit::REFUSED);
    drop(agent);
    let before = collector.known.lock().unwrap().requests;
    let mut agent = open(folder.path(), &computer);
    assert!(matches!(agent.once().await, Err(Error::Revoked)));
    assert_eq!(collector.known.lock().unwrap().requests, before, "nobody was asked again");
}

#[tokio::test]
async fn the_number_to_go_on_from_is_honoured() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    collector.instead([Instead::NextSeq(412)]);
    agent.once().await.unwrap();
    collector.instead([Instead::NextSeq(u64::MAX)]);
    agent.once().await.unwrap();
    agent.once().await.unwrap();
    assert_eq!(collector.seqs(), [1, 412, 413]);
}

#[tokio::test]
async fn what_the_collector_switches_off_is_not_looked_at() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    collector.known.lock().unwrap().sections_off = vec!["software".into(), "x".into()];
    agent.once().await.unwrap();
    agent.once().await.unwrap();
    let known = collector.known.lock().unwrap();
    assert!(known.stored[0].sections.contains_key("software"));
    assert!(!known.stored[1].sections.contains_key("software"));
}

#[tokio::test]
async fn runs_until_it_is_stopped() {
    let (collector, _folder, _computer, mut agent) = enrolled().await;
    let known = std::sync::Arc::clone(&collector.known);
    let stored = async move {
        while known.lock().unwrap().stored.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    agent.run(stored).await.unwrap();
    let status = crate::status::Status::of(&agent, None, None);
    assert_eq!((status.queued, status.url), (0, Some(collector.url.clone())));
    assert_eq!(collector.names(), ["lt-0042"]);
}

#[tokio::test]
async fn everything_is_asked_at_the_start_and_after_the_scan_interval() {
    let (_collector, _folder, _computer, mut agent) = enrolled().await;
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, look) = (std::sync::Arc::clone(&asked), agent.look.clone());
    agent.look = std::sync::Arc::new(move |options| {
        seen.lock().unwrap().push((options.full, options.now));
        look(options)
    });
    // Looking for the enrolment was a full look.
    agent.once().await.unwrap();
    agent.state.ledger.settings.scan_interval_s = 900;
    let mut seconds = 0;
    while seconds < 1800 {
        // The test's clock moves one second each time it is asked.
        let now = agent.present.now();
        seconds = now.since(asked.lock().unwrap()[0].1) / 1000;
    }
    agent.gather().await.unwrap();
    agent.gather().await.unwrap();
    let full: Vec<bool> = asked.lock().unwrap().iter().map(|(full, _)| *full).collect();
    assert_eq!(full, [false, true, false]);
}

fn told_as_dropped(collector: &TestCollector) -> u64 {
    let known = collector.known.lock().unwrap();
    known.stored.iter().map(|report| report.dropped_reports).sum()
}

#[tokio::test]
async fn a_rejected_report_is_counted_with_the_losses_it_carried() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    agent.state.ledger.dropped_reports = 3;
    collector.instead([Instead::problem(400, "invalid")]);
    agent.once().await.unwrap();
    drop(agent);
    // The count survives a restart and is told once.
    let mut agent = open(folder.path(), &computer);
    agent.once().await.unwrap();
    agent.once().await.unwrap();
    assert_eq!(told_as_dropped(&collector), 4);
}

#[tokio::test]
async fn a_damaged_report_in_the_spool_is_counted_once() {
    let (collector, folder, computer, mut agent) = enrolled().await;
    collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
    agent.once().await.unwrap_err();
    let seq = agent.spool.seqs().unwrap()[0];
    let file = folder.path().join(format!("state/spool/{seq:020}.json.zst"));
    std::fs::write(file, b"no report").unwrap();
    computer.rename("lt-0043");
    for _ in 0..3 {
        agent.once().await.unwrap();
    }
    assert_eq!(told_as_dropped(&collector), 1);
}
