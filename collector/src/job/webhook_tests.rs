//! Webhooks against a receiver of these tests, on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::webhook::WebhookRequest;
use rollcall_shared::time::{DAY_MS, SECOND_MS};

use super::*;
use crate::app::Inner;
use crate::clock::Clock;
use crate::demo::DemoDevice;
use crate::fleet::Fleet;
use crate::http::Guard;
use crate::outgoing::{Allowed, Outgoing};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use crate::store::testing::{colleague, run, store_test};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const SECRET: &str = "rcl_whk_secret";

/// What came, and what to answer with next; then 204.
#[derive(Default)]
struct Received {
    came: Vec<(HeaderMap, Vec<u8>)>,
    answers: VecDeque<u16>,
}

type Shared = Arc<Mutex<Received>>;

async fn take(State(received): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut received = received.lock().unwrap();
    received.came.push((headers, body.to_vec()));
    StatusCode::from_u16(received.answers.pop_front().unwrap_or(204)).unwrap()
}

struct Receiver {
    url: String,
    received: Shared,
    task: tokio::task::JoinHandle<()>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let received = Shared::default();
        let router = Router::new().route("/hook", post(take)).with_state(Arc::clone(&received));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, received, task }
    }

    fn answer(&self, statuses: &[u16]) {
        self.received.lock().unwrap().answers.extend(statuses);
    }

    /// The kinds and ids that came since the last call, each signature held.
    fn came(&self) -> Vec<(String, String)> {
        let came = std::mem::take(&mut self.received.lock().unwrap().came);
        let one = |(headers, body): (HeaderMap, Vec<u8>)| {
            let of = |name: &str| headers[name].to_str().unwrap().to_owned();
            let seconds: i64 = of("x-rollcall-timestamp").parse().unwrap();
            assert_eq!(of("x-rollcall-signature"), signature(SECRET, seconds, &body));
            let event: WebhookEvent = serde_json::from_slice(&body).unwrap();
            assert_eq!(event.id, of("x-rollcall-delivery"));
            assert_eq!(event.kind.as_str(), of("x-rollcall-event"));
            (event.kind.as_str().to_owned(), event.id)
        };
        came.into_iter().map(one).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.came().into_iter().map(|(kind, _)| kind).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn app(store: Store, clock: Clock) -> App {
    App::new(Inner {
        store,
        fleet: Fleet::default(),
        clock,
        public_url: "https://rollcall.example".to_owned(),
        ca_digest: None,
        outgoing: Outgoing::new(Allowed::parse(&["http://127.0.0.1".to_owned()]).unwrap()),
        guard: Guard::default(),
        past_being_told: Arc::default(),
    })
}

async fn listen(app: &App, url: &str, kinds: &[EventKind]) -> i64 {
    let request = WebhookRequest {
        label: "tickets".to_owned(),
        url: url.to_owned(),
        kinds: kinds.to_vec(),
        disabled: false,
    };
    let by = By::new("clara", app.clock.now());
    app.store.create_webhook(&request, &Secret::presented(SECRET), &by).await.unwrap()
}

async fn enrol(app: &App, number: u64) {
    let demo = DemoDevice::new(number, NOW);
    let new = NewDevice {
        id: demo.id(),
        public_key: demo.public_key(),
        hostname: demo.hostname(NOW),
        hardware_ids: demo.hardware_ids(),
        pending: false,
        demo: false,
    };
    let kind = DecisionKind::Enrolled;
    let at = app.clock.now();
    let decision = Decision { at, kind, evidence: "a test".to_owned(), other: None, actor: None };
    let permission = Permission::Grant(TokenGrant::default());
    app.store.enroll(&permission, new, &decision).await.unwrap().unwrap();
}

/// Takes turns until there is nothing to do.
async fn work(app: &App) {
    while turn(app).await.unwrap() {}
}

store_test!(what_happens_arrives_once_signed_and_in_order, |store| {
    let app = app(store, Clock::test(NOW));
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    listen(&app, &receiver.url, EventKind::ALL).await;
    listen(&app, &other.url, &[EventKind::DeviceConflict]).await;
    enrol(&app, 1).await;
    enrol(&app, 2).await;
    work(&app).await;
    let came = receiver.came();
    assert_eq!(came.len(), 2);
    assert!(came.iter().all(|(kind, _)| kind == "device_new") && came[0].1 != came[1].1);
    assert!(other.came().is_empty(), "it did not ask for that");
    // Missing and returned are told as such, other findings as findings.
    for (rule, opened) in [("missing", 5), ("reboot_pending", 6)] {
        let open = format!(
            "INSERT INTO finding (device, rule, subject, severity, opened_at, value, threshold, \
             source, next_step, evidence, said_at) SELECT min(key), '{rule}', '', 'warning', \
             {opened}, '', '', '', '', '{{}}', {opened} FROM device"
        );
        run(&app.store, &open).await.unwrap();
    }
    work(&app).await;
    assert_eq!(receiver.kinds(), ["device_missing", "finding_opened"]);
    run(&app.store, "UPDATE finding SET closed_at = 9").await.unwrap();
    work(&app).await;
    let mut kinds = receiver.kinds();
    kinds.sort();
    assert_eq!(kinds, ["device_returned", "finding_closed"]);
    work(&app).await;
    assert!(receiver.came().is_empty(), "once");
});

store_test!(what_does_not_arrive_is_tried_again_under_the_same_id, |store| {
    let clock = Clock::test(NOW);
    let app_one = app(store, clock.clone());
    let receiver = Receiver::start().await;
    let id = listen(&app_one, &receiver.url, &[EventKind::DeviceNew]).await;
    receiver.answer(&[500, 302, 503]);
    enrol(&app_one, 1).await;
    enrol(&app_one, 2).await;
    let mut ids = Vec::new();
    for wait_s in [30, 60, 120] {
        work(&app_one).await;
        let came = receiver.came();
        assert_eq!(came.len(), 1, "the next waits behind it");
        ids.push(came[0].1.clone());
        clock.advance_ms((wait_s - 1) * SECOND_MS);
        work(&app_one).await;
        assert!(receiver.came().is_empty(), "not before {wait_s} s");
        clock.advance_ms(SECOND_MS);
    }
    // A restart, and another collector beside it: one of them sends.
    let restarted = app(colleague(&app_one.store).await, clock.clone());
    app_one.store.give_leases().await.unwrap();
    work(&restarted).await;
    work(&app_one).await;
    let came = receiver.came();
    assert_eq!(came.len(), 2);
    ids.push(came[0].1.clone());
    assert!(ids.iter().all(|one| *one == ids[0]), "{ids:?}");
    enrol(&app_one, 3).await;
    work(&app_one).await;
    assert!(receiver.came().is_empty(), "the other holds the lease");
    work(&restarted).await;
    assert_eq!(receiver.came().len(), 1);
    let webhook = restarted.store.webhook(id).await.unwrap().unwrap().webhook;
    assert_eq!((webhook.failing_since, webhook.waiting), (None, 0));
    let listed = restarted.store.deliveries(id, 9).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.tries).collect::<Vec<_>>(), [1, 1, 4]);
});

