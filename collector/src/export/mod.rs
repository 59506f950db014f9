//! Exports: whole lists as CSV or JSON, as of now or any past moment.
//!
//! An export that people asked for is written into the audit log before its first byte is sent, and
//! its length and SHA-256 before its last: a file that lies somewhere can be held against the log.
//!
//! Rows are made page by page while they are sent, so the memory used does not grow with the
//! fleet. Each page is a short read of its own.

mod audit;
mod csv;
mod record;

use std::collections::HashMap;
use std::task::{Context, Poll};

use rollcall_shared::api::audit::{ExportEnd, ExportReceipt};
use rollcall_shared::api::device::DeviceSummary;
use rollcall_shared::{DeviceId, Digest, Timestamp};
use tokio::sync::mpsc;

use self::csv::CsvWriter;
use self::record::{Holder, Record};
use crate::app::App;
use crate::domain::Scope;
use crate::store::audit::{AuditQuery, By};
use crate::store::device::DeviceKey;
use crate::store::listing::{SoftwareList, TitleOrder};
use crate::view::{self, past};

/// What the audit log calls the end of an export.
pub const ENDED: &str = "export_ended";

/// How it names the export that ended, by the number of its first entry.
pub fn ended_object(number: i64) -> String {
    format!("export {number}")
}

/// Devices read at a time.
const PAGE: usize = 1_000;
/// The same where each comes with all of its software.
const SOFTWARE_PAGE: usize = 100;
/// Bytes that are gathered before they are sent.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait for a slow reader.
const WAITING: usize = 4;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $( $(#[$doc:meta])* $variant:ident $word:literal, )* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$doc])* $variant, )*
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$( Self::$variant, )*];

            /// The word in addresses and commands.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }

            /// Reads the word; `None` for any other.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }
    };
}

words! {
    /// What is exported.
    Kind {
        /// One row a device.
        Devices "devices",
        /// One row a device and title.
        Software "software",
        /// One row an open or waived finding.
        Findings "findings",
    }
}

words! {
    /// In which form.
    Format {
        /// Comma-separated values, RFC 4180.
        Csv "csv",
        /// One JSON object: what the export is, its rows, how many there are.
        Json "json",
        /// One JSON object a line.
        JsonLines "jsonl",
    }
}

words! {
    /// For whom CSV is written.
    Profile {
        /// Cells that a spreadsheet would take for a formula begin with an apostrophe.
        Spreadsheet "spreadsheet",
        /// Cells are exactly the values.
        Raw "raw",
    }
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
            Self::JsonLines => "application/jsonl",
        }
    }
}

/// The bytes of an export, made while they are read.
#[derive(Debug)]
pub struct Rows(mpsc::Receiver<Result<Vec<u8>, view::Error>>);

impl Rows {
    /// The next bytes; `None` at the end. After an error nothing follows, and the export is not
    /// complete.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, view::Error>> {
        self.0.recv().await
    }

    /// The same for those who poll.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<u8>, view::Error>>> {
        self.0.poll_recv(context)
    }
}

/// A file name with the date the export speaks of, e.g. `rollcall-devices-2026-11-23.csv`.
pub fn file_name(kind: Kind, format: Format, moment: Timestamp) -> String {
    format!("rollcall-{}-{}.{}", kind.as_str(), moment.date(), format.as_str())
}

/// Begins an export of the devices of a scope.
pub fn rows(
    app: &App,
    scope: &Scope,
    kind: Kind,
    format: Format,
    profile: Profile,
    as_of: Option<Timestamp>,
    receipt: Option<&ExportReceipt>,
) -> Rows {
    let (mut sink, receiver) = sink(app, record::columns(kind), format, profile, receipt);
    let (app, scope) = (app.clone(), scope.clone());
    tokio::spawn(async move {
        if let Err(Stop::Failed(error)) = write(&app, &scope, kind, as_of, &mut sink).await {
            tracing::warn!(%error, kind = kind.as_str(), "an export broke off");
            let _ = sink.sender.send(Err(error)).await;
        }
    });
    Rows(receiver)
}

