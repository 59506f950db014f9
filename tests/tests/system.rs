//! The real binaries: a computer joins and is seen, a backup is taken back, an agent is killed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use rollcall_tests::console::Console;
use rollcall_tests::programs::{Collector, agent, binary};
use rollcall_tests::synthetic::mix;

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

/// The way in when nobody can sign in any more, beside a collector that runs.
#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_limited_closed_and_reset_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let collector = Collector::start(&data, &["--no-self"]);
    let console = Console::set_up(&collector).await;
    let unit = serde_json::json!({ "kind": "site", "name": "Berlin" });
    assert_eq!(console.call("POST", "/api/v1/units", &unit).await.0, 201);
    let user = |arguments: &[&str]| {
        let mut command = Command::new(binary("rollcall"));
        let said = command.arg("user").args(arguments).arg("--data").arg(&data).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (said.status.success(), text(said.stdout), text(said.stderr))
    };
    let refused = user(&["add", "berta", "--role", "it", "--site", "Nowhere"]);
    assert!(!refused.0 && refused.2.contains("there is no site `Nowhere`"), "{refused:?}");
    assert!(!user(&["list"]).1.contains("berta"), "nothing was made");
    let made = user(&["add", "berta", "--role", "it", "--site", "Berlin"]);
    assert!(made.0, "{made:?}");
    let password = made.1.lines().nth(1).unwrap().to_owned();
    let berta = Console::sign_in_as(&collector.url, "berta", &password).await;
    assert_eq!(berta.get("/api/v1/devices").await.0, 200);
    let listed = user(&["list"]).1;
    assert!(listed.contains("berta  site: Berlin"), "{listed}");

    let wide = user(&["limit", "berta", "--everything"]);
    assert!(wide.1.contains("sees everything"), "{wide:?}");
    assert_ne!(berta.get("/api/v1/devices").await.0, 200, "its sessions ended");
    let nowhere = user(&["limit", "berta"]);
    assert!(!nowhere.0 && nowhere.2.contains("--everything"), "one of them is named: {nowhere:?}");
    let last = user(&["limit", rollcall_tests::console::NAME, "--site", "Berlin"]);
    assert!(!last.0 && last.2.contains("last administrator"), "{last:?}");
    let last = user(&["disable", rollcall_tests::console::NAME]);
    assert!(!last.0 && last.2.contains("last administrator"), "{last:?}");

    assert!(user(&["disable", "berta"]).0);
    let new = user(&["reset", "berta"]);
    assert!(new.0 && user(&["enable", "berta"]).0, "{new:?}");
    let password = new.1.lines().nth(1).unwrap().to_owned();
    drop(Console::sign_in_as(&collector.url, "berta", &password).await);
    let log = console.json("/api/v1/audit?limit=50").await.to_string();
    assert!(log.contains("command line") && log.contains("site: Berlin -> everything"), "{log}");
    assert!(collector.stop());
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
