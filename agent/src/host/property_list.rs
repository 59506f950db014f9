//! Reads property lists of macOS.

use super::{Host, HostError};
use crate::plist::Value;

impl Host {
    /// A file that is a property list.
    pub(crate) fn property_list(&self, path: &str) -> Result<Value, HostError> {
        let bytes = self.read(path)?;
        Value::read(&bytes).ok_or_else(|| HostError::Failed {
            path: path.to_owned(),
            why: "it is no property list, or a damaged one".to_owned(),
        })
    }
}
