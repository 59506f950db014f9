//! A fleet of two halves, and accounts that see one of them: every route asked as every role for
//! what is in its own half and for what is in the other.

use std::path::Path;

use rollcall_shared::api::provider::ProviderConfig;
use rollcall_shared::api::token::EnrollmentToken;
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::api::webhook::WebhookRequest;
use rollcall_shared::section::{Section, Software, System};
use rollcall_shared::time::DAY_MS;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::http::client::percent_encode;
use crate::job::evaluate::tests::{START, report};
use crate::job::{evaluate, load};
use crate::store::device::DeviceKey;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use crate::store::token::NewTokenRow;

mod alike;
mod assignment;
mod rights;

/// Stands in every name of the other half, and nowhere else.
const MARK: &str = "fremdling";
/// Long after the last report: every device is missing.
const LATER: Timestamp = Timestamp(START.0 + 100 * DAY_MS);

/// One half of the fleet, with something of everything.
#[derive(Debug, Clone)]
struct Half {
    /// What stands in every name.
    word: &'static str,
    site: i64,
    department: i64,
    device: DeviceId,
    key: DeviceKey,
    finding: i64,
    decision: i64,
    token: i64,
    /// An account that sees this half, one of its API tokens and of its exports.
    account: i64,
    api_token: i64,
    receipt: i64,
}

/// A collector over the tables of a fleet.
struct World {
    app: App,
    router: Router,
    folder: tempfile::TempDir,
}

/// The tables that worlds are copied from.
struct Template {
    folder: tempfile::TempDir,
    own: Half,
    other: Option<Half>,
}

fn by() -> By {
    By::new("test", START)
}

fn decision(at: Timestamp) -> Decision {
    let (kind, evidence) = (DecisionKind::Enrolled, "a test".to_owned());
    Decision { at, kind, evidence, other: None, actor: None }
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("test.db").display())
}

impl World {
    async fn over(folder: tempfile::TempDir) -> Self {
        let store = Store::open(&url(folder.path())).await.unwrap();
        store.seal_with(SealKey::random(), LATER).await.unwrap();
        let app = App::new(Inner {
            store,
            fleet: Fleet::default(),
            clock: Clock::test(LATER),
            public_url: "https://127.0.0.1:8443".into(),
            ca_digest: None,
            outgoing: crate::outgoing::Outgoing::default(),
            guard: Guard::default(),
            past_being_told: Arc::default(),
        });
        load::load(&app).await.unwrap();
        Self { router: router(app.clone()), app, folder }
    }

    /// Makes one half; `number` tells its devices from those of the other.
    async fn half(&self, number: u8, word: &'static str) -> Half {
        let store = &self.app.store;
        let name = |what: &str| format!("{what}-{word}");
        let site = store.create_unit(UnitKind::Site, &name("site"), &by()).await.unwrap();
        let department = name("department");
        let department = store.create_unit(UnitKind::Department, &department, &by()).await.unwrap();
        let new = NewDevice {
            id: DeviceId(uuid::Uuid::from_u128(u128::from(number) << 64)),
            public_key: [number; 32],
            hostname: name("pc"),
            hardware_ids: HardwareIds::default(),
            pending: false,
            demo: false,
        };
        let device = new.id;
        let grant =
            TokenGrant { site: Some(site), department: Some(department), ..TokenGrant::default() };
        let enrolled = store.enroll(&Permission::Grant(grant), new, &decision(START)).await;
        let row = enrolled.unwrap().unwrap();
        self.app.fleet.row_changed(&row);
        let title = Software {
            source: "dpkg".into(),
            name: name("title"),
            version: "1.0".into(),
            ..Software::default()
        };
        let both = Software { name: "everywhere".into(), ..title.clone() };
        for day in 0..3 {
            let at = START.plus_ms(day * DAY_MS);
            let version = format!("{day}.0");
            let hostname = name("pc");
            let sections = [
                Section::System(System {
                    hostname,
                    model: Some(name("model")),
                    ..System::default()
                }),
                Section::Software(vec![both.clone(), Software { version, ..title.clone() }]),
            ];
            let seq = u64::try_from(day).unwrap() + 1;
            report(&self.app, row.key, seq, at, &sections).await;
        }
        let token = NewTokenRow {
            digest: Secret::random("").unwrap().digest(),
            site: Some(site),
            department: Some(department),
            token: EnrollmentToken {
                id: 0,
                label: name("token"),
                site: Some(name("site")),
                department: Some(name("department")),
                created_at: LATER,
                created_by: "test".into(),
                expires_at: LATER.plus_ms(DAY_MS),
                uses_allowed: None,
                uses: 0,
                needs_approval: false,
                allows_reenrollment: false,
                revoked_at: None,
            },
        };
        let token = store.create_token(&token).await.unwrap().id;
        let scope = Scope::of(Some([site].into()), Some([department].into()));
        let account = name("person");
        let account = store.create_account_within(&account, Role::It, "none", &scope, &by()).await;
        let account = account.unwrap();
        let api_token = self.api_token(account, &name("person"), &name("api-token")).await;
        let entry = By::new(name("person"), START).did("export", name("devices.csv"), "");
        let receipt = store.audit(&entry).await.unwrap().number;
        Half {
            word,
            site,
            department,
            device,
            key: row.key,
            finding: 0,
            decision: store.decisions(row.key).await.unwrap()[0].id,
            token,
            account,
            api_token,
            receipt,
        }
    }