/// Begins an export of the audit log, newest first, up to the export's own entry.
pub fn audit_rows(
    app: &App,
    query: AuditQuery,
    format: Format,
    profile: Profile,
    receipt: &ExportReceipt,
) -> Rows {
    let (mut sink, receiver) = sink(app, audit::COLUMNS, format, profile, Some(receipt));
    let (app, below) = (app.clone(), receipt.audit_entry);
    tokio::spawn(async move {
        if let Err(Stop::Failed(error)) = audit::write(&app, &query, below, &mut sink).await {
            tracing::warn!(%error, kind = "audit", "an export broke off");
            let _ = sink.sender.send(Err(error)).await;
        }
    });
    Rows(receiver)
}

fn sink(
    app: &App,
    columns: &'static [&'static str],
    format: Format,
    profile: Profile,
    receipt: Option<&ExportReceipt>,
) -> (Sink, mpsc::Receiver<Result<Vec<u8>, view::Error>>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let text = serde_json::to_string(&receipt).unwrap_or_default();
    let form = match format {
        Format::Csv => Form::Csv(CsvWriter::new(columns, profile)),
        Format::Json => Form::Json { rows: 0, receipt: text },
        Format::JsonLines => Form::JsonLines,
    };
    let told = receipt.map(|receipt| Told { app: app.clone(), receipt: receipt.clone() });
    let hash = ring::digest::Context::new(&ring::digest::SHA256);
    (Sink { sender, buffer: Vec::new(), form, told, hash, bytes: 0 }, receiver)
}

/// Why an export ends early.
enum Stop {
    /// Nobody reads any more.
    Unread,
    Failed(view::Error),
}

impl<E: Into<view::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

enum Form {
    Csv(CsvWriter),
    Json { rows: u64, receipt: String },
    JsonLines,
}

struct Sink {
    sender: mpsc::Sender<Result<Vec<u8>, view::Error>>,
    buffer: Vec<u8>,
    form: Form,
    /// Whom to tell of the end.
    told: Option<Told>,
    /// Of what was sent so far.
    hash: ring::digest::Context,
    bytes: u64,
}

/// Where the end of an export is written down.
struct Told {
    app: App,
    receipt: ExportReceipt,
}

impl Told {
    async fn ended(&self, bytes: u64, sha256: Digest) -> Result<(), view::Error> {
        let by = By::new(&self.receipt.made_by, self.app.clock.now());
        let object = ended_object(self.receipt.audit_entry);
        let end = ExportEnd { bytes, sha256, ended_at: by.at };
        self.app.store.audit(&by.did(ENDED, object, end.words(&self.receipt.file))).await?;
        Ok(())
    }
}

impl Sink {
    fn begin(&mut self) {
        match &mut self.form {
            Form::Csv(csv) => csv.header(&mut self.buffer),
            Form::Json { receipt, .. } => {
                let head = format!("{{\"export\":{receipt},\n\"rows\":[");
                self.buffer.extend_from_slice(head.as_bytes());
            }
            Form::JsonLines => {}
        }
    }

