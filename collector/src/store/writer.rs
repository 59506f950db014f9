//! The one task that writes reports: drains its queue into one transaction, commits, changes the
//! memory, then answers. So an answer always follows the commit, and memory never runs ahead.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall_shared::{Digest, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::batch::load_batch;
use super::device::DeviceKey;
use super::memory::{Contact, lock};
use super::plan::{self, Plan};
use super::report::{Outcome, Prepared};
use super::row::{Document, ReportRow, SoftwareRow};
use super::shape::{
    INSERT_DECISIONS, INSERT_DELTAS, INSERT_NOTES, INSERT_PASTS, INSERT_REPORTS, INSERT_SECTIONS,
    INSERT_SEEN, INSERT_SOFTWARE, INSERT_TITLES, INSERT_VALUES, UPDATE_DEVICES,
    UPDATE_DEVICES_WHERE, UPDATE_REPORTS, UPDATE_REPORTS_WHERE, UPSERT_NOTES, UPSERT_REPORTS,
    UPSERT_SECTIONS, UPSERT_SEEN, UPSERT_SOFTWARE, UPSERT_VALUES,
};
use super::statement::insert;
use super::touch::{Touched, touch};
use super::working::Working;
use super::{BeginWrite as _, Error, Store, Tables, on_backend, queries};
use crate::domain::finding::Changes;

queries! {
    RENEW_VALUES = "UPDATE seen_value SET last_at = $3 WHERE device = $1 AND last_at = $2";
}

/// Reports of one transaction.
const BATCH: usize = 256;
/// Reports that may wait. At 64 MiB a report in the worst case this is memory, not comfort.
const QUEUE: usize = 1024;
/// How often contacts without changes are written.
const FLUSH: Duration = Duration::from_secs(1);

/// The writer's door.
#[derive(Debug)]
pub(super) struct Handle(mpsc::Sender<Job>);

enum Job {
    Report(Box<Prepared>, oneshot::Sender<Result<Outcome, Error>>),
    Findings(DeviceKey, Changes, oneshot::Sender<Result<(), Error>>),
    Flush(oneshot::Sender<Result<(), Error>>),
}

type Waiting = (Box<Prepared>, oneshot::Sender<Result<Outcome, Error>>);

type Found = (DeviceKey, Changes, oneshot::Sender<Result<(), Error>>);

impl Store {
    /// Stores a report and returns after the durable commit. [`Error::Busy`] when too many wait.
    pub async fn write_report(&self, prepared: Prepared) -> Result<Outcome, Error> {
        let state = self.memory().device(prepared.device);
        lock(&state).queued += 1;
        let (answer, answered) = oneshot::channel();
        let job = Job::Report(Box::new(prepared), answer);
        let sent = self.inner.writer.0.try_send(job);
        let outcome = match sent {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(closed()),
            Ok(()) => {
                // The caller may go away (a cut connection) while the writer still works: the
                // count is given back by the writer, not here.
                return answered.await.unwrap_or_else(|_| Err(closed()));
            }
        };
        let mut state = lock(&state);
        state.queued = state.queued.saturating_sub(1);
        outcome
    }

    /// Writes what changed of a device's findings after the durable commit, with those of others.
    pub(super) async fn write_findings(
        &self,
        device: DeviceKey,
        changes: Changes,
    ) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Findings(device, changes, answer);
        self.inner.writer.0.send(job).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Writes the contacts that were only noted in memory; to call before the program ends.
    pub async fn flush(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.inner.writer.0.send(Job::Flush(answer)).await.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }
}

fn closed() -> Error {
    Error::Unavailable(sqlx::Error::PoolClosed)
}

/// Starts the writer. It ends when the last [`Store`] is gone and its queue is empty.
pub(super) fn start(tables: Arc<Tables>) -> Handle {
    let (sender, jobs) = mpsc::channel(QUEUE);
    tokio::spawn(run(tables, jobs));
    Handle(sender)
}

async fn run(tables: Arc<Tables>, mut jobs: mpsc::Receiver<Job>) {
    let mut tick = tokio::time::interval(FLUSH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = jobs.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    break;
                }
                let mut reports = Vec::with_capacity(count);
                let (mut flushes, mut findings) = (Vec::new(), Vec::new());
                for job in batch.drain(..) {
                    match job {
                        Job::Report(prepared, answer) => reports.push((prepared, answer)),
                        Job::Findings(device, changes, answer) => {
                            findings.push((device, changes, answer));
                        }
                        Job::Flush(answer) => flushes.push(answer),
                    }
                }
                write_and_answer(&tables, reports).await;
                write_findings(&tables, findings).await;
                for answer in flushes {
                    // Whoever asked may be gone.
                    let _ = answer.send(tables.write_contacts().await);
                }
            }
            _ = tick.tick() => {
                if let Err(error) = tables.write_contacts().await {
                    tracing::warn!(error = &error as &dyn std::error::Error,
                        "last check-ins are not written yet; they are kept in memory");
                }
            }
        }
    }
    if let Err(error) = tables.write_contacts().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the last check-ins could not be written before the end"
        );
    }
}

