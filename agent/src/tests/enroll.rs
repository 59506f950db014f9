//! Enrolment: what is kept, what is refused, what is repaired.

use rollcall_shared::join::JoinString;

use super::collector::{Instead, TestCollector};
use super::{Computer, open};
use crate::error::{Error, exit};

#[tokio::test]
async fn enrols_once_and_remembers_it() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let mut agent = open(folder.path(), &computer);
    let outcome = agent.enroll(&collector.join()).await.unwrap();
    assert_eq!(outcome.url, collector.url);
    let again = agent.enroll(&collector.join()).await.unwrap_err();
    assert_eq!(again.exit_code(), exit::CONFLICT);
    drop(agent);
    let agent = open(folder.path(), &computer);
    let identity = agent.identity().unwrap();
    assert_eq!(identity.device_id, outcome.device_id);
    assert_eq!(identity.ca_digest, Some(collector.ca_digest));
    assert!(identity.ca_certificate.is_some());
}

#[tokio::test]
async fn a_refused_token_leaves_no_identity_and_is_never_told() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    let token = "rcl_enr_WRONGWRONGWRONGWRONGWRONGWRONGWRONG";
    let join = JoinString { token: token.to_owned(), ..collector.join() };
    let mut agent = open(folder.path(), &computer);
    let error = agent.enroll(&join).await.unwrap_err();
    assert!(matches!(error, Error::TokenRefused));
    assert_eq!(error.exit_code(), exit::REFUSED);
    assert!(!error.explain().contains(token));
    assert!(agent.identity().is_none());
    assert!(matches!(agent.once().await, Err(Error::NotEnrolled)));
}

#[tokio::test]
async fn a_lost_answer_is_repaired_with_the_same_key() {
    let (collector, folder, computer) =
        (TestCollector::start().await, tempfile::tempdir().unwrap(), Computer::new());
    collector.instead([Instead::Answer(200, Vec::new(), b"<html>sign in".to_vec())]);
    let mut agent = open(folder.path(), &computer);
    let error = agent.enroll(&collector.join()).await.unwrap_err();
    assert_eq!(error.exit_code(), exit::UNREACHABLE);
    let key = agent.state.key(agent.present.as_ref()).unwrap().public_key();
    drop(agent);
    let mut agent = open(folder.path(), &computer);
    agent.enroll(&collector.join()).await.unwrap();
    assert_eq!(agent.identity().unwrap().public_key, key);
}
