//! Many wrong passwords at once, beside devices that check in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::honest::Honest;
use super::place::Place;
use crate::lost::Told;
use crate::lost::figures::permille;

/// How many, how long.
#[derive(Debug, Clone, Copy)]
pub struct Guesses {
    /// Wrong passwords under way at any moment.
    pub at_once: u32,
    /// Devices that check in meanwhile.
    pub honest: u32,
    /// How long check-ins are measured, before and meanwhile.
    pub time: Duration,
    /// The 99th of 100 check-ins may take so many times what it took before; `None` does not look.
    pub slower_by: Option<f64>,
}

/// Guesses, each for a name and from an address of its own, as a proxy tells it.
pub async fn run(guesses: Guesses) -> Told {
    let mut told = Told::default();
    let place = Place::start(&["--trusted-proxy", "127.0.0.1"]).await;
    let honest = Honest::enroll(place.folder.path(), &place.collector, guesses.honest).await;
    // Connections, memory and files are warm before anything is compared.
    drop(honest.during(tokio::time::sleep(Duration::from_secs(1))).await);
    let ((), mut before) = honest.during(tokio::time::sleep(guesses.time)).await;
    let ended = Arc::new(AtomicBool::new(false));
    let number = Arc::new(AtomicU64::new(0));
    let workers: Vec<_> = (0..guesses.at_once)
        .map(|_| {
            let url = place.collector.url.clone();
            tokio::spawn(guess(url, Arc::clone(&number), Arc::clone(&ended)))
        })
        .collect();
    let ((), mut during) = honest.during(tokio::time::sleep(guesses.time)).await;
    ended.store(true, Ordering::Relaxed);
    let mut answers: BTreeMap<u16, u64> = BTreeMap::new();
    for guesser in workers {
        match guesser.await {
            Ok(of_one) => {
                for (status, n) in of_one {
                    *answers.entry(status).or_default() += n;
                }
            }
            Err(error) => told.problems.push(format!("a guesser stopped: {error}")),
        }
    }
    told.say(format!(
        "{} wrong passwords at once beside {} devices; answers by status: {answers:?}",
        guesses.at_once, guesses.honest
    ));
    told.say(format!("  check-ins before: {}", before.words()));
    told.say(format!("  check-ins meanwhile: {}", during.words()));
    let p99 = |times: &mut Vec<Duration>| permille(times, 990).as_secs_f64();
    let slower = p99(&mut during.times) / p99(&mut before.times).max(1e-6);
    told.say(format!("  p99 meanwhile is {slower:.1} times that before"));
    if let Some(limit) = guesses.slower_by.filter(|limit| slower > *limit) {
        told.problems.push(format!("p99 grew {slower:.1} times, more than {limit}"));
    }
    told.problems.extend(before.problems);
    told.problems.extend(during.problems);
    if answers.keys().any(|status| !matches!(status, 401 | 429 | 503)) {
        told.problems.push(format!("guesses were answered {answers:?}"));
    }
    if !answers.contains_key(&401) {
        told.problems.push("no password was looked at".to_owned());
    }
    told.problems.extend(honest.check(&place.console).await);
    told
}

async fn guess(url: String, number: Arc<AtomicU64>, ended: Arc<AtomicBool>) -> BTreeMap<u16, u64> {
    let client = crate::wire::client();
    let mut answers = BTreeMap::new();
    while !ended.load(Ordering::Relaxed) {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let [.., a, b, c] = number.to_be_bytes();
        let name = format!("guess{number}");
        let form = [("name", name.as_str()), ("password", "wrong password"), ("next", "/")];
        let request = client
            .post(format!("{url}/sign-in"))
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", format!("10.{a}.{b}.{c}"))
            .form(&form);
        let Ok(answer) = request.send().await else {
            *answers.entry(0).or_default() += 1;
            continue;
        };
        let status = answer.status().as_u16();
        *answers.entry(status).or_default() += 1;
        let wait =
            answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        drop(answer.bytes().await);
        if let Some(seconds) = wait {
            tokio::time::sleep(Duration::from_secs(seconds).min(Duration::from_secs(1))).await;
        }
    }
    answers
}
