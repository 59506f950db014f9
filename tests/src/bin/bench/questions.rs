//! What people and programs ask: the search, pages of devices and lists, exports of a past day.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rollcall_tests::console::Console;
use rollcall_tests::synthetic::{Computer, mix};
use tokio::task::JoinSet;

use crate::measure::{Phase, Taken, Watched, clock};

/// A kind of question and how its addresses are made.
type Question<'a> = (&'static str, Box<dyn Fn(u64) -> String + 'a>);

/// The ids of a fleet that was made before, in the order of its numbers.
pub(crate) async fn ids(console: &Console) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = format!("/api/v1/devices?sort=hostname&limit=500{cursor}");
        let page = console.json(&page).await;
        let items = page["items"].as_array().into_iter().flatten();
        ids.extend(items.filter_map(|item| Some(item["id"].as_str()?.to_owned())));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

/// Every kind of question, for a fleet of this many devices.
pub(crate) fn questions(ids: &[String]) -> Vec<Question<'_>> {
    let pick = |n: u64| usize::try_from(mix(n, 21, 4)).unwrap_or(0) % ids.len().max(1);
    let computer = move |n: u64| Computer { number: u32::try_from(pick(n)).unwrap_or(0) };
    vec![
        ("search whole", Box::new(move |n| format!("/api/v1/search?q={}", computer(n).serial()))),
        (
            "search part",
            Box::new(move |n| {
                let mac = computer(n).mac().replace(':', "");
                format!("/api/v1/search?q={}", &mac[mac.len() - 6..])
            }),
        ),
        ("search 2 letters", Box::new(|n| format!("/api/v1/search?q={:02x}", n % 256))),
        ("device page", Box::new(move |n| format!("/devices/{}", ids[pick(n)]))),
        ("device software", Box::new(move |n| format!("/devices/{}?tab=software", ids[pick(n)]))),
        ("device changes", Box::new(move |n| format!("/devices/{}?tab=changes", ids[pick(n)]))),
        ("home", Box::new(|_| "/".to_owned())),
        (
            "list of devices",
            Box::new(|n| format!("/devices?sort={}", ["hostname", "os"][(n % 2) as usize])),
        ),
        ("list of software", Box::new(|_| "/software".to_owned())),
        ("list of findings", Box::new(|_| "/findings".to_owned())),
        (
            "who has it",
            Box::new(|n| format!("/devices?software=lib{:02}-package-{:04}", n % 4, 200 + n % 900)),
        ),
        (
            "who has it below",
            Box::new(|n| {
                let (image, title) = (n % 4, 200 + n % 900);
                // Each computer has one of two versions of it on a day: below the newer one.
                let newer = format!("{}.{}-2", title % 9, title % 31);
                format!(
                    "/api/v1/devices?limit=50&software=lib{image:02}-package-{title:04}\
                     &software_below={newer}"
                )
            }),
        ),
    ]
}

/// Asks one kind of question `count` times, `concurrency` at once.
pub(crate) async fn ask(
    (name, address): &Question<'_>,
    count: u64,
    concurrency: usize,
    console: &Console,
    watched: &Watched,
) -> (String, usize) {
    let addresses: Arc<Vec<String>> = Arc::new((0..count).map(address).collect());
    let next = Arc::new(AtomicUsize::new(0));
    let mut phase = Phase::new(*name, watched);
    let begun = phase.begin();
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (addresses, next, console) =
            (Arc::clone(&addresses), Arc::clone(&next), console.clone());
        workers.spawn(async move {
            let mut taken = Taken::default();
            while let Some(address) = addresses.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = clock();
                let (status, text) = console.get(address).await;
                taken.times.push(sent.elapsed());
                taken.bytes += text.len();
                if !(status.is_success() || status.is_redirection()) {
                    taken.failures.push(format!("{address}: {status}"));
                }
            }
            taken
        });
    }
    let mut taken = Taken::default();
    while let Some(worker) = workers.join_next().await {
        taken.add(worker.expect("a worker ends"));
    }
    phase.add(&begun, taken);
    phase.end()
}

/// Streams one export to its end: its figures in one line, and whether it failed.
pub(crate) async fn export(path: &str, console: &Console, watched: &Watched) -> (String, usize) {
    let before = watched.usage();
    let start = clock();
    let (status, bytes) = console.download(path).await;
    let wall = start.elapsed();
    let after = watched.usage();
    let grown = match (before, after) {
        (Some(before), Some(after)) => after.rss.saturating_sub(before.rss) >> 20,
        _ => 0,
    };
    let line = format!(
        "export           {path}: {} MB in {:.2} s, {:.0} MB/s; collector grew by {grown} MiB",
        bytes / 1_000_000,
        wall.as_secs_f64(),
        bytes as f64 / 1_000_000.0 / wall.as_secs_f64(),
    );
    (line, usize::from(!status.is_success()))
}
