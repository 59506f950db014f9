//! One month of one fleet, told to a collector on SQLite and to one on PostgreSQL: every answer of
//! every operation that reads is the same to the byte.
//!
//! The questions are made from the table of operations: a route or parameter that nobody thought of
//! here fails the test. Ids, keys and clocks are the same on both sides, secrets are never answered,
//! so nothing is left out of the comparison but what the doctor says of the database itself (its
//! kind, its disk, its backups). PostgreSQL is told to order texts as most servers in
//! the field do, otherwise than SQLite.

use std::collections::BTreeSet;

use rollcall_shared::api::account::Role;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::api::unit::UnitKind;
use rollcall_shared::report::{CheckIn, SectionState};
use rollcall_shared::section::{Section, System};
use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use rollcall_shared::{Digest, Timestamp};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::testing::{Api, encoded};
use crate::demo::{DemoDevice, Reports};
use crate::http::client::percent_encode;
use crate::http::openapi;
use crate::job::{evaluate, load};
use crate::seal::SealKey;
use crate::store::Store;
use crate::store::audit::By;
use crate::store::device::DeviceKey;
use crate::store::enroll::{Decision, NewDevice, Permission, TokenGrant};

const END: Timestamp = Timestamp(1_795_000_000_000);
const DAYS: i64 = 31;
const DEVICES: u64 = 9;

fn start() -> Timestamp {
    END.plus_ms(-DAYS * DAY_MS)
}

/// What happens in the month.
enum Event {
    Report(usize, Box<CheckIn>),
    /// A day begins: every device is judged, then people do what they do.
    Sweep(i64),
}

fn devices() -> Vec<DemoDevice> {
    (1..=DEVICES).map(|number| DemoDevice::new(number, END)).collect()
}

/// Names that databases order and fold differently where nobody sees to it.
const NAMES: [&str; 4] = ["Ärger-01", "ärger_02", "Zebra 3", "zebra-10"];

/// The report of a device at a moment, with a name and sections that databases may sort apart.
fn report(demo: &DemoDevice, at: Timestamp, seq: u64) -> CheckIn {
    let mut check_in = Reports::of(demo).next_at(at).unwrap();
    check_in.seq = seq;
    let place = usize::try_from(demo_number(demo)).unwrap();
    if let (Some(name), Some(state)) = (NAMES.get(place), check_in.sections.get_mut("system")) {
        let body = state.body.as_ref().unwrap().get();
        let system: System = serde_json::from_str(body).unwrap();
        let system = System { hostname: (*name).to_owned(), ..system };
        *state = SectionState::collected(&Section::System(system)).unwrap();
    }
    for name in ["soft_x", "z9", "a_b"] {
        let text = format!("{{\"day\":{}}}", at.since(start()).div_euclid(3 * DAY_MS));
        let state = SectionState {
            digest: Some(Digest::of(text.as_bytes())),
            body: Some(RawValue::from_string(text).unwrap().into()),
            ..SectionState::default()
        };
        check_in.sections.insert(name.to_owned(), state);
    }
    check_in
}

fn demo_number(demo: &DemoDevice) -> u64 {
    devices().iter().position(|one| one.id() == demo.id()).unwrap() as u64
}

fn month() -> Vec<(Timestamp, Event)> {
    let mut events: Vec<(Timestamp, Event)> = Vec::new();
    for (place, demo) in devices().iter().enumerate() {
        let first = start().plus_ms(i64::try_from(place).unwrap() * MINUTE_MS);
        let mut moments: BTreeSet<Timestamp> =
            demo.moments().into_iter().filter(|at| *at > first).collect();
        let last = moments.last().copied().unwrap_or(first);
        moments.insert(first);
        // Once a day in between, mostly without a change.
        let daily = (1..DAYS).map(|day| first.plus_ms(day * DAY_MS + 7 * HOUR_MS));
        moments.extend(daily.filter(|at| *at <= last));
        for (number, at) in moments.into_iter().enumerate() {
            // Every seventh report waits in the spool until after the next day's.
            let late = number > 0 && number % 7 == place % 7;
            let sent = if late { at.plus_ms(DAY_MS + HOUR_MS) } else { at };
            let mut check_in = report(demo, at, number as u64 + 1);
            check_in.sent_at = sent;
            if sent <= END {
                events.push((sent, Event::Report(place, Box::new(check_in))));
            }
        }
    }
    events.extend((0..=DAYS).map(|day| (start().plus_ms(day * DAY_MS), Event::Sweep(day))));
    events.sort_by_key(|(at, _)| *at);
    events
}

