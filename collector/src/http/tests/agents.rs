//! Who agents are, and what they may cost.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;

use super::*;

#[tokio::test]
async fn too_many_at_once_come_back_later() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let id = enroll(&collector, &new_key(1), &token, "PF3A1B2C").await.unwrap().device_id;
    let _all = collector.app.guard.places.occupy();
    let answer = collector.send(check_in(&new_key(1), &id.to_string(), 1).request()).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let wait: u32 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((5..=60).contains(&wait));
    let unknown = uuid::Uuid::from_u128(7).to_string();
    let answer = collector.send(check_in(&new_key(1), &unknown, 1).request()).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "who is not known needs no place");
}

#[tokio::test]
async fn of_strangers_little_is_read() {
    let collector = Collector::ready().await;
    // Not a byte of what a device that nobody knows sends.
    let stranger = check_in(&new_key(1), &uuid::Uuid::from_u128(7).to_string(), 1);
    let mut request = stranger.request();
    *request.body_mut() = Body::new(Endless { may_be_read: false });
    assert_eq!(collector.send(request).await.status(), StatusCode::UNAUTHORIZED);
    // A request for a key is small, packed and unpacked.
    let key = new_key(1);
    let mut request = signed("/agent/v1/enroll", &key, &key.public_key(), 0, b"{}").request();
    *request.body_mut() = Body::new(Endless { may_be_read: true });
    assert_eq!(collector.send(request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let padded = format!("{{\"token\":\"{}\"}}", " ".repeat(128 * 1024));
    let request = signed("/agent/v1/enroll", &key, &key.public_key(), 0, padded.as_bytes());
    assert_eq!(collector.send(request.request()).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// A body without an end; whoever must not read it fails.
struct Endless {
    may_be_read: bool,
}

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        assert!(self.may_be_read, "a stranger's body was read");
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 4096])))))
    }
}

/// A token that lets known devices go on.
async fn allowing(collector: &Collector, needs_approval: bool) -> String {
    let new = NewEnrollmentToken {
        label: "again".into(),
        uses_allowed: Some(0),
        allows_reenrollment: true,
        needs_approval,
        ..NewEnrollmentToken::default()
    };
    let made = issue::enrollment_token(&collector.app, "test", &Scope::whole(), new).await.unwrap();
    made.join_string.parse::<JoinString>().unwrap().token
}

async fn by_it(collector: &Collector, path: String) -> StatusCode {
    let token = collector.api_token(Role::It).await;
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json");
    collector.send(request.body(Body::from("{}")).unwrap()).await.status()
}

#[tokio::test]
async fn a_retired_computer_that_enrols_again_is_back_in_service() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let known = enroll(&collector, &new_key(1), &token, "PF3A1B2C").await.unwrap().device_id;
    let id = known.to_string();
    collector.send(check_in(&new_key(1), &id, 1).request()).await;
    assert_eq!(by_it(&collector, format!("/api/v1/devices/{id}/retire")).await, StatusCode::OK);
    let refused = problem(collector.send(check_in(&new_key(1), &id, 2).request()).await).await;
    assert_eq!(refused.kind, kind::DEVICE_REVOKED);
    let allowing = allowing(&collector, true).await;
    let again = enroll(&collector, &new_key(2), &allowing, "PF3A1B2C").await.unwrap();
    assert_eq!((again.device_id, again.status), (known, EnrollStatus::Pending));
    let stored = collector.send(check_in(&new_key(2), &id, 2).request()).await;
    assert_eq!(stored.status(), StatusCode::OK, "its reports are taken");
    let seen = told(&collector, known).await;
    assert_eq!(seen.summary.presence, rollcall_shared::api::device::Presence::Pending);
}

#[tokio::test]
async fn who_waits_for_approval_takes_nothing_from_who_is_known() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    enroll(&collector, &new_key(1), &token, "PF3A1B2C").await.unwrap();
    for number in 2..5 {
        let waits = enroll(&collector, &new_key(number), &token, "PF3A1B2C").await.unwrap();
        assert_eq!(waits.status, EnrollStatus::Pending, "newcomer {number}");
        let seen = told(&collector, waits.device_id).await;
        assert!(seen.decisions[0].evidence.contains("pf3a1b2c"), "the serial still proves");
    }
}

