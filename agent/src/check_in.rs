//! Delivers reports, oldest first, and moves the agent's memory when the collector has stored one.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_shared::report::{CheckIn, CheckInAnswer};
use rollcall_shared::section::software::SoftwareChange;
use rollcall_shared::{Note, NoteKind};

use crate::agent::{Agent, OnceOutcome};
use crate::answer::{self, Reading};
use crate::change::{Held, SOFTWARE};
use crate::client::{Client, Signed};
use crate::enroll::printable;
use crate::error::Error;
use crate::report::to_request;
use crate::spool::digests_of;
use crate::state::{Identity, StateError, Stored};
use crate::tls::{Tls, Trust};

/// Where reports are sent.
pub(crate) const CHECK_IN_PATH: &str = "/agent/v1/check-in";
/// So often one report is sent before the collector is taken for a broken one.
const ROUNDS: usize = 5;

/// What became of one report.
enum Verdict {
    Stored,
    Rejected(String),
    /// The collector wants bodies of these sections, which are kept nowhere any more.
    Lacks(BTreeSet<String>),
}

impl Agent {
    /// Sends everything that waits. An error stops at the report it happened with; what was
    /// stored before stays delivered.
    pub(crate) async fn deliver(&mut self) -> Result<OnceOutcome, Error> {
        let mut outcome = OnceOutcome::default();
        for seq in self.spool.seqs()? {
            let report = match self.read_back(seq) {
                Ok(Some(report)) => report,
                Ok(None) => {
                    let counted = self.count_dropped(1, 0);
                    self.note_trouble(counted);
                    continue;
                }
                Err(error) => {
                    // It stays and is tried again; those after it need not wait for that.
                    self.note_trouble(Err(error));
                    continue;
                }
            };
            match self.send_as_far_as_known(report, &mut outcome).await? {
                (_, None) => {
                    let removed = self.spool.remove(seq);
                    self.note_trouble(removed);
                }
                (report, Some(why)) => {
                    tracing::warn!(report.seq = seq, why, "the collector rejected a report");
                    let moved = self.spool.reject(seq);
                    if moved.is_ok() {
                        self.count_rejected(&report);
                    }
                    self.note_trouble(moved);
                    outcome.rejected.push(why);
                }
            }
        }
        while let Some(report) = self.unspooled.first().cloned() {
            if let (report, Some(why)) = self.send_as_far_as_known(report, &mut outcome).await? {
                self.count_rejected(&report);
                outcome.rejected.push(why);
            }
            self.unspooled.remove(0);
        }
        Ok(outcome)
    }

    /// A report as it was written down, with the bodies that were left out because the collector
    /// holds them, as far as the last look saw the same.
    fn read_back(&mut self, seq: u64) -> Result<Option<CheckIn>, StateError> {
        match self.written.take() {
            Some(report) if report.seq == seq => Ok(Some(report)),
            other => {
                self.written = other;
                let mut report = self.spool.read(seq)?;
                if let (Some(report), Some(newest)) = (&mut report, &self.written) {
                    complete(report, newest);
                }
                Ok(report)
            }
        }
    }

    /// Sends a report, and if the collector wants bodies that are kept nowhere any more, the rest
    /// of it. Gives why it was rejected, if it was.
    async fn send_as_far_as_known(
        &mut self,
        mut report: CheckIn,
        outcome: &mut OnceOutcome,
    ) -> Result<(CheckIn, Option<String>), Error> {
        loop {
            match self.send(&report, outcome).await? {
                Verdict::Stored => return Ok((report, None)),
                Verdict::Rejected(why) => return Ok((report, Some(why))),
                Verdict::Lacks(names) => leave_out(&mut report, &names),
            }
        }
    }

    /// A rejected report is lost to the collector, and with it the losses that it was to tell.
    fn count_rejected(&mut self, report: &CheckIn) {
        let counted = self.count_dropped(1 + report.dropped_reports, 0);
        self.note_trouble(counted);
    }

    fn client_for(&mut self, identity: &Identity) -> Result<Client, Error> {
        let trust = match &identity.ca_certificate {
            None => Trust::System,
            Some(text) => Trust::Certificate(BASE64.decode(text).map_err(|_| {
                Error::State(StateError::Damaged {
                    path: self.paths.state.join("identity.json"),
                    why: "the CA certificate is not base64".to_owned(),
                })
            })?),
        };
        let known = self.tls.take().filter(|(whom, _)| *whom == trust).map(|(_, tls)| tls);
        let Some(tls) = known.map_or_else(|| Tls::new(trust.clone()).ok(), Some) else {
            return self.connect_to(&identity.url, trust);
        };
        self.tls = Some((trust, tls.clone()));
        self.connect_with(&identity.url, tls)
    }

