//! A corpus of hostile strings goes into every text of a report; then everything is read back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use rollcall_shared::Timestamp;
use rollcall_shared::report::{CheckIn, SectionState, limits};
use rollcall_shared::time::DAY_MS;
use rollcall_tests::browser::Browser;
use rollcall_tests::console::Console;
use rollcall_tests::hostile::corpus;
use rollcall_tests::programs::Collector;
use rollcall_tests::synthetic::{Computer, without_bodies};
use rollcall_tests::wire::{Device, Wire, WireError};
use serde_json::Value;

const START: Timestamp = Timestamp(1_790_000_000_000);

/// Replaces every text of a section by strings of the corpus, beginning with number `next`.
fn poison(value: &mut Value, corpus: &[String], next: &mut usize) {
    match value {
        Value::String(text) => {
            text.clone_from(&corpus[*next % corpus.len()]);
            *next += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, corpus, next)),
        Value::Object(fields) => {
            for (name, field) in fields {
                // Times are checked by their form, and a family decides which facts are read.
                if !name.ends_with("_at") && name != "family" {
                    poison(field, corpus, next);
                }
            }
        }
        _ => {}
    }
}

fn poisoned(computer: Computer, seq: u64, corpus: &[String]) -> CheckIn {
    let day = u32::try_from(seq).unwrap();
    let mut report = computer.report(seq, day, START);
    let mut next = usize::try_from(seq).unwrap();
    for (name, state) in &mut report.sections {
        let mut body: Value = serde_json::from_str(state.body.as_ref().unwrap().get()).unwrap();
        if name == "software" {
            body.as_array_mut().unwrap().truncate(12);
        }
        poison(&mut body, corpus, &mut next);
        *state = SectionState::with_body(serde_json::value::to_raw_value(&body).unwrap());
    }
    report
}

/// The documented form in which a text is kept: no NUL, at most 4 KiB and then an ellipsis.
fn kept(text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}");
    if text.len() <= limits::STRING_BYTES {
        return text;
    }
    let mut end = limits::STRING_BYTES - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

fn kept_in(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(kept(text)),
        Value::Array(items) => items.iter().map(kept_in).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(k, v)| (k.clone(), kept_in(v))).collect())
        }
        other => other.clone(),
    }
}

async fn send(wire: &Wire, device: &Device, report: &CheckIn, now: Timestamp) {
    let answer = device.check_in(wire, report, now).await.unwrap();
    if !answer.stored {
        let again = without_bodies(report.clone(), |name| !answer.want.iter().any(|w| w == name));
        assert!(device.check_in(wire, &again, now).await.unwrap().stored);
    }
}

async fn fleet_of_one(folder: &std::path::Path) -> (Collector, Console, Wire, Device, Computer) {
    let collector = Collector::start(&folder.join("data"), &["--no-self"]);
    let console = Console::set_up(&collector).await;
    let wire = Wire::new(&collector.url);
    let computer = Computer { number: 7 };
    let join = collector.join_string();
    let ids = computer.hardware_ids();
    let device = Device::enroll(&wire, &join, [7; 32], "<b>lt</b>", ids, START).await.unwrap();
    (collector, console, wire, device, computer)
}