async fn write_and_answer(tables: &Tables, reports: Vec<Waiting>) {
    if reports.is_empty() {
        return;
    }
    let all: Vec<&Prepared> = reports.iter().map(|(prepared, _)| &**prepared).collect();
    let result = tables.write_reports(&all).await;
    let outcomes: Vec<Result<Outcome, Error>> = match result {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(Error::Unavailable(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                reports = all.len(),
                "reports could not be written now; their agents will send them again"
            );
            let text = error.to_string();
            let again = || Error::Unavailable(sqlx::Error::Io(std::io::Error::other(text.clone())));
            all.iter().map(|_| Err(again())).collect()
        }
        Err(_) => one_by_one(tables, &all).await,
    };
    for ((prepared, answer), outcome) in reports.into_iter().zip(outcomes) {
        let outcome = match outcome {
            Ok(Outcome::Late) => tables.write_late(&prepared).await,
            outcome => outcome,
        };
        let state = tables.memory().device(prepared.device);
        {
            let mut state = lock(&state);
            state.queued = state.queued.saturating_sub(1);
        }
        // A caller that is gone gets its answer when it sends the report again: a duplicate.
        let _ = answer.send(outcome);
    }
}

async fn write_findings(tables: &Tables, mut findings: Vec<Found>) {
    if findings.is_empty() {
        return;
    }
    // In one order with other collectors.
    findings.sort_by_key(|(device, ..)| *device);
    let all: Vec<(DeviceKey, &Changes)> =
        findings.iter().map(|(device, changes, _)| (*device, changes)).collect();
    let together = tables.write_findings(&all).await;
    for (device, changes, answer) in findings {
        let alone = match together {
            Ok(()) => Ok(()),
            Err(_) => tables.write_findings(&[(device, &changes)]).await,
        };
        // Whoever asked may be gone.
        let _ = answer.send(alone);
    }
}

/// One report that fails must not fail the others.
async fn one_by_one(tables: &Tables, reports: &[&Prepared]) -> Vec<Result<Outcome, Error>> {
    // Another program may have numbered titles in the meantime.
    if let Err(error) = tables.load_titles().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "titles could not be read anew");
    }
    let mut outcomes = Vec::with_capacity(reports.len());
    for report in reports {
        let outcome = tables.write_reports(&[*report]).await;
        if let Err(error) = &outcome {
            tracing::error!(error = error as &dyn std::error::Error, device.key = report.device.0,
                report.id = %report.report_id, "a report could not be stored");
        }
        outcomes.push(outcome.map(|mut outcomes| outcomes.remove(0)));
    }
    outcomes
}

impl Tables {
    /// Writes a batch in one transaction.
    async fn write_reports(&self, reports: &[&Prepared]) -> Result<Vec<Outcome>, Error> {
        let written = self.try_to_write_reports(reports).await;
        self.note_written(&written);
        written
    }

    /// Remembers whether the tables take anything now.
    fn note_written<T>(&self, written: &Result<T, Error>) {
        let cannot = matches!(written, Err(Error::Unavailable(_)));
        self.memory().cannot_write.store(cannot, Ordering::Relaxed);
    }

