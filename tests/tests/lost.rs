//! Nothing acknowledged is ever lost: the suite of the program `lost` in its short form.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::time::DAY_MS;
use rollcall_tests::lost::fleet::Standing;
use rollcall_tests::lost::kills::{Place, begin};
use rollcall_tests::lost::ledger::{history, present};
use rollcall_tests::lost::postgres::Postgres;
use rollcall_tests::lost::{
    Told, cluster, commits, dump, faults, full, herd, kills, kills_of_agent, now, overload,
    restarts,
};
use rollcall_tests::wire::Wire;

/// Runs a part on a PostgreSQL server of its own, or says that there is none.
async fn on_postgres(part: impl AsyncFnOnce(&Postgres) -> Told) {
    match Postgres::start() {
        Ok(server) => part(&server).await,
        Err(why) => Told::without(why),
    }
    .assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_collector_lose_nothing_acknowledged() {
    kills::of_collector(20, None).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_collector_on_postgres_lose_nothing_acknowledged() {
    on_postgres(async |server| kills::of_collector(8, Some(server)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_postgres_lose_nothing_and_the_collector_stays() {
    on_postgres(async |server| kills::of_server(4, server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_to_commits_lose_and_double_nothing() {
    on_postgres(async |server| commits::lost_answers(10, server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_collectors_and_a_standby_are_taken_away_and_nothing_is_lost() {
    cluster::parts_go_away(10, 1).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_dump_is_whole_and_agents_go_on() {
    on_postgres(dump::restored).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_of_the_agent_lose_nothing_spooled_or_acknowledged() {
    kills_of_agent::of_agent(30).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failing_call_under_the_agent_loses_anything() {
    faults::of_agent(7).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failing_call_under_the_collector_loses_anything() {
    faults::of_collector(23).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_collector_passes() {
    full::of_collector(1).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_agent_passes() {
    full::of_agent(1).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_refused_and_costs_no_memory() {
    overload::run(800, Duration::from_secs(20), None).await.assert_sound();
}

#[test]
fn five_thousand_agents_come_back_gently_by_their_own_schedule() {
    herd::simulated(5_000).assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_comes_back_is_heard() {
    herd::live(150, Duration::from_secs(3), None).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_no_answer() {
    restarts::run(4, None).await.assert_sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_on_postgres_loses_no_answer() {
    on_postgres(async |server| restarts::run(3, Some(server)).await).await;
}

/// A device whose clock jumps ten years to and fro is heard all the time, in its order.
async fn clock_jumps(server: Option<&Postgres>) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path(), server);
    let (collector, console, fleet, _) = begin(folder.path(), &place, 1, 20).await;
    let (member, wire) = (&fleet.members[0], Wire::new(&collector.url));
    let ten_years = 3_653 * DAY_MS;
    let mut last_seen = None;
    let jumps = [0, ten_years, 0, -ten_years, 0, ten_years, -ten_years, 0];
    let mut versions = Vec::new();
    for (seq, jump) in (1..).map(|number| number * 4 + 1).zip(jumps) {
        let clock = now().plus_ms(jump);
        let mut report = member.report(Standing { seq, observed_at: clock });
        report.sent_at = clock;
        // The signature is made at the same wrong time.
        let answer = member.device.check_in(&wire, &report, clock).await.unwrap();
        assert!(answer.stored && !answer.duplicate, "jump of {jump} ms");
        // Sent again an hour later, by that clock: no second effect.
        let again = member.device.check_in(&wire, &report, clock).await.unwrap();
        assert!(again.duplicate);
        versions.push(seq);
        assert_eq!(present(&console, member.device.id).await, Some(seq), "jump of {jump} ms");
        let device = &console.json("/api/v1/devices").await["items"][0];
        assert_eq!(device["presence"], "fresh");
        let seen: Timestamp = serde_json::from_value(device["last_seen_at"].clone()).unwrap();
        assert!(seen <= now() && last_seen <= Some(seen), "{seen:?} after {last_seen:?}");
        last_seen = Some(seen);
    }
    let (software, kernel) = history(&console, member.device.id).await;
    assert_eq!((software, kernel), (versions.clone(), versions));
    let path = format!("/api/v1/devices/{}/changes?limit=500", member.device.id);
    let changes = console.json(&path).await;
    for change in changes["items"].as_array().unwrap() {
        let at: Timestamp = serde_json::from_value(change["at"].clone()).unwrap();
        assert!(at <= now(), "no change lies in the future: {change}");
    }
    assert!(collector.stop());
    assert_eq!(place.verify(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_ten_years_do_no_harm() {
    clock_jumps(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_jump_ten_years_do_no_harm_on_postgres() {
    match Postgres::start() {
        Ok(server) => clock_jumps(Some(&server)).await,
        Err(why) => Told::without(why).assert_sound(),
    }
}
