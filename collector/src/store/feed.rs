//! The changes of the whole fleet in the order in which they were stored, for programs that follow.
//!
//! Each transaction that stores changes takes the next number from one row, which it holds until
//! it commits. So whoever sees a number sees all lower ones, also with several collectors on one
//! database; the time of receipt alone would not do, since what was received first may be stored
//! last.

use rollcall_shared::Timestamp;
use rollcall_shared::api::unit::UnitKind;

use super::device::{DeviceKey, key_of};
use super::load::SOFTWARE_NAME;
use super::scope::within;
use super::{Error, Store, on_backend, queries};
use crate::domain::Scope;

queries! {
    NEXT = "UPDATE counter SET value = value + 1 WHERE name = 'change' RETURNING value";
    HEAD = "SELECT value FROM counter WHERE name = 'change'";
    FEED = "SELECT stored, device, at, name FROM
          (SELECT stored, device, at, 'software' AS name FROM software_change
           WHERE stored >= $1 AND (stored, device, at) > ($1, $2, $6)
           ORDER BY stored, device, at LIMIT $5) AS one
        UNION ALL SELECT stored, device, at, name FROM
          (SELECT stored, device, at, name FROM section_past
           WHERE stored >= $1 AND (stored, device, at, name) > ($1, $2, $3, $4)
           ORDER BY stored, device, at, name LIMIT $5) AS two
        ORDER BY stored, device, at, name LIMIT $5";
    FEED_WITHIN = concat!(
        "SELECT stored, device, at, name FROM
          (SELECT c.stored, c.device, c.at, 'software' AS name FROM software_change c
             JOIN device d ON d.key = c.device
           WHERE c.stored >= $1 AND (c.stored, c.device, c.at) > ($1, $2, $6) AND ",
        within!("d", "$7", "$8"),
        " ORDER BY c.stored, c.device, c.at LIMIT $5) AS one
        UNION ALL SELECT stored, device, at, name FROM
          (SELECT p.stored, p.device, p.at, p.name FROM section_past p
             JOIN device d ON d.key = p.device
           WHERE p.stored >= $1 AND (p.stored, p.device, p.at, p.name) > ($1, $2, $3, $4) AND ",
        within!("d", "$7", "$8"),
        " ORDER BY p.stored, p.device, p.at, p.name LIMIT $5) AS two
        ORDER BY stored, device, at, name LIMIT $5"
    );
}

/// The number of this transaction; others that store changes wait until it ends.
pub(super) const NEXT_CHANGE: &str = NEXT;

/// Where a follower stands: behind the change of this section, stored by this transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    /// Number of the transaction.
    pub stored: i64,
    /// Number of the device.
    pub device: i64,
    /// The moment of the change.
    pub at: Timestamp,
    /// The section.
    pub section: String,
}

impl FeedPosition {
    /// Before everything.
    pub fn start() -> Self {
        Self { stored: 0, device: -1, at: Timestamp(i64::MIN), section: String::new() }
    }

    /// The device, where there is one of this number.
    pub fn device(&self) -> Result<DeviceKey, Error> {
        key_of(self.device)
    }
}

impl Store {
    /// Behind everything that is stored now.
    pub async fn feed_head(&self) -> Result<FeedPosition, Error> {
        let stored: i64 =
            on_backend!(self, read pool => sqlx::query_scalar(HEAD).fetch_one(pool).await?);
        let (device, at, section) = (i64::MAX, Timestamp(i64::MAX), String::new());
        Ok(FeedPosition { stored, device, at, section })
    }

    /// Where something changed after a position, in the order in which it was stored: at most
    /// `limit` sections of devices of a scope.
    pub async fn feed_after(
        &self,
        scope: &Scope,
        after: &FeedPosition,
        limit: u32,
    ) -> Result<Vec<FeedPosition>, Error> {
        // What is there of a report's software comes behind the sections before it in the alphabet.
        let behind = after.section.as_str() >= SOFTWARE_NAME;
        let software_at = if behind { after.at } else { after.at.plus_ms(-1) };
        macro_rules! found {
            ($sql:expr, $pool:expr $(, $more:expr)*) => {
                sqlx::query_as($sql)
                    .bind(after.stored)
                    .bind(after.device)
                    .bind(after.at.0)
                    .bind(&after.section)
                    .bind(i64::from(limit))
                    .bind(software_at.0)
                    $(.bind($more))*
                    .fetch_all($pool)
                    .await?
            };
        }
        let (sites, departments) =
            (scope.listed(UnitKind::Site), scope.listed(UnitKind::Department));
        let rows: Vec<(i64, i64, i64, String)> = on_backend!(self, read pool => {
            if scope.is_whole() {
                found!(FEED, pool)
            } else {
                found!(FEED_WITHIN, pool, &sites, &departments)
            }
        });
        Ok(rows
            .into_iter()
            .map(|(stored, device, at, section)| FeedPosition {
                stored,
                device,
                at: Timestamp(at),
                section,
            })
            .collect())
    }
}
