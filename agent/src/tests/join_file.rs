//! A join string that was put into the state folder.

use std::path::Path;
use std::time::Duration;

use rollcall_shared::join::JoinString;

use super::collector::{Instead, TestCollector};
use super::{Computer, open, open_with};
use crate::agent::Agent;
use crate::disk::Disk;
use crate::error::Error;
use crate::join_file::{Without, enrolled};

/// So long that no test waits for it, or so short that none notices.
const OFTEN: Duration = Duration::from_millis(1);

fn put(folder: &Path, text: &str) {
    std::fs::write(folder.join("state/join"), text).unwrap();
}

fn is_there(folder: &Path) -> bool {
    folder.join("state/join").exists()
}

async fn enrol(folder: &Path, computer: &Computer, without: Without) -> Result<Agent, Error> {
    let again = || open_with(folder, computer, Disk::default());
    enrolled(open(folder, computer), again, without, OFTEN).await
}

/// Runs the first until the second has seen what it waits for.
async fn until(enrolling: impl Future<Output = Result<Agent, Error>>, seen: impl Fn() -> bool) {
    let watching = async {
        while !seen() {
            tokio::time::sleep(OFTEN).await;
        }
    };
    tokio::select! {
        result = Box::pin(enrolling) => panic!("it ended: {result:?}"),
        () = watching => {}
    }
}

#[tokio::test]
async fn a_join_string_of_an_installer_enrols_and_is_gone() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    drop(open(folder.path(), &computer));
    put(folder.path(), &format!("[rollcall]\r\njoin={}\r\n", collector.join()));
    let mut agent = enrol(folder.path(), &computer, Without::Refuse).await.unwrap();
    assert!(!is_there(folder.path()));
    assert_eq!(agent.identity().unwrap().url, collector.url);
    assert_eq!(agent.once().await.unwrap().stored, 1);
}

#[tokio::test]
async fn it_stays_while_the_collector_is_away_and_works_later() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    drop(open(folder.path(), &computer));
    put(folder.path(), &collector.join().to_string());
    collector.instead([Instead::problem(503, "unavailable")]);
    let status = || {
        let text = std::fs::read_to_string(folder.path().join("state/status.json"));
        text.is_ok_and(|text| text.contains("is busy"))
    };
    Box::pin(until(enrol(folder.path(), &computer, Without::Refuse), status)).await;
    assert!(is_there(folder.path()), "it is needed again");
    let agent = enrol(folder.path(), &computer, Without::Refuse).await.unwrap();
    assert!(agent.identity().is_some() && !is_there(folder.path()));
}

#[tokio::test]
async fn a_refused_one_is_kept_and_its_successor_noticed() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    drop(open(folder.path(), &computer));
    let token = "rcl_enr_WRONGWRONGWRONGWRONGWRONGWRONGWRONG".to_owned();
    let wrong = JoinString { token: token.clone(), ..collector.join() };
    put(folder.path(), &wrong.to_string());
    let status = folder.path().join("state/status.json");
    let enrolling = enrol(folder.path(), &computer, Without::Refuse);
    let replacing = async {
        let refused = || {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            assert!(!text.contains(&token), "a secret that every user may read");
            text.contains("did not accept")
        };
        while !refused() {
            tokio::time::sleep(OFTEN).await;
        }
        assert!(is_there(folder.path()));
        put(folder.path(), &collector.join().to_string());
    };
    let (agent, ()) = tokio::join!(enrolling, replacing);
    assert!(agent.unwrap().identity().is_some() && !is_there(folder.path()));
}

#[tokio::test]
async fn nothing_there_is_an_error_or_waited_for() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let refused = enrol(folder.path(), &computer, Without::Refuse).await;
    assert!(matches!(refused, Err(Error::NotEnrolled)));
    let waiting = enrol(folder.path(), &computer, Without::Wait);
    let putting = async {
        // A person can enrol by hand meanwhile: the state is not locked.
        while open_with(folder.path(), &computer, Disk::default()).is_err() {
            tokio::time::sleep(OFTEN).await;
        }
        put(folder.path(), &collector.join().to_string());
    };
    let (agent, ()) = tokio::join!(waiting, putting);
    assert!(agent.unwrap().identity().is_some() && !is_there(folder.path()));
}

#[tokio::test]
async fn who_enrolled_by_hand_is_noticed_and_the_secret_removed() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let waiting = enrol(folder.path(), &computer, Without::Wait);
    let by_hand = async {
        let mut agent = loop {
            match open_with(folder.path(), &computer, Disk::default()) {
                Ok(agent) => break agent,
                Err(_) => tokio::time::sleep(OFTEN).await,
            }
        };
        agent.enroll(&collector.join()).await.unwrap().device_id
    };
    let (agent, device_id) = tokio::join!(waiting, by_hand);
    let agent = agent.unwrap();
    assert_eq!(agent.identity().unwrap().device_id, device_id);
    drop(agent);
    put(folder.path(), &collector.join().to_string());
    let agent = enrol(folder.path(), &computer, Without::Refuse).await.unwrap();
    assert_eq!(agent.identity().unwrap().device_id, device_id);
    assert!(!is_there(folder.path()), "an upgrade with a join string leaves no secret");
}
