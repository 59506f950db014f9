//! The real binaries: a computer joins and is seen, and what was acknowledged survives kill -9.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rollcall_shared::Timestamp;
use rollcall_shared::report::CheckIn;
use rollcall_shared::section::Software;
use rollcall_shared::time::DAY_MS;
use rollcall_tests::console::Console;
use rollcall_tests::programs::{Collector, agent, binary};
use rollcall_tests::synthetic::{Computer, mix, without_bodies};
use rollcall_tests::wire::{Device, Wire, WireError};

#[expect(clippy::disallowed_methods, reason = "devices beside a real collector share its clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

fn integrity(data: &Path) -> String {
    let database = rusqlite::Connection::open(data.join("rollcall.db")).unwrap();
    database.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap()
}

fn installed_by_dpkg() -> Option<usize> {
    let said = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Abbrev}\n"]).output();
    let said = String::from_utf8(said.ok()?.stdout).ok()?;
    Some(said.lines().filter(|line| line.starts_with("ii")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn this_computer_is_the_first_device_and_a_second_joins_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let collector = Collector::start(&data, &[]);
    let console = Console::set_up(&collector).await;
    let list = console
        .until("/api/v1/devices", |list| list["items"][0]["software_count"].as_u64() > Some(0))
        .await;
    assert_eq!(list["total"], 1);
    if let Some(installed) = installed_by_dpkg() {
        let id = list["items"][0]["id"].as_str().unwrap();
        let software = console.json(&format!("/api/v1/devices/{id}/software")).await;
        let dpkg = software["items"].as_array().unwrap().iter().filter(|s| s["source"] == "dpkg");
        assert_eq!(dpkg.count(), installed);
    }

    let state = folder.path().join("second");
    let join = collector.join_string().to_string();
    let said = agent(&state, ["enroll", &join]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = agent(&state, ["once"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let list = console.until("/api/v1/devices", |list| list["total"] == 2).await;
    assert_eq!(list["items"][0]["hostname"], list["items"][1]["hostname"]);

    // A stop and a start change nothing but the address.
    assert!(collector.stop(), "it stops when it is asked to");
    let collector = Collector::start(&data, &[]);
    assert_eq!(collector.setup_link, None, "there is an administrator");
    let console = Console::sign_in(&collector.url).await;
    let list = console.until("/api/v1/devices", |list| list["total"] == 2).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(collector.stop());
    assert_eq!(integrity(&data), "ok");
}

#[test]
fn what_does_not_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Collector::start(&data, &[]);
    let said = Collector::try_start(&data, &[]).unwrap_err();
    assert!(said.contains("already running"), "the folder is taken: {said}");

    let port = first.url.rsplit(':').next().unwrap();
    let other = folder.path().join("other");
    let taken = Command::new(binary("rollcall"))
        .args(["up", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(&other)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(!taken.status.success() && said.contains("--listen"), "the port is taken: {said}");

    assert!(first.stop());
    let database = rusqlite::Connection::open(data.join("rollcall.db")).unwrap();
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'from the future', TRUE, x'00', 0)",
            (),
        )
        .unwrap();
    drop(database);
    let said = Collector::try_start(&data, &[]).unwrap_err();
    assert!(said.contains("newer"), "the database is newer: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_accepted_by_its_agents() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let collector = Collector::start(&data, &["--no-self"]);
    drop(Console::set_up(&collector).await);
    let port = collector.url.rsplit(':').next().unwrap().to_owned();
    let state = folder.path().join("agent");
    let join = collector.join_string().to_string();
    assert!(agent(&state, ["enroll", &join]).status.success());
    assert!(agent(&state, ["once"]).status.success());
    let rollcall = |arguments: &[&std::ffi::OsStr]| {
        let said = Command::new(binary("rollcall")).args(arguments).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    };
    // While it runs and takes reports.
    let backup = folder.path().join("backup");
    rollcall(&["backup".as_ref(), backup.as_ref(), "--data".as_ref(), data.as_ref()]);
    assert!(agent(&state, ["once"]).status.success());
    let said = rollcall(&["verify".as_ref(), backup.as_ref()]);
    assert!(said.contains("1 devices"), "{said}");
    assert!(rollcall(&["verify".as_ref(), "--data".as_ref(), data.as_ref()]).contains("1 devices"));

    collector.kill();
    let restored = folder.path().join("restored");
    rollcall(&["restore".as_ref(), backup.as_ref(), "--data".as_ref(), restored.as_ref()]);
    let address = format!("127.0.0.1:{port}");
    let collector = Collector::start(&restored, &["--no-self", "--listen", &address]);
    let said = agent(&state, ["once"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let console = Console::sign_in(&collector.url).await;
    let list = console.json("/api/v1/devices").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["items"][0]["presence"], "fresh");
    assert!(collector.stop());
}

/// What a device was told is stored: the moment of each report by its sequence number, which is its
/// day as well.
type Ledger = BTreeMap<u64, Timestamp>;

/// Where a device stands: what was acknowledged, and the report that is under way.
#[derive(Clone)]
struct Standing {
    ledger: Ledger,
    seq: u64,
    observed_at: Timestamp,
}

impl Standing {
    fn acknowledged(&mut self) {
        self.ledger.insert(self.seq, self.observed_at);
        self.seq += 1;
        self.observed_at = now();
    }

    /// The report under way, the same however often it is sent.
    fn report(&self, computer: Computer) -> CheckIn {
        let day = u32::try_from(self.seq).unwrap();
        computer.report(self.seq, day, self.observed_at.plus_ms(-i64::from(day) * DAY_MS))
    }
}

async fn report_until_stopped(
    wire: Wire,
    device: Device,
    computer: Computer,
    mut standing: Standing,
    acknowledged: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
) -> Standing {
    while !stopped.load(Ordering::Relaxed) {
        let full = standing.report(computer);
        let report = if standing.seq.is_multiple_of(3) {
            full
        } else {
            without_bodies(full, |section| section != "software")
        };
        match device.check_in(&wire, &report, now()).await {
            Ok(answer) if answer.stored => {
                standing.acknowledged();
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => {
                // The same report again, with what is wanted beside what came the first time.
                let held = |section: &str| {
                    section != "software" && !answer.want.iter().any(|want| want == section)
                };
                let again = without_bodies(standing.report(computer), held);
                match device.check_in(&wire, &again, now()).await {
                    Ok(answer) if answer.stored => {
                        standing.acknowledged();
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(WireError::Transport(_)) => break,
                    other => panic!("device {}: {other:?}", computer.number),
                }
            }
            // Killed in the middle: the same report is sent again to the next collector.
            Err(WireError::Transport(_)) => break,
            Err(error) => panic!("device {}: {error}", computer.number),
        }
    }
    standing
}

fn titles(software: &[serde_json::Value]) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut titles: Vec<_> =
        software.iter().map(|s| (text(&s["name"]), text(&s["version"]))).collect();
    titles.sort();
    titles
}

fn expected(software: Vec<Software>) -> Vec<(String, String)> {
    let mut titles: Vec<_> = software.into_iter().map(|s| (s.name, s.version)).collect();
    titles.sort();
    titles
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_of_the_collector_lose_nothing_acknowledged() {
    const KILLS: u64 = 50;
    const DEVICES: u32 = 8;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut collector = Collector::start(&data, &["--no-self"]);
    drop(Console::set_up(&collector).await);
    let join = collector.join_string();
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        let computer = Computer { number };
        let wire = Wire::new(&collector.url);
        let seed = [u8::try_from(number + 1).unwrap(); 32];
        let (hostname, ids) = (computer.hostname(), computer.hardware_ids());
        let device = Device::enroll(&wire, &join, seed, &hostname, ids, now()).await.unwrap();
        let standing = Standing { ledger: Ledger::new(), seq: 1, observed_at: now() };
        devices.push((device, computer, standing));
    }
    for kill in 0..KILLS {
        let wire = Wire::new(&collector.url);
        let acknowledged = Arc::new(AtomicU64::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = devices
            .iter()
            .map(|(device, computer, standing)| {
                tokio::spawn(report_until_stopped(
                    wire.clone(),
                    device.clone(),
                    *computer,
                    standing.clone(),
                    Arc::clone(&acknowledged),
                    Arc::clone(&stopped),
                ))
            })
            .collect();
        let enough = mix(kill, 99, 0) % 24;
        while acknowledged.load(Ordering::Relaxed) < enough
            && workers.iter().any(|worker| !worker.is_finished())
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        collector.kill();
        stopped.store(true, Ordering::Relaxed);
        for (worker, known) in workers.into_iter().zip(&mut devices) {
            known.2 = worker.await.unwrap();
        }
        collector = Collector::start(&data, &["--no-self"]);
    }
    let console = Console::sign_in(&collector.url).await;
    let list = console.until("/api/v1/devices", |list| list["total"] == DEVICES).await;
    assert_eq!(list["items"].as_array().unwrap().len(), DEVICES as usize, "none twice");
    let mut checked = 0;
    for (device, computer, Standing { ledger, .. }) in &devices {
        for (seq, moment) in ledger {
            // The newest and a sample of the past: each costs the collector an as-of answer.
            if seq + 3 < *ledger.keys().last().unwrap() && seq % 5 != 0 {
                continue;
            }
            let day = u32::try_from(*seq).unwrap();
            let path = format!("/api/v1/devices/{}/software?as_of={moment}", device.id);
            let answer = console.json(&path).await;
            let held = titles(answer["items"].as_array().unwrap());
            assert_eq!(held, expected(computer.software(day)), "{} day {day}", computer.number);
            checked += 1;
        }
    }
    assert!(checked >= DEVICES, "the kills left something to check");
    assert!(collector.stop());
    assert_eq!(integrity(&data), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_of_the_agent_leave_one_device_and_a_sound_state() {
    const KILLS: u64 = 50;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let collector = Collector::start(&data, &["--no-self"]);
    let console = Console::set_up(&collector).await;
    let state = folder.path().join("agent");
    let join = collector.join_string().to_string();
    assert!(agent(&state, ["enroll", &join]).status.success());
    let whole = {
        let start = rollcall_agent::clock::Stopwatch::start();
        assert!(agent(&state, ["once"]).status.success());
        start.elapsed()
    };
    for kill in 0..KILLS {
        let mut child = Command::new(binary("rollcall-agent"))
            .arg("once")
            .env("ROLLCALL_STATE", &state)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Anywhere in a run, and sometimes after its end.
        let part = u32::try_from(mix(kill, 7, 7) % 110).unwrap();
        tokio::time::sleep(whole * part / 100).await;
        let _ = child.kill();
        child.wait().unwrap();
    }
    let said = agent(&state, ["once"]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let list = console.json("/api/v1/devices").await;
    assert_eq!(list["total"], 1, "no kill made a second device");
    let id = list["items"][0]["id"].as_str().unwrap();
    let changes = console.json(&format!("/api/v1/devices/{id}/changes")).await;
    let ghosts: Vec<_> = changes["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["section"] == "software")
        .collect();
    assert!(ghosts.is_empty(), "nothing was installed meanwhile: {ghosts:?}");
    assert!(collector.stop());
    assert_eq!(integrity(&data), "ok");
}
