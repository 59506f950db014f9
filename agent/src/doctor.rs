//! Walks the way to the collector step by step and says what to do about the first failure of
//! each. It only looks: it takes no lock, writes nothing, and what it sends has no effect, so it
//! may run beside an agent at any time.

mod local;
pub(crate) mod service;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rollcall_shared::Timestamp;
use rollcall_shared::problem::kind;
use rollcall_shared::signature::SigningKey;
use serde::Serialize;

use crate::answer;
use crate::check_in::CHECK_IN_PATH;
use crate::client::{Address, Answer, Client, Signed, TimeOuts};
use crate::config::Config;
use crate::enroll::printable;
use crate::error::state_hint;
use crate::host::Host;
use crate::now::Present;
use crate::paths::{Paths, is_privileged};
use crate::proxy::Proxy;
use crate::reach::ReachError;
use crate::settings;
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
        Self::unclear(name, "not reached")
    }

    fn unclear(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: None, detail: detail.into(), fix: None }
    }

    fn of_state(name: &'static str, error: &StateError) -> Self {
        Self::bad(name, error.to_string(), state_hint(error))
    }

    /// The check for a person, with its fix on a second line.
    pub fn to_text(&self) -> String {
        let mark = match self.ok {
            Some(true) => "ok  ",
            Some(false) => "FAIL",
            None => "-   ",
        };
        let fix = self.fix.as_ref().map(|fix| format!("\n             fix: {fix}"));
        format!("{mark} {:<7} {}{}", self.name, self.detail, fix.unwrap_or_default())
    }
}

/// All checks in order. `host` is the computer whose service is looked for.
pub async fn examine(
    paths: &Paths,
    config: &Config,
    present: &dyn Present,
    host: &Host,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let identity = match State::peek_identity(&paths.state) {
        Ok(Some(identity)) => Some(identity),
        Ok(None) => {
            checks.push(Check::bad(
                "enrol",
                "this computer is not enrolled",
                "copy the join string from the Enrol page and run `rollcall-agent enroll -`",
            ));
            None
        }
        Err(error) => {
            checks.push(Check::of_state("enrol", &error));
            None
        }
    };
    let key = identity.as_ref().map(|identity| State::peek_key(&paths.state, &identity.public_key));
    if let Some(identity) = &identity {
        let key = key.as_ref().and_then(|key| key.as_ref().ok());
        checks.extend(network(identity, key, config, present).await);
    }
    checks.push(local::key(key.as_ref(), paths));
    checks.push(local::spool(paths));
    checks.push(local::disk(paths));
    checks.push(service::service(host));
    let asked = State::peek_settings(&paths.state);
    checks.push(local::sources(&settings::options(config, &asked), is_privileged()));
    checks
}

async fn network(
    identity: &Identity,
    key: Option<&SigningKey>,
    config: &Config,
    present: &dyn Present,
) -> Vec<Check> {
    const STEPS: [&str; 6] = ["DNS", "TCP", "TLS", "HTTP", "clock", "sign"];
    let mut checks = Vec::new();
    if let Err((name, error)) = walk(identity, key, config, present, &mut checks).await {
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
    key: Option<&SigningKey>,
    config: &Config,
    present: &dyn Present,
    checks: &mut Vec<Check>,
) -> Result<(), (&'static str, ReachError)> {
    let limit = Duration::from_secs(config.connect_timeout_s.into());
    let address = Address::parse(&identity.url).map_err(|error| ("DNS", error))?;
    let proxy = Proxy::on_the_way(config.proxy.as_ref(), &address, crate::config::environment)
        .map_err(|error| ("DNS", error))?;
    let stream = if let Some(proxy) = &proxy {
        checks.push(Check::good("DNS", format!("left to the proxy {proxy}")));
        let stream = proxy.connect(&address, limit).await.map_err(|error| ("TCP", error))?;
        checks.push(Check::good("TCP", format!("the proxy gives a way to port {}", address.port)));
        stream
    } else {
        let found = address.resolve(limit).await.map_err(|error| ("DNS", error))?;
        let list: Vec<String> = found.iter().map(|found| found.ip().to_string()).collect();
        checks.push(Check::good("DNS", format!("{} is {}", address.host, list.join(", "))));
        let stream = address.connect(&found, limit).await.map_err(|error| ("TCP", error))?;
        checks.push(Check::good("TCP", format!("port {} is open", address.port)));
        stream
    };

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
    let mut client = Client::new(address, tls, time_outs).through(proxy);
    let answer = client.get("/api/health").await.map_err(|error| ("HTTP", error))?;
    checks.push(http(&answer));
    checks.push(clock(answer.date, present.now()));
    if let Some(key) = key {
        let answer = probe(&mut client, identity, key, present.now());
        checks.push(sign(&answer.await.map_err(|error| ("sign", error))?));
    }
    Ok(())
}

/// Sends a signed request that is no report. A collector looks at the signature first and only
/// then at what was signed, so its refusal tells whether it knows this key, and nothing is stored.
async fn probe(
    client: &mut Client,
    identity: &Identity,
    key: &SigningKey,
    now: Timestamp,
) -> Result<Answer, ReachError> {
    client
        .post(&Signed {
            path: CHECK_IN_PATH,
            seq: 0,
            key_id: &identity.device_id.to_string(),
            key,
            json: b"{}",
            created: now,
        })
        .await
}

fn sign(answer: &Answer) -> Check {
    let problem = answer::problem(answer);
    match (answer.status, problem) {
        (400 | 422, Some(_)) => Check::good("sign", "the collector knows this device's key"),
        (401, Some(_)) => Check::bad(
            "sign",
            "the collector does not know this device's key",
            "set the clock if it is off; else run `rollcall-agent unenroll` and enrol again",
        ),
        (403, Some(problem)) if problem.kind == kind::DEVICE_REVOKED => Check::bad(
            "sign",
            "the collector has revoked this device",
            "run `rollcall-agent unenroll` and enrol again if that was a mistake",
        ),
        (429 | 500..=599, _) => Check::unclear("sign", "the collector is busy"),
        (status, Some(problem)) => Check::bad(
            "sign",
            format!("it answers HTTP {status}: {}", printable(&problem.detail)),
            "look at the log of the collector",
        ),
        (status, None) => Check::bad(
            "sign",
            format!("what answers HTTP {status} is no collector"),
            "look whether a proxy stands in between that lets no signed requests through",
        ),
    }
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
        return Check::unclear("clock", "the answer tells no time");
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
