//! Requests and answers of the API, one file per resource. The pages show the same values.

pub mod account;
pub mod audit;
pub mod change;
pub mod device;
pub mod enroll;
pub mod finding;
pub mod health;
pub mod search;
pub mod software;
pub mod token;
pub mod unit;

use serde::{Deserialize, Serialize};

/// One page of a list that is read in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "PageOf{T}"))]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Rows of the whole list under the same filter.
    pub total: u64,
    /// Give it back as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
