//! A check-in as one story: verified request, who is it, what is new, store, answer.
//!
//! Most check-ins say nothing new; they end after one look into memory. The others are checked and
//! made ready here, side by side, and then written one after another by the store's writer.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rollcall_shared::report::{CheckIn, CheckInAnswer, SectionState, Settings, limits};
use rollcall_shared::section::software::SoftwareChange;
use rollcall_shared::section::{SECTIONS, Section, Software};
use rollcall_shared::{Digest, Note, NoteKind, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::codec::extra::Extra;
use crate::codec::{document, sanitise};
use crate::fleet::Fleet;
use crate::job::{evaluate, load, units};
use crate::store::audit::AuditEntry;
use crate::store::contact::Contacted;
use crate::store::device::{DeviceKey, LastReport};
use crate::store::report::{Applied, Outcome, Prepared, PreparedSection, TitleChange, TitleRows};
use crate::store::title::TitleText;
use crate::store::{self, Store};

/// How a check-in ends that is not answered with 200.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 409: same report id, other content.
    #[error("report {0} was sent before with other content")]
    ReportConflict(uuid::Uuid),
    /// 409: the same key speaks from two computers.
    #[error("the same key speaks from two computers")]
    CloneSuspected,
    /// 422: a section's bytes do not give its digest, or they do not parse.
    #[error("section `{section}`: {why}")]
    BadSection {
        /// The section.
        section: String,
        /// What is wrong with it.
        why: String,
    },
    /// 503: the queue is full, the disk is full, or the database is away.
    #[error("the collector cannot store now")]
    Busy {
        /// When to come back, in seconds.
        retry_after_s: u32,
    },
    /// Anything else.
    #[error(transparent)]
    Store(store::Error),
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Busy => Self::Busy { retry_after_s: spread(5, 30) },
            store::Error::Unavailable(_) => Self::Busy { retry_after_s: spread(15, 60) },
            error => Self::Store(error),
        }
    }
}

/// A number between the two, so that agents do not come back all at once.
fn spread(from: u32, to: u32) -> u32 {
    let [a, b, ..] = *uuid::Uuid::new_v4().as_bytes();
    from + u32::from(u16::from_le_bytes([a, b])) % (to - from + 1)
}

/// Takes a check-in whose signature was verified for `device`. Returns after the durable commit.
pub async fn check_in(
    app: &App,
    device: DeviceKey,
    check_in: CheckIn,
) -> Result<CheckInAnswer, Refusal> {
    let now = app.clock.now();
    let stored = store_report(&app.store, device, check_in, now).await;
    if matches!(stored, Err(Refusal::CloneSuspected)) {
        judged(device, evaluate::device(app, device, now).await);
    }
    let (answer, applied) = stored?;
    if let Some(applied) = applied {
        tell_fleet(&app.fleet, &applied);
        judged(device, units::after_report(app, &applied.row).await);
        judged(device, evaluate::after_report(app, &applied, now).await);
    } else if answer.stored && !answer.duplicate {
        app.fleet.device_seen(device, now);
    }
    Ok(CheckInAnswer { settings: app.store.agent_settings(), ..answer })
}

fn judged(device: DeviceKey, done: Result<(), store::Error>) {
    if let Err(error) = done {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            device.key = device.0,
            "a device could not be judged after its report; the next sweep will"
        );
    }
}

fn tell_fleet(fleet: &Fleet, applied: &Applied) {
    if !applied.new_titles.is_empty() {
        fleet.titles_added(applied.new_titles.iter().map(load::title).collect());
    }
    fleet.device_applied(applied.row.clone(), Arc::clone(&applied.titles));
    if !applied.values.is_empty() {
        fleet.values_seen(applied.row.key, applied.values.clone());
    }
}

