//! Walks the way to the collector step by step and says what to do about the first failure of
//! each. It changes nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_shared::Timestamp;
use serde::Serialize;

use crate::client::{Address, Answer, Client, TimeOuts};
use crate::config::Config;
use crate::disk::Disk;
use crate::now::Present;
use crate::paths::Paths;
use crate::reach::ReachError;
use crate::spool::{BOUND_BYTES, Spool};
use crate::state::{Identity, State, StateError};
use crate::tls::{Tls, Trust};

/// Clocks that are further apart make a finding at the collector.
const CLOCK_LIMIT_MS: i64 = 10 * 60 * 1000;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, e.g. `DNS`.
    pub name: &'static str,
    /// Whether it is as it should be; absent when it was not reached.
    pub ok: Option<bool>,
    /// What was seen.
    pub detail: String,
    /// What to do about a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: Some(true), detail: detail.into(), fix: None }
    }

    fn bad(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: Some(false), detail: detail.into(), fix: Some(fix.into()) }
    }

    fn skipped(name: &'static str) -> Self {
        Self { name, ok: None, detail: "not reached".to_owned(), fix: None }
    }

    /// The check for a person, with its fix on a second line.
    pub fn to_text(&self) -> String {
        let mark = match self.ok {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "-   ",
        };
        let fix = self.fix.as_ref().map(|fix| format!("\n           fix: {fix}"));
        format!("{mark} {:<5} {}{}", self.name, self.detail, fix.unwrap_or_default())
    }
}

/// All checks in order.
pub async fn examine(paths: &Paths, config: &Config, present: &dyn Present) -> Vec<Check> {
    let mut checks = match &State::peek_identity(&paths.state) {
        Some(identity) => network(identity, config, present).await,
        None => vec![Check::bad(
            "enrol",
            "this computer is not enrolled, or its state is not readable to you",
            "run `rollcall-agent enroll -`, or run doctor as an administrator",
        )],
    };
    if paths.state.exists() {
        let opened = State::open(&paths.state, Disk::default());
        checks.push(key(&opened, present));
        checks.push(spool(paths));
        checks.push(disk(paths));
    } else {
        checks.extend(["key", "spool", "disk"].map(Check::skipped));
    }
    checks
}

async fn network(identity: &Identity, config: &Config, present: &dyn Present) -> Vec<Check> {
    const STEPS: [&str; 5] = ["DNS", "TCP", "TLS", "HTTP", "clock"];
    let mut checks = Vec::new();
    if let Err((name, error)) = walk(identity, config, present, &mut checks).await {
        checks.push(Check::bad(name, error.to_string(), error.likely_cause()));
    }
    for name in STEPS {
        if !checks.iter().any(|check| check.name == name) {
            checks.push(Check::skipped(name));
        }
    }
    checks
}

async fn walk(
    identity: &Identity,
    config: &Config,
    present: &dyn Present,
    checks: &mut Vec<Check>,
) -> Result<(), (&'static str, ReachError)> {
    let limit = Duration::from_secs(config.connect_timeout_s.into());
    let address = Address::parse(&identity.url).map_err(|error| ("DNS", error))?;
    let found = address.resolve(limit).await.map_err(|error| ("DNS", error))?;
    let list: Vec<String> = found.iter().map(|found| found.ip().to_string()).collect();
    checks.push(Check::good("DNS", format!("{} is {}", address.host, list.join(", "))));

    let stream = address.connect(&found, limit).await.map_err(|error| ("TCP", error))?;
    checks.push(Check::good("TCP", format!("port {} is open", address.port)));

    let trust = match &identity.ca_certificate {
        Some(text) => Trust::Certificate(BASE64.decode(text).unwrap_or_default()),
        None => Trust::System,
    };
    let tls = Tls::new(trust).map_err(|error| ("TLS", error.into()))?;
    if address.tls {
        let stream = address.handshake(stream, &tls, limit).await.map_err(|e| ("TLS", e))?;
        let version = stream.get_ref().1.protocol_version();
        let version = version.and_then(|version| version.as_str()).unwrap_or("TLS");
        let anchor = if identity.ca_certificate.is_some() {
            "the collector's own CA"
        } else {
            "the system's trust store"
        };
        checks.push(Check::good("TLS", format!("{version}, believed by {anchor}")));
    } else {
        checks.push(Check::good("TLS", "plain HTTP to this computer itself"));
    }

    let time_outs =
        TimeOuts { connect: limit, request: Duration::from_secs(config.request_timeout_s.into()) };
    let mut client = Client::new(address, tls, time_outs);
    let answer = client.get("/api/health").await.map_err(|error| ("HTTP", error))?;
    checks.push(http(&answer));
    checks.push(clock(answer.date, present.now()));
    Ok(())
}

