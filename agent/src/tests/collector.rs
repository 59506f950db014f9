//! A small collector that checks every signature, remembers what it stored, and misbehaves on
//! request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rollcall_shared::api::enroll::{EnrollRequest, RekeyRequest};
use rollcall_shared::join::JoinString;
use rollcall_shared::report::CheckIn;
use rollcall_shared::signature::{
    Covered, Signature, content_digest, decode_public_key, verify_rekey_proof,
};
use rollcall_shared::{DeviceId, Digest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

pub(super) const TOKEN: &str = "rcl_enr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// How the certificate is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    Well,
    ForAnotherName,
    Expired,
    NotYetValid,
    /// One certificate for both: a CA that signed itself and answers as the server.
    SelfSigned,
}

/// What happens to the next check-in instead of the usual.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    /// This status, header and body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// It is stored, and the answer is lost.
    LoseAnswer,
    /// It is stored, and the answer says where to go on.
    NextSeq(u64),
    /// It is understood, but these bodies are missing, whatever was sent.
    Want(Vec<String>),
}

impl Instead {
    pub(super) fn problem(status: u16, kind: &str) -> Self {
        let body = json!({
            "type": "about:blank", "title": "", "status": status, "kind": kind, "detail": "because"
        });
        Self::Answer(status, Vec::new(), body.to_string().into_bytes())
    }
}

/// What the collector knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) devices: BTreeMap<DeviceId, String>,
    /// Reports in the order in which they were stored.
    pub(super) stored: Vec<CheckIn>,
    pub(super) bodies: BTreeMap<Digest, String>,
    /// It takes changes in place of lists.
    pub(super) follows: bool,
    pub(super) duplicates: usize,
    /// Bodies that came with each request, by section.
    pub(super) came: Vec<BTreeSet<String>>,
    pub(super) requests: usize,
    pub(super) instead: VecDeque<Instead>,
    pub(super) sections_off: Vec<String>,
    pub(super) revoked: bool,
}