#[tokio::test]
async fn a_key_is_not_changed_without_a_suspicion() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let device = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id;
    let asked = RekeyRequest {
        public_key: new_key(2).public_key(),
        alg: "ed25519".into(),
        proof: new_key(2).rekey_proof(device),
        hostname: "lt-0042".into(),
        hardware_ids: hardware("PFZZZZ99"),
        agent: AgentInfo::default(),
    };
    let id = device.to_string();
    let refused = post_json(&collector, "/agent/v1/rekey", &key, &id, 0, &asked).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
}

async fn told(collector: &Collector, id: DeviceId) -> DeviceDetail {
    crate::view::device::detail(&collector.app, &Scope::whole(), id, None).await.unwrap().unwrap()
}

fn clone_findings(detail: &DeviceDetail) -> usize {
    detail.findings.iter().filter(|finding| finding.rule == "clone_suspected").count()
}

/// A report of another computer with the same key, which goes on from an older number.
fn report_of_copy(seq: u64, serial: &str) -> CheckIn {
    CheckIn {
        report_id: uuid::Uuid::from_u128(1000 + u128::from(seq)),
        observed_at: NOW.plus_ms(HOUR_MS),
        sent_at: NOW.plus_ms(HOUR_MS),
        hardware_ids: hardware(serial),
        ..report(seq)
    }
}

async fn post_json<T: serde::Serialize>(
    collector: &Collector,
    path: &'static str,
    key: &SigningKey,
    key_id: &str,
    seq: u64,
    body: &T,
) -> Response {
    let json = serde_json::to_vec(body).unwrap();
    collector.send(signed(path, key, key_id, seq, &json).request()).await
}

#[tokio::test]
async fn a_cloned_disk_is_found_and_gets_a_key_of_its_own() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let original = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id;
    let id = original.to_string();
    for seq in 1..=3 {
        let answer = collector.send(check_in(&key, &id, seq).request()).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    for seq in [2, 3] {
        let copy = report_of_copy(seq, "PFZZZZ99");
        let refused = post_json(&collector, "/agent/v1/check-in", &key, &id, seq, &copy).await;
        let refused = problem(refused).await;
        assert_eq!((refused.status, refused.kind.as_str()), (409, kind::CLONE_SUSPECTED));
    }
    let seen = told(&collector, original).await;
    let suspected: Vec<_> =
        seen.decisions.iter().filter(|one| one.kind == DecisionKind::CloneSuspected).collect();
    assert_eq!(suspected.len(), 1, "once until it is settled");
    for serial in ["pf3a1b2c", "pfzzzz99"] {
        assert!(suspected[0].evidence.contains(serial), "{}", suspected[0].evidence);
    }
    assert_eq!(clone_findings(&seen), 1);

    let rekey = async |new: &SigningKey, proof: String| {
        let asked = RekeyRequest {
            public_key: new.public_key(),
            alg: "ed25519".into(),
            proof,
            hostname: "lt-0042".into(),
            hardware_ids: hardware("PFZZZZ99"),
            agent: AgentInfo::default(),
        };
        post_json(&collector, "/agent/v1/rekey", &key, &id, 0, &asked).await
    };
    let new = new_key(2);
    let forged = new_key(3).rekey_proof(original);
    assert!(verify_rekey_proof(original, &new.public_key(), &forged).is_err());
    assert_eq!(rekey(&new, forged).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(clone_findings(&told(&collector, original).await), 1);
    let proof = new.rekey_proof(original);
    let answer: EnrollAnswer =
        serde_json::from_str(&text(rekey(&new, proof.clone()).await).await).unwrap();
    assert_ne!(answer.device_id, original);
    let again: EnrollAnswer = serde_json::from_str(&text(rekey(&new, proof).await).await).unwrap();
    assert_eq!(again.device_id, answer.device_id, "a lost answer is given again");

    let copy = told(&collector, answer.device_id).await;
    assert_eq!(copy.decisions[0].kind, DecisionKind::Cloned);
    assert_eq!(copy.decisions[0].other_device, Some(original));
    assert_eq!((clone_findings(&copy), clone_findings(&told(&collector, original).await)), (0, 0));
    let copy_id = answer.device_id.to_string();
    let spoke = report_of_copy(3, "PFZZZZ99");
    let stored = post_json(&collector, "/agent/v1/check-in", &new, &copy_id, 3, &spoke).await;
    assert_eq!(stored.status(), StatusCode::OK);
    let stored = collector.send(check_in(&key, &id, 4).request()).await;
    assert_eq!(stored.status(), StatusCode::OK, "the original goes on");
}

#[tokio::test]
async fn a_person_can_settle_a_suspicion() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let original = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id;
    let id = original.to_string();
    for seq in 1..=3 {
        collector.send(check_in(&key, &id, seq).request()).await;
    }
    let copy = report_of_copy(2, "PFZZZZ99");
    let path = "/agent/v1/check-in";
    assert_eq!(post_json(&collector, path, &key, &id, 2, &copy).await.status(), 409);
    let seen = told(&collector, original).await;
    assert_eq!(clone_findings(&seen), 1);
    let undo = format!("/api/v1/devices/{id}/decisions/{}/undo", seen.decisions[0].id);
    assert_eq!(by_it(&collector, undo).await, StatusCode::OK);
    assert_eq!(clone_findings(&told(&collector, original).await), 0);
    // It happens again: that is another one.
    assert_eq!(post_json(&collector, path, &key, &id, 2, &copy).await.status(), 409);
    assert_eq!(clone_findings(&told(&collector, original).await), 1);
}