fn pages(id: &str) -> Vec<String> {
    let tabs =
        ["overview", "hardware", "software", "network", "services", "people", "changes", "raw"];
    let mut pages: Vec<String> =
        ["/", "/devices", "/software", "/findings", "/search?q=lt", "/exports", "/collected"]
            .map(str::to_owned)
            .to_vec();
    pages.push(format!("/devices/{id}"));
    pages.extend(tabs.iter().map(|tab| format!("/devices/{id}?tab={tab}")));
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_of_a_report_may_be_hostile() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, console, wire, device, computer) = fleet_of_one(folder.path()).await;
    let corpus = corpus();
    let id = device.id.to_string();
    for seq in 1..=corpus.len() as u64 {
        let report = poisoned(computer, seq, &corpus);
        send(&wire, &device, &report, report.observed_at).await;
        if !seq.is_multiple_of(16) {
            continue;
        }
        let detail = console.json(&format!("/api/v1/devices/{id}")).await;
        for (name, state) in &report.sections {
            let sent: Value = serde_json::from_str(state.body.as_ref().unwrap().get()).unwrap();
            if name != "software" {
                assert_eq!(detail["sections"][name]["body"], kept_in(&sent), "{name} of {seq}");
            }
        }
        for page in pages(&id) {
            let (status, text) = console.get(&page).await;
            // A search with one answer leads there.
            let answered = status.is_success() || status.is_redirection();
            assert!(answered, "{page} after {seq}: {status} {text:.300}");
        }
    }
    for text in corpus.iter().filter(|text| text.len() < 1_000) {
        let query = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        for list in [
            "/search?q=",
            "/api/v1/search?q=",
            "/devices?q=",
            "/api/v1/devices?os=",
            "/software?q=",
            "/api/v1/software?q=",
            "/findings?q=",
            "/api/v1/devices?cursor=",
        ] {
            let (status, said) = console.get(&format!("{list}{query}")).await;
            assert!(status.as_u16() < 500, "{list}{text:?}: {status} {said:.300}");
        }
    }
    for list in ["devices", "software", "findings"] {
        let (status, csv) = console.get(&format!("/api/v1/exports/{list}.csv")).await;
        assert!(status.is_success());
        let mut rows = csv::ReaderBuilder::new().flexible(false).from_reader(csv.as_bytes());
        for row in rows.records() {
            for cell in &row.unwrap() {
                let first = cell.chars().next().unwrap_or('x');
                let formula = "=+-@\t\r＝＋－＠".contains(first);
                assert!(!formula, "{list}: the cell {cell:?} would be a formula");
            }
        }
        console.json(&format!("/api/v1/exports/{list}.json")).await;
    }
    assert!(collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_even_text_is_refused_and_harms_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, console, wire, device, computer) = fleet_of_one(folder.path()).await;
    let good = serde_json::to_string(&computer.report(1, 1, START)).unwrap();
    let broken = [
        good.replace("\"hostname\"", "\"hostname\":\"\\ud800\",\"other\""),
        good.replace("\"seq\":1", "\"seq\":-1"),
        good.replace("\"seq\":1", "\"seq\":1e400"),
        good[..good.len() / 2].to_owned(),
        "[".repeat(200_000),
        String::new(),
        "null".to_owned(),
    ];
    for json in broken {
        let packed = zstd::bulk::compress(json.as_bytes(), 3).unwrap();
        match device.send_packed(&wire, 1, packed, START).await {
            Err(WireError::Status { status, body, .. }) => {
                assert!(status.is_client_error(), "{json:.60}: {status} {body}");
            }
            Ok(answer) => assert!(!answer.stored || json.contains("ud800"), "{json:.60}"),
            Err(error) => panic!("{json:.60}: {error}"),
        }
    }
    let now = START.plus_ms(DAY_MS);
    send(&wire, &device, &computer.report(2, 1, START), now).await;
    console.until("/api/v1/devices", |list| list["items"][0]["software_count"] == 1_500).await;
    assert!(collector.stop());
}

/// The most memory a process ever held, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_and_cost_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, console, wire, device, computer) = fleet_of_one(folder.path()).await;
    send(&wire, &device, &computer.report(1, 1, START), START).await;
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..1024 {
        std::io::Write::write_all(&mut packer, &vec![0; 1 << 20]).unwrap();
    }
    let bomb = packer.finish().unwrap();
    let before = peak_kib(collector.pid());
    for seq in 2..6 {
        match device.send_packed(&wire, seq, bomb.clone(), START).await {
            Err(WireError::Status { status, .. }) => assert_eq!(status.as_u16(), 413),
            other => panic!("{other:?}"),
        }
    }
    let grown = peak_kib(collector.pid()) - before;
    assert!(grown < 32 * 1024, "a bomb of 1 GiB made it grow by {grown} KiB");
    assert_eq!(console.json("/api/v1/devices").await["total"], 1);
    assert!(collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_runs_nothing_that_a_device_says() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (collector, console, wire, device, computer) = fleet_of_one(folder.path()).await;
    let corpus = corpus();
    for seq in 1..=6 {
        let mut report = poisoned(computer, seq * 37, &corpus);
        // One title of each string, so that all of them stand on one page.
        let software: Vec<Value> = corpus
            .iter()
            .map(|text| serde_json::json!({ "source": "dpkg", "name": text, "version": text }))
            .collect();
        let body = serde_json::value::to_raw_value(&software).unwrap();
        report.sections.insert("software".to_owned(), SectionState::with_body(body));
        send(&wire, &device, &report, report.observed_at).await;
    }
    browser.sign_in(&collector.url).await;
    let id = device.id.to_string();
    for page in pages(&id) {
        browser.open(&format!("{}{page}", collector.url)).await;
        let complaints = browser.complaints().await;
        assert!(complaints.is_empty(), "{page}: {complaints:?}");
        let heading = browser.text("main h1").await;
        assert!(!heading.is_empty(), "{page} has its heading");
    }
    drop(console);
    browser.close().await;
    assert!(collector.stop());
}
