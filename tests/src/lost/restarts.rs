//! SIGTERM under load: what is under way is answered, and nothing is lost from one start to the
//! next.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;

use super::Told;
use super::fleet::{Depth, Patience};
use super::kills::{Place, begin, finish};
use super::postgres::Postgres;
use crate::synthetic::mix;
use crate::wire::Wire;

/// Stops and starts the collector so often.
pub async fn run(times: u32, server: Option<&Postgres>) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let place = Place::new(folder.path(), server);
    let (mut collector, mut console, fleet, _) = begin(folder.path(), &place, 12, 60).await;
    let mut longest = Duration::ZERO;
    for time in 1..=times {
        let running = fleet.start(&[Wire::new(&collector.url)], Patience::UNTIL_CUT);
        let enough = fleet.counts.acknowledged() + 12 + mix(time.into(), 94, 0) % 24;
        while fleet.counts.acknowledged() < enough && !running.has_ended() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let start = Stopwatch::start();
        let stopping = tokio::task::spawn_blocking(move || collector.stop());
        if !stopping.await.is_ok_and(|ended_well| ended_well) {
            told.problems.push(format!("stop {time}: it did not end well"));
        }
        longest = longest.max(start.elapsed());
        told.problems.extend(running.stop().await);
        collector = place.start(false);
        console = console.at(&collector.url);
        let problems = fleet.check(&console, Depth::Present).await;
        told.problems.extend(problems.into_iter().map(|told| format!("stop {time}: {told}")));
    }
    // A report that comes again although it was stored had an answer that got lost.
    let lost = fleet.counts.duplicates.load(Ordering::Relaxed);
    if lost > 0 {
        told.problems.push(format!("{lost} answers were lost in a stop that was asked for"));
    }
    finish(&mut told, collector, &console, &fleet, &place).await;
    told.say(format!(
        "SIGTERM under load on {:<11} {times:>4} times, {:>6} reports acknowledged, no answer \
         lost; the longest stop took {:.2} s",
        place.kind(),
        fleet.ledger.len(),
        longest.as_secs_f64(),
    ));
    told
}
