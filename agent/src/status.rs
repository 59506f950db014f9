//! Who am I, enrolled where, last report, queue, next run: a small file that every user may read.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use rollcall_shared::report::SourceCost;
use rollcall_shared::{DeviceId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::disk::Disk;
use crate::error::Error;
use crate::paths::Paths;
use crate::state::Stored;

/// What `status` shows. It holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the agent that wrote it.
    pub version: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// The device, once enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<DeviceId>,
    /// The collector, once enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The last acknowledged report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_stored: Option<Stored>,
    /// Reports that wait to be delivered.
    pub queued: usize,
    /// Why the last check-in failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When the next check-in is due, if an agent runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// The collector has revoked this device.
    #[serde(default)]
    pub revoked: bool,
    /// When each source was asked last, and what it cost, since the agent started.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Asked>,
}

/// The last time that a source was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When, by this computer's clock.
    pub at: Timestamp,
    /// What it cost.
    pub cost: SourceCost,
}

impl Status {
    /// The status of an opened agent.
    pub fn of(agent: &Agent, error: Option<&Error>, next: Option<Duration>) -> Self {
        let now = agent.present.now();
        let identity = agent.state.identity.as_ref();
        let next_ms = next.and_then(|wait| i64::try_from(wait.as_millis()).ok());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: now,
            device_id: identity.map(|identity| identity.device_id),
            url: identity.map(|identity| identity.url.clone()),
            last_stored: agent.state.ledger.last_stored.clone(),
            queued: agent.spool.seqs().map_or(0, |seqs| seqs.len()) + agent.unspooled.len(),
            last_error: error.map(ToString::to_string),
            next_at: next_ms.map(|ms| now.plus_ms(ms)),
            revoked: agent.state.ledger.revoked,
            sources: agent.asked.clone(),
        }
    }

    /// Writes it where every user may read it.
    pub fn publish(&self, paths: &Paths) -> io::Result<()> {
        if let Some(folder) = paths.status.parent()
            && !folder.exists()
        {
            std::fs::create_dir_all(folder)?;
        }
        Disk::default().show(&paths.status, &serde_json::to_vec_pretty(self)?)?;
        readable_by_all(&paths.status)
    }

    /// Reads what an agent wrote; `None` when none has run here.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match Disk::default().read(path, 64 * 1024) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            // All that a power cut left of it.
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        }
    }

    /// The status for a person.
    pub fn to_text(&self, now: Timestamp) -> String {
        let mut lines = Vec::new();
        match (&self.device_id, &self.url) {
            (Some(device), Some(url)) => {
                lines.push(format!("Device      {device}"));
                lines.push(format!("Collector   {url}"));
            }
            _ => lines.push("Device      not enrolled".to_owned()),
        }
        if self.revoked {
            lines.push("Revoked     the collector takes no more reports from it".to_owned());
        }
        lines.push(match &self.last_stored {
            Some(stored) => format!(
                "Last report {} ({}), number {}",
                ago(now.since(stored.at)),
                stored.at,
                stored.seq
            ),
            None => "Last report none yet".to_owned(),
        });
        lines.push(format!("Queue       {} waiting", self.queued));
        if let Some(error) = &self.last_error {
            lines.push(format!("Last error  {error}"));
        }
        lines.push(match self.next_at {
            Some(at) if at >= now => format!("Next run    in {}", span(at.since(now))),
            Some(at) => format!("Next run    was due {} ({at})", ago(now.since(at))),
            None => "Next run    not planned; no agent is running".to_owned(),
        });
        lines.push(format!("Agent       {}", self.version));
        lines.join("\n")
    }
}

pub(crate) fn ago(ms: i64) -> String {
    format!("{} ago", span(ms))
}

fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(unix)]
fn readable_by_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn readable_by_all(_: &Path) -> io::Result<()> {
    Ok(())
}