#[tokio::test]
async fn a_re_imaged_computer_goes_on_or_waits_for_a_person() {
    let collector = Collector::ready().await;
    let allowing = allowing(&collector, false).await;
    let plain = collector.enrollment_token().await;
    let key = new_key(1);
    let known = enroll(&collector, &key, &plain, "PF3A1B2C").await.unwrap().device_id;
    let id = known.to_string();
    collector.send(check_in(&key, &id, 7).request()).await;

    let waits = enroll(&collector, &new_key(2), &allowing, "PF3A1B2C").await.unwrap();
    assert_eq!(waits.status, EnrollStatus::Pending, "the known one still checks in");
    let seen = told(&collector, waits.device_id).await;
    assert_eq!(seen.decisions[0].kind, DecisionKind::LooksLike);
    assert_eq!(seen.decisions[0].other_device, Some(known));

    // Said to be the same one: it goes on under the known record, whatever id its agent uses.
    let merge = format!("/api/v1/devices/{}/merge", waits.device_id);
    assert_eq!(by_it(&collector, merge).await, StatusCode::OK);
    let refused = problem(collector.send(check_in(&key, &id, 8).request()).await).await;
    assert_eq!(refused.status, 401, "the old key is gone");
    let waiting_id = waits.device_id.to_string();
    let stored = collector.send(check_in(&new_key(2), &waiting_id, 1).request()).await;
    assert_eq!(stored.status(), StatusCode::OK);
    let device = collector.app.store.key_of_device(known).unwrap().device;
    assert_eq!(collector.app.store.last_report(device).await.unwrap().unwrap().seq, 1);

    // Silent, and the token allows it: it goes on by itself.
    collector.app.clock.advance_ms(30 * 24 * HOUR_MS);
    let allowing = self::allowing(&collector, false).await;
    let again = enroll(&collector, &new_key(4), &allowing, "PF3A1B2C").await.unwrap();
    assert_eq!((again.device_id, again.status), (known, EnrollStatus::Active));
    assert_eq!(again.next_seq, Some(2));
    assert_eq!(told(&collector, known).await.decisions[0].kind, DecisionKind::ReImaged);
}

#[tokio::test]
async fn bad_tokens_run_dry() {
    let collector = Collector::ready().await;
    let unknown = "rcl_enr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let mut statuses = std::collections::BTreeSet::new();
    for number in 0..40 {
        let refused = enroll(&collector, &new_key(number), unknown, "A1B2C3D4").await.unwrap_err();
        statuses.insert(refused.status);
    }
    assert_eq!(Vec::from_iter(statuses), [403, 429]);
    collector.app.clock.advance_ms(HOUR_MS);
    let token = collector.enrollment_token().await;
    assert!(enroll(&collector, &new_key(77), &token, "A1B2C3D4").await.is_ok());
}

#[tokio::test]
async fn a_report_with_two_contents_is_written_down() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let device = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id;
    let id = device.to_string();
    collector.send(check_in(&key, &id, 1).request()).await;
    let mut other = report(1);
    other.vitals.memory_available_bytes = Some(7);
    for _ in 0..3 {
        let path = "/agent/v1/check-in";
        let refused = problem(post_json(&collector, path, &key, &id, 1, &other).await).await;
        assert_eq!((refused.status, refused.kind.as_str()), (409, kind::REPORT_CONFLICT));
    }
    let mut entries = collector.app.store.newest_audit_entries(10).await.unwrap();
    entries.retain(|entry| entry.action == "report_conflict");
    assert_eq!(entries.len(), 1, "not once for each attempt");
    assert_eq!(entries[0].actor, format!("device {id}"));
}