    /// Judges the fleet, and gives the number of the finding of each half.
    async fn judged(&self, halves: &mut [&mut Half]) {
        self.app.store.flush().await.unwrap();
        evaluate::sweep(&self.app, LATER).await.unwrap();
        for half in halves {
            let found = self.app.store.findings_of(half.key, LATER).await.unwrap();
            half.finding = found[0].id;
        }
    }

    async fn api_token(&self, account: i64, name: &str, label: &str) -> i64 {
        let token = crate::store::api_token::NewApiTokenRow {
            digest: Secret::random("").unwrap().digest(),
            label: label.to_owned(),
            role: Role::Helpdesk,
            account,
            account_name: name.to_owned(),
            created_at: LATER,
            expires_at: LATER.plus_ms(DAY_MS),
            read_only: false,
        };
        self.app.store.create_api_token(&token).await.unwrap().id
    }

    /// The account of this role that sees one half, or everything.
    async fn account(&self, role: Role, limited: bool) -> i64 {
        let name = account_name(role, limited);
        self.app.store.account_by_name(&name).await.unwrap().unwrap().account.id
    }

    /// The cookie of a new session.
    async fn session(&self, account: i64) -> String {
        let secret = Secret::random("").unwrap();
        let session = NewSession {
            id: secret.digest(),
            account,
            created_at: LATER,
            expires_at: LATER.plus_ms(HOUR_MS),
            client: String::new(),
            awaits: None,
        };
        self.app.store.create_session(&session, None).await.unwrap();
        format!("__Host-rollcall={}", secret.reveal())
    }

    /// Asks as a person who is signed in; status, where it leads, text.
    async fn ask(&self, cookie: &str, method: &str, path: &str, sent: &Sent) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header(COOKIE, cookie);
        let request = request.header("sec-fetch-site", "same-origin");
        let (kind, body) = match sent {
            Sent::Nothing => ("", String::new()),
            Sent::Json(value) => ("application/json", value.to_string()),
            Sent::Form(pairs) => {
                let pair = |(name, value): &(String, String)| {
                    format!("{}={}", percent_encode(name), percent_encode(value))
                };
                let form: Vec<String> = pairs.iter().map(pair).collect();
                ("application/x-www-form-urlencoded", form.join("&"))
            }
        };
        let request = request.header(CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, text(answer).await)
    }
}

fn account_name(role: Role, limited: bool) -> String {
    format!("{}-{}", if limited { "limited" } else { "whole" }, role.as_str())
}

/// What a request carries.
#[derive(Debug, Clone)]
enum Sent {
    Nothing,
    Json(Value),
    Form(Vec<(String, String)>),
}

