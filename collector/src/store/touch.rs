//! Which devices were changed, in the order of the transactions that changed them: what a collector
//! reads of the tables to learn what others wrote.
//!
//! A transaction takes its number from one row and holds it until it commits. So whoever sees a
//! number sees all lower ones, and devices are locked before the number is taken, never after.

use rollcall_shared::Timestamp;

use super::device::DeviceKey;
use super::feed::NEXT_CHANGE;
use super::memory::lock;
use super::{Tables, queries};

queries! {
    HEAD = "SELECT value FROM counter WHERE name = 'change'";
    AFTER = "SELECT device, number FROM device_touched
        WHERE number >= $1 AND (number, device) > ($1, $2) ORDER BY number, device LIMIT 1000";
    SEEN = "SELECT device, at FROM device_seen WHERE at > $1";
}

/// The number of the newest transaction that changed a device.
pub(super) const NEWEST: &str = HEAD;
/// Devices behind a place, in the order in which they were changed.
pub(super) const TOUCHED_AFTER: &str = AFTER;
/// Devices heard of since a moment.
pub(super) const SEEN_AFTER: &str = SEEN;
/// The numbers of some devices.
pub(super) const NUMBERS: &str = "SELECT device, number FROM device_touched WHERE device";
pub(super) const INSERT_TOUCHED: &str = "INSERT INTO device_touched (device, number) ";
pub(super) const UPSERT_TOUCHED: &str =
    " ON CONFLICT (device) DO UPDATE SET number = excluded.number";

/// What one transaction changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Its number.
    pub(super) number: i64,
    /// Its devices.
    pub(super) devices: Vec<i64>,
    /// The numbers these devices had before.
    pub(super) before: Vec<(i64, i64)>,
}

/// Takes the number of this transaction and notes these devices under it. The last step before the
/// commit, since other transactions that do the same wait from here on.
macro_rules! touch {
    ($tx:ident, $devices:expr) => {{
        let devices: Vec<i64> = $devices;
        let number: i64 =
            sqlx::query_scalar($crate::store::touch::NEXT).fetch_one(&mut *$tx).await?;
        let before = $crate::store::statement::select_in!(
            $tx,
            (i64, i64),
            $crate::store::touch::NUMBERS,
            &devices
        );
        $crate::store::statement::insert!(
            $tx,
            $crate::store::touch::INSERT_TOUCHED,
            &devices,
            |row, device| {
                row.push_bind(*device).push_bind(number);
            },
            $crate::store::touch::UPSERT_TOUCHED
        );
        $crate::store::touch::Touched { number, devices, before }
    }};
}
pub(super) use touch;

/// See [`touch!`].
pub(super) const NEXT: &str = NEXT_CHANGE;

impl Tables {
    /// Memory agrees with the tables about what this transaction changed. Where somebody else
    /// changed the device since memory last agreed, it goes on being read anew.
    pub(super) fn touched(&self, touched: &Touched) {
        self.memory().reached(touched.number);
        for device in &touched.devices {
            let before = touched.before.iter().find(|row| row.0 == *device);
            let Ok(key) = super::device::key_of(*device) else { continue };
            let shared = self.memory().device(key);
            let mut state = lock(&shared);
            if state.touched == before.map_or(0, |row| row.1) {
                state.touched = touched.number;
            }
        }
    }
}

/// A device heard of, and when.
pub type Seen = (DeviceKey, Timestamp);
