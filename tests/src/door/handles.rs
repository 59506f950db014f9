//! File handles: how many this program has, and a collector that is given few.

use std::process::Command;
use std::time::Duration;

use super::honest::Honest;
use crate::console::Console;
use crate::lost::Told;
use crate::programs::{Collector, binary, free_address};

/// Whether this program may have so many.
pub fn enough(wanted: u64) -> Result<(), String> {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let row = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = row.and_then(|row| row.split_whitespace().next()?.parse::<u64>().ok());
    match soft {
        Some(soft) if soft < wanted => Err(format!(
            "it needs {wanted} file handles and has {soft}; `ulimit -n {wanted}` first"
        )),
        _ => Ok(()),
    }
}

/// A collector that the system gives few handles, with more silent connections than that, still
/// hears its devices: it asks for as many as it may have, and keeps some for its tables.
pub async fn few(soft: u32, hard: u32, silent: u32) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let data = folder.path().join("data");
    let address = free_address();
    let log = std::fs::File::create(folder.path().join("log")).expect("a file for what it logs");
    let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &limits, "sh"])
        .arg(binary("rollcall"))
        .args(["serve", "--log-level", "warn", "--listen", &address.to_string(), "--data"])
        .arg(&data)
        .args(["--public-url", &format!("https://{address}")])
        .stderr(log);
    let collector = Collector::spawned(command, address, &data);
    let console = Console::set_up(&collector).await;
    let honest = Honest::enroll(folder.path(), &collector, 3).await;
    // From one address each 200, so that no other limit comes first.
    let mut held = Vec::new();
    for number in 0..silent {
        let from = [127, 77, 0, u8::try_from(number / 200 + 1).unwrap_or(250)];
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind((std::net::Ipv4Addr::from(from), 0).into())
            .expect("an address of this computer");
        if let Ok(stream) = socket.connect(address).await {
            held.push(stream);
        }
    }
    // Those that had no place are closed at once; a device finds one as soon as others are silent
    // for too long.
    let stored = async {
        let mut stored = 0;
        while stored < 30 {
            let ((), seen) = honest.during(tokio::time::sleep(Duration::from_millis(200))).await;
            stored += seen.times.len();
        }
    };
    stored.await;
    drop(held);
    let said = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    if u64::from(hard) < 8192 && !said.contains("too few file handles") {
        told.problems.push(format!("it did not say that it has too few file handles: {said}"));
    }
    for bad in ["could not be accepted", "cannot be opened", "unable to open"] {
        if said.contains(bad) {
            let line = said.lines().find(|line| line.contains(bad)).unwrap_or_default();
            told.problems.push(format!("it ran out of handles: {line}"));
        }
    }
    told.problems.extend(honest.check(&console).await);
    told.say(format!(
        "{silent} silent connections at a collector with {soft} file handles of {hard}: devices are heard"
    ));
    told.say(format!("  it said: {}", said.lines().next().unwrap_or("nothing")));
    if !collector.stop() {
        told.problems.push("the collector did not end well".to_owned());
    }
    told
}