impl Template {
    /// Both halves, or only the own one.
    async fn new(both: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::over(tempfile::tempdir().unwrap()).await;
        let mut own = world.half(1, "here").await;
        for role in Role::ALL {
            let scope = Scope::of(Some([own.site].into()), Some([own.department].into()));
            for (limited, scope) in [(false, Scope::whole()), (true, scope)] {
                let name = account_name(*role, limited);
                let store = &world.app.store;
                let made = store.create_account_within(&name, *role, "none", &scope, &by()).await;
                let account = made.unwrap();
                world.api_token(account, &name, "own").await;
                let entry = By::new(name, START).did("export", "devices.csv", "");
                store.audit(&entry).await.unwrap();
            }
        }
        let provider = ProviderConfig { name: "provider".to_owned(), ..ProviderConfig::default() };
        let secret = Secret::presented("secret".to_owned());
        world.app.store.create_provider(&provider, &secret, &by()).await.unwrap();
        let person = world.account(Role::It, false).await;
        world.app.store.link_identity(&provider.issuer, "new", person, &by()).await.unwrap();
        let webhook = WebhookRequest { label: "webhook".to_owned(), ..WebhookRequest::default() };
        world.app.store.create_webhook(&webhook, &secret, &by()).await.unwrap();
        let mut other = None;
        if both {
            other = Some(world.half(2, MARK).await);
        }
        let mut halves: Vec<&mut Half> = std::iter::once(&mut own).chain(other.as_mut()).collect();
        world.judged(&mut halves).await;
        // A decision about two devices tells of both.
        if let Some(other) = &other {
            let looks = Decision {
                kind: DecisionKind::LooksLike,
                evidence: format!("the serial of pc-{MARK}"),
                other: Some(other.key),
                ..decision(START)
            };
            world.app.store.note_decision(own.key, &looks).await.unwrap();
        }
        world.app.store.flush().await.unwrap();
        for entry in std::fs::read_dir(world.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        Self { folder, own, other }
    }

    async fn world(&self) -> World {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        World::over(folder).await
    }
}

/// What stands for `{…}` in a path, of this half. `None`: the path names nothing of a half.
fn named(path: &str, half: &Half, receipt: i64, api_token: i64) -> Option<String> {
    let fill = |name: &str, value: String| Some(path.replace(name, &value));
    if path.contains("/devices/{id}") {
        let path = path.replace("{id}", &half.device.to_string());
        return Some(path.replace("{decision}", &half.decision.to_string()));
    }
    if path.contains("/findings/{id}") {
        return fill("{id}", half.finding.to_string());
    }
    if path.contains("/enrollment-tokens/{id}") || path.contains("/enroll/{id}") {
        return fill("{id}", half.token.to_string());
    }
    if path.contains("/accounts/{id}") {
        return fill("{id}", half.account.to_string());
    }
    if path.contains("/units/{id}") {
        return fill("{id}", half.site.to_string());
    }
    if path.contains("tokens/{id}") {
        return fill("{id}", api_token.to_string());
    }
    if path.contains("{number}") {
        return fill("{number}", receipt.to_string());
    }
    if path.contains("{source}/{name}") {
        return Some(path.replace("{source}/{name}", &format!("dpkg/title-{}", half.word)));
    }
    if path == "/software/title" {
        return Some(format!("{path}?source=dpkg&name=title-{}", half.word));
    }
    None
}

/// The path with the number of what belongs to no half: there is one provider and one webhook.
fn common(path: &str) -> String {
    let of_none = path.contains("/providers/")
        || path.contains("/sign-in-providers/")
        || path.contains("/webhooks/");
    if of_none { path.replace("{id}", "1") } else { path.to_owned() }
}

/// The body of what belongs to no half.
fn outside(path: &str) -> Value {
    match path {
        "/api/v1/sign-in-providers" | "/api/v1/sign-in-providers/{id}" => json!({ "config": {
            "name": "new", "issuer": "https://login.example.org", "client_id": "new",
            "groups_claim": "groups", "group_roles": [], "enabled": true,
        } }),
        "/api/v1/sign-in-providers/{id}/identities" => {
            json!({ "account": "whole-it", "subject": "new" })
        }
        _ => json!({
            "label": "new", "url": "https://hooks.example.org/", "kinds": ["device_missing"],
        }),
    }
}

/// What a request to this route must carry to be understood. Whoever adds a route that is written
/// to says so here.
fn sent(method: &str, path: &str, half: &Half) -> Sent {
    let (site, department) = (format!("site-{}", half.word), format!("department-{}", half.word));
    let form = |pairs: &[(&str, &str)]| {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Sent::Form(pairs.iter().map(pair).collect())
    };
    let where_to = [("site", site.as_str()), ("department", department.as_str())];
    let (site_id, department_id) = (half.site.to_string(), half.department.to_string());
    let until = LATER.plus_ms(9 * DAY_MS).date();
    match (method, path) {
        ("GET" | "DELETE", _) => Sent::Nothing,
        (_, "/api/v1/enrollment-tokens") => {
            Sent::Json(json!({ "label": "new", "site": site, "department": department }))
        }
        (_, "/api/v1/api-tokens") => Sent::Json(json!({ "label": "new" })),
        (_, "/api/v1/devices/{id}/asset") => {
            Sent::Json(json!({ "site": site, "department": department }))
        }
        (_, "/api/v1/devices/{id}/note") => Sent::Json(json!({ "text": "new" })),
        (_, "/api/v1/findings/{id}/waive") => Sent::Json(json!({ "reason": "known" })),
        (
            _,
            "/api/v1/sign-in-providers"
            | "/api/v1/sign-in-providers/{id}"
            | "/api/v1/sign-in-providers/{id}/identities"
            | "/api/v1/webhooks"
            | "/api/v1/webhooks/{id}",
        ) => Sent::Json(outside(path)),
        (_, "/api/v1/units") => Sent::Json(json!({ "kind": "site", "name": "new" })),
        (_, "/api/v1/units/{id}") => Sent::Json(json!({ "name": "new" })),
        (_, "/api/v1/unit-rules" | "/api/v1/unit-rules/preview") => {
            Sent::Json(json!({ "rules": [] }))
        }
        (
            _,
            "/api/v1/devices/{id}/approve"
            | "/api/v1/devices/{id}/merge"
            | "/api/v1/devices/{id}/retire"
            | "/api/v1/devices/{id}/decisions/{decision}/undo"
            | "/api/v1/findings/{id}/unwaive"
            | "/api/v1/policy"
            | "/api/v1/policy/preview"
            | "/api/v1/sign-in-providers/{id}/test"
            | "/api/v1/webhooks/{id}/test"
            | "/api/v1/doctor/rebuild",
        ) => Sent::Json(json!({})),
        (_, "/devices/{id}/asset") => form(&where_to),
        (_, "/devices/{id}/notes") => form(&[("notes", "new")]),
        (_, "/findings/{id}/waive") => form(&[("reason", "known"), ("until", &until)]),
        (_, "/enroll") => {
            let all = [("label", "new"), ("days", "7"), ("uses", "1"), ("once", "1")];
            form(&[&all[..], &where_to[..]].concat())
        }
        (_, "/accounts") => form(&[("name", "new"), ("role", "helpdesk"), ("once", "1")]),
        (_, "/accounts/{id}/role") => form(&[("role", "auditor")]),
        (_, "/accounts/{id}/reset") => form(&[("once", "1")]),
        (_, "/accounts/{id}/scope") => form(&[
            ("limit_site", "some"),
            ("site", &site_id),
            ("limit_department", "some"),
            ("department", &department_id),
        ]),
        (_, "/units") => form(&[("kind", "site"), ("name", "new")]),
        (_, "/units/{id}/rename" | "/providers" | "/providers/{id}") => form(&[("name", "new")]),
        (_, "/providers/{id}/link" | "/providers/{id}/unlink") => {
            form(&[("account", "whole-it"), ("subject", "new")])
        }
        (_, "/webhooks" | "/webhooks/{id}") => form(&[("label", "new"), ("once", "1")]),
        (_, "/units/rules") => form(&[("rules", ""), ("do", "save")]),
        (_, "/settings") => form(&[("do", "save")]),
        (_, "/account/tokens") => {
            form(&[("label", "new"), ("role", "helpdesk"), ("days", "1"), ("once", "1")])
        }
        (_, "/account/password") => {
            form(&[("present", PASSWORD), ("password", PASSWORD), ("again", PASSWORD)])
        }
        (
            _,
            "/devices/{id}/approve"
            | "/devices/{id}/merge"
            | "/devices/{id}/retire"
            | "/devices/{id}/unretire"
            | "/devices/{id}/decisions/{decision}/undo"
            | "/findings/{id}/unwaive"
            | "/enroll/{id}/revoke"
            | "/accounts/{id}/disable"
            | "/accounts/{id}/enable"
            | "/units/{id}/delete"
            | "/account/second-factor"
            | "/account/second-factor/off"
            | "/account/second-factor/codes"
            | "/account/sessions/end"
            | "/account/tokens/{id}/revoke"
            | "/providers/{id}/test"
            | "/providers/{id}/delete"
            | "/webhooks/{id}/test"
            | "/webhooks/{id}/delete"
            | "/sign-out",
        ) => form(&[]),
        _ => panic!("what does {method} {path} carry? say it here"),
    }
}
