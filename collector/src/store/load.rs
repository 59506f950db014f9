//! Builds at start what the store remembers of the tables.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::state::StateRows;
use super::{Error, Tables, on_backend, queries};
use crate::store::title::{Title, TitleText};

queries! {
    LAST = "SELECT max(device) FROM
        (SELECT device FROM device_report WHERE device > $1 ORDER BY device LIMIT 1000) AS page";
    NUMBERS = "SELECT device, number FROM device_touched WHERE device > $1 AND device <= $2";
    REPORTS = "SELECT device, seq, report_id, fingerprint, recent, observed_at, changed_at
        FROM device_report WHERE device > $1 AND device <= $2";
    SECTIONS = "SELECT device, name, digest FROM section
        WHERE device > $1 AND device <= $2 AND length(document) > 0";
    SOFTWARE = "SELECT device, digest FROM software WHERE device > $1 AND device <= $2";
    NOTES = "SELECT device, notes FROM section_note WHERE device > $1 AND device <= $2";
    VALUES_AT = "SELECT device, max(last_at) FROM seen_value
        WHERE device > $1 AND device <= $2 GROUP BY device";
    TITLES = "SELECT id, source, name, version, architecture, publisher, source_package,
          source_version
        FROM title WHERE id > $1 ORDER BY id LIMIT 5000";
    /// Changes nothing, but whoever numbers new titles is alone until the commit.
    HOLD = "UPDATE counter SET value = value WHERE name = 'title'";
}

/// How long to wait before the tables are asked again.
const RETRY: Duration = Duration::from_secs(5);

pub(super) const HOLD_TITLES: &str = HOLD;
pub(super) const NEXT_TITLES: &str = TITLES;

pub(super) type TitleRow = (i64, String, String, String, String, String, String, String);

impl Tables {
    /// Reads everything.
    pub(super) async fn load(&self) -> Result<(), Error> {
        self.load_few().await?;
        self.load_all_devices().await
    }

    /// Reads all but the states of devices, which are the most by far.
    pub(super) async fn load_few(&self) -> Result<(), Error> {
        // What others change meanwhile is read again after it.
        self.start_following().await?;
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
            self.remember_titles(titles);
        }
    }

    pub(super) fn remember_titles(&self, titles: Vec<Title>) {
        let mut dictionary = self.memory().titles_mut();
        for title in titles {
            dictionary.add(title);
        }
    }

    /// The titles after this number, some at a time.
    pub(super) async fn title_page(&self, last: i64) -> Result<Vec<Title>, Error> {
        let rows: Vec<TitleRow> = on_backend!(self, read pool =>
            sqlx::query_as(TITLES).bind(last).fetch_all(pool).await?);
        titles(rows)
    }

    /// One page of devices after this number; the number it came to.
    async fn load_devices(&self, last: i64) -> Result<Option<i64>, Error> {
        let to: Option<i64> = on_backend!(self, read pool => sqlx::query_scalar(LAST).bind(last).fetch_one(pool).await?);
        let Some(to) = to else { return Ok(None) };
        let rows = on_backend!(self, read pool => StateRows {
            numbers: sqlx::query_as(NUMBERS).bind(last).bind(to).fetch_all(pool).await?,
            reports: sqlx::query_as(REPORTS).bind(last).bind(to).fetch_all(pool).await?,
            sections: sqlx::query_as(SECTIONS).bind(last).bind(to).fetch_all(pool).await?,
            software: sqlx::query_as(SOFTWARE).bind(last).bind(to).fetch_all(pool).await?,
            notes: sqlx::query_as(NOTES).bind(last).bind(to).fetch_all(pool).await?,
            values_at: sqlx::query_as(VALUES_AT).bind(last).bind(to).fetch_all(pool).await?,
        });
        self.remember_states(rows.states()?, false);
        Ok(Some(to))
    }
}

/// Titles as they stand in the table.
pub(super) fn titles(rows: Vec<TitleRow>) -> Result<Vec<Title>, Error> {
    let title = |(id, a, b, c, d, e, f, g): TitleRow| {
        let number = u32::try_from(id).map_err(|_| Error::Damaged(format!("title {id}")))?;
        Ok(Title { id: number, text: TitleText::join([&a, &b, &c, &d, &e, &f, &g]) })
    };
    rows.into_iter().map(title).collect()
}

/// The section that is stored title by title.
pub(super) const SOFTWARE_NAME: &str = "software";
