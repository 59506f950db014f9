//! Targets that need no tables.

use http::Uri;
use rollcall_collector::codec::packed::{self, Unpackable};
use rollcall_collector::codec::sanitise;
use rollcall_collector::domain::{Scope, diff};
use rollcall_collector::http::input::{Body, Query};
use rollcall_collector::view::cursor;
use rollcall_shared::api::account::NewApiToken;
use rollcall_shared::api::audit::AuditFilter;
use rollcall_shared::api::device::DeviceFilter;
use rollcall_shared::api::enroll::{EnrollRequest, RekeyRequest};
use rollcall_shared::api::finding::{FindingFilter, WaiveRequest};
use rollcall_shared::api::software::SoftwareFilter;
use rollcall_shared::api::token::NewEnrollmentToken;
use rollcall_shared::join::{JoinString, address_allowed};
use rollcall_shared::report::CheckIn;
use rollcall_shared::signature::{Covered, Parameters, Signature, SigningKey};
use serde_json::Value;

/// The most that a body may unpack to here.
const LIMIT: usize = 256 * 1024;

/// A report's body: the first byte names the packing, the rest is what was sent.
pub fn report(data: &[u8]) {
    let Some((first, sent)) = data.split_first() else { return };
    let encoding = ["identity", "zstd", "gzip"][usize::from(*first) % 3];
    let counted = packed::size(encoding, sent, LIMIT);
    let unpacked = packed::unpack(encoding, sent, LIMIT);
    match (&counted, &unpacked) {
        (Ok(size), Ok(bytes)) => assert_eq!(*size, bytes.len(), "counted and unpacked"),
        // What says a small size is believed until it is unpacked.
        (Ok(size), Err(_)) => assert!(*size <= packed::HEAVY_BYTES.min(LIMIT)),
        (Err(Unpackable::TooLarge), Ok(_)) => panic!("more than the limit was unpacked"),
        _ => {}
    }
    let Ok(bytes) = unpacked else { return };
    assert!(bytes.len() <= LIMIT);
    let Ok(check_in) = serde_json::from_slice::<CheckIn>(&bytes) else { return };
    for (name, state) in &check_in.sections {
        let Some(body) = &state.body else { continue };
        let Ok(clean) = sanitise::json(body.get()) else { continue };
        let read: Value = serde_json::from_str(&clean).expect("clean text stays JSON");
        assert!(!contains_nul(&read), "NUL stays nowhere");
        assert_eq!(sanitise::json(&clean).as_deref(), Ok(&*clean), "clean text is left alone");
        let changes = diff::changes(name, Some(body.get()), &clean);
        let same = diff::changes(name, Some(&clean), &clean);
        assert!(
            same.is_empty(),
            "nothing differs from itself: {same:?} ({} before)",
            changes.len()
        );
        diff::changes(name, Some("[]"), &clean);
        diff::changes(name, Some("{}"), &clean);
    }
}

fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(contains_nul),
        Value::Object(map) => map.iter().any(|(key, one)| key.contains('\0') || contains_nul(one)),
        _ => false,
    }
}

/// The two headers of a signature, a line each. None of them verifies that our key did not make.
pub fn signature(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (input, signature) = text.split_once('\n').unwrap_or((&text, ""));
    let covered = Covered {
        method: "POST",
        path: "/agent/v1/check-in",
        content_type: "application/json",
        content_encoding: "zstd",
        content_digest: "sha-256=:abc=:",
        seq: "7",
    };
    let key = SigningKey::from_seed(&[9; 32]).expect("any seed makes a key");
    let public = rollcall_shared::signature::decode_public_key(&key.public_key());
    let public = public.expect("its own spelling is read");
    if let Ok(read) = Signature::parse(input, signature) {
        assert!(read.verify(&public, &covered).is_err(), "nobody else makes our signature");
        let Parameters { key_id, .. } = &read.parameters;
        assert!((1..=64).contains(&key_id.len()));
        let (ours, made) = key.sign(&covered, &read.parameters);
        assert_eq!(ours, input, "one spelling only");
        let ours = Signature::parse(&ours, &made).expect("our own is read");
        ours.verify(&public, &covered).expect("our own verifies");
    }
    let _ = rollcall_shared::signature::decode_public_key(&text);
}

/// The line that an agent is given to join.
pub fn join_line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(read) = text.parse::<JoinString>() else { return };
    assert!(address_allowed(&read.url));
    let written = read.to_string();
    let again: JoinString = written.parse().expect("what is written is read");
    assert!(again == read, "it is read as it was written");
    assert!(!format!("{read:?}").contains(&read.token), "its secret is not shown");
}

/// The query of an address, as each list reads it, and cursors.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(uri) = format!("/?{text}").parse::<Uri>() {
        let devices = Query::<DeviceFilter>::of(&uri);
        if let Ok(Query(filter)) = &devices {
            let json = serde_json::to_value(filter).expect("filters serialise");
            let back: DeviceFilter = serde_json::from_value(json).expect("and are read back");
            assert!(back == *filter);
        }
        let _ = Query::<AuditFilter>::of(&uri);
        let _ = Query::<FindingFilter>::of(&uri);
        let _ = Query::<SoftwareFilter>::of(&uri);
    }
    let scope = Scope::whole();
    let _ = cursor::decode::<(Option<String>, i64)>(&scope, &text);
    if let Ok(position) = cursor::decode::<Value>(&scope, &text) {
        let written = cursor::encode(&scope, &position).expect("JSON can be written");
        assert!(cursor::decode::<Value>(&scope, &written).is_ok_and(|again| again == position));
    }
    let _ = text.parse::<rollcall_shared::Timestamp>();
    let _ = rollcall_shared::Timestamp::from_date(&text);
}

/// Bodies of the API and of agents that are not reports.
pub fn body(data: &[u8]) {
    let _ = Body::<NewApiToken>::of(data);
    let _ = Body::<NewEnrollmentToken>::of(data);
    let _ = Body::<WaiveRequest>::of(data);
    let _ = Body::<rollcall_collector::domain::policy::Policy>::of(data);
    let _ = serde_json::from_slice::<EnrollRequest>(data);
    let _ = serde_json::from_slice::<RekeyRequest>(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if serde_json::from_str::<Value>(text).is_ok()
        && let Ok(clean) = sanitise::json(text)
    {
        let read: Value = serde_json::from_str(&clean).expect("clean text stays JSON");
        assert!(!contains_nul(&read), "NUL stays nowhere");
    }
}