store_test!(a_webhook_at_which_nothing_arrives_is_switched_off, |store| {
    let clock = Clock::test(NOW);
    let app = app(store, clock.clone());
    let receiver = Receiver::start().await;
    let id = listen(&app, &receiver.url, &[EventKind::DeviceNew]).await;
    receiver.answer(&[422; 5]);
    enrol(&app, 1).await;
    enrol(&app, 2).await;
    for _ in 0..5 {
        work(&app).await;
        clock.advance_ms(DAY_MS / 4);
    }
    let last = receiver.came();
    assert_eq!(last.len(), 6, "the first is left out after five refusals, the second arrives");
    let listed = app.store.deliveries(id, 9).await.unwrap();
    assert_eq!(listed[1].delivered, Some(false));
    assert_eq!(listed[0].delivered, Some(true));
    receiver.task.abort();
    enrol(&app, 3).await;
    for _ in 0..20 {
        work(&app).await;
        clock.advance_ms(DAY_MS / 4);
    }
    let webhook = app.store.webhook(id).await.unwrap().unwrap().webhook;
    assert!(webhook.disabled_at.is_some(), "{webhook:?}");
    assert!(webhook.disabled_why.unwrap().contains("three days"));
    let newest = app.store.newest_audit_entries(1).await.unwrap();
    assert_eq!(newest[0].action, "webhook_switched_off");
    enrol(&app, 4).await;
    assert!(app.store.events(9).await.unwrap().is_empty(), "nobody listens any more");
});

store_test!(webhooks_go_through_the_guard, |store| {
    let app = app(store, Clock::test(NOW));
    // What was allowed when it was made may be forbidden, or lead elsewhere, when it is called.
    for url in ["https://169.254.169.254/", "http://[::1]:1/", "https://10.0.0.1/"] {
        let id = listen(&app, url, &[EventKind::DeviceNew]).await;
        let row = app.store.webhook(id).await.unwrap().unwrap();
        let tried = test(&app, &row).await.unwrap();
        assert!(tried.status.is_none() && tried.said.contains("was not called"), "{tried:?}");
        let kept = app.store.deliveries(id, 1).await.unwrap();
        assert_eq!((kept[0].delivered, kept[0].kind), (Some(false), EventKind::Test));
    }
});
