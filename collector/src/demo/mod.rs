//! A synthetic fleet for looking at and for measuring, the same each time.
//!
//! Devices are enrolled and report through the real way in, at the moments of their past, and are
//! marked as demo data. Nobody holds a key to any of them.

mod device;
mod image;
pub mod random;
mod section;
mod seed;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rollcall_shared::report::{AgentInfo, CheckIn, Cost, SectionState};
use rollcall_shared::{Digest, Timestamp};

pub use device::DemoDevice;
pub use seed::seed;

use self::random::Random;

/// The check-ins of one device, one after the other.
#[derive(Debug)]
pub struct Reports<'a> {
    device: &'a DemoDevice,
    seq: u64,
    sent: HashMap<String, Digest>,
}

impl<'a> Reports<'a> {
    /// Begins with the first report.
    pub fn of(device: &'a DemoDevice) -> Self {
        Self { device, seq: 0, sent: HashMap::new() }
    }

    /// The next report, made at `at`; bodies are there only for sections that changed.
    pub fn next_at(&mut self, at: Timestamp) -> serde_json::Result<CheckIn> {
        let device = self.device;
        let state = device.state(at);
        self.seq += 1;
        let mut sections = std::collections::BTreeMap::new();
        for body in section::sections(device, &state) {
            let mut collected = SectionState::collected(&body)?;
            let known = self.sent.get(body.name());
            if known.is_some() && known == collected.digest.as_ref() {
                collected.body = None;
            } else if let Some(digest) = collected.digest {
                self.sent.insert(body.name().to_owned(), digest);
            }
            sections.insert(body.name().to_owned(), collected);
        }
        let mut random = Random::of(&[20, device.number, self.seq]);
        let report_id = uuid::Builder::from_unix_timestamp_millis(
            u64::try_from(at.0).unwrap_or_default(),
            &(u128::from(random.bits()) << 64 | u128::from(random.bits())).to_be_bytes()[..10]
                .try_into()
                .unwrap_or_default(),
        );
        let device_clock = at.plus_ms(device.trouble.clock_error_ms);
        Ok(CheckIn {
            report_id: report_id.into_uuid(),
            seq: self.seq,
            observed_at: device_clock,
            sent_at: device_clock,
            agent: AgentInfo {
                version: agent_version(device).to_owned(),
                target: device.image.target().to_owned(),
                privileged: true,
            },
            hardware_ids: device.hardware_ids(),
            vitals: section::vitals(device, &state),
            sections,
            cost: Cost {
                cpu_ms: 40 + random.below(60),
                peak_rss_bytes: 9_000_000 + random.below(4_000_000),
                wall_ms: 90 + random.below(200),
                ..Cost::default()
            },
            dropped_reports: 0,
        })
    }
}

/// Demo agents have the collector's version; a few were forgotten.
fn agent_version(device: &DemoDevice) -> &'static str {
    if device.trouble.old_agent { "0.0.1" } else { env!("CARGO_PKG_VERSION") }
}