async fn enroll(api: &Api, demo: &DemoDevice, at: Timestamp) -> DeviceKey {
    let new = NewDevice {
        id: demo.id(),
        public_key: demo.public_key(),
        hostname: demo.hostname(at),
        hardware_ids: demo.hardware_ids(),
        pending: false,
        demo: true,
    };
    let kind = DecisionKind::Enrolled;
    let decision = Decision { at, kind, evidence: "a test".to_owned(), other: None, actor: None };
    let (store, by) = (&api.app.store, By::new("demo", at));
    let site = store.need_unit(UnitKind::Site, demo.site(), &by).await.unwrap();
    let named = store.need_unit(UnitKind::Department, demo.department, &by).await.unwrap();
    let department = demo_number(demo).is_multiple_of(2).then_some(named);
    let grant = TokenGrant { site: Some(site), department, ..TokenGrant::default() };
    let row = api.app.store.enroll(&Permission::Grant(grant), new, &decision).await.unwrap();
    let row = row.unwrap();
    api.app.fleet.row_changed(&row);
    row.key
}

async fn act(api: &Api, method: &str, path: &str, body: Value) {
    let answer = api.call(method, path, Some(Role::It), Some(&body)).await;
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
}

async fn make_provider(api: &Api) {
    let lines = json!([{ "group": "Ä", "role": "it" }, { "group": "a", "role": "admin" }]);
    let config = json!({
        "name": "Büro", "issuer": "https://login.example.org", "client_id": "rollcall",
        "groups_claim": "groups", "enabled": true,
        "group_roles": lines,
    });
    let body = json!({ "config": config, "client_secret": "secret" });
    let path = "/api/v1/sign-in-providers";
    let made = api.call("POST", path, Some(Role::Admin), Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for (account, subject) in [("it", "Z-1"), ("helpdesk", "a-2"), ("it", "a-3")] {
        let body = json!({ "account": account, "subject": subject });
        let path = format!("{path}/1/identities");
        let made = api.call("POST", &path, Some(Role::Admin), Some(&body)).await;
        assert_eq!(made.status, 204, "{}", made.text);
    }
}

async fn make_webhook(api: &Api) {
    // Switched off: delivery ids are random.
    let body = json!({
        "label": "Büro", "url": "https://hooks.example.org/x", "disabled": true,
        "kinds": ["device_missing", "finding_opened"],
    });
    let path = "/api/v1/webhooks";
    let made = api.call("POST", path, Some(Role::Admin), Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

/// What people do on a day.
async fn people(api: &Api, keys: &[DeviceKey], day: i64) {
    let now = api.app.clock.now();
    let path = |place: usize| format!("/api/v1/devices/{}", devices()[place].id());
    match day {
        1 => {
            for (kind, name) in
                [("site", "Köln"), ("site", "Zürich"), ("department", "IT"), ("site", "Ärger")]
            {
                let body = json!({ "kind": kind, "name": name });
                let made = api.call("POST", "/api/v1/units", Some(Role::It), Some(&body)).await;
                assert!(matches!(made.status, 201 | 409), "{}", made.text);
            }
            for label in ["Büro", "büro"] {
                let body = json!({ "label": label, "site": "Köln", "valid_days": 60 });
                act(api, "POST", "/api/v1/enrollment-tokens", body).await;
            }
            act(api, "DELETE", "/api/v1/enrollment-tokens/1", json!({})).await;
        }
        3 => {
            let asset = json!({ "asset_tag": "Ä-100", "site": "Zürich", "department": "IT" });
            act(api, "PUT", &format!("{}/asset", path(1)), asset).await;
            act(api, "PUT", &format!("{}/asset", path(2)), json!({ "asset_tag": "a-100" })).await;
        }
        5 | 20 => {
            let open = api.get(Role::Helpdesk, "/api/v1/findings?limit=3").await.json;
            for finding in open["items"].as_array().unwrap() {
                let until = now.plus_ms(9 * DAY_MS).to_string();
                let body = json!({ "reason": format!("known since day {day}"), "until": until });
                act(api, "POST", &format!("/api/v1/findings/{}/waive", finding["id"]), body).await;
            }
        }
        4 => {
            let asset = json!({ "asset_tag": "B-200", "site": "Zürich", "department": "IT" });
            act(api, "PUT", &format!("{}/asset", path(1)), asset).await;
        }
        7 => {
            let units = api.get(Role::It, "/api/v1/units").await.json["items"].clone();
            let id = |name: &str| {
                let one = units.as_array().unwrap().iter().find(|one| one["name"] == name);
                one.unwrap()["id"].clone()
            };
            let rules = json!({ "rules": [
                { "unit": id("Köln"), "test": "hostname", "pattern": "ÄRGER*" },
                { "unit": id("IT"), "test": "subnet", "pattern": "10.0.0.0/8" },
            ] });
            act(api, "PUT", "/api/v1/unit-rules", rules).await;
            let path = format!("/api/v1/units/{}", id("Ärger"));
            act(api, "PUT", &path, json!({ "name": "ärger" })).await;
            act(api, "DELETE", &format!("{path}?move_to={}", id("Köln")), json!({})).await;
        }
        6 => {
            let note = json!({ "text": "Straße 5, 'second' floor" });
            act(api, "PUT", &format!("{}/note", path(1)), note).await;
        }
        11 => make_provider(api).await,
        9 => make_webhook(api).await,
        8 => {
            let body = json!({ "reason": "sold" });
            act(api, "POST", &format!("{}/retire", path(5)), body).await;
        }
        10 => {
            let policy = json!({ "missing_after_days": { "laptop": 2, "desktop": 2 } });
            act(api, "PUT", "/api/v1/policy", policy).await;
        }
        12 => {
            let waived = api.get(Role::Helpdesk, "/api/v1/findings?state=waived").await.json;
            let id = &waived["items"][0]["id"];
            act(api, "POST", &format!("/api/v1/findings/{id}/unwaive"), json!({})).await;
        }
        14 => {
            for (number, like) in [(101, keys[4]), (102, keys[6]), (103, keys[7])] {
                let newcomer = DemoDevice::new(number, END);
                let decision = Decision {
                    at: now,
                    kind: DecisionKind::LooksLike,
                    evidence: "the same serial".to_owned(),
                    other: Some(like),
                    actor: None,
                };
                let new = NewDevice {
                    id: newcomer.id(),
                    public_key: newcomer.public_key(),
                    hostname: format!("new-{number}"),
                    hardware_ids: devices()[4].hardware_ids(),
                    pending: true,
                    demo: false,
                };
                let permission = Permission::Grant(TokenGrant::default());
                let row = api.app.store.enroll(&permission, new, &decision).await.unwrap();
                api.app.fleet.row_changed(&row.unwrap());
            }
        }
        16 => {
            let path = |number| format!("/api/v1/devices/{}", DemoDevice::new(number, END).id());
            act(api, "POST", &format!("{}/merge", path(101)), json!({})).await;
            act(api, "POST", &format!("{}/approve", path(102)), json!({})).await;
        }
        _ => {}
    }
}

/// A collector over this store that lived through the month.
async fn lived(store: Store, folder: tempfile::TempDir) -> Api {
    let api = Api::over(store, folder, start()).await;
    api.app.fleet.ready().await;
    let demos = devices();
    let mut keys: Vec<DeviceKey> = Vec::new();
    for demo in &demos {
        keys.push(enroll(&api, demo, start().plus_ms(-MINUTE_MS)).await);
    }
    for (at, event) in month() {
        api.app.clock.advance_ms(at.since(api.app.clock.now()));
        match event {
            Event::Report(place, check_in) => {
                let answer = crate::ingest::check_in(&api.app, keys[place], *check_in).await;
                assert!(answer.unwrap().stored);
            }
            Event::Sweep(day) => {
                api.app.store.flush().await.unwrap();
                evaluate::sweep(&api.app, at).await.unwrap();
                people(&api, &keys, day).await;
            }
        }
    }
    api.app.store.flush().await.unwrap();
    api
}

/// What a parameter of this name can be asked with. Whoever adds one says so here.
fn values(name: &str, schema: &Value, known: &Known) -> Vec<String> {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    }
    if schema["type"] == "boolean" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let list = |of: &[&str]| of.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match name {
        // The last two of the audit log.
        "as_of" | "from" | "before" => known.moments.clone(),
        "q" => {
            let odd = ["ä", "ÄRGER", "zebra", "SS", "_", "%", "!", "1", "lt nb", "köln", "ı"];
            let mut all = list(&odd);
            all.extend(known.words.iter().cloned());
            all
        }
        "limit" => list(&["1", "500"]),
        // Of the audit log.
        "action" => list(&["policy_set", "export", "nothing"]),
        "actor" => list(&["admin", "ADMIN", "%"]),
        "object" => list(&["device", "policy", "_"]),
        // Walked from page to page.
        "cursor" => Vec::new(),
        "after" => list(&["start"]),
        "profile" => list(&["raw", "spreadsheet"]),
        "os" | "model" | "manufacturer" | "site" | "department" | "user" | "rule" => {
            let key = if name == "os" { "os_name" } else { name };
            known.of(key)
        }
        "source" | "software_source" => list(&["dpkg", "rpm", "DPKG"]),
        "software" => known.titles.iter().step_by(60).map(|(_, name)| name.clone()).collect(),
        "software_version" | "software_below" => known.versions.clone(),
        _ => panic!("what is `{name}` to be asked with? add it to this list"),
    }
}

/// What one of the two knows, so that questions name things that are there.
struct Known {
    devices: Vec<Value>,
    findings: Vec<Value>,
    titles: Vec<(String, String)>,
    versions: Vec<String>,
    words: Vec<String>,
    moments: Vec<String>,
}

impl Known {
    async fn of_api(api: &Api) -> Self {
        let role = Role::Admin;
        let devices = api.get(role, "/api/v1/devices?limit=500").await.json["items"].clone();
        let devices = devices.as_array().unwrap().clone();
        let mut findings = Vec::new();
        for state in ["open", "waived", "closed"] {
            let path = format!("/api/v1/findings?limit=500&state={state}");
            findings.extend(api.walk(role, &path).await);
        }
        let titles = api.walk(role, "/api/v1/software?limit=500").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let titles: Vec<_> =
            titles.iter().map(|one| (text(&one["source"]), text(&one["name"]))).collect();
        let (source, name) = &titles[0];
        let path = format!("/api/v1/software/{}/{}", encoded(source), encoded(name));
        let detail = api.get(role, &path).await.json;
        let versions = detail["versions"].as_array().unwrap();
        let versions = versions.iter().map(|one| text(&one["version"])).take(3).collect();
        let mut words: Vec<String> = Vec::new();
        let keys = ["hostname", "serial", "user", "user_full_name", "model"];
        for (device, key) in devices.iter().step_by(2).zip(keys) {
            words.extend(device[key].as_str().map(str::to_owned));
        }
        let moments = [-1, 0, 1, 5, 11, 15, 22, DAYS]
            .map(|day| start().plus_ms(day * DAY_MS + 12 * HOUR_MS).min(END).to_string());
        Self { devices, findings, titles, versions, words, moments: moments.to_vec() }
    }

    fn of(&self, key: &str) -> Vec<String> {
        let rows = if key == "rule" { &self.findings } else { &self.devices };
        let found: BTreeSet<String> =
            rows.iter().filter_map(|row| row[key].as_str().map(str::to_owned)).collect();
        found.into_iter().collect()
    }

    /// The addresses that a path with variables stands for.
    fn addresses(&self, path: &str, described: &Value) -> Vec<String> {
        let fill = |values: Vec<String>, name: &str| -> Vec<String> {
            values.into_iter().map(|value| path.replace(name, &value)).collect()
        };
        let id = |rows: &[Value]| -> Vec<String> {
            rows.iter().map(|row| row["id"].to_string().trim_matches('"').to_owned()).collect()
        };
        if path.starts_with("/api/v1/devices/{id}") {
            return fill(id(&self.devices), "{id}");
        }
        if path.starts_with("/api/v1/findings/{id}") {
            return fill(id(&self.findings), "{id}");
        }
        if path.contains("{source}/{name}") {
            let some = self.titles.iter().step_by(30);
            let pairs = some.map(|(a, b)| format!("{}/{}", encoded(a), encoded(b))).collect();
            return fill(pairs, "{source}/{name}");
        }
        if path.contains("{file}") {
            let schema = &described["parameters"][0]["schema"];
            return fill(values("file", schema, self), "{file}");
        }
        if path.starts_with("/api/v1/sign-in-providers/{id}")
            || path.starts_with("/api/v1/webhooks/{id}")
        {
            return fill(vec!["1".to_owned(), "9".to_owned()], "{id}");
        }
        if path.contains("{number}") {
            return fill((1..60).map(|number| number.to_string()).collect(), "{number}");
        }
        assert!(!path.contains('{'), "what stands for the variables of {path}? say it here");
        vec![path.to_owned()]
    }
}

/// Every question that every operation that reads can be asked, one parameter at a time, and each
/// with a moment of the past beside it.
fn questions(known: &Known) -> Vec<String> {
    let document = openapi::document(&super::operations());
    let mut questions = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(described) = methods.get("get") else { continue };
        let empty = Vec::new();
        let parameters = described["parameters"].as_array().unwrap_or(&empty);
        let asked: Vec<(String, Vec<String>, bool)> = parameters
            .iter()
            .filter(|one| one["in"] == "query")
            .map(|one| {
                let name = one["name"].as_str().unwrap();
                let schema = resolved(&document, &one["schema"]);
                (name.to_owned(), values(name, &schema, known), one["required"] == true)
            })
            .collect();
        let past = asked.iter().any(|(name, ..)| name == "as_of");
        for address in known.addresses(path, described) {
            let mut add = |pairs: &[(&str, &str)]| {
                let needed = asked.iter().filter(|(name, _, required)| {
                    *required && !pairs.iter().any(|(given, _)| given == name)
                });
                let mut all: Vec<(&str, &str)> =
                    needed.map(|(name, values, _)| (name.as_str(), values[0].as_str())).collect();
                // A version is asked of a title.
                if pairs.iter().any(|(n, _)| n.starts_with("software_")) {
                    all.push(("software", &known.titles[0].1));
                }
                all.extend(pairs);
                let all: Vec<String> =
                    all.iter().map(|(n, value)| format!("{n}={}", percent_encode(value))).collect();
                let mark = if all.is_empty() { "" } else { "?" };
                questions.push(format!("{address}{mark}{}", all.join("&")));
            };
            add(&[]);
            for (name, values, _) in &asked {
                for (turn, value) in values.iter().enumerate() {
                    add(&[(name, value)]);
                    if past && name != "as_of" && name != "limit" {
                        let moment = &known.moments[1 + turn % (known.moments.len() - 1)];
                        add(&[(name, value), ("as_of", moment)]);
                    }
                }
            }
        }
    }
    questions
}

fn resolved(document: &Value, schema: &Value) -> Value {
    let any = |key: &str| schema[key].as_array().and_then(|all| all.first()).cloned();
    if let Some(first) = any("anyOf").or_else(|| any("allOf")).or_else(|| any("oneOf")) {
        if let Some(words) = schema["oneOf"].as_array() {
            let words: Vec<&Value> = words.iter().filter_map(|one| one.get("const")).collect();
            if !words.is_empty() {
                return json!({ "enum": words });
            }
        }
        return resolved(document, &first);
    }
    match schema["$ref"].as_str() {
        Some(reference) => {
            resolved(document, document.pointer(reference.trim_start_matches('#')).unwrap())
        }
        None => schema.clone(),
    }
}

/// Asks both the same, page after page; how many answers were compared.
async fn compare(one: &Api, two: &Api, question: &str, wrong: &mut Vec<String>) -> u64 {
    let (mut count, mut next) = (0, question.to_owned());
    loop {
        let (left, right) = tokio::join!(one.raw(Role::Admin, &next), two.raw(Role::Admin, &next));
        count += 1;
        let (left, right) = (comparable(question, left), comparable(question, right));
        if left != right {
            let at = left.1.bytes().zip(right.1.bytes()).take_while(|(a, b)| a == b).count();
            let near = |text: &str| -> String {
                let from = text.char_indices().map(|(i, _)| i).rfind(|i| *i + 150 <= at);
                text[from.unwrap_or(0)..].chars().take(400).collect()
            };
            wrong.push(format!(
                "{next}\n  sqlite   {} {}\n  postgres {} {}",
                left.0,
                near(&left.1),
                right.0,
                near(&right.1)
            ));
            return count;
        }
        let json: Value = serde_json::from_str(&left.1).unwrap_or(Value::Null);
        let more = json["next_cursor"].as_str().filter(|_| json["more"] != false);
        let Some(cursor) = more.filter(|_| count < 200) else { return count };
        let name = if question.contains("/changes?after=") { "after" } else { "cursor" };
        if name == "cursor" && json.get("more").is_some() {
            return count; // The newest changes have no second page.
        }
        let (path, query) = question.split_once('?').unwrap_or((question, ""));
        let kept = query.split('&').filter(|one| !one.is_empty() && !one.starts_with(name));
        let cursor = format!("{name}={cursor}");
        let all: Vec<&str> = kept.chain([cursor.as_str()]).collect();
        next = format!("{path}?{}", all.join("&"));
    }
}

/// What must be equal of an answer.
fn comparable(question: &str, answer: (u16, String)) -> (u16, String) {
    if question != "/api/v1/doctor" {
        return answer;
    }
    let found: Value = serde_json::from_str(&answer.1).unwrap();
    assert_eq!(found["difference_count"], 0, "memory is what the tables say: {found:#}");
    (answer.0, found["differences"].to_string())
}

/// Asks everything, or everything about the present.
async fn all_agree(one: &Api, two: &Api, when: &str, present: bool) {
    let known = Known::of_api(one).await;
    assert!(known.findings.len() > 10 && known.titles.len() > 100, "a month leaves its traces");
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let mut questions = questions(&known);
    if present {
        questions.retain(|question| !question.contains("as_of"));
    }
    for question in &questions {
        compared += compare(one, two, question, &mut wrong).await;
    }
    eprintln!("{when}: {} questions, {compared} answers compared", questions.len());
    let told: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{when}: {} answers differ:\n{told:#?}", wrong.len());
}

#[tokio::test]
async fn both_databases_answer_alike_after_a_month() {
    let Some(url) = crate::store::testing::postgres_url_ordered_otherwise().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let sqlite = crate::store::testing::sqlite(folder.path()).await;
    let postgres = Store::open(&url).await.unwrap();
    postgres.seal_with(SealKey::random(), Timestamp(0)).await.unwrap();
    let (one, two) =
        tokio::join!(lived(sqlite, folder), lived(postgres, tempfile::tempdir().unwrap()));
    all_agree(&one, &two, "as the month left them", false).await;
    for api in [&one, &two] {
        load::load(&api.app).await.unwrap();
    }
    all_agree(&one, &two, "after a start", true).await;
}
