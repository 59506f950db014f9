//! Reads the I/O registry of macOS.

use super::{Host, HostError};
use crate::inputs::Inputs;
use crate::io_registry::Entry;
use crate::plist::Value;

/// Where a folder of captures has it.
const CAPTURED: &str = "/ioreg";

impl Host {
    /// The entries of a class and of those made from it, e.g. `IOBlockStorageDevice`, each with
    /// this many levels of entries below it. A computer without such a device has none.
    pub fn io_registry(&self, class: &str, levels: usize) -> Result<Vec<Entry>, HostError> {
        self.watch(Inputs::add_without_stamp);
        if self.is_live() {
            self.meter.saw(&format!("the I/O registry, {class}"));
            #[cfg(target_os = "macos")]
            return crate::io_registry::live::of_class(class, levels, |bytes| {
                self.count("the I/O registry", bytes)
            });
            #[cfg(not(target_os = "macos"))]
            return Err(HostError::NotFound { path: format!("the I/O registry ({class})") });
        }
        let found = Entry::with_nested(self.captured_entries(class)?);
        Ok(found.into_iter().map(|entry| cut(entry, levels)).collect())
    }

    /// What the firmware says in a place of the device tree, e.g. `options`.
    pub fn device_tree(&self, place: &str) -> Result<Entry, HostError> {
        self.watch(Inputs::add_without_stamp);
        let path = format!("IODeviceTree:/{place}");
        if self.is_live() {
            self.meter.saw(&path);
            #[cfg(target_os = "macos")]
            return crate::io_registry::live::of_path(&path, |bytes| self.count(&path, bytes));
            #[cfg(not(target_os = "macos"))]
            return Err(HostError::NotFound { path });
        }
        let file = format!("IODeviceTree-{}", place.replace('/', "-"));
        let found = self.captured_entries(&file)?;
        found.into_iter().next().ok_or(HostError::NotFound { path })
    }

    fn captured_entries(&self, name: &str) -> Result<Vec<Entry>, HostError> {
        let path = format!("{CAPTURED}/{name}.plist");
        if !self.exists(CAPTURED) {
            return Err(HostError::NotFound { path });
        }
        match self.read(&path) {
            // Where there is no such device, the program writes nothing.
            Ok(bytes) if bytes.trim_ascii().is_empty() => Ok(Vec::new()),
            Ok(bytes) => match Value::read(&bytes) {
                Some(list) => Ok(Entry::read_all(list)),
                None => Err(HostError::Failed { path, why: "it is damaged".to_owned() }),
            },
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// A capture may go deeper than was asked for.
fn cut(entry: Entry, levels: usize) -> Entry {
    let below = match levels.checked_sub(1) {
        Some(levels) => entry.below.into_iter().map(|one| cut(one, levels)).collect(),
        None => Vec::new(),
    };
    Entry { below, ..entry }
}
