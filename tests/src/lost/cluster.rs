//! Two collectors behind a load balancer, on a PostgreSQL primary with a streaming standby, as
//! `packaging/cluster` describes: each part is taken away under load.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::fleet::{Depth, Fleet, Patience, Running};
use super::postgres::Postgres;
use super::{Told, verify};
use crate::console::Console;
use crate::programs::{Collector, free_address};
use crate::wire::Wire;

/// Titles of each device beside the one that changes.
const TITLES: u32 = 60;
/// The configuration that is shipped.
const CONFIGURATION: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/cluster/haproxy.cfg");
/// Keeps a device with one collector; without it devices go from one to the other all the time,
/// which is the harder case.
const AFFINITY: &str = "balance hash req.fhdr(signature-input),regsub(^.*keyid=.([^;]*).*$,\\1)";

/// HAProxy with the shipped configuration; it ends with this value.
#[derive(Debug)]
struct Balancer {
    child: Child,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Everything of the deployment, each part at an address of its own.
#[derive(Debug)]
struct Cluster {
    folder: PathBuf,
    front: SocketAddr,
    database_front: SocketAddr,
    collectors: [SocketAddr; 2],
}

impl Cluster {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
            front: free_address(),
            database_front: free_address(),
            collectors: [free_address(), free_address()],
        }
    }

    fn balance(&self, databases: [SocketAddr; 2], pem: &Path) -> Result<Balancer, String> {
        let shipped = std::fs::read_to_string(CONFIGURATION).map_err(|error| error.to_string())?;
        if !shipped.contains(AFFINITY) {
            return Err(format!("{CONFIGURATION} balances otherwise than this test knows"));
        }
        let configuration = self.folder.join("haproxy.cfg");
        std::fs::write(&configuration, shipped.replace(AFFINITY, "balance roundrobin"))
            .map_err(|error| error.to_string())?;
        let child = Command::new("haproxy")
            .arg("-f")
            .arg(&configuration)
            .env("ROLLCALL_FRONT", self.front.to_string())
            .env("ROLLCALL_PEM", pem)
            .env("COLLECTOR_ONE", self.collectors[0].to_string())
            .env("COLLECTOR_TWO", self.collectors[1].to_string())
            .env("DATABASE_FRONT", self.database_front.to_string())
            .env("DATABASE_ONE", databases[0].to_string())
            .env("DATABASE_TWO", databases[1].to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|_| "haproxy is not installed here".to_owned())?;
        Ok(Balancer { child })
    }

    fn url(&self) -> String {
        format!("https://{}", self.front)
    }

    fn collector(&self, which: usize, database: &str, fresh: bool) -> Collector {
        let (url, address) = (self.url(), self.collectors[which]);
        let arguments =
            ["--public-url", url.as_str(), "--tls", "proxy", "--trusted-proxy", "127.0.0.1"];
        let log = self.folder.join(format!("collector-{which}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log);
        let log = log.expect("a file for what it logs").into();
        let data = self.folder.join(format!("data-{which}"));
        Collector::serve_at(
            address,
            format!("http://{address}"),
            &data,
            database,
            &arguments,
            fresh,
            log,
        )
    }
}

/// A certificate for the load balancer, with its key in one file.
fn pem(folder: &Path) -> Result<PathBuf, String> {
    let data = folder.join("certificate");
    if !Collector::start(&data, &["--no-self"]).stop() {
        return Err("a collector that makes a certificate did not end well".to_owned());
    }
    let read = |name: &str| std::fs::read_to_string(data.join(name)).map_err(|e| e.to_string());
    let pem = folder.join("front.pem");
    std::fs::write(&pem, read("server.pem")? + &read("server-key.pem")?)
        .map_err(|error| error.to_string())?;
    Ok(pem)
}

/// Waits until so many more reports were acknowledged than now; the longest time between two looks
/// at which none was, in milliseconds.
async fn until_heard(fleet: &Fleet, running: &Running, more: u64) -> u128 {
    let (enough, mut last) = (fleet.counts.acknowledged() + more, fleet.counts.acknowledged());
    let (mut silent, mut longest) = (0, 0);
    while last < enough && !running.has_ended() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = fleet.counts.acknowledged();
        silent = if now == last { silent + 10 } else { 0 };
        longest = longest.max(silent);
        last = now;
    }
    longest
}

