//! The store without the wire: reports are checked, read and written in this process.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rollcall_collector::ingest::{Refusal, store_report};
use rollcall_collector::store::Store;
use rollcall_collector::store::device::DeviceKey;
use rollcall_collector::store::enroll::{Decision, NewDevice, Permission, TokenGrant};
use rollcall_shared::DeviceId;
use rollcall_shared::api::device::DecisionKind;
use rollcall_shared::report::CheckIn;
use rollcall_tests::synthetic::{Computer, without_bodies};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::measure::{Phase, Taken, Watched, clock};
use crate::reports::{Lists, at, changed, made_at, now, pieces};
use crate::{Arguments, PATCH_DAYS, told};

/// Makes a computer's report of one phase.
type Make = Box<dyn Fn(Computer) -> CheckIn + Sync>;

/// Enrols and reports; the figures are those of this process, which also makes the reports before.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder for the tables");
    let file = format!("sqlite:{}", folder.path().join("rollcall.db").display());
    let url = arguments.database.clone().unwrap_or(file);
    let store = Store::open(&url).await.expect("the store opens");
    let watched = Watched { pid: std::process::id(), database: arguments.database.clone() };
    let mut devices = Vec::new();
    for number in 0..arguments.devices {
        devices.push(enroll(&store, Computer { number }).await);
    }
    let devices = Arc::new(devices);
    let mut failed = 0;
    let phases: [(&str, Make); 5] = [
        ("first", Box::new(|computer| made_at(computer.report(1, 0, at(0)), at(1)))),
        ("changed, whole list", Box::new(|one| changed(one, 2, (0, 1), Lists::Whole))),
        ("changed", Box::new(|one| changed(one, 3, (1, 2), Lists::Changes))),
        ("patch day", Box::new(|one| changed(one, 4, (2, 2 + PATCH_DAYS), Lists::Changes))),
        (
            "unchanged",
            Box::new(|computer| {
                let report = computer.report(5, 2 + PATCH_DAYS, at(0));
                made_at(without_bodies(report, |_| true), at(5))
            }),
        ),
    ];
    for (name, make) in phases {
        let at_once = arguments.first_concurrency();
        let mut phase = Phase::new(format!("{name}, {at_once} at once"), &watched);
        for numbers in pieces(arguments.devices) {
            let first = numbers.start as usize;
            let reports = numbers.map(|number| make(Computer { number })).collect();
            let begun = phase.begin();
            let taken = send(&store, &devices, first, reports, at_once).await;
            phase.add(&begun, taken);
        }
        told(phase.end(), &mut failed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn enroll(store: &Store, computer: Computer) -> DeviceKey {
    let decision = Decision {
        at: at(0),
        kind: DecisionKind::Enrolled,
        evidence: "a measurement".to_owned(),
        other: None,
        actor: None,
    };
    let mut public_key = [0; 32];
    public_key[..4].copy_from_slice(&computer.number.to_be_bytes());
    let new = NewDevice {
        id: DeviceId(Uuid::from_u128(u128::from(computer.number) + 1)),
        public_key,
        hostname: computer.hostname(),
        hardware_ids: computer.hardware_ids(),
        pending: false,
        demo: false,
    };
    let grant = Permission::Grant(TokenGrant::default());
    let row = store.enroll(&grant, new, &decision).await.expect("a device enrols");
    row.expect("the grant allows it").key
}

async fn send(
    store: &Store,
    devices: &Arc<Vec<DeviceKey>>,
    first: usize,
    reports: Vec<CheckIn>,
    at_once: usize,
) -> Taken {
    let reports = Arc::new(reports);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (store, devices) = (store.clone(), Arc::clone(devices));
        let (reports, next) = (Arc::clone(&reports), Arc::clone(&next));
        workers.spawn(async move {
            let mut taken = Taken::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(report) = reports.get(number) else { return taken };
                let sent = clock();
                let stored =
                    store_report(&store, devices[first + number], report.clone(), now()).await;
                taken.times.push(sent.elapsed());
                match stored {
                    Ok((answer, _)) if answer.stored => {}
                    Ok((answer, _)) => taken.failures.push(format!("wants {:?}", answer.want)),
                    Err(Refusal::Busy { .. }) => taken.failures.push("busy".to_owned()),
                    Err(error) => taken.failures.push(error.to_string()),
                }
            }
        });
    }
    let mut taken = Taken::default();
    while let Some(worker) = workers.join_next().await {
        taken.add(worker.expect("a worker ends"));
    }
    taken
}