pub(super) struct TestCollector {
    pub(super) url: String,
    pub(super) ca_digest: Digest,
    pub(super) known: Arc<Mutex<Known>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for TestCollector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestCollector {
    pub(super) async fn start() -> Self {
        Self::start_made(Made::Well).await
    }

    pub(super) async fn start_made(made: Made) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, ca_der) = certificates(made);
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let known = Arc::new(Mutex::new(Known::default()));
        let shared = Arc::clone(&known);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, known) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let known = Arc::clone(&known);
                        async move { answer(request, &known).await }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let url = format!("https://127.0.0.1:{port}");
        Self { url, ca_digest: Digest::of(&ca_der), known, server }
    }

    pub(super) fn join(&self) -> JoinString {
        JoinString {
            url: self.url.clone(),
            ca_digest: Some(self.ca_digest),
            token: TOKEN.to_owned(),
        }
    }

    pub(super) fn instead(&self, what: impl IntoIterator<Item = Instead>) {
        self.known.lock().unwrap().instead.extend(what);
    }

    /// Host names of the stored reports, in their order.
    pub(super) fn names(&self) -> Vec<String> {
        let known = self.known.lock().unwrap();
        known
            .stored
            .iter()
            .map(|report| {
                let digest = report.sections["system"].digest.unwrap();
                let body: serde_json::Value = serde_json::from_str(&known.bodies[&digest]).unwrap();
                body["hostname"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    pub(super) fn seqs(&self) -> Vec<u64> {
        self.known.lock().unwrap().stored.iter().map(|report| report.seq).collect()
    }
}

fn certificates(made: Made) -> (Arc<rustls::ServerConfig>, Vec<u8>) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let name = if made == Made::ForAnotherName { "other.example" } else { "127.0.0.1" };
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    match made {
        Made::Expired => {
            leaf.not_before = rcgen::date_time_ymd(2000, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }
        Made::NotYetValid => {
            leaf.not_before = rcgen::date_time_ymd(2300, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2301, 1, 1);
        }
        Made::Well | Made::ForAnotherName | Made::SelfSigned => {}
    }
    let leaf_key = KeyPair::generate().unwrap();
    if made == Made::SelfSigned {
        leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = leaf.self_signed(&leaf_key).unwrap();
        let der = certificate.der().clone();
        return (server(vec![der.clone()], &leaf_key), der.to_vec());
    }
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(ca, ca_key)).unwrap();
    let chain: Vec<CertificateDer<'static>> =
        vec![leaf.der().clone(), ca_certificate.der().clone()];
    (server(chain, &leaf_key), ca_certificate.der().to_vec())
}

fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<rustls::ServerConfig> {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a chain and its key");
    Arc::new(config)
}

type Reply = Result<Response<Full<Bytes>>, std::io::Error>;

#[expect(clippy::unnecessary_wraps, reason = "the form that hyper asks for")]
fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Ok(Response::builder().status(status).body(Full::new(body.into())).unwrap())
}

async fn answer(request: Request<Incoming>, known: &Mutex<Known>) -> Reply {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    if head.method == "GET" {
        return reply(200, r#"{"status":"ok"}"#);
    }
    let header = |name: &str| head.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-digest"), content_digest(&body), "the digest is over the bytes");
    let json = zstd::stream::decode_all(body.as_ref()).unwrap();
    let signature = Signature::parse(&header("signature-input"), &header("signature")).unwrap();
    let seq = header("rollcall-seq");
    let covered = Covered {
        method: "POST",
        path: head.uri.path(),
        content_type: &header("content-type"),
        content_encoding: &header("content-encoding"),
        content_digest: &header("content-digest"),
        seq: &seq,
    };
    let verify = |key: &str| {
        signature
            .verify(&decode_public_key(key).unwrap(), &covered)
            .expect("the signature verifies");
    };
    let key_id = signature.parameters.key_id.clone();
    let mut known = known.lock().unwrap();
    known.requests += 1;
    let settings = json!({ "check_in_interval_s": 1, "sections_off": known.sections_off });
    match head.uri.path() {
        "/agent/v1/enroll" => {
            let request: EnrollRequest = serde_json::from_slice(&json).unwrap();
            verify(&request.public_key);
            assert_eq!((key_id, seq.as_str()), (request.public_key.clone(), "0"));
            if let Some(Instead::Answer(status, headers, body)) = known.instead.pop_front() {
                return misbehave(status, headers, body);
            }
            if request.token != TOKEN {
                return reply(
                    403,
                    r#"{"type":"about:blank","title":"","status":403,"kind":"token-refused","detail":""}"#,
                );
            }
            let device_id = DeviceId(Uuid::from_u128(known.devices.len() as u128 + 1));
            known.devices.insert(device_id, request.public_key);
            reply(
                200,
                json!({ "device_id": device_id, "status": "active", "settings": settings })
                    .to_string(),
            )
        }
        "/agent/v1/rekey" => {
            let request: RekeyRequest = serde_json::from_slice(&json).unwrap();
            let old: DeviceId = key_id.parse().unwrap();
            verify(&known.devices[&old]);
            verify_rekey_proof(old, &request.public_key, &request.proof).unwrap();
            let device_id = DeviceId(Uuid::from_u128(known.devices.len() as u128 + 1));
            known.devices.insert(device_id, request.public_key);
            reply(
                200,
                json!({ "device_id": device_id, "status": "active", "settings": settings })
                    .to_string(),
            )
        }
        "/agent/v1/check-in" => {
            let device: DeviceId = key_id.parse().unwrap();
            if !known.devices.contains_key(&device) {
                return refuse(401, "unauthorised");
            }
            verify(&known.devices[&device]);
            if known.revoked {
                return refuse(403, "device-revoked");
            }
            let Ok(report) = serde_json::from_slice::<CheckIn>(&json) else {
                return refuse(400, "bad-request");
            };
            assert_eq!(report.seq.to_string(), seq);
            check_in(&report, &settings, &mut known)
        }
        other => panic!("nobody asks for {other}"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every answer of the test collector has one type")]
fn misbehave(status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.into())).unwrap())
}

fn refuse(status: u16, kind: &str) -> Reply {
    let Instead::Answer(status, headers, body) = Instead::problem(status, kind) else {
        panic!("a problem is an answer")
    };
    misbehave(status, headers, body)
}

fn check_in(report: &CheckIn, settings: &serde_json::Value, known: &mut Known) -> Reply {
    let with_body = report.sections.iter().filter(|(_, state)| state.body.is_some());
    known.came.push(with_body.map(|(name, _)| name.clone()).collect());
    let instead = known.instead.pop_front();
    let mut said = json!({
        "report_id": report.report_id, "stored": true, "server_time": "2026-11-23T10:15:00Z",
        "settings": settings
    });
    match &instead {
        Some(Instead::Answer(status, headers, body)) => {
            return misbehave(*status, headers.clone(), body.clone());
        }
        Some(Instead::Want(want)) => {
            said["stored"] = false.into();
            said["want"] = json!(want);
            return reply(200, said.to_string());
        }
        Some(Instead::NextSeq(next)) => said["next_seq"] = (*next).into(),
        Some(Instead::LoseAnswer) | None => {}
    }
    let mut want = Vec::new();
    for (name, state) in &report.sections {
        let Some(digest) = state.digest else { continue };
        match &state.body {
            Some(body) => {
                assert_eq!(Digest::of(body.get().as_bytes()), digest);
                known.bodies.insert(digest, body.get().to_owned());
            }
            None if known.bodies.contains_key(&digest) => {}
            None if known.follows && state.change.is_some() => {
                known.bodies.insert(digest, String::new());
            }
            None => want.push(name.clone()),
        }
    }
    if !want.is_empty() {
        said["stored"] = false.into();
        said["want"] = json!(want);
        return reply(200, said.to_string());
    }
    if known.stored.iter().any(|stored| stored.report_id == report.report_id) {
        known.duplicates += 1;
        said["duplicate"] = true.into();
    } else {
        known.stored.push(report.clone());
    }
    if matches!(instead, Some(Instead::LoseAnswer)) {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    reply(200, said.to_string())
}