    #[expect(clippy::too_many_lines, reason = "one transaction, a statement for each table")]
    async fn try_to_write_reports(&self, reports: &[&Prepared]) -> Result<Vec<Outcome>, Error> {
        let _alone = self.memory().writing.lock().await;
        let (plan, touched) = on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let loaded = load_batch!(pool, tx, self, reports);
            let plan = plan::plan(self.memory(), reports, &loaded)?;

            insert!(tx, INSERT_TITLES, &plan.titles, |b, title| {
                b.push_bind(i64::from(title.id)).push_bind(title.text.hash());
                for part in title.text.parts() {
                    b.push_bind(part.to_owned());
                }
            }, "");
            let working: Vec<&Working> = plan.devices.values().collect();
            let rows: Vec<_> = working.iter().filter(|one| one.row_changed).collect();
            for piece in super::statement::pieces(&rows) {
                let mut query = super::statement::builder(&tx, UPDATE_DEVICES);
                query.push_values(piece, |mut b, one| {
                    let (row, summary) = (&one.row, &one.row.summary);
                    b.push_bind(i64::from(row.key.0))
                        .push_bind(summary.hostname.clone())
                        .push_bind(summary.serial.clone())
                        .push_bind(summary.manufacturer.clone())
                        .push_bind(summary.model.clone())
                        .push_bind(summary.os_name.clone())
                        .push_bind(summary.class.map(|class| class.as_str().to_owned()))
                        .push_bind(serde_json::to_string(summary).unwrap_or_default())
                        .push_bind(row.first_report_at.map(|at| at.0));
                });
                query.push(UPDATE_DEVICES_WHERE);
                query.build().execute(&mut *tx).await?;
            }
            let rows: Vec<(&Working, &ReportRow)> =
                working.iter().filter_map(|one| Some((*one, one.report.as_ref()?))).collect();
            insert!(tx, INSERT_REPORTS, &rows, |b, pair| {
                let (one, row) = pair;
                b.push_bind(i64::from(one.row.key.0));
                push_report!(b, row.report, row.report_id, row.content, row.recent);
                b.push_bind(row.fingerprint.0.to_vec())
                    .push_bind(row.changed_at.0)
                    .push_bind(text(&row.report.hardware_ids));
            }, UPSERT_REPORTS);
            insert!(tx, INSERT_SEEN, &rows, |b, pair| {
                b.push_bind(i64::from(pair.0.row.key.0)).push_bind(pair.1.report.received_at.0);
            }, UPSERT_SEEN);
            let rows: Vec<(&Working, &Arc<str>, &Document)> = working.iter().flat_map(|one| {
                one.changed_documents.iter().filter_map(|name| {
                    Some((*one, name, one.documents.get(name)?))
                })
            }).collect();
            insert!(tx, INSERT_SECTIONS, &rows,
                |b, row| {
                    b.push_bind(i64::from(row.0.row.key.0))
                        .push_bind(row.1.to_string())
                        .push_bind(row.2.at.0)
                        .push_bind(row.2.digest.0.to_vec())
                        .push_bind(row.2.packed.clone());
                }, UPSERT_SECTIONS);
            let rows: Vec<(&Working, &String)> =
                working.iter().filter_map(|one| Some((*one, one.notes.as_ref()?))).collect();
            insert!(tx, INSERT_NOTES, &rows, |b, row| {
                b.push_bind(i64::from(row.0.row.key.0)).push_bind(row.1.clone());
            }, UPSERT_NOTES);
            let rows: Vec<(&Working, &SoftwareRow)> = working.iter()
                .filter(|one| one.software_changed)
                .filter_map(|one| Some((*one, one.software.as_ref()?)))
                .collect();
            insert!(tx, INSERT_SOFTWARE,
                &rows, |b, row| {
                    b.push_bind(i64::from(row.0.row.key.0))
                        .push_bind(row.1.first_at.0)
                        .push_bind(row.1.at.0)
                        .push_bind(row.1.digest.0.to_vec())
                        .push_bind(row.1.titles.clone())
                        .push_bind(row.1.extra.clone());
                }, UPSERT_SOFTWARE);
            let rows: Vec<_> = working.iter().flat_map(|one| {
                let (values, at) = one.values.as_ref().map_or((&[][..], Timestamp(0)),
                    |(values, at)| (values.as_slice(), *at));
                values.iter().map(move |value| (one.row.key, value, at))
            }).collect();
            insert!(tx, INSERT_VALUES,
                &rows, |b, row| {
                    b.push_bind(i64::from(row.0.0))
                        .push_bind(row.1.0)
                        .push_bind(row.1.1.clone())
                        .push_bind(row.1.2.clone())
                        .push_bind(row.2.0)
                        .push_bind(row.2.0);
                }, UPSERT_VALUES);
            insert!(tx, INSERT_DECISIONS, &plan.decisions,
                |b, row| {
                    b.push_bind(i64::from(row.device.0))
                        .push_bind(row.at.0)
                        .push_bind(row.kind.as_str())
                        .push_bind(row.evidence.clone());
                }, "");
            let stored = working.iter().filter(|one| one.report.is_some());
            let touched = touch!(tx, stored.map(|one| i64::from(one.row.key.0)).collect());
            self.goes_on(touched.number)?;
            if !plan.pasts.is_empty() || !plan.deltas.is_empty() {
                let stored = touched.number;
                insert!(tx, INSERT_PASTS,
                    &plan.pasts, |b, row| {
                        b.push_bind(i64::from(row.device.0))
                            .push_bind(row.name.to_string())
                            .push_bind(row.at.0)
                            .push_bind(row.received_at.0)
                            .push_bind(stored)
                            .push_bind(row.bytes.clone());
                    }, "");
                insert!(tx, INSERT_DELTAS,
                    &plan.deltas, |b, row| {
                        b.push_bind(i64::from(row.device.0))
                            .push_bind(row.at.0)
                            .push_bind(row.received_at.0)
                            .push_bind(stored)
                            .push_bind(row.bytes.clone());
                    }, "");
            }
            tx.commit().await?;
            (plan, touched)
        });
        Ok(self.remember(plan, &touched))
    }

    /// Changes the memory after the commit.
    fn remember(&self, plan: Plan, touched: &Touched) -> Vec<Outcome> {
        {
            let mut dictionary = self.memory().titles_mut();
            for title in plan.titles {
                dictionary.add(title);
            }
        }
        for (device, working) in plan.devices {
            if working.report.is_none() {
                continue;
            }
            self.memory().contacts().remove(&device);
            self.memory().evidence_mut().set(device, &working.hardware_ids);
            let shared = self.memory().device(device);
            let mut state = lock(&shared);
            let come: Vec<(Arc<str>, Digest)> = working
                .state
                .sections
                .iter()
                .filter(|(name, digest)| state.sections.get(*name) != Some(*digest))
                .map(|(name, digest)| (Arc::clone(name), *digest))
                .collect();
            let gone: Vec<Digest> = state
                .sections
                .iter()
                .filter(|(name, digest)| working.state.sections.get(*name) != Some(*digest))
                .map(|(_, digest)| *digest)
                .collect();
            let queued = state.queued;
            *state = working.state;
            state.queued = queued;
            drop(state);
            self.memory().hold(device, gone, come);
        }
        self.touched(touched);
        plan.outcomes
    }

    /// Writes the contacts without changes.
    async fn write_contacts(&self) -> Result<(), Error> {
        let written = self.try_to_write_contacts().await;
        self.note_written(&written);
        written
    }

    async fn try_to_write_contacts(&self) -> Result<(), Error> {
        let contacts: HashMap<DeviceKey, Contact> = self.memory().contacts().clone();
        if contacts.is_empty() {
            return Ok(());
        }
        let rows: BTreeMap<DeviceKey, &Contact> =
            contacts.iter().map(|(device, contact)| (*device, contact)).collect();
        let rows: Vec<(DeviceKey, &Contact)> = rows.into_iter().collect();
        on_backend!(self, write pool => {
            let mut tx = pool.begin_write().await?;
            let keys: Vec<i64> = rows.iter().map(|row| i64::from(row.0.0)).collect();
            pool.lock_devices(&mut tx, &keys).await?;
            for piece in super::statement::pieces(&rows) {
                let mut query = super::statement::builder(&tx, UPDATE_REPORTS);
                query.push_values(piece, |mut b, row| {
                    let contact = row.1;
                    b.push_bind(i64::from(row.0.0));
                    push_report!(b, contact.report, contact.report_id, contact.content,
                        contact.recent);
                });
                query.push(UPDATE_REPORTS_WHERE);
                query.build().execute(&mut *tx).await?;
            }
            insert!(tx, INSERT_SEEN, &rows, |b, row| {
                b.push_bind(i64::from(row.0.0)).push_bind(row.1.report.received_at.0);
            }, UPSERT_SEEN);
            for (device, contact) in &rows {
                if let Some(before) = contact.renew_values {
                    sqlx::query(RENEW_VALUES)
                        .bind(i64::from(device.0))
                        .bind(before.0)
                        .bind(contact.report.received_at.0)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            tx.commit().await?;
        });
        // Those that came meanwhile stay.
        self.memory().contacts().retain(|device, contact| {
            contacts.get(device).is_none_or(|written| written.report_id != contact.report_id)
        });
        Ok(())
    }
}

/// The columns that a report with and one without changes write alike.
macro_rules! push_report {
    ($b:ident, $report:expr, $report_id:expr, $content:expr, $recent:expr) => {{
        let report = &$report;
        $b.push_bind(i64::try_from(report.seq).unwrap_or(i64::MAX))
            .push_bind($report_id.to_string())
            .push_bind($content.0.to_vec())
            .push_bind($recent.to_bytes())
            .push_bind(report.observed_at.0)
            .push_bind(report.received_at.0)
            .push_bind(report.clock_error_ms)
            .push_bind(text(&report.vitals))
            .push_bind(text(&report.agent))
            .push_bind(text(&report.cost));
    }};
}
use push_report;

fn text<T: serde::Serialize>(value: &T) -> String {
    // These types hold nothing that JSON cannot: no maps with other keys than texts, no NaN.
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
