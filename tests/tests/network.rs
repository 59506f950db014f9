//! Bad networks cost time, never a report; and each report has its effect once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
#[cfg(target_os = "linux")]
use std::time::Duration;

use rollcall_agent::host::Host;
use rollcall_agent::now::{Present, SystemPresent};
use rollcall_agent::{Agent, Config, Error, Paths};
use rollcall_shared::Timestamp;
use rollcall_tests::console::Console;
use rollcall_tests::faulty::{ConnectProxy, Fault, Network};
use rollcall_tests::lost::fleet::MARKER;
use rollcall_tests::lost::puppet::Puppet;
use rollcall_tests::programs::{Collector, preloaded};
#[cfg(target_os = "linux")]
use rollcall_tests::programs::{agent, binary};

const DAY_MS: i64 = 86_400_000;

/// A collector with a person signed in, and a computer made of files with the agent's library.
struct Scene {
    folder: tempfile::TempDir,
    collector: Collector,
    console: Console,
    computer: Puppet,
}

impl Scene {
    async fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let collector = Collector::start(&data, &[&["--no-self"], arguments].concat());
        let console = Console::set_up(&collector).await;
        let (root, state) = (folder.path().join("root"), folder.path().join("state"));
        let mut computer = Puppet::new(&root, &state, "lt-0042");
        computer.change();
        Self { folder, collector, console, computer }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn agent(&self, config: Config) -> Agent {
        let host = Host::at(self.root());
        Agent::open_on(Paths::at(&self.computer.state), config, host).unwrap()
    }