    async fn row(&mut self, record: &Record<'_>) -> Result<(), Stop> {
        match &mut self.form {
            Form::Csv(csv) => csv.row(&record.cells(), &mut self.buffer),
            Form::Json { rows, .. } => {
                self.buffer.extend_from_slice(if *rows == 0 { b"\n" } else { b",\n" });
                *rows += 1;
                record.json(&mut self.buffer)?;
            }
            Form::JsonLines => {
                record.json(&mut self.buffer)?;
                self.buffer.push(b'\n');
            }
        }
        if self.buffer.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn finish(&mut self) -> Result<(), Stop> {
        if let Form::Json { rows, .. } = &self.form {
            let tail = format!("\n],\n\"row_count\":{rows}}}\n");
            self.buffer.extend_from_slice(tail.as_bytes());
        }
        self.count();
        // Before the last bytes: what cannot be written down is not given out whole.
        if let Some(told) = self.told.take() {
            let hash = self.hash.clone().finish();
            if let Some(sha256) = Digest::from_slice(hash.as_ref()) {
                told.ended(self.bytes, sha256).await?;
            }
        }
        self.send().await
    }

    fn count(&mut self) {
        self.hash.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        self.count();
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.sender.send(Ok(bytes)).await.map_err(|_| Stop::Unread)
    }
}

async fn write(
    app: &App,
    scope: &Scope,
    kind: Kind,
    as_of: Option<Timestamp>,
    sink: &mut Sink,
) -> Result<(), Stop> {
    view::ready(app).await;
    let at = as_of.unwrap_or_else(|| app.clock.now());
    let keys = app.fleet.read().keys_within(scope);
    sink.begin();
    let mut before: Option<DeviceKey> = None;
    let mut order = TitleOrder::default();
    let page_size = if kind == Kind::Software { SOFTWARE_PAGE } else { PAGE };
    for page in past::pieces(&keys, page_size) {
        match kind {
            Kind::Devices => devices(app, page, as_of, sink).await?,
            Kind::Software => software(app, page, as_of, &mut order, sink).await?,
            Kind::Findings => {
                let last = page.last().copied().unwrap_or(DeviceKey(0));
                let asked = (before, last, page);
                findings(app, asked, at, as_of.is_some(), sink).await?;
            }
        }
        before = page.last().copied();
    }
    sink.finish().await
}

/// A page of devices as lists show them, now or then.
async fn summaries(
    app: &App,
    page: &[DeviceKey],
    as_of: Option<Timestamp>,
) -> Result<Vec<DeviceSummary>, view::Error> {
    match as_of {
        None => Ok(view::devices::summaries(app, page)),
        Some(at) => past::summaries(app, page, at).await,
    }
}

async fn devices(
    app: &App,
    page: &[DeviceKey],
    as_of: Option<Timestamp>,
    sink: &mut Sink,
) -> Result<(), Stop> {
    for summary in &summaries(app, page, as_of).await? {
        sink.row(&Record::Device(summary)).await?;
    }
    Ok(())
}

async fn software(
    app: &App,
    page: &[DeviceKey],
    as_of: Option<Timestamp>,
    order: &mut TitleOrder,
    sink: &mut Sink,
) -> Result<(), Stop> {
    let (Some(lowest), Some(highest)) = (page.first(), page.last()) else { return Ok(()) };
    let before = lowest.0.checked_sub(1).map(DeviceKey);
    let lists = app.store.software_lists(before, *highest, as_of, order).await?;
    let mut lists: HashMap<DeviceKey, SoftwareList> =
        lists.into_iter().map(|list| (list.device, list)).collect();
    for summary in &summaries(app, page, as_of).await? {
        let key = app.fleet.read().by_id(summary.id).map(|entry| entry.row.key);
        let Some(list) = key.and_then(|key| lists.remove(&key)) else { continue };
        let device = Holder::of(summary);
        for (id, extra) in &list.titles {
            let Some(text) = order.text(*id) else { continue };
            sink.row(&Record::Software { device: &device, text, extra }).await?;
        }
    }
    Ok(())
}

/// The findings of a page of devices, whose numbers are above the first up to the second.
async fn findings(
    app: &App,
    (after, last, page): (Option<DeviceKey>, DeviceKey, &[DeviceKey]),
    at: Timestamp,
    in_the_past: bool,
    sink: &mut Sink,
) -> Result<(), Stop> {
    let mut found = app.store.findings_between(after, last, at).await?;
    found.retain(|(device, _)| page.binary_search(device).is_ok());
    if in_the_past {
        let mut keys: Vec<DeviceKey> = found.iter().map(|(key, _)| *key).collect();
        keys.dedup();
        let then = past::summaries(app, &keys, at).await?;
        let names: HashMap<DeviceId, String> =
            then.into_iter().map(|summary| (summary.id, summary.hostname)).collect();
        for (_, finding) in &mut found {
            // One that had not reported yet has no name of then.
            if let Some(name) = names.get(&finding.device_id) {
                finding.hostname.clone_from(name);
            }
        }
    }
    for (_, finding) in &found {
        sink.row(&Record::Finding(finding)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