/// The same without the fleet and the findings: checks, stores and answers with the settings left
/// at their defaults. What was applied comes beside the answer.
pub async fn store_report(
    store: &Store,
    device: DeviceKey,
    check_in: CheckIn,
    now: Timestamp,
) -> Result<(CheckInAnswer, Option<Box<Applied>>), Refusal> {
    if !store.takes_reports() {
        return Err(Refusal::Busy { retry_after_s: spread(5, 30) });
    }
    let mut answer = CheckInAnswer {
        report_id: check_in.report_id,
        stored: true,
        duplicate: false,
        want: Vec::new(),
        server_time: now,
        next_seq: None,
        settings: Settings::default(),
    };
    let checked = envelope(check_in, device, store.known_by(device, SOFTWARE), now)?;
    let report_id = checked.report_id;
    match store.note_contact(
        device,
        report_id,
        checked.content,
        checked.fingerprint,
        &checked.report,
    ) {
        Contacted::Noted => return Ok((answer, None)),
        Contacted::Duplicate => {
            answer.duplicate = true;
            return Ok((answer, None));
        }
        Contacted::Conflict => return Err(conflict(store, device, report_id, now).await),
        Contacted::Changed => {}
    }
    let want = checked.missing(store);
    if !want.is_empty() {
        return Ok((CheckInAnswer { stored: false, want, ..answer }, None));
    }
    // Unpacking and packing some megabytes must not hold up the other requests of this thread.
    let prepared = if checked.body_bytes() > LARGE_BODIES {
        let store = store.clone();
        let work = tokio::task::spawn_blocking(move || checked.prepare(&store));
        work.await.map_err(|_| Refusal::Busy { retry_after_s: spread(15, 60) })??
    } else {
        checked.prepare(store)?
    };
    match store.write_report(prepared).await? {
        Outcome::Stored(applied) => {
            answer.next_seq = applied.next_seq;
            Ok((answer, Some(applied)))
        }
        Outcome::Late => Ok((answer, None)),
        Outcome::Duplicate => Ok((CheckInAnswer { duplicate: true, ..answer }, None)),
        Outcome::Want(want) => Ok((CheckInAnswer { stored: false, want, ..answer }, None)),
        Outcome::Conflict => Err(conflict(store, device, report_id, now).await),
        Outcome::CloneSuspected { evidence } => {
            tracing::warn!(device.key = device.0, report.id = %report_id, evidence,
                "the same key speaks from two computers");
            store.suspect_clone(device, &evidence, now).await?;
            Err(Refusal::CloneSuspected)
        }
    }
}

/// A report that was sent before with other content: written down, since an honest agent never does
/// it. Once in a while is enough for one that goes on.
async fn conflict(
    store: &Store,
    device: DeviceKey,
    report_id: uuid::Uuid,
    now: Timestamp,
) -> Refusal {
    if store.conflict_due(device, now) {
        let row = match store.device_by_key(device).await {
            Ok(row) => row,
            Err(error) => return error.into(),
        };
        let id = row.map_or_else(|| device.0.to_string(), |row| row.id.to_string());
        let entry = AuditEntry {
            at: now,
            actor: format!("device {id}"),
            action: "report_conflict".to_owned(),
            object: format!("report {report_id}"),
            detail: "it came again with other content and was refused".to_owned(),
        };
        if let Err(error) = store.audit(&entry).await {
            return error.into();
        }
    }
    tracing::warn!(device.key = device.0, report.id = %report_id, "a report came with two contents");
    Refusal::ReportConflict(report_id)
}

/// Above this the bodies of a report are read on a thread for such work. What is below takes about
/// a millisecond.
const LARGE_BODIES: usize = 512 * 1024;

/// A check-in whose outside is checked; its bodies are not read yet.
struct Checked {
    device: DeviceKey,
    report_id: uuid::Uuid,
    content: Digest,
    fingerprint: Digest,
    report: LastReport,
    sections: BTreeMap<String, SectionState>,
    /// The digest by which a section's content is known here.
    digests: BTreeMap<String, Digest>,
    notes: BTreeMap<String, Vec<Note>>,
}