    async fn send(
        &mut self,
        report: &CheckIn,
        outcome: &mut OnceOutcome,
    ) -> Result<Verdict, Error> {
        let mut identity = self.state.identity.clone().ok_or(Error::NotEnrolled)?;
        let mut bodies = self.changed_in(report);
        let mut change = self.held.as_ref().and_then(|held| held.change(report));
        for _ in 0..ROUNDS {
            let reading = self.ask(&identity, report, &bodies, change.as_ref()).await?;
            match reading {
                Reading::Stored(answer) => {
                    self.acknowledge(report, answer);
                    self.held = Held::after(self.held.take(), report, change.is_some());
                    outcome.stored += 1;
                    outcome.report_id = Some(report.report_id);
                    return Ok(Verdict::Stored);
                }
                Reading::Want(want) => {
                    let before = bodies.len();
                    let all = every_body(report);
                    let lacks = lacking(report, &want);
                    if !lacks.is_empty() {
                        return Ok(Verdict::Lacks(lacks));
                    }
                    let had_change = change.is_some();
                    if want.iter().any(|name| name == SOFTWARE) {
                        change = None;
                    }
                    bodies.extend(want.into_iter().filter(|name| all.contains(name)));
                    if bodies.len() == before && change.is_some() == had_change {
                        // It asks for nothing that it did not get.
                        return Err(not_ours(&identity, 200));
                    }
                }
                Reading::BadSection(problem) => {
                    let all = every_body(report);
                    if bodies == all && change.take().is_none() {
                        return Ok(Verdict::Rejected(printable(&problem.detail)));
                    }
                    (bodies, change) = (all, None);
                }
                Reading::Rejected(problem) => {
                    return Ok(Verdict::Rejected(printable(&problem.detail)));
                }
                Reading::CloneSuspected => {
                    if outcome.rekeyed.is_some() {
                        return Err(Error::Refused(
                            "it takes this device for a copy, even with a new key".to_owned(),
                        ));
                    }
                    tracing::warn!(
                        "the collector knows this key from another computer; making a new one"
                    );
                    let mut client = self.take_client(&identity)?;
                    identity = self.rekey(&mut client).await?;
                    self.client = Some(client);
                    outcome.rekeyed = Some(identity.device_id);
                    (bodies, change) = (every_body(report), None);
                }
                Reading::Revoked => {
                    self.state.ledger.revoked = true;
                    self.state.save_ledger()?;
                    return Err(Error::Revoked);
                }
                Reading::Unauthorised => return Err(Error::Unauthorised),
                Reading::Busy { status, retry_after } => {
                    return Err(Error::Busy { status, retry_after });
                }
                Reading::NotOurs { status } => return Err(not_ours(&identity, status)),
            }
        }
        Err(not_ours(&identity, 200))
    }

    fn take_client(&mut self, identity: &Identity) -> Result<Client, Error> {
        match self.client.take() {
            Some(client) => Ok(client),
            None => self.client_for(identity),
        }
    }

    async fn ask(
        &mut self,
        identity: &Identity,
        report: &CheckIn,
        bodies: &BTreeSet<String>,
        change: Option<&SoftwareChange>,
    ) -> Result<Reading, Error> {
        let now = self.present.now();
        let json = to_request(report, now, |name| bodies.contains(name), change)
            .map_err(|error| Error::Internal(format!("a report could not be written: {error}")))?;
        let key = self.state.key(self.present.as_ref())?;
        let mut client = self.take_client(identity)?;
        let answer = client
            .post(&Signed {
                path: CHECK_IN_PATH,
                seq: report.seq,
                key_id: &identity.device_id.to_string(),
                key: &key,
                json: &json,
                created: now,
            })
            .await
            .map_err(|source| Error::Reach { url: identity.url.clone(), source })?;
        self.client = Some(client);
        Ok(answer::read(&answer, report.report_id))
    }

    /// Sections that differ from the last acknowledged report.
    fn changed_in(&self, report: &CheckIn) -> BTreeSet<String> {
        let acknowledged = &self.state.ledger.acknowledged;
        digests_of(report)
            .into_iter()
            .filter(|(name, digest)| acknowledged.get(name) != Some(digest))
            .map(|(name, _)| name)
            .collect()
    }

    /// The collector has this report for good.
    fn acknowledge(&mut self, report: &CheckIn, answer: CheckInAnswer) {
        let ledger = &mut self.state.ledger;
        ledger.acknowledged = digests_of(report);
        ledger.settings = answer.settings.clamped();
        ledger.last_stored =
            Some(Stored { report_id: report.report_id, seq: report.seq, at: self.present.now() });
        if let Some(next) = answer.next_seq {
            let continued = self.state.continue_after(next.saturating_sub(1));
            self.note_trouble(continued);
        }
        let saved = self.state.save_ledger_if_changed();
        self.note_trouble(saved);
    }

    /// A disk that fails while reports are delivered costs a resend at most, so the rest is still
    /// delivered before the error is told.
    fn note_trouble(&mut self, result: Result<(), StateError>) {
        if let Err(error) = result {
            tracing::error!(%error, "the state folder does not work as it should");
            self.trouble.get_or_insert(error);
        }
    }
}

fn every_body(report: &CheckIn) -> BTreeSet<String> {
    digests_of(report).into_keys().collect()
}

/// Puts the bodies of a newer report into an older one that says the same without them.
fn complete(report: &mut CheckIn, newer: &CheckIn) {
    for (name, state) in &mut report.sections {
        let same = newer.sections.get(name).filter(|newer| newer.digest == state.digest);
        if let (Some(_), None, Some(same)) = (state.digest, &state.body, same) {
            state.body.clone_from(&same.body);
        }
    }
}

/// Those of the sections whose content the report names and does not have.
fn lacking(report: &CheckIn, names: &[String]) -> BTreeSet<String> {
    let lacks = |name: &&String| {
        let state = report.sections.get(*name);
        state.is_some_and(|state| state.digest.is_some() && state.body.is_none())
    };
    names.iter().filter(lacks).cloned().collect()
}

/// Says of these sections that they are not known.
fn leave_out(report: &mut CheckIn, names: &BTreeSet<String>) {
    for (name, state) in &mut report.sections {
        if names.contains(name) {
            state.digest = None;
            state.notes.push(Note::new(NoteKind::Failed).with_detail(
                "the collector had it when this report was made, and has lost it since; this \
                 computer has changed meanwhile",
            ));
        }
    }
}

fn not_ours(identity: &Identity, status: u16) -> Error {
    Error::NotACollector { url: identity.url.clone(), status }
}
