//! Runs every source and puts together what they found. A failure becomes a note.

use std::collections::BTreeMap;

use rollcall_shared::report::{Cost, Vitals};
use rollcall_shared::section::Section;
use rollcall_shared::{HardwareIds, Note};

use crate::host::Host;

/// What the configuration and the collector's settings say about looking.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names of sections not to look at, e.g. `user`.
    pub sections_off: Vec<String>,
}

/// What was found for one section.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The body, merged, sorted and within the limits.
    pub section: Option<Section>,
    /// Why there is none, or what is missing from it; each names its source.
    pub notes: Vec<Note>,
}

/// One complete look at a computer.
#[derive(Debug, Clone, Default)]
pub struct Gathering {
    /// Every section by name, each with a body or at least one note.
    pub sections: BTreeMap<&'static str, Found>,
    /// The numbers that move all the time.
    pub vitals: Vitals,
    /// What the hardware says of itself.
    pub hardware_ids: HardwareIds,
    /// What looking cost.
    pub cost: Cost,
}

/// Looks at everything that is not switched off.
pub fn gather(_host: &Host, _options: &Options) -> Gathering {
    Gathering::default()
}