/// Checks names and numbers, cleans the small values and makes the digests.
/// `held`: the digest by which the device's software is known.
fn envelope(
    check_in: CheckIn,
    device: DeviceKey,
    held: Option<Digest>,
    now: Timestamp,
) -> Result<Checked, Refusal> {
    let CheckIn {
        report_id,
        seq,
        observed_at,
        sent_at,
        agent,
        hardware_ids,
        vitals,
        sections,
        cost,
        dropped_reports,
    } = check_in;
    if sections.len() > limits::SECTIONS {
        return Err(bad("*", format!("a report has at most {} sections", limits::SECTIONS)));
    }
    if let Some(name) = sections.keys().find(|name| !is_section_name(name)) {
        let name: String = name.chars().take(64).collect();
        return Err(bad(&name, "a section's name is 1 to 64 of a-z, 0-9 and _".to_owned()));
    }
    if dropped_reports > 0 {
        tracing::warn!(device.key = device.0, dropped_reports, "the agent had to drop old reports");
    }
    let agent = clean("agent", agent)?;
    let hardware_ids = clean("hardware_ids", hardware_ids)?;
    let vitals = clean("vitals", vitals)?;
    if cost.sources.len() > limits::SOURCES {
        return Err(bad("*", format!("a report tells of at most {} sources", limits::SOURCES)));
    }
    let cost = clean("cost", cost)?;
    let mut notes = BTreeMap::new();
    let mut digests = BTreeMap::new();
    for (name, state) in &sections {
        let these: Vec<Note> = match state.notes.as_slice() {
            [] => Vec::new(),
            notes => clean(name, notes.to_vec())?,
        };
        if let Some(digest) = state.digest {
            digests.insert(name.clone(), effective(device, name, digest, &these));
        }
        if !these.is_empty() {
            notes.insert(name.clone(), these);
        }
    }
    // Made before what follows: an unchanged list is the same, however it came.
    let sessions: Vec<&str> = vitals.sessions.iter().map(|one| one.user.as_str()).collect();
    let fingerprint = digest_of(&(&digests, &notes, &hardware_ids, &agent, sessions))?;
    let content = digest_of(&(report_id, seq, observed_at, &vitals, fingerprint))?;
    if let (Some(state), Some(digest)) = (sections.get(SOFTWARE), digests.get_mut(SOFTWARE))
        && state.body.is_none()
        && (state.change.is_some() || held == Some(unproven(device, *digest)))
    {
        *digest = unproven(device, *digest);
    }
    let report = LastReport {
        seq,
        observed_at,
        received_at: now,
        clock_error_ms: sent_at.since(now),
        vitals,
        agent,
        cost,
        hardware_ids,
    };
    Ok(Checked { device, report_id, content, fingerprint, report, sections, digests, notes })
}

fn is_section_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// A small value in its sanitised form.
fn clean<T: Serialize + DeserializeOwned>(name: &str, value: T) -> Result<T, Refusal> {
    let text = serde_json::to_string(&value).map_err(|error| bad(name, error.to_string()))?;
    match sanitise::json(&text).map_err(|why| bad(name, why.to_string()))? {
        std::borrow::Cow::Borrowed(_) => Ok(value),
        std::borrow::Cow::Owned(clean) => {
            serde_json::from_str(&clean).map_err(|error| bad(name, error.to_string()))
        }
    }
}

fn digest_of(value: &impl Serialize) -> Result<Digest, Refusal> {
    let bytes = serde_json::to_vec(value).map_err(|error| bad("*", error.to_string()))?;
    Ok(Digest::of(&bytes))
}

/// The digest by which a section is known here. A software list some of whose sources could not be
/// read is completed by what this device had before; that mixture is its own, and known under a
/// digest that nobody else has, so the whole list is asked for once all sources speak again.
fn effective(device: DeviceKey, name: &str, digest: Digest, notes: &[Note]) -> Digest {
    let unread = unread_sources(name, notes);
    if unread.is_empty() {
        return digest;
    }
    let text = format!("{digest} of {} without {}", device.0, unread.join(", "));
    Digest::of(text.as_bytes())
}

/// The digest by which a list is known here whose bytes nobody saw: it was made from an earlier one
/// and a change. That the two belong together is the device's word alone, so no other device is
/// ever given that list for the digest; for this one it is as good as the whole.
fn unproven(device: DeviceKey, digest: Digest) -> Digest {
    Digest::of(format!("{digest} of {} by a change", device.0).as_bytes())
}

/// Sources of the software list that could not be read this time. Unknown is never "gone".
fn unread_sources(name: &str, notes: &[Note]) -> Vec<String> {
    if name != SOFTWARE {
        return Vec::new();
    }
    notes.iter().filter(|note| note.leaves_open()).filter_map(|note| note.source.clone()).collect()
}

const SOFTWARE: &str = "software";

