//! Builds at start what the store remembers of the tables.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rollcall_shared::{Digest, Timestamp};

use super::device::{DeviceKey, key_of};
use super::memory::{Recent, lock};
use super::{Error, Tables, on_backend, queries};
use crate::store::title::{Title, TitleText};

queries! {
    REPORTS = "SELECT device, seq, report_id, fingerprint, recent, observed_at, changed_at
        FROM device_report WHERE device > $1 ORDER BY device LIMIT 1000";
    SECTIONS = "SELECT device, name, digest FROM section
        WHERE device > $1 AND device <= $2 AND length(document) > 0";
    SOFTWARE = "SELECT device, digest FROM software WHERE device > $1 AND device <= $2";
    NOTES = "SELECT device, notes FROM section_note WHERE device > $1 AND device <= $2";
    VALUES_AT = "SELECT device, max(last_at) FROM seen_value
        WHERE device > $1 AND device <= $2 GROUP BY device";
    TITLES = "SELECT id, source, name, version, architecture, publisher, source_package,
          source_version
        FROM title WHERE id > $1 ORDER BY id LIMIT 5000";
}

/// How long to wait before the tables are asked again.
const RETRY: Duration = Duration::from_secs(5);

type ReportRow = (i64, i64, String, Vec<u8>, Vec<u8>, i64, i64);
type TitleRow = (i64, String, String, String, String, String, String, String);

impl Tables {
    /// Reads all but the states of devices, which are the most by far.
    pub(super) async fn load_few(&self) -> Result<(), Error> {
        self.load_titles().await?;
        self.load_keys().await?;
        self.load_evidence().await?;
        self.load_suspected().await?;
        self.follow_settings().await
    }

    /// Reads the states of all devices, in pages. No report may be taken before.
    pub(super) async fn load_all_devices(&self) -> Result<(), Error> {
        let mut last = -1;
        while let Some(next) = self.load_devices(last).await? {
            last = next;
        }
        self.memory().devices_known.store(true, Ordering::Release);
        Ok(())
    }

    /// The same; tries again until the tables answer.
    pub(super) async fn load_devices_at_last(&self) {
        while let Err(error) = self.load_all_devices().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what devices reported could not be read; tried again in a few seconds"
            );
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Reads the titles that are not remembered yet.
    pub(super) async fn load_titles(&self) -> Result<(), Error> {
        let mut last = i64::from(self.memory().titles().next_id()) - 1;
        loop {
            let titles = self.title_page(last).await?;
            let Some(newest) = titles.last() else { return Ok(()) };
            last = i64::from(newest.id);
            let mut dictionary = self.memory().titles_mut();
            for title in titles {
                dictionary.add(title);
            }
        }
    }

    /// The titles after this number, some at a time.
    pub(super) async fn title_page(&self, last: i64) -> Result<Vec<Title>, Error> {
        let rows: Vec<TitleRow> = on_backend!(self, read pool =>
            sqlx::query_as(TITLES).bind(last).fetch_all(pool).await?);
        rows.iter()
            .map(|(id, a, b, c, d, e, f, g)| {
                let id = u32::try_from(*id).map_err(|_| Error::Damaged(format!("title {id}")))?;
                Ok(Title { id, text: TitleText::join([a, b, c, d, e, f, g]) })
            })
            .collect()
    }

    /// One page of devices after this number; the number it came to.
    async fn load_devices(&self, last: i64) -> Result<Option<i64>, Error> {
        let reports: Vec<ReportRow> = on_backend!(self, read pool =>
            sqlx::query_as(REPORTS).bind(last).fetch_all(pool).await?);
        let Some(to) = reports.last().map(|row| row.0) else { return Ok(None) };
        for (device, seq, report_id, fingerprint, recent, observed_at, changed_at) in reports {
            if report_id.is_empty() {
                continue; // Enrolled, not reported yet.
            }
            let state = self.memory().device(key_of(device)?);
            let mut state = lock(&state);
            state.reported = true;
            state.seq = u64::try_from(seq).unwrap_or_default();
            state.recent = Recent::from_bytes(&recent);
            state.fingerprint = Digest::from_slice(&fingerprint);
            state.observed_at = Timestamp(observed_at);
            state.changed_at = Timestamp(changed_at);
        }
        self.load_digests(last, to).await?;
        let notes: Vec<(i64, String)> = on_backend!(self, read pool =>
            sqlx::query_as(NOTES).bind(last).bind(to).fetch_all(pool).await?);
        for (device, notes) in notes {
            let state = self.memory().device(key_of(device)?);
            lock(&state).notes = Some(Digest::of(notes.as_bytes()));
        }
        let values: Vec<(i64, i64)> = on_backend!(self, read pool =>
            sqlx::query_as(VALUES_AT).bind(last).bind(to).fetch_all(pool).await?);
        for (device, at) in values {
            let state = self.memory().device(key_of(device)?);
            lock(&state).values_at = Timestamp(at);
        }
        Ok(Some(to))
    }

    async fn load_digests(&self, last: i64, to: i64) -> Result<(), Error> {
        let mut digests: Vec<(i64, String, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(SECTIONS).bind(last).bind(to).fetch_all(pool).await?);
        let software: Vec<(i64, Vec<u8>)> = on_backend!(self, read pool =>
            sqlx::query_as(SOFTWARE).bind(last).bind(to).fetch_all(pool).await?);
        digests
            .extend(software.into_iter().map(|(key, digest)| (key, SOFTWARE_NAME.into(), digest)));
        let mut names: std::collections::BTreeSet<Arc<str>> = std::collections::BTreeSet::new();
        for (device, name, digest) in digests {
            let device: DeviceKey = key_of(device)?;
            let digest = Digest::from_slice(&digest)
                .ok_or_else(|| Error::Damaged(format!("a digest of device {}", device.0)))?;
            let name: Arc<str> = names.get(name.as_str()).cloned().unwrap_or_else(|| {
                let name: Arc<str> = name.into();
                names.insert(Arc::clone(&name));
                name
            });
            let state = self.memory().device(device);
            lock(&state).sections.insert(Arc::clone(&name), digest);
            self.memory().hold(device, [], [(name, digest)]);
        }
        Ok(())
    }
}

/// The section that is stored title by title.
pub(super) const SOFTWARE_NAME: &str = "software";