fn http(answer: &Answer) -> Check {
    match answer.status {
        200 => Check::good("HTTP", "the collector answers and is healthy"),
        429 | 503 => Check::bad(
            "HTTP",
            format!("the collector is busy (HTTP {})", answer.status),
            "nothing to do here; reports wait and are sent later",
        ),
        status => Check::bad(
            "HTTP",
            format!("it answers HTTP {status}"),
            "look whether a proxy stands in between, or whether the address is another service",
        ),
    }
}

fn clock(theirs: Option<Timestamp>, ours: Timestamp) -> Check {
    let Some(theirs) = theirs else {
        return Check { ok: None, ..Check::good("clock", "the answer tells no time") };
    };
    let apart_ms = ours.since(theirs).abs();
    if apart_ms > CLOCK_LIMIT_MS {
        return Check::bad(
            "clock",
            format!("this computer's clock is {} minutes off", apart_ms / 60_000),
            "switch on time synchronisation, e.g. `timedatectl set-ntp true`",
        );
    }
    Check::good("clock", format!("{} s apart", apart_ms / 1000))
}

fn key(opened: &Result<State, StateError>, present: &dyn Present) -> Check {
    let failed =
        |error: &StateError| Check::bad("key", error.to_string(), crate::error::state_hint(error));
    match opened {
        Ok(state) if state.identity.is_some() => match state.key(present) {
            Ok(_) if state.ledger.revoked => Check::bad(
                "key",
                "the collector has revoked this device",
                "run `rollcall-agent unenroll` and enrol again if that was a mistake",
            ),
            Ok(_) => Check::good("key", "it is there, private, and belongs to this device"),
            Err(error) => failed(&error),
        },
        Ok(_) => Check::skipped("key"),
        Err(StateError::Locked(_)) => Check::good("key", "in use by the running agent"),
        Err(error) => failed(error),
    }
}

fn spool(paths: &Paths) -> Check {
    if !paths.spool().exists() {
        return Check::skipped("spool");
    }
    let spool = Spool::peek(&paths.spool());
    let waiting =
        spool.seqs().and_then(|seqs| Ok((seqs.len(), spool.size_bytes()?, spool.rejected())));
    match waiting {
        Ok((waiting, size_bytes, rejected)) => {
            let detail = format!(
                "{waiting} reports wait, {} KiB of {} KiB; {rejected} rejected ones are kept",
                size_bytes / 1024,
                BOUND_BYTES / 1024
            );
            if size_bytes * 10 > BOUND_BYTES * 9 {
                let fix = "mend the connection to the collector; the oldest reports are given up";
                return Check::bad("spool", detail, fix);
            }
            Check::good("spool", detail)
        }
        Err(error) => Check::bad("spool", error.to_string(), crate::error::state_hint(&error)),
    }
}

fn disk(paths: &Paths) -> Check {
    let probe = paths.state.join("probe");
    if !paths.state.is_dir() {
        return Check::skipped("disk");
    }
    let written = Disk::default()
        .write(&probe, &vec![0; 64 * 1024])
        .and_then(|()| Disk::default().remove(&probe));
    match written {
        Ok(()) => Check::good("disk", format!("{} is writable", paths.state.display())),
        Err(error) => Check::bad(
            "disk",
            format!("{} is not writable: {error}", paths.state.display()),
            "free some space, or run doctor as an administrator",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_far_off_is_a_failure_with_a_fix() {
        let ours = Timestamp(10_000_000_000);
        assert_eq!(clock(Some(ours.plus_ms(9 * 60_000)), ours).ok, Some(true));
        let check = clock(Some(ours.plus_ms(-86_400_000)), ours);
        assert_eq!(check.ok, Some(false));
        assert!(check.fix.is_some());
        assert_eq!(clock(None, ours).ok, None);
    }
}