impl Checked {
    /// Sections that came without a body and that nobody holds.
    fn missing(&self, store: &Store) -> Vec<String> {
        self.sections
            .iter()
            .filter(|(name, state)| {
                state.body.is_none() && (state.change.is_none() || *name != SOFTWARE)
            })
            .filter_map(|(name, _)| Some((name, self.digests.get(name)?)))
            .filter(|(name, digest)| !store.holds(self.device, name, digest))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn body_bytes(&self) -> usize {
        self.sections.values().filter_map(|state| Some(state.body.as_ref()?.get().len())).sum()
    }

    /// Reads the bodies.
    fn prepare(self, store: &Store) -> Result<Prepared, Refusal> {
        let mut sections = BTreeMap::new();
        for (name, state) in &self.sections {
            let notes = self.notes.get(name).map(Vec::as_slice).unwrap_or_default();
            let section = match (&state.body, state.digest, self.digests.get(name)) {
                (Some(body), Some(sent), Some(known)) => {
                    Some(read_body(store, name, body.get(), sent, *known, notes)?)
                }
                (Some(_), None, _) | (Some(_), _, None) => {
                    return Err(bad(name, "a body needs its digest".to_owned()));
                }
                (None, Some(_), Some(known)) if name == SOFTWARE && state.change.is_some() => {
                    let read = unread_sources(name, notes).is_empty();
                    let change = state.change.clone().filter(|_| read).ok_or_else(|| {
                        bad(name, "a change needs a list of which every source was read".to_owned())
                    })?;
                    Some(read_change(self.device, *known, change)?)
                }
                (None, _, Some(known)) => Some(PreparedSection::Claimed(*known)),
                (None, ..) if notes.iter().any(|note| note.kind == NoteKind::NotFound) => {
                    Some(PreparedSection::Gone)
                }
                (None, ..) => None,
            };
            if let Some(section) = section {
                sections.insert(name_of(name), section);
            }
        }
        Ok(Prepared {
            device: self.device,
            report_id: self.report_id,
            content: self.content,
            fingerprint: self.fingerprint,
            report: self.report,
            sections,
            notes: self.notes,
        })
    }
}

fn read_body(
    store: &Store,
    name: &str,
    body: &str,
    sent: Digest,
    known: Digest,
    notes: &[Note],
) -> Result<PreparedSection, Refusal> {
    if Digest::of(body.as_bytes()) != sent {
        return Err(bad(name, "its bytes do not give its digest".to_owned()));
    }
    if name == SOFTWARE {
        let rows = titles(store, body).map_err(|why| bad(name, why))?;
        let unread = unread_sources(name, notes);
        return Ok(PreparedSection::Software { digest: known, rows, unread });
    }
    let text = sanitise::json(body).map_err(|why| bad(name, why.to_string()))?;
    if let Some(Err(error)) = Section::from_json(name, &text) {
        return Err(bad(name, error.to_string()));
    }
    // Pages read unknown sections as values; what cannot be read there is refused here.
    if !SECTIONS.iter().any(|info| info.name == name)
        && let Err(error) = serde_json::from_str::<serde_json::Value>(&text)
    {
        return Err(bad(name, error.to_string()));
    }
    let packed = document::compress(&text);
    Ok(PreparedSection::Document { digest: known, text: text.into_owned(), packed })
}

fn read_change(
    device: DeviceKey,
    known: Digest,
    change: SoftwareChange,
) -> Result<PreparedSection, Refusal> {
    let SoftwareChange { base, gone, come, mark } = clean(SOFTWARE, change)?;
    let come = come.into_iter().map(|row| {
        let title = TitleText::of(&row);
        let Software { installed_at, size_bytes, scope, origin, .. } = row;
        (title, Extra { installed_at, size_bytes, scope, origin })
    });
    let change = TitleChange {
        bases: [base, unproven(device, base)],
        gone: gone.iter().map(TitleText::of).collect(),
        come: come.collect(),
        mark,
    };
    Ok(PreparedSection::Changed { digest: known, change })
}

/// The titles of a list of software. Of its text nothing is kept but the rows, so the usual one is
/// read in a single pass; one that could be other than its sanitised form takes the longer way.
fn titles(store: &Store, body: &str) -> Result<TitleRows, String> {
    if !sanitise::has_escapes(body)
        && let Ok(rows) = store.look_up_titles(body)
    {
        return Ok(rows);
    }
    let text = sanitise::json(body).map_err(|why| why.to_string())?;
    store.look_up_titles(&text).map_err(|error| error.to_string())
}

/// A section's name; those that every device has are one in memory.
fn name_of(name: &str) -> Arc<str> {
    static NAMES: LazyLock<Vec<Arc<str>>> =
        LazyLock::new(|| SECTIONS.iter().map(|info| info.name.into()).collect());
    NAMES.iter().find(|known| ***known == *name).map_or_else(|| name.into(), Arc::clone)
}

fn bad(section: &str, why: String) -> Refusal {
    Refusal::BadSection { section: section.to_owned(), why }
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
