//! Doctor beside a running agent: it sees everything and changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use super::collector::{Instead, TestCollector};
use super::{Computer, TestPresent, open};
use crate::config::Config;
use crate::doctor::{Check, examine};
use crate::host::Host;
use crate::paths::Paths;

async fn examined(folder: &Path) -> BTreeMap<&'static str, Check> {
    let paths = Paths::at(folder.join("state"));
    let config = Config { connect_timeout_s: 5, request_timeout_s: 5, ..Config::default() };
    let host = Host::at(folder.join("root"));
    let checks = examine(&paths, &config, &TestPresent::default(), &host).await;
    checks.into_iter().map(|check| (check.name, check)).collect()
}

/// Every file below a folder with its content and the time of its last change.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, data) = (entry.path(), entry.metadata().expect("its data"));
        if data.is_dir() {
            found.extend(files(&path));
        }
        let content = std::fs::read(&path).unwrap_or_default();
        found.insert(path.display().to_string(), (content, data.modified().expect("a time")));
    }
    found
}

#[tokio::test]
async fn beside_a_running_agent_it_only_looks() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    collector.instead([Instead::Answer(503, Vec::new(), Vec::new())]);
    agent.once().await.unwrap_err();
    let before = files(folder.path());
    let checks = examined(folder.path()).await;
    assert_eq!(files(folder.path()), before);
    for name in ["DNS", "TCP", "TLS", "HTTP", "sign", "key", "spool", "disk"] {
        assert_eq!(checks[name].ok, Some(true), "{:?}", checks[name]);
    }
    assert!(checks["spool"].detail.starts_with("1 reports wait"), "{}", checks["spool"].detail);
    assert!(collector.known.lock().unwrap().stored.is_empty(), "nothing was stored");
    agent.once().await.unwrap();
    assert_eq!(collector.seqs(), [1, 2]);
}

#[tokio::test]
async fn a_key_that_is_unknown_or_revoked_is_seen() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    collector.known.lock().unwrap().revoked = true;
    let sign = examined(folder.path()).await.remove("sign").unwrap();
    assert_eq!((sign.ok, sign.detail.contains("revoked")), (Some(false), true), "{sign:?}");
    collector.known.lock().unwrap().devices.clear();
    let sign = examined(folder.path()).await.remove("sign").unwrap();
    assert_eq!((sign.ok, sign.detail.contains("does not know")), (Some(false), true), "{sign:?}");
}

#[tokio::test]
async fn a_damaged_identity_is_not_a_missing_one() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let nothing = examined(folder.path()).await.remove("enrol").unwrap();
    assert_eq!(nothing.detail, "this computer is not enrolled");
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    drop(agent);
    std::fs::write(folder.path().join("state/identity.json"), b"{").unwrap();
    let damaged = examined(folder.path()).await.remove("enrol").unwrap();
    assert_eq!(damaged.ok, Some(false));
    assert!(damaged.detail.contains("identity.json is damaged"), "{}", damaged.detail);
}

#[tokio::test]
async fn a_rekey_cut_short_is_left_to_the_agent() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    drop(agent);
    let state = folder.path().join("state");
    std::fs::rename(state.join("key"), state.join("key.next")).unwrap();
    let checks = examined(folder.path()).await;
    assert_eq!((checks["key"].ok, checks["sign"].ok), (Some(true), Some(true)));
    assert!(state.join("key.next").exists(), "doctor moves no key");
}
