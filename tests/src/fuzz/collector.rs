//! Targets with a collector in this process: its routes and its tables, without a listener.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use rollcall_collector::app::{App, Inner};
use rollcall_collector::clock::Clock;
use rollcall_collector::fleet::Fleet;
use rollcall_collector::http::{Guard, router};
use rollcall_collector::ingest::{self, Refusal};
use rollcall_collector::seal::SealKey;
use rollcall_collector::secret::Secret;
use rollcall_collector::store::Store;
use rollcall_collector::store::api_token::NewApiTokenRow;
use rollcall_collector::store::audit::By;
use rollcall_collector::store::device::DeviceKey;
use rollcall_collector::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use rollcall_shared::api::account::Role;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::report::CheckIn;
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Digest, HardwareIds, Timestamp};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

struct Running {
    runtime: Runtime,
    app: App,
    router: Router,
    device: DeviceKey,
    bearer: String,
    _folder: tempfile::TempDir,
}

/// One for the whole process: what one input leaves behind, the next one meets.
static RUNNING: LazyLock<Mutex<Running>> = LazyLock::new(|| Mutex::new(Running::start()));

impl Running {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let folder = tempfile::tempdir().expect("a folder for the tables");
        let url = format!("sqlite:{}", folder.path().join("fuzz.db").display());
        let (app, device, bearer) = runtime.block_on(async {
            let store = Store::open(&url).await.expect("the tables can be made");
            let key = SealKey::open(&folder.path().join("secret.key")).expect("a key can be made");
            store.seal_with(key, NOW).await.expect("nothing is sealed with another");
            let app = App::new(Inner {
                store,
                fleet: Fleet::default(),
                clock: Clock::test(NOW),
                public_url: "https://127.0.0.1:8443".to_owned(),
                ca_digest: None,
                outgoing: rollcall_collector::outgoing::Outgoing::default(),
                guard: Guard::default(),
                past_being_told: Arc::default(),
            });
            let device = enrolled(&app).await;
            rollcall_collector::job::load::load(&app).await.expect("the fleet is read");
            let bearer = bearer(&app).await;
            (app, device, bearer)
        });
        Self { router: router(app.clone()), runtime, app, device, bearer, _folder: folder }
    }
}

async fn enrolled(app: &App) -> DeviceKey {
    let new = NewDevice {
        id: DeviceId(uuid::Uuid::from_u128(7)),
        public_key: [7; 32],
        hostname: "lt-0042".to_owned(),
        hardware_ids: HardwareIds::default(),
        pending: false,
        demo: false,
    };
    let decision = Decision {
        at: NOW,
        kind: DecisionKind::Enrolled,
        evidence: String::new(),
        other: None,
        actor: None,
    };
    let permission = Permission::Grant(TokenGrant::default());
    let made = app.store.enroll(&permission, new, &decision).await.expect("the tables answer");
    made.expect("it is let in").key
}

async fn bearer(app: &App) -> String {
    let by = By::new("fuzz", NOW);
    let account = app.store.create_account("anna", Role::Admin, "none", &by).await;
    let secret = Secret::random("rcl_api_").expect("there is randomness");
    let token = NewApiTokenRow {
        digest: secret.digest(),
        label: "fuzz".to_owned(),
        role: Role::Admin,
        account: account.expect("an account is made").id,
        account_name: "anna".to_owned(),
        created_at: NOW,
        expires_at: NOW.plus_ms(365 * DAY_MS),
        read_only: false,
    };
    app.store.create_api_token(&token).await.expect("a token is made");
    format!("Bearer {}", secret.reveal())
}

/// A report in JSON from a device whose signature was right, through everything that is done with
/// it. Each body's digest is set right first, as a hostile device would.
pub fn stored(data: &[u8]) {
    let Ok(mut check_in) = serde_json::from_slice::<CheckIn>(data) else { return };
    for state in check_in.sections.values_mut() {
        if let Some(body) = &state.body {
            state.digest = Some(Digest::of(body.get().as_bytes()));
        }
    }
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = running.runtime.block_on(ingest::check_in(&running.app, running.device, check_in));
    if let Err(Refusal::Store(error)) = answer {
        panic!("a report made the tables fail: {error:?}");
    }
}

/// A request: method and address, headers a line each, an empty line, the body. `@` in front lends
/// it the API token of an administrator.
pub fn request(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (trusted, text) = text.strip_prefix('@').map_or((false, &*text), |rest| (true, rest));
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, uri) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("GET", "/"));
    // As the listener hands them on: beginning with a slash.
    if !uri.starts_with('/') {
        return;
    }
    let mut request = Request::builder().method(method).uri(uri).header("host", "x");
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever revokes the token it asks with asks no more.
    if trusted && !uri.contains("api-tokens") {
        request = request.header("authorization", &running.bearer);
    }
    let Ok(request) = request.body(Body::from(body.to_owned())) else { return };
    let answer = running.runtime.block_on(running.router.clone().oneshot(request));
    let status = answer.map_or(StatusCode::OK, |answer| answer.status());
    assert!(
        !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE,
        "answered {status}: {text}"
    );
}
