//! The doors from outside: every route, every right, signatures, sessions, sign-in.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use axum::response::Response;
use axum::{Router, routing};
use http_body_util::BodyExt as _;
use rollcall_shared::Timestamp;
use rollcall_shared::api::account::{NewApiToken, Role};
use rollcall_shared::api::device::{DecisionKind, DeviceDetail};
use rollcall_shared::api::enroll::{EnrollAnswer, EnrollRequest, EnrollStatus, RekeyRequest};
use rollcall_shared::api::token::NewEnrollmentToken;
use rollcall_shared::join::JoinString;
use rollcall_shared::problem::{Problem, kind};
use rollcall_shared::report::{AgentInfo, CheckIn, CheckInAnswer, Cost, SectionState, Vitals};
use rollcall_shared::signature::{
    Covered, Parameters, SEQ_HEADER, SigningKey, content_digest, verify_rekey_proof,
};
use rollcall_shared::time::{HOUR_MS, MINUTE_MS};
use rollcall_shared::{DeviceId, HardwareIds, Note, NoteKind};
use tower::ServiceExt as _;

use super::auth::{Caller, Credential, Helpdesk, It};
use super::routes::Access;
use super::session::{self, SignInError};
use super::{Error, Guard, router, routes, setup};
use crate::app::{App, Inner};
use crate::clock::Clock;
use crate::domain::Scope;
use crate::fleet::Fleet;
use crate::issue;
use crate::seal::SealKey;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::audit::By;
use crate::store::session::NewSession;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const PASSWORD: &str = "violet harbour tin";
const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

mod agents;
mod guessing;
mod paths;
mod people;
mod scoped;

fn by() -> By {
    By::new("test", NOW)
}

struct Collector {
    app: App,
    router: Router,
    folder: tempfile::TempDir,
}

impl Collector {
    async fn new() -> Self {
        Self::with(Guard::default()).await
    }

    async fn with(guard: Guard) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url).await.unwrap();
        store.seal_with(SealKey::random(), NOW).await.unwrap();
        let app = App::new(Inner {
            store,
            fleet: Fleet::default(),
            clock: Clock::test(NOW),
            public_url: "https://127.0.0.1:8443".into(),
            ca_digest: None,
            outgoing: crate::outgoing::Outgoing::default(),
            guard,
            past_being_told: Arc::default(),
        });
        Self { router: router(app.clone()), app, folder }
    }

    /// With an administrator.
    async fn ready() -> Self {
        let collector = Self::new().await;
        let hash = super::password::hash_now(PASSWORD).unwrap();
        collector.app.store.create_account("anna", Role::Admin, &hash, &by()).await.unwrap();
        collector
    }

    /// The same behind a proxy, whose forwarded headers are believed.
    async fn ready_behind(proxy: std::net::IpAddr) -> Self {
        let collector = Self::with(Guard::new(vec![proxy], false)).await;
        let hash = super::password::hash_now(PASSWORD).unwrap();
        collector.app.store.create_account("anna", Role::Admin, &hash, &by()).await.unwrap();
        collector
    }

    async fn send(&self, request: Request) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn cookie(&self) -> String {
        let signed_in = session::sign_in(&self.app, "anna", PASSWORD, HERE).await.unwrap();
        let answer = axum::response::IntoResponse::into_response((signed_in.cookie, ()));
        let header = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        for part in ["__Host-rollcall=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            assert!(header.contains(part), "{header}");
        }
        header.split(';').next().unwrap().to_owned()
    }

    async fn api_token(&self, role: Role) -> String {
        let name = format!("owner-{}", role.as_str());
        let account = match self.app.store.account_by_name(&name).await.unwrap() {
            Some(found) => found.account,
            None => self.app.store.create_account(&name, role, "none", &by()).await.unwrap(),
        };
        let caller = Caller {
            name,
            role,
            account: account.id,
            by: Credential::ApiToken(0),
            scope: Scope::whole(),
        };
        let new = NewApiToken { label: "test".into(), ..NewApiToken::default() };
        issue::api_token(&self.app, &caller, new).await.unwrap().secret
    }

    /// The cookie of a session, and whose it is.
    async fn session(&self, role: Role) -> (String, i64) {
        let name = format!("owner-{}", role.as_str());
        let owner = self.app.store.account_by_name(&name).await.unwrap().unwrap().account.id;
        let cookie = format!("__Host-rollcall={}", Secret::random("").unwrap().reveal());
        self.session_of(owner, &cookie).await;
        (cookie, owner)
    }

    async fn session_of(&self, account: i64, cookie: &str) {
        let secret = Secret::presented(cookie.split_once('=').unwrap().1);
        let session = NewSession {
            id: secret.digest(),
            account,
            created_at: NOW,
            expires_at: NOW.plus_ms(HOUR_MS),
            client: String::new(),
            awaits: None,
        };
        self.app.store.create_session(&session, None).await.unwrap();
    }

    async fn enrollment_token(&self) -> String {
        let new = NewEnrollmentToken {
            label: "test".into(),
            uses_allowed: Some(0),
            ..NewEnrollmentToken::default()
        };
        let made = issue::enrollment_token(&self.app, "test", &Scope::whole(), new).await.unwrap();
        made.join_string.parse::<JoinString>().unwrap().token
    }
}