/// Takes each part away `rounds` times under load of so many devices.
pub async fn parts_go_away(devices: u32, rounds: u32) -> Told {
    match try_parts(devices, rounds).await {
        Ok(told) => told,
        Err(why) => Told::without(format!("two collectors behind a load balancer: {why}")),
    }
}

async fn try_parts(devices: u32, rounds: u32) -> Result<Told, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    // What is acknowledged is on both servers.
    let primary = Postgres::start_with("-c synchronous_standby_names='*'")?;
    let standby = primary.standby("-c synchronous_standby_names=''")?;
    let database = primary.database();
    let name = database.rsplit_once('/').ok_or("the database has no name")?.1;
    let cluster = Cluster::new(folder.path());
    let database = format!("postgres://rollcall@{}/{name}", cluster.database_front);
    let pem = pem(folder.path())?;
    let _balancer = cluster.balance([primary.address(), standby.address()], &pem)?;
    while std::net::TcpStream::connect(cluster.database_front).is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let one = cluster.collector(0, &database, true);
    let console = Console::set_up(&one).await.at(&cluster.url());
    let join = one.join_string();
    let two = cluster.collector(1, &database, false);
    while !console.get("/api/v1/health").await.0.is_success() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fleet = Fleet::enroll(folder.path(), &cluster.url(), &join, 0..devices, TITLES).await;

    let mut told = Told::default();
    let running = fleet.start(&[Wire::new(&cluster.url())], Patience::FOREVER);
    let some = u64::from(devices) * 8;
    until_heard(&fleet, &running, some).await;
    let mut collectors = [Some(one), Some(two)];
    let mut silent = std::collections::BTreeMap::<&str, u128>::new();
    for round in 0..rounds * 2 {
        let which = usize::try_from(round % 2).unwrap_or_default();
        for (what, kill) in [("a collector was killed", true), ("it was started anew", false)] {
            let collector = collectors[which].take();
            let ended = collector.is_none_or(|collector| {
                if kill {
                    collector.kill();
                    return true;
                }
                // As an upgrade does it: one after the other, each asked to stop.
                collector.stop()
            });
            if !ended {
                told.problems.push(format!("round {round}: {what}: it did not end well"));
            }
            let longest = until_heard(&fleet, &running, some).await;
            collectors[which] = Some(cluster.collector(which, &database, false));
            let longest = longest.max(until_heard(&fleet, &running, some).await);
            let known = silent.entry(what).or_default();
            *known = longest.max(*known);
        }
    }
    primary.kill();
    tokio::time::sleep(Duration::from_millis(500)).await;
    standby.promote()?;
    let longest = until_heard(&fleet, &running, some).await;
    silent.insert("the primary was killed, the standby promoted", longest);
    told.problems.extend(running.stop().await);

    told.problems.extend(fleet.deliver_all(&cluster.url()).await);
    for address in cluster.collectors {
        let console = console.at(&format!("http://{address}"));
        let problems = fleet.check(&console, Depth::History).await;
        told.problems.extend(problems.into_iter().map(|told| format!("{address}: {told}")));
    }
    for collector in collectors.into_iter().flatten() {
        if !collector.stop() {
            told.problems.push("a collector did not end well when it was asked to".to_owned());
        }
    }
    let folder = folder.path().join("data-0");
    told.problems.extend(verify(&folder, Some(&database)).err());
    told.say(format!(
        "two collectors, HAProxy, PostgreSQL with standby: {} reports of {devices} devices \
         acknowledged, {} refused for a time, {} cut",
        fleet.ledger.len(),
        fleet.counts.refused.load(std::sync::atomic::Ordering::Relaxed),
        fleet.counts.cut.load(std::sync::atomic::Ordering::Relaxed),
    ));
    for (what, longest) in silent {
        told.say(format!("  {what}: nothing acknowledged for {longest} ms at most"));
    }
    Ok(told)
}
