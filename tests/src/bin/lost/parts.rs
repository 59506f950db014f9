//! The parts of the suite and how much of each is done.

use clap::{Args, ValueEnum};
use rollcall_tests::lost::postgres::Postgres;
use rollcall_tests::lost::{Told, commits, faults, kills, kills_of_agent};

/// How much is done.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// kill -9 in all: of the collector on both databases, of PostgreSQL, of the agent
    #[arg(long, default_value_t = 500)]
    kills: u32,
    /// Of the calls that can fail, one in so many is let fail
    #[arg(long, default_value_t = 1)]
    fault_step: u32,
}

/// What can be run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// kill -9 of collector, PostgreSQL and agent
    Kills,
    /// Answers to commits of PostgreSQL that are lost
    Commits,
    /// The Nth write, fsync, rename fails
    Faults,
}

/// Runs the parts, one after the other, and says each line when it is known.
pub(crate) async fn run(options: &Options, parts: &[Part], say: impl Fn(&str)) -> Told {
    let mut all = Told::default();
    let mut add = |told: Told| {
        told.lines.iter().for_each(|line| say(line));
        for problem in &told.problems {
            say(&format!("  broken: {problem}"));
        }
        all.add(told);
    };
    let wanted = |part: Part| parts.is_empty() || parts.contains(&part);
    let server = Postgres::start();
    if let Err(why) = &server {
        add(Told::without(format!("everything on PostgreSQL: {why}")));
    }
    if wanted(Part::Kills) {
        let quarter = options.kills / 4;
        add(kills_of_agent::of_agent(quarter).await);
        if let Ok(server) = &server {
            add(kills::of_collector(quarter, Some(server)).await);
            add(kills::of_server(quarter, server).await);
        }
        let left = if server.is_ok() { options.kills - 3 * quarter } else { options.kills - quarter };
        add(kills::of_collector(left, None).await);
    }
    if wanted(Part::Commits)
        && let Ok(server) = &server
    {
        add(commits::lost_answers(u64::from(options.kills / 10).max(5), server).await);
    }
    if wanted(Part::Faults) {
        add(faults::of_agent(options.fault_step).await);
        add(faults::of_collector(options.fault_step).await);
    }
    all
}
