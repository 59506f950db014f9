//! The list of devices, and how many there are of each kind.

use rollcall_shared::api::Page;
use rollcall_shared::api::device::{DeviceFilter, DeviceSummary};

use super::Error;
use crate::app::App;

/// Values of one column with the number of devices that have them, most first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By operating system.
    pub os: Vec<(String, u64)>,
    /// By maker and model.
    pub model: Vec<(String, u64)>,
    /// By class word.
    pub class: Vec<(String, u64)>,
    /// By presence word.
    pub presence: Vec<(String, u64)>,
    /// By site.
    pub site: Vec<(String, u64)>,
    /// By department.
    pub department: Vec<(String, u64)>,
    /// By rule of open findings.
    pub rule: Vec<(String, u64)>,
}

/// One page of the devices that pass the filter. With `as_of`, the list as it was then.
pub async fn list(app: &App, filter: &DeviceFilter) -> Result<Page<DeviceSummary>, Error> {
    let _ = (app, filter);
    todo!()
}

/// Counts of every facet over the devices that pass the filter.
pub async fn facets(app: &App, filter: &DeviceFilter) -> Result<Facets, Error> {
    let _ = (app, filter);
    todo!()
}
