//! Whom the agent does not believe, and that each case has its own sentence.

use rollcall_shared::Digest;
use rollcall_shared::join::JoinString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::collector::{Made, TOKEN, TestCollector};
use super::{Computer, open};
use crate::error::{Error, exit};
use crate::reach::ReachError;

async fn refused(join: &JoinString) -> (ReachError, u8) {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = open(folder.path(), &Computer::new());
    let error = agent.enroll(join).await.unwrap_err();
    let code = error.exit_code();
    assert!(agent.identity().is_none());
    let text = error.explain();
    assert!(text.contains("rollcall-agent doctor") && !text.contains("Err("), "{text}");
    match error {
        Error::Reach { source, .. } => (source, code),
        other => panic!("{other:?}"),
    }
}

fn join(url: String, ca: Option<&[u8]>) -> JoinString {
    JoinString { url, ca_digest: ca.map(Digest::of), token: TOKEN.to_owned() }
}

#[tokio::test]
async fn certificates_that_are_not_right_are_told_apart() {
    let collector = TestCollector::start().await;
    let other = JoinString { ca_digest: Some(Digest::of(b"another CA")), ..collector.join() };
    assert!(matches!(refused(&other).await, (ReachError::WrongCa { .. }, exit::REFUSED)));
    // The operating system does not know this CA.
    let system = JoinString { ca_digest: None, ..collector.join() };
    assert!(matches!(
        refused(&system).await.0,
        ReachError::WrongCa { .. } | ReachError::NoTrustStore(_)
    ));
    assert_eq!(collector.known.lock().unwrap().requests, 0, "nothing was sent");

    let collector = TestCollector::start_made(Made::ForAnotherName).await;
    let (error, code) = refused(&collector.join()).await;
    assert!(matches!(error, ReachError::WrongName { .. }), "{error:?}");
    assert!(error.to_string().contains("other.example"), "{error}");
    assert_eq!(code, exit::REFUSED);
    let collector = TestCollector::start_made(Made::Expired).await;
    assert!(matches!(refused(&collector.join()).await.0, ReachError::Expired { .. }));
    let collector = TestCollector::start_made(Made::NotYetValid).await;
    assert!(matches!(refused(&collector.join()).await.0, ReachError::NotYetValid { .. }));
}

#[tokio::test]
async fn a_self_signed_certificate_has_its_own_sentence() {
    let collector = TestCollector::start_made(Made::SelfSigned).await;
    // Whether the join string names it or the system's store is asked.
    let system = JoinString { ca_digest: None, ..collector.join() };
    for join in [collector.join(), system] {
        let (error, code) = refused(&join).await;
        if matches!(error, ReachError::NoTrustStore(_)) {
            continue;
        }
        assert!(matches!(error, ReachError::CaAsServer { .. }), "{error:?}");
        assert_eq!(code, exit::REFUSED);
    }
    // And where an enrolled agent believes this very certificate.
    let (good, folder) = (TestCollector::start().await, tempfile::tempdir().unwrap());
    let mut agent = open(folder.path(), &Computer::new());
    agent.enroll(&good.join()).await.unwrap();
    agent.state.identity.as_mut().unwrap().url.clone_from(&collector.url);
    let error = agent.once().await.unwrap_err();
    assert!(
        matches!(&error, Error::Reach { source: ReachError::CaAsServer { .. }, .. }),
        "{error:?}"
    );
    assert_eq!(error.exit_code(), exit::REFUSED);
    assert_eq!(collector.known.lock().unwrap().requests, 0, "nothing was sent");
}

#[tokio::test]
async fn a_place_that_speaks_only_old_tls_has_its_own_sentence() {
    // A `ServerHello` of TLS 1.1 with one cipher suite, and the alert `protocol_version`.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    for answer in [hello, vec![0x15, 3, 2, 0, 2, 2, 70]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let old = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 2048]).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.read(&mut [0; 2048]).await;
            }
        });
        let (error, code) = refused(&join(format!("https://{address}"), Some(b"ca"))).await;
        assert!(matches!(error, ReachError::OldTls { .. }), "{error:?}");
        assert_eq!(code, exit::REFUSED);
        old.abort();
    }
}

#[tokio::test]
async fn after_enrolment_only_the_same_ca_is_believed() {
    let (collector, other) = (TestCollector::start().await, TestCollector::start().await);
    let folder = tempfile::tempdir().unwrap();
    let mut agent = open(folder.path(), &Computer::new());
    agent.enroll(&collector.join()).await.unwrap();
    agent.once().await.unwrap();
    // Someone else answers at the same address.
    agent.state.identity.as_mut().unwrap().url.clone_from(&other.url);
    let error = agent.once().await.unwrap_err();
    assert!(matches!(&error, Error::Reach { source: ReachError::WrongCa { .. }, .. }), "{error:?}");
    assert_eq!(other.known.lock().unwrap().requests, 0);
}

#[tokio::test]
async fn a_place_without_tls_or_without_anybody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let plain = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (error, code) = refused(&join(format!("https://{address}"), Some(b"ca"))).await;
    assert!(matches!(error, ReachError::NotTls { .. }), "{error:?}");
    assert_eq!(code, exit::UNREACHABLE);
    plain.abort();
    let _ = plain.await;
    let (error, code) = refused(&join(format!("https://{address}"), Some(b"ca"))).await;
    assert!(matches!(error, ReachError::Refused { .. }), "{error:?}");
    assert_eq!(code, exit::UNREACHABLE);
    let (error, _) = refused(&join("https://collector.invalid".to_owned(), None)).await;
    assert!(matches!(error, ReachError::Dns { .. } | ReachError::TimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn somebody_who_never_answers_costs_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut agent = open(folder.path(), &Computer::new());
    agent.config.connect_timeout_s = 0;
    let result = agent.enroll(&join(format!("https://{address}"), Some(b"ca"))).await;
    assert!(
        matches!(result, Err(Error::Reach { source: ReachError::TimedOut(_), .. })),
        "{result:?}"
    );
    silent.abort();
}
