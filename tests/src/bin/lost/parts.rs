//! The parts of the suite and how much of each is done.

use std::time::Duration;

use clap::{Args, ValueEnum};
use rollcall_tests::lost::postgres::Postgres;
use rollcall_tests::lost::{
    Told, cluster, commits, dump, faults, full, herd, kills, kills_of_agent, overload, restarts,
};

/// How much is done.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// kill -9 in all: of the collector on both databases, of PostgreSQL, of the agent
    #[arg(long, default_value_t = 500)]
    kills: u32,
    /// Devices that report to two collectors behind a load balancer
    #[arg(long, default_value_t = 40)]
    devices: u32,
    /// Answers to commits of PostgreSQL that are kept back
    #[arg(long, default_value_t = 50)]
    commits: u32,
    /// Of the calls that can fail, one in so many is let fail
    #[arg(long, default_value_t = 1)]
    fault_step: u32,
    /// How often the disk is full
    #[arg(long, default_value_t = 5)]
    full: u32,
    /// Seconds of overload on each database
    #[arg(long, default_value_t = 300)]
    overload_s: u64,
    /// Devices of the overload
    #[arg(long, default_value_t = 3_000)]
    overload_devices: u32,
    /// Devices that come back after an outage
    #[arg(long, default_value_t = 5_000)]
    herd: u32,
    /// Seconds into which their hour of coming back is pressed
    #[arg(long, default_value_t = 60)]
    herd_s: u64,
    /// Stops and starts under load on each database
    #[arg(long, default_value_t = 20)]
    restarts: u32,
}

/// What can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// kill -9 of collector, PostgreSQL and agent
    Kills,
    /// Answers to commits of PostgreSQL that are lost
    Commits,
    /// A dump of PostgreSQL under load, restored
    Dump,
    /// Two collectors behind a load balancer, on a primary with a standby
    Cluster,
    /// The Nth write, fsync, rename fails
    Faults,
    /// A full disk
    Full,
    /// Ten times what the collector can take
    Overload,
    /// A fleet that comes back after an outage
    Herd,
    /// SIGTERM under load
    Restarts,
}

/// Runs the parts, one after the other, and says each line when it is known.
pub(crate) async fn run(options: &Options, parts: &[Part], say: impl Fn(&str)) -> Told {
    let mut all = Told::default();
    let mut add = |told: Told| {
        told.lines.iter().for_each(|line| say(line));
        all.add(told);
    };
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    let server = Postgres::start();
    if let Err(why) = &server {
        add(Told::without(format!("everything on PostgreSQL: {why}")));
    }
    let server = server.as_ref().ok();
    let databases = || std::iter::once(None).chain(server.map(Some));
    if wanted(Part::Kills) {
        let quarter = options.kills / 4;
        let (agent, postgres) = (quarter, if server.is_some() { quarter } else { 0 });
        add(kills_of_agent::of_agent(agent).await);
        if let Some(server) = server {
            add(kills::of_collector(postgres, Some(server)).await);
            add(kills::of_server(postgres, server).await);
        }
        add(kills::of_collector(options.kills - agent - 2 * postgres, None).await);
    }
    if wanted(Part::Commits)
        && let Some(server) = server
    {
        add(commits::lost_answers(options.commits.into(), server).await);
    }
    if wanted(Part::Faults) {
        add(faults::of_agent(options.fault_step).await);
        add(faults::of_collector(options.fault_step).await);
    }
    if wanted(Part::Full) {
        add(full::of_agent(options.full).await);
        add(full::of_collector(options.full).await);
    }
    if wanted(Part::Restarts) {
        for database in databases() {
            add(restarts::run(options.restarts, database).await);
        }
    }
    if wanted(Part::Overload) {
        let time = Duration::from_secs(options.overload_s);
        for database in databases() {
            add(overload::run(options.overload_devices, time, database).await);
        }
    }
    if wanted(Part::Herd) {
        add(herd::simulated(options.herd));
        let spread = Duration::from_secs(options.herd_s);
        for database in databases() {
            add(herd::live(options.herd, spread, database).await);
        }
    }
    if wanted(Part::Dump)
        && let Some(server) = server
    {
        add(dump::restored(server).await);
    }
    if wanted(Part::Cluster) {
        add(cluster::parts_go_away(options.devices, options.kills.div_ceil(100)).await);
    }
    all
}
