//! Devices: who they are, and the few facts that lists show.

use rollcall_shared::api::device::DeviceClass;
use rollcall_shared::report::{AgentInfo, Cost, Vitals};
use rollcall_shared::{DeviceId, HardwareIds, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Error, Store};

/// The dense number of a device inside one database; bitmaps are indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceKey(pub u32);

/// One device as the table `device` holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its number.
    pub key: DeviceKey,
    /// Its id.
    pub id: DeviceId,
    /// First contact.
    pub enrolled_at: Timestamp,
    /// Set while a person must still approve it.
    pub pending: bool,
    /// When a person took it out of service.
    pub retired_at: Option<Timestamp>,
    /// Made by `--demo`.
    pub demo: bool,
    /// Site, department and asset tag as people or the token gave them.
    pub site: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Asset tag given by a person; the firmware's stands in the summary.
    pub asset_tag: Option<String>,
    /// What lists show, derived from the last report; written with it.
    pub summary: Summary,
    /// Last check-in, by the collector's clock.
    pub last_seen_at: Option<Timestamp>,
    /// First report that was stored.
    pub first_report_at: Option<Timestamp>,
}

/// What lists and the search show of a device, derived from its sections at each report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Host name.
    pub hostname: String,
    /// Kind of device.
    pub class: Option<DeviceClass>,
    /// Operating system for people, e.g. `Debian GNU/Linux 12`.
    pub os_name: String,
    /// Maker.
    pub manufacturer: Option<String>,
    /// Model for people.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Asset tag in the firmware.
    pub firmware_asset_tag: Option<String>,
    /// The person seen last.
    pub user: Option<String>,
    /// That person's name.
    pub user_full_name: Option<String>,
    /// IP addresses without prefix length, loopback and link-local left out.
    pub addresses: Vec<String>,
    /// MAC addresses of all interfaces, lower case with colons.
    pub macs: Vec<String>,
    /// Titles installed.
    pub software_count: u64,
    /// Version of the agent.
    pub agent_version: Option<String>,
}

/// The last report of a device, without its sections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// Its number.
    pub seq: u64,
    /// When the computer was looked at.
    pub observed_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The agent's clock minus the collector's, in milliseconds.
    pub clock_error_ms: i64,
    /// The moving numbers.
    pub vitals: Vitals,
    /// The agent.
    pub agent: AgentInfo,
    /// What the look cost.
    pub cost: Cost,
    /// Evidence of who it is, good values kept over bad reads.
    pub hardware_ids: HardwareIds,
}

/// Which past values are remembered for the search and the list of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenValue {
    /// `hostname`, `user`, `serial`, `mac`, `ip`, `asset_tag`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// For a user: the person's name.
    pub label: Option<String>,
    /// First report with it.
    pub first_at: Timestamp,
    /// Last report with it.
    pub last_at: Timestamp,
}

impl Store {
    /// Every device, for building the fleet in memory; read in pages inside.
    pub async fn devices(&self) -> Result<Vec<DeviceRow>, Error> {
        todo!()
    }

    /// One device by its id.
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, Error> {
        let _ = id;
        todo!()
    }

    /// The last report of a device.
    pub async fn last_report(&self, device: DeviceKey) -> Result<Option<LastReport>, Error> {
        let _ = device;
        todo!()
    }

    /// Values this device has or had.
    pub async fn seen_values(&self, device: DeviceKey) -> Result<Vec<SeenValue>, Error> {
        let _ = device;
        todo!()
    }

    /// Values every device has or had, for the search: key, value.
    pub async fn all_seen_values(&self) -> Result<Vec<(DeviceKey, SeenValue)>, Error> {
        todo!()
    }
}