    /// The versions that the history tells of, oldest first, with when the computer was looked at.
    async fn history(&self) -> Vec<(String, String)> {
        let list = self.console.json("/api/v1/devices").await;
        assert_eq!(list["total"], 1, "no fault made a second device");
        let id = list["items"][0]["id"].as_str().unwrap();
        let mut told = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/devices/{id}/changes?limit=500{cursor}");
            let page = self.console.json(&path).await;
            for change in page["items"].as_array().unwrap() {
                if change["section"] == "software" && change["subject"] == MARKER {
                    let text = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
                    told.push((text("after"), text("at")));
                }
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        told.reverse();
        told
    }
}

fn quick() -> Config {
    Config { connect_timeout_s: 2, request_timeout_s: 2, ..Config::default() }
}

fn spooled(state: &Path) -> usize {
    std::fs::read_dir(state.join("spool"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file())
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_byte_costs_a_resend_and_never_a_report() {
    let mut scene = Scene::new(&[]).await;
    let network = Network::before(&scene.collector.url).await;
    let mut agent = scene.agent(quick());
    agent.enroll(&network.join_string(&scene.collector.join_string())).await.unwrap();
    agent.once().await.unwrap();
    let before = network.passed();
    scene.computer.change();
    agent.once().await.unwrap();
    let after = network.passed();
    let (up, down) = (after.0 - before.0, after.1 - before.1);
    assert!(up > 500 && down > 500, "a check-in is {up} bytes up and {down} down");
    // Every byte with ROLLCALL_TEST_EVERY_BYTE; else every 61st and the last ones, where the answer
    // is on its way.
    let step = if std::env::var_os("ROLLCALL_TEST_EVERY_BYTE").is_some() { 1 } else { 61 };
    let places = |length: u64| {
        let ends = length.saturating_sub(3)..length;
        (1..length).step_by(step).chain(ends).collect::<BTreeSet<u64>>()
    };
    let cuts = places(up).into_iter().map(Fault::CutUp);
    let mut refused = 0;
    for fault in cuts.chain(places(down).into_iter().map(Fault::CutDown)) {
        scene.computer.change();
        network.set(fault);
        let told = agent.once().await;
        refused += usize::from(told.is_err());
        if told.is_err() {
            assert!(spooled(&scene.computer.state) > 0, "{fault:?}: what is not told is kept");
        }
        network.set(Fault::None);
        agent.once().await.unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
        assert_eq!(spooled(&scene.computer.state), 0, "{fault:?}");
    }
    assert!(refused > 10, "only {refused} cuts were felt");
    let told: Vec<String> = scene.history().await.into_iter().map(|(version, _)| version).collect();
    let expected: Vec<String> =
        (2..=scene.computer.version()).map(|version| format!("1.{version}")).collect();
    assert_eq!(told, expected, "each change once and in its order");
    assert!(scene.collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_torn_streams_and_captive_portals_cost_time_only() {
    let mut scene = Scene::new(&[]).await;
    let network = Network::before(&scene.collector.url).await;
    let mut agent = scene.agent(Config { request_timeout_s: 1, connect_timeout_s: 1, ..quick() });
    agent.enroll(&network.join_string(&scene.collector.join_string())).await.unwrap();
    agent.once().await.unwrap();
    // The second connection resumes the session of the first, and is short.
    let before = network.passed();
    scene.computer.change();
    agent.once().await.unwrap();
    let after = network.passed();
    let (up, down) = (after.0 - before.0, after.1 - before.1);
    for fault in [
        Fault::StallUp(0),
        Fault::StallUp(up / 2),
        Fault::StallDown(0),
        Fault::StallDown(down / 2),
        Fault::CaptivePortal,
    ] {
        scene.computer.change();
        network.set(fault);
        let error = agent.once().await.expect_err("nothing can have been stored");
        assert!(matches!(error, Error::Reach { .. }), "{fault:?}: {error}");
        network.set(Fault::None);
        agent.once().await.unwrap_or_else(|error| panic!("after {fault:?}: {error}"));
    }
    // Loss makes of a stream late pieces and, sometimes, an end.
    let mut agent = {
        drop(agent);
        scene.agent(Config { request_timeout_s: 20, connect_timeout_s: 20, ..quick() })
    };
    for seed in 0..6 {
        scene.computer.change();
        network.set(Fault::Torn { seed });
        let mut tries = 0;
        while let Err(error) = agent.once().await {
            assert!(matches!(error, Error::Reach { .. }), "{error}");
            tries += 1;
            assert!(tries < 40, "it never came through: {error}");
        }
    }
    let told: Vec<String> = scene.history().await.into_iter().map(|(version, _)| version).collect();
    let expected: Vec<String> =
        (2..=scene.computer.version()).map(|version| format!("1.{version}")).collect();
    assert_eq!(told, expected);
    assert!(scene.collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_with_a_password_is_passed_and_sees_nothing() {
    let scene = Scene::new(&[]).await;
    // anna:blue whale
    let proxy = ConnectProxy::that_wants("Basic YW5uYTpibHVlIHdoYWxl").await;
    let through = |user: &str| Config {
        proxy: Some(format!("http://{user}{}", proxy.address).as_str().into()),
        ..quick()
    };
    let join = scene.collector.join_string();
    let error = scene.agent(through("")).enroll(&join).await.unwrap_err();
    let told = error.explain();
    assert!(told.contains("407") && told.contains("name and a password"), "{told}");
    let mut agent = scene.agent(through("anna:blue%20whale@"));
    agent.enroll(&join).await.unwrap();
    agent.once().await.unwrap();
    let list = scene.console.json("/api/v1/devices").await;
    assert_eq!(list["total"], 1);
    let place = scene.collector.url.trim_start_matches("https://");
    let requests = proxy.requests();
    assert!(requests.len() >= 3, "{requests:?}");
    for request in requests {
        assert!(request.starts_with(&format!("CONNECT {place} HTTP/1.1\r\n")), "{request}");
        assert!(!request.contains("rcl_enr_") && !request.contains("/agent/"), "{request}");
    }
    assert!(scene.collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_reach_a_collector_that_has_ipv6_alone() {
    if tokio::net::TcpListener::bind("[::1]:0").await.is_err() {
        eprintln!("NOT RUN  IPv6: this machine has none");
        return;
    }
    let scene = Scene::new(&["--listen", "[::1]:0"]).await;
    assert!(scene.collector.url.contains("[::1]"), "{}", scene.collector.url);
    let mut agent = scene.agent(quick());
    agent.enroll(&scene.collector.join_string()).await.unwrap();
    assert_eq!(agent.once().await.unwrap().stored, 1);
    assert!(scene.collector.stop());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_comes_back_is_told_everything() {
    let mut scene = Scene::new(&[]).await;
    let mut agent = scene.agent(quick());
    agent.enroll(&scene.collector.join_string()).await.unwrap();
    agent.once().await.unwrap();
    let address = scene.collector.url.trim_start_matches("https://").to_owned();
    let data = scene.folder.path().join("data");
    for _ in 0..3 {
        scene.collector.kill();
        for _ in 0..2 {
            scene.computer.change();
            assert!(matches!(agent.once().await, Err(Error::Reach { .. })));
        }
        assert!(spooled(&scene.computer.state) > 0);
        scene.collector = Collector::start(&data, &["--no-self", "--listen", &address]);
        agent.once().await.unwrap();
        assert_eq!(spooled(&scene.computer.state), 0);
    }
    let told: Vec<String> = scene.history().await.into_iter().map(|(version, _)| version).collect();
    assert_eq!(told, (2..=7).map(|version| format!("1.{version}")).collect::<Vec<_>>());
    assert!(scene.collector.stop());
}

/// A process that is stopped in the middle of sending, as all are when a computer is put to sleep;
/// meanwhile the other side gives up.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_computer_that_sleeps_in_the_middle_of_a_report_tells_it_once() {
    let mut scene = Scene::new(&[]).await;
    let network = Network::before(&scene.collector.url).await;
    let state = scene.folder.path().join("sleeper");
    let join = network.join_string(&scene.collector.join_string()).to_string();
    assert!(agent(&state, ["enroll", &join]).status.success());
    let address = scene.collector.url.trim_start_matches("https://").to_owned();
    let signal = |which: &str, pid: u32| {
        let sent = Command::new("kill").args([which, &pid.to_string()]).status().unwrap();
        assert!(sent.success());
    };
    // Before the first byte of the report arrives, and when all of it has arrived and the answer
    // is on its way.
    for fault in [Fault::StallUp(1_000), Fault::StallDown(3_000)] {
        network.set(fault);
        let before = network.passed();
        let mut sleeper = Command::new(binary("rollcall-agent"))
            .arg("once")
            .env("ROLLCALL_STATE", &state)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let arrived = |now: (u64, u64)| match fault {
            Fault::StallUp(bytes) => now.0 - before.0 >= bytes,
            _ => now.1 - before.1 > 0,
        };
        while !arrived(network.passed()) && sleeper.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        signal("-STOP", sleeper.id());
        scene.collector.kill();
        let data = scene.folder.path().join("data");
        scene.collector = Collector::start(&data, &["--no-self", "--listen", &address]);
        network.set(Fault::None);
        signal("-CONT", sleeper.id());
        sleeper.wait().unwrap();
        let said = agent(&state, ["once"]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        assert_eq!(spooled(&state), 0, "{fault:?}");
    }
    let list = scene.console.at(&scene.collector.url).json("/api/v1/devices").await;
    assert_eq!(list["total"], 1, "{list}");
    assert_eq!(list["items"][0]["presence"], "fresh");
    assert!(scene.collector.stop());
}

/// The system's present, some days off.
#[derive(Debug, Default)]
struct DaysOff(AtomicI64);

impl Present for DaysOff {
    fn now(&self) -> Timestamp {
        SystemPresent.now().plus_ms(self.0.load(Ordering::SeqCst) * DAY_MS)
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        SystemPresent.random(bytes)
    }
}

/// Collectors whose clock is so many days off.
const DAYS_OFF: &str = include_str!("../src/days_off.c");

#[tokio::test(flavor = "multi_thread")]
async fn two_weeks_offline_arrive_as_history_at_their_own_times() {
    const DAYS: i64 = 14;
    let folder = tempfile::tempdir().unwrap();
    let library = match preloaded(folder.path(), "days_off", DAYS_OFF) {
        Ok(library) => library,
        Err(why) => {
            eprintln!("NOT RUN  two weeks offline: {why}");
            return;
        }
    };
    let (data, root) = (folder.path().join("data"), folder.path().join("root"));
    let mut computer = Puppet::new(&root, &folder.path().join("state"), "lt-0042");
    computer.change();
    // Fifteen days ago: the computer enrols and is heard of.
    let first_day = -DAYS - 1;
    let ago = first_day.to_string();
    let environment = [
        ("LD_PRELOAD", library.as_os_str()),
        ("ROLLCALL_DAYS_OFF", std::ffi::OsStr::new(ago.as_str())),
    ];
    let collector = Collector::try_start_with(&data, &["--no-self"], &environment).unwrap();
    let network = Network::before(&collector.url).await;
    let clock = Arc::new(DaysOff::default());
    clock.0.store(first_day, Ordering::SeqCst);
    let present = Arc::clone(&clock) as Arc<dyn Present>;
    let paths = Paths::at(&computer.state);
    let mut agent = Agent::open_as_of(paths, quick(), Host::at(&root), present).unwrap();
    agent.enroll(&network.join_string(&collector.join_string())).await.unwrap();
    agent.once().await.unwrap();
    // Then a change a day, and nobody to tell it to.
    network.set(Fault::CutUp(1));
    let mut expected = Vec::new();
    for day in -DAYS..0 {
        clock.0.store(day, Ordering::SeqCst);
        let version = computer.change();
        let today = clock.now().to_string().split_once('T').unwrap().0.to_owned();
        expected.push((format!("1.{version}"), today));
        assert!(agent.once().await.is_err());
    }
    assert_eq!(spooled(&computer.state), 14);
    // Today both meet again.
    let address = collector.url.trim_start_matches("https://").to_owned();
    assert!(collector.stop());
    let collector = Collector::start(&data, &["--no-self", "--listen", &address]);
    let console = Console::set_up(&collector).await;
    clock.0.store(0, Ordering::SeqCst);
    network.set(Fault::None);
    agent.once().await.unwrap();
    assert_eq!(spooled(&computer.state), 0);
    let scene = Scene { folder, collector, console, computer };
    let told: Vec<(String, String)> = scene
        .history()
        .await
        .into_iter()
        .map(|(version, at)| (version, at.split_once('T').unwrap().0.to_owned()))
        .collect();
    assert_eq!(told, expected);
    assert!(scene.collector.stop());
}