fn get(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn problem(response: Response) -> Problem {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    serde_json::from_str(&text(response).await).unwrap()
}

/// A path with its parameters filled in.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        part if part.starts_with('{') => "01930000-0000-7000-8000-000000000000",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Routes that anybody may call. A new one is added here on purpose or not at all.
const PUBLIC: &[&str] = &[
    "GET /api/health",
    "GET /api/v1/health",
    "GET /set-up",
    "POST /set-up",
    "GET /sign-in",
    "POST /sign-in",
    "GET /sign-in/with/{id}",
    "GET /sign-in/with/{id}/back",
    "GET /sign-in/code",
    "POST /sign-in/code",
    "GET /sign-in/second-factor",
    "POST /sign-in/second-factor",
    "POST /theme",
    "GET /assets/{version}/{name}",
];

#[tokio::test]
async fn every_route_without_credentials_is_closed_or_declared() {
    let collector = Collector::ready().await;
    for route in routes().iter() {
        let name = format!("{} {}", route.method, route.path);
        let declared = PUBLIC.contains(&name.as_str());
        assert_eq!(route.access == Access::Public, declared, "{name}: declare it on both sides");
        let request = Request::builder()
            .method(route.method.clone())
            .uri(filled(route.path))
            .header("sec-fetch-site", "same-origin")
            .body(Body::empty())
            .unwrap();
        let answer = collector.send(request).await;
        let to_sign_in = answer.status() == StatusCode::SEE_OTHER
            && answer.headers()[LOCATION].to_str().unwrap().starts_with("/sign-in");
        let closed = to_sign_in || matches!(answer.status().as_u16(), 401 | 403);
        assert!(closed || declared, "{name} is open: {}", answer.status());
    }
}

#[tokio::test]
async fn every_route_keeps_what_it_declares_for_every_role() {
    let collector = Collector::ready().await;
    for role in Role::ALL {
        let token = format!("Bearer {}", collector.api_token(*role).await);
        let (cookie, account) = collector.session(*role).await;
        let closed = |access| !matches!(access, Access::Agent | Access::Public);
        for route in routes().iter().filter(|route| closed(route.access)) {
            let request = Request::builder().method(route.method.clone()).uri(filled(route.path));
            // Programs use the API, people the pages.
            let request = if route.path.starts_with("/api/") {
                request.header("authorization", &token)
            } else {
                request.header(COOKIE, &cookie).header("sec-fetch-site", "same-origin")
            };
            let answer = collector.send(request.body(Body::empty()).unwrap()).await;
            let status = answer.status();
            let refused = matches!(status.as_u16(), 401 | 403);
            if answer.headers().contains_key(SET_COOKIE) {
                // Signing out ended it.
                collector.session_of(account, &cookie).await;
            }
            let name = format!("{} {} as {}", route.method, route.path, role.as_str());
            assert_eq!(refused, !route.access.allows(*role), "{name}: {status}");
            assert!(!status.is_server_error(), "{name}: {status}");
        }
    }
}

#[tokio::test]
async fn answers_carry_the_security_headers_and_unknown_paths_are_told_apart() {
    let collector = Collector::ready().await;
    let page = collector.send(get("/no-such-page")).await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    let headers = page.headers();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "same-origin");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["strict-transport-security"], "max-age=31536000");
    let behind = Collector::ready_behind(HERE).await;
    let page = behind.send(get("/no-such-page")).await;
    assert!(!page.headers().contains_key("strict-transport-security"), "that is the proxy's word");
    assert!(headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    let problem = problem(collector.send(get("/api/v1/no-such-thing")).await).await;
    assert_eq!((problem.status, problem.kind.as_str()), (404, "not-found"));
    let other = Request::delete("/api/health").header("authorization", "x").body(Body::empty());
    let answer = collector.send(other.unwrap()).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Routes that exist only here, behind the same layers.
async fn layered(extra: Router<App>) -> (Collector, Router) {
    let collector = Collector::ready().await;
    let router = super::layers(extra, collector.app.clone());
    (collector, router)
}

#[tokio::test]
async fn a_panic_is_a_500_with_a_name_and_no_detail() {
    let extra = Router::new()
        .route("/api/panic", routing::get(async || -> Error { panic!("the secret is 42") }))
        .route("/api/fine", routing::get(async || "fine"));
    let (_collector, router) = layered(extra).await;
    let answer = router.clone().oneshot(get("/api/panic")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let problem = problem(answer).await;
    assert_eq!(problem.request_id, Some(id));
    assert!(!problem.detail.contains("42"));
    assert_eq!(text(router.oneshot(get("/api/fine")).await.unwrap()).await, "fine");
}

#[tokio::test]
async fn a_session_ends_by_rest_by_age_and_by_a_new_password() {
    let extra = Router::new().route("/me", routing::get(async |Helpdesk(me): Helpdesk| me.name));
    let (collector, router) = layered(extra).await;
    let me = async |cookie: &str| {
        let request = Request::get("/me").header(COOKIE, cookie).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    let clock = &collector.app.clock;
    let cookie = collector.cookie().await;
    assert_eq!(me(&cookie).await, StatusCode::OK);
    assert_eq!(me("__Host-rollcall=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await, 303);
    for _ in 0..9 {
        clock.advance_ms(50 * MINUTE_MS);
        assert_eq!(me(&cookie).await, StatusCode::OK, "used every 50 minutes");
    }
    clock.advance_ms(HOUR_MS / 2);
    assert_eq!(me(&cookie).await, StatusCode::SEE_OTHER, "eight hours old");

    let cookie = collector.cookie().await;
    clock.advance_ms(HOUR_MS);
    assert_eq!(me(&cookie).await, StatusCode::SEE_OTHER, "rested an hour");

    let cookie = collector.cookie().await;
    let anna = collector.app.store.account_by_name("anna").await.unwrap().unwrap().account.id;
    let hash = super::password::hash_now(PASSWORD).unwrap();
    collector.app.store.set_password(anna, &hash, &by()).await.unwrap();
    assert_eq!(me(&cookie).await, StatusCode::SEE_OTHER, "a new password");
}

#[tokio::test]
async fn unsafe_requests_come_from_our_own_pages() {
    let extra = Router::new().route("/do", routing::post(async |It(_): It| "done"));
    let (collector, router) = layered(extra).await;
    let cookie = collector.cookie().await;
    let send = async |headers: &[(&str, &str)]| {
        let mut request = Request::post("/do").header("host", "rollcall.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header(COOKIE, &cookie).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(send(&[("sec-fetch-site", "same-origin")]).await, StatusCode::OK);
    assert_eq!(send(&[("origin", "https://rollcall.example")]).await, StatusCode::OK);
    for bad in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("x-none", "of both"),
    ] {
        assert_eq!(send(&[bad]).await, StatusCode::FORBIDDEN, "{bad:?}");
    }
}

#[tokio::test]
async fn guessing_is_slowed_and_nobody_is_locked_out() {
    let collector = Collector::ready().await;
    let guess = async |password: &str| {
        session::sign_in(&collector.app, "Anna", password, HERE).await.map(|_| ())
    };
    let mut waits = Vec::new();
    for _ in 0..10 {
        match guess("wrong password").await {
            Err(SignInError::Refused) => {}
            Err(SignInError::TooMany { retry_after_s }) => {
                waits.push(retry_after_s);
                collector.app.clock.advance_ms(i64::from(retry_after_s) * 1000);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waits, [2, 4]);
    assert!(
        matches!(guess(PASSWORD).await, Err(SignInError::TooMany { .. })),
        "even the right one"
    );
    collector.app.clock.advance_ms(5 * MINUTE_MS);
    assert!(guess(PASSWORD).await.is_ok());
    let nobody = session::sign_in(&collector.app, "nobody", PASSWORD, HERE).await;
    assert!(matches!(nobody, Err(SignInError::Refused)));
}

#[tokio::test]
async fn until_there_is_an_administrator_every_page_leads_to_the_set_up() {
    let collector = Collector::new().await;
    assert!(setup::setup_pending(&collector.app).await.unwrap());
    for path in ["/", "/devices", "/no-such-page"] {
        let answer = collector.send(get(path)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.headers()[LOCATION], "/set-up");
    }
    assert_eq!(collector.send(get("/api/health")).await.status(), StatusCode::OK);
    let link = setup::new_link(&collector.app).await.unwrap();
    let secret = link.split_once("key=").unwrap().1;
    let make = async |secret: &str, password: &str| {
        setup::create_first_admin(&collector.app, secret, "anna", password).await
    };
    assert!(matches!(make(secret, "short").await, Err(setup::FirstAdminError::Password(_))));
    assert!(matches!(make("other", PASSWORD).await, Err(setup::FirstAdminError::LinkRefused)));
    make(secret, PASSWORD).await.unwrap();
    assert!(matches!(make(secret, PASSWORD).await, Err(setup::FirstAdminError::LinkRefused)));
    assert!(!setup::setup_pending(&collector.app).await.unwrap());
    collector.cookie().await;
}

/// A signed request of an agent, to be spoiled.
struct Signed {
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn signed(path: &'static str, key: &SigningKey, key_id: &str, seq: u64, json: &[u8]) -> Signed {
    signed_bytes(path, key, key_id, seq, "zstd", zstd::bulk::compress(json, 1).unwrap())
}

fn signed_bytes(
    path: &'static str,
    key: &SigningKey,
    key_id: &str,
    seq: u64,
    encoding: &str,
    body: Vec<u8>,
) -> Signed {
    let (digest, seq) = (content_digest(&body), seq.to_string());
    let covered = Covered {
        method: "POST",
        path,
        content_type: "application/json",
        content_encoding: encoding,
        content_digest: &digest,
        seq: &seq,
    };
    let parameters = Parameters { created: NOW, key_id: key_id.to_owned() };
    let (input, signature) = key.sign(&covered, &parameters);
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("content-encoding", encoding.to_owned()),
        ("content-digest", digest),
        (SEQ_HEADER, seq),
        ("signature-input", input),
        ("signature", signature),
    ];
    Signed { path, headers, body }
}

impl Signed {
    fn request(&self) -> Request {
        let mut request = Request::post(self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

fn new_key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32]).unwrap()
}

fn hardware(serial: &str) -> HardwareIds {
    HardwareIds { serial: Some(serial.to_owned()), ..HardwareIds::default() }
}

async fn enroll(
    collector: &Collector,
    key: &SigningKey,
    token: &str,
    serial: &str,
) -> Result<EnrollAnswer, Problem> {
    let asked = EnrollRequest {
        token: token.to_owned(),
        public_key: key.public_key(),
        alg: "ed25519".into(),
        hostname: "lt-0042".into(),
        hardware_ids: hardware(serial),
        agent: AgentInfo::default(),
    };
    let json = serde_json::to_vec(&asked).unwrap();
    let request = signed("/agent/v1/enroll", key, &key.public_key(), 0, &json).request();
    let answer = collector.send(request).await;
    if answer.status() == StatusCode::OK {
        Ok(serde_json::from_str(&text(answer).await).unwrap())
    } else {
        Err(problem(answer).await)
    }
}

fn report(seq: u64) -> CheckIn {
    let note = SectionState::absent(Note::new(NoteKind::NotFound));
    CheckIn {
        report_id: uuid::Uuid::from_u128(u128::from(seq) + 1),
        seq,
        observed_at: NOW,
        sent_at: NOW,
        agent: AgentInfo::default(),
        hardware_ids: hardware("PF3A1B2C"),
        vitals: Vitals::default(),
        sections: [("battery".to_owned(), note)].into(),
        cost: Cost::default(),
        dropped_reports: 0,
    }
}

fn check_in(key: &SigningKey, device: &str, seq: u64) -> Signed {
    let json = serde_json::to_vec(&report(seq)).unwrap();
    signed("/agent/v1/check-in", key, device, seq, &json)
}

#[tokio::test]
async fn a_device_enrols_checks_in_and_is_refused_once_revoked() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let enrolled = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap();
    assert_eq!(enrolled.status, EnrollStatus::Active);
    let again = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap();
    assert_eq!(again.device_id, enrolled.device_id, "a lost answer is given again");

    let id = enrolled.device_id.to_string();
    let answer = collector.send(check_in(&key, &id, 1).request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer: CheckInAnswer = serde_json::from_str(&text(answer).await).unwrap();
    assert!(answer.stored && !answer.duplicate);
    let answer = collector.send(check_in(&key, &id, 1).request()).await;
    let answer: CheckInAnswer = serde_json::from_str(&text(answer).await).unwrap();
    assert!(answer.duplicate, "a replay has no second effect");

    let other = enroll(&collector, &new_key(2), &token, "PF3A1B2C").await.unwrap();
    assert_eq!(other.status, EnrollStatus::Pending, "looks like a device that still reports");

    let device = collector.app.store.key_of_device(enrolled.device_id).unwrap().device;
    let decision = crate::store::enroll::Decision {
        at: NOW,
        kind: DecisionKind::Revoked,
        evidence: "lost".into(),
        other: None,
        actor: Some("anna".into()),
    };
    collector.app.store.revoke(device, &decision).await.unwrap();
    let refused = problem(collector.send(check_in(&key, &id, 2).request()).await).await;
    assert_eq!((refused.status, refused.kind.as_str()), (403, kind::DEVICE_REVOKED));
}

#[tokio::test]
async fn every_bad_token_is_refused_alike() {
    let collector = Collector::ready().await;
    let unknown = "rcl_enr_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let first = enroll(&collector, &new_key(1), unknown, "A1B2C3D4").await.unwrap_err();
    assert_eq!((first.status, first.kind.as_str()), (403, kind::TOKEN_REFUSED));
    let revoked = collector.enrollment_token().await;
    let id = collector.app.store.tokens(&Scope::whole()).await.unwrap()[0].id;
    collector.app.store.revoke_token(id, &Scope::whole(), &by()).await.unwrap();
    let ended = collector.enrollment_token().await;
    assert_eq!(enroll(&collector, &new_key(2), &revoked, "A1B2C3D4").await.unwrap_err(), first);
    collector.app.clock.advance_ms(8 * 24 * HOUR_MS);
    assert_eq!(enroll(&collector, &new_key(3), &ended, "A1B2C3D4").await.unwrap_err(), first);
    assert!(collector.app.store.devices().await.unwrap().is_empty(), "nothing was stored");
}

#[tokio::test]
async fn a_signature_covers_everything_and_nothing_is_stored_without_it() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let (key, other) = (new_key(1), new_key(2));
    let id = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id.to_string();
    let other_id = enroll(&collector, &other, &token, "ZZ998877").await.unwrap().device_id;

    let mut spoiled: Vec<(String, Request)> = Vec::new();
    let good = check_in(&key, &id, 1);
    for (place, (name, value)) in good.headers.iter().enumerate() {
        let mut missing = check_in(&key, &id, 1);
        missing.headers.remove(place);
        spoiled.push((format!("without {name}"), missing.request()));
        let mut doubled = check_in(&key, &id, 1);
        doubled.headers.push((name, value.clone()));
        spoiled.push((format!("{name} twice"), doubled.request()));
        let mut changed = check_in(&key, &id, 1);
        let text = &mut changed.headers[place].1;
        let last = text.pop().unwrap();
        text.push(if last == '1' { '2' } else { '1' });
        spoiled.push((format!("{name} changed"), changed.request()));
    }
    for bit in [0, 7, good.body.len() * 8 - 1] {
        let mut flipped = check_in(&key, &id, 1);
        flipped.body[bit / 8] ^= 1 << (bit % 8);
        spoiled.push((format!("bit {bit} of the body"), flipped.request()));
    }
    let elsewhere = Signed { path: "/agent/v1/rekey", ..check_in(&key, &id, 1) };
    spoiled.push(("another path".into(), elsewhere.request()));
    spoiled.push(("another's key".into(), check_in(&other, &id, 1).request()));
    spoiled.push(("another's id".into(), check_in(&key, &other_id.to_string(), 1).request()));
    spoiled.push((
        "an unknown id".into(),
        check_in(&key, &uuid::Uuid::nil().to_string(), 1).request(),
    ));
    for (what, request) in spoiled {
        let refused = problem(collector.send(request).await).await;
        assert_eq!((refused.status, refused.kind.as_str()), (401, kind::UNAUTHORISED), "{what}");
    }
    let device = collector.app.store.key_of_device(id.parse().unwrap()).unwrap().device;
    let last = collector.app.store.last_report(device).await.unwrap();
    assert!(last.is_none_or(|report| report.seq == 0), "nothing was stored");
    assert_eq!(collector.send(good.request()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn bombs_and_giants_are_413_and_nonsense_is_400() {
    let collector = Collector::ready().await;
    let token = collector.enrollment_token().await;
    let key = new_key(1);
    let id = enroll(&collector, &key, &token, "PF3A1B2C").await.unwrap().device_id.to_string();
    let send = async |encoding: &str, body: Vec<u8>| {
        let request = signed_bytes("/agent/v1/check-in", &key, &id, 1, encoding, body).request();
        problem(collector.send(request).await).await.status
    };
    let bomb = zstd::bulk::compress(&vec![b' '; 80 * 1024 * 1024], 1).unwrap();
    assert_eq!(send("zstd", bomb).await, 413);
    assert_eq!(send("identity", vec![b' '; 4 * 1024 * 1024 + 1]).await, 413);
    assert_eq!(send("zstd", b"nonsense".to_vec()).await, 400);
    assert_eq!(send("gzip", b"nonsense".to_vec()).await, 400);
    assert_eq!(send("br", b"{}".to_vec()).await, 415);
    assert_eq!(send("identity", b"{}".to_vec()).await, 400);
    let wrong_seq = serde_json::to_vec(&report(2)).unwrap();
    assert_eq!(send("identity", wrong_seq).await, 400, "the signed number is another");

    let mut announced = check_in(&key, &id, 1);
    announced.headers.push(("content-length", "999999999".into()));
    assert_eq!(problem(collector.send(announced.request()).await).await.status, 413);
}
