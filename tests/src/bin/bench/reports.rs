//! Signed reports of the synthetic fleet: first ones, changed ones, unchanged ones.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rollcall_shared::Timestamp;
use rollcall_shared::report::CheckIn;
use rollcall_shared::section::software::SoftwareChange;
use rollcall_shared::time::{DAY_MS, MINUTE_MS};
use rollcall_tests::synthetic::Computer;
use rollcall_tests::wire::{Device, Wire, WireError, pack};
use tokio::task::JoinSet;

use crate::measure::{Phase, Taken, clock};

/// What a device sends in one phase, packed before the clock starts.
pub(crate) struct Request {
    device: usize,
    seq: u64,
    body: Vec<u8>,
}

#[expect(clippy::disallowed_methods, reason = "a device has a clock of its own")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0))
}

/// Computers whose requests are packed at a time and then sent.
pub(crate) const PIECE: u32 = 4_000;

/// The numbers of a fleet's computers, piece by piece.
pub(crate) fn pieces(devices: u32) -> impl Iterator<Item = Range<u32>> {
    (0..devices)
        .step_by(PIECE as usize)
        .map(move |first| first..first.saturating_add(PIECE).min(devices))
}

/// Packs a request of each computer, so that the figures are the collector's and the wire's.
fn prepared(numbers: &Range<u32>, make: &(impl Fn(Computer) -> CheckIn + Sync)) -> Vec<Request> {
    let threads = 2;
    std::thread::scope(|scope| {
        let pack_part = |part| {
            move || {
                numbers
                    .clone()
                    .filter(|number| number % threads == part)
                    .map(|number| {
                        let report = make(Computer { number });
                        Request { device: number as usize, seq: report.seq, body: pack(&report) }
                    })
                    .collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..threads).map(|part| scope.spawn(pack_part(part))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("packing ends")).collect()
    })
}

/// How a list of software that changed is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// As the change since the list that was sent before.
    Changes,
    /// As a whole.
    Whole,
}

/// What a computer sends that was as on one day and is as on another.
pub(crate) fn changed(computer: Computer, seq: u64, days: (u32, u32), lists: Lists) -> CheckIn {
    let (before, mut report) =
        (computer.report(1, days.0, at(0)), computer.report(seq, days.1, at(0)));
    for (name, state) in &mut report.sections {
        if before.sections.get(name).and_then(|known| known.digest) == state.digest {
            state.body = None;
        }
    }
    if lists == Lists::Changes
        && let Some(base) = before.sections["software"].digest
        && let Some(state) = report.sections.get_mut("software")
    {
        let (held, now) = (computer.software(days.0), computer.software(days.1));
        state.change = SoftwareChange::between(&held, &now, base);
        if state.change.is_some() {
            state.body = None;
        }
    }
    made_at(report, at(seq))
}

/// The moment of a device's report of this number, so that the last one is of today.
pub(crate) fn at(seq: u64) -> Timestamp {
    static BEGIN: OnceLock<Timestamp> = OnceLock::new();
    let begin = BEGIN.get_or_init(|| now().plus_ms(-DAY_MS));
    begin.plus_ms(i64::try_from(seq).unwrap_or(0) * MINUTE_MS)
}

/// The report as one that was made at this moment and is sent now: a wrong clock would be judged
/// anew with every report.
pub(crate) fn made_at(report: CheckIn, at: Timestamp) -> CheckIn {
    CheckIn { observed_at: at, sent_at: now(), ..report }
}

/// Sends a report of every device, `concurrency` at once.
pub(crate) async fn send(
    mut phase: Phase,
    make: impl Fn(Computer) -> CheckIn + Sync,
    devices: &Arc<Vec<Device>>,
    wire: &Wire,
    concurrency: usize,
) -> (String, usize) {
    for numbers in pieces(u32::try_from(devices.len()).unwrap_or(u32::MAX)) {
        let requests = prepared(&numbers, &make);
        let begun = phase.begin();
        let taken = send_piece(requests, devices, wire, concurrency).await;
        phase.add(&begun, taken);
    }
    phase.end()
}

async fn send_piece(
    requests: Vec<Request>,
    devices: &Arc<Vec<Device>>,
    wire: &Wire,
    concurrency: usize,
) -> Taken {
    let requests = Arc::new(requests);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
        let (devices, wire) = (Arc::clone(devices), wire.clone());
        workers.spawn(async move {
            let mut taken = Taken::default();
            while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sent = clock();
                one(&devices[request.device], &wire, request, &mut taken).await;
                taken.bytes += request.body.len();
                taken.times.push(sent.elapsed());
            }
            taken
        });
    }
    let mut taken = Taken::default();
    while let Some(worker) = workers.join_next().await {
        taken.add(worker.expect("a worker ends"));
    }
    taken
}

/// A device waits this long at first before it sends a refused report again, then twice as long.
const PAUSE: Duration = Duration::from_millis(20);
/// It waits no longer than this: agents wait for minutes, figures need not.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

async fn one(device: &Device, wire: &Wire, request: &Request, taken: &mut Taken) {
    let mut pause = PAUSE;
    loop {
        match device.send_packed(wire, request.seq, request.body.clone(), now()).await {
            Ok(answer) if answer.stored => return,
            Ok(answer) => {
                taken.failures.push(format!("not stored, wants {:?}", answer.want));
                return;
            }
            Err(WireError::Status { status, .. })
                if status.is_server_error() || status.as_u16() == 429 =>
            {
                taken.retries += 1;
            }
            // More connections than one address may hold are closed at once.
            Err(WireError::Transport(_)) if pause < LONGEST_PAUSE => taken.retries += 1,
            Err(error) => {
                taken.failures.push(error.to_string());
                return;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
