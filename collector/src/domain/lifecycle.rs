//! From what an operating system says of itself to what its maker still does for it.
//!
//! Two steps: [`Facts::cycle_of`] finds the exact cycle once per report, [`Facts::judge`] says what
//! that cycle means today, so verdicts change overnight without a new report. Unknown is an answer:
//! never the nearest cycle, never a parent distribution.

use rollcall_shared::Timestamp;
use rollcall_shared::api::device::{OsSupport, SupportState};
use rollcall_shared::section::Os;
use rollcall_shared::section::os::{MacosRelease, OsFamily, WindowsRelease};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::version::{self, Scheme};
use serde::{Deserialize, Serialize};

use super::facts::{Access, Cycle, End, Facts, Product};
use super::policy::Policy;

/// "None announced" stops being an answer this long after the snapshot.
const OPEN_DECAYS_MS: i64 = 180 * DAY_MS;
/// A contradiction between sources is settled when the snapshot saw no patch for this long.
const DISPUTE_SETTLES_MS: i64 = 60 * DAY_MS;

/// The cycle a device is on: what may be stored, since it does not move with time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "match", rename_all = "snake_case")]
pub enum CycleMatch {
    /// An exact cycle of the facts.
    Cycle {
        /// Key of the product.
        product: String,
        /// Key of the cycle.
        cycle: String,
        /// Whether this device was seen to get extended support.
        extended: bool,
    },
    /// A rolling system, which is never at its end.
    Rolling {
        /// Key of the product.
        product: String,
    },
    /// Not told by these facts.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// What is known of the support of one operating system today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Key of the product, e.g. `debian`.
    pub product: Option<String>,
    /// Name for people, e.g. `Debian 12 (Bookworm)`.
    pub label: Option<String>,
    /// Key of the cycle, e.g. `12`.
    pub cycle: Option<String>,
    /// The verdict.
    pub state: LifecycleState,
    /// Extended support that exists but was not seen on this device: its kind.
    pub not_seen: Option<String>,
    /// The day of the facts.
    pub facts_date: Timestamp,
}

/// The verdict on a cycle at one moment. Dates are days; the day itself is still supported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LifecycleState {
    /// Gets security updates.
    Supported {
        /// Last day, where one is announced.
        until: Option<Timestamp>,
    },
    /// Gets security updates, but not for long.
    EndingSoon {
        /// Last day.
        until: Timestamp,
        /// What ends, where it is extended support: `lts`, `esm`, `esu`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
    },
    /// Past its regular end; this device gets extended support.
    ExtendedOnly {
        /// What it is called: `lts`, `esm`, `esu`.
        kind: String,
        /// Last day, where one is announced.
        until: Option<Timestamp>,
    },
    /// Past its end.
    Ended {
        /// Last day of support, where it is recorded.
        since: Option<Timestamp>,
    },
    /// Rolling: never at its end.
    Rolling,
    /// Not told by the facts.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

impl LifecycleState {
    /// The verdict in one word.
    pub fn word(&self) -> SupportState {
        match self {
            Self::Supported { .. } => SupportState::Supported,
            Self::EndingSoon { .. } => SupportState::EndingSoon,
            Self::ExtendedOnly { .. } => SupportState::Extended,
            Self::Ended { .. } => SupportState::Ended,
            Self::Rolling => SupportState::Rolling,
            Self::Unknown { .. } => SupportState::Unknown,
        }
    }
}

impl From<Lifecycle> for OsSupport {
    fn from(found: Lifecycle) -> Self {
        let Lifecycle { product: _, label, cycle: _, state, not_seen, facts_date } = found;
        let word = state.word();
        let (until, extended, why) = match state {
            LifecycleState::Supported { until } => (until, None, None),
            LifecycleState::EndingSoon { until, kind } => (Some(until), kind, None),
            LifecycleState::ExtendedOnly { kind, until } => (until, Some(kind), None),
            LifecycleState::Ended { since } => (since, None, None),
            LifecycleState::Rolling => (None, None, None),
            LifecycleState::Unknown { why } => (None, None, Some(why)),
        };
        let extended_not_seen = not_seen;
        Self { state: word, label, until, extended, extended_not_seen, why, facts_date }
    }
}

impl Facts {
    /// Both steps at once.
    pub fn verdict(&self, os: &Os, policy: &Policy, now: Timestamp) -> Lifecycle {
        self.judge(&self.cycle_of(os), policy, now)
    }

    /// Finds the exact cycle of an operating system.
    pub fn cycle_of(&self, os: &Os) -> CycleMatch {
        let found = match &os.family {
            OsFamily::Linux => self.linux(os),
            OsFamily::Windows => match &os.windows {
                Some(windows) => self.windows(windows),
                None => Err("Windows did not tell its build".to_owned()),
            },
            OsFamily::Macos => match &os.macos {
                Some(macos) => self.macos(macos),
                None => Err("macOS did not tell its version".to_owned()),
            },
            OsFamily::Other(name) => Err(format!("there are no facts about {name}")),
        };
        found.unwrap_or_else(|why| CycleMatch::Unknown { why })
    }

    /// Says what a cycle means at this moment.
    pub fn judge(&self, found: &CycleMatch, policy: &Policy, now: Timestamp) -> Lifecycle {
        let mut lifecycle = Lifecycle {
            product: None,
            label: None,
            cycle: None,
            state: LifecycleState::Rolling,
            not_seen: None,
            facts_date: self.snapshot,
        };
        let (key, cycle_key, extended) = match found {
            CycleMatch::Unknown { why } => {
                lifecycle.state = LifecycleState::Unknown { why: why.clone() };
                return lifecycle;
            }
            CycleMatch::Rolling { product } => {
                lifecycle.label = self.product(product).map(|known| known.name.clone());
                lifecycle.product = Some(product.clone());
                return lifecycle;
            }
            CycleMatch::Cycle { product, cycle, extended } => (product, cycle, *extended),
        };
        lifecycle.product = Some(key.clone());
        lifecycle.cycle = Some(cycle_key.clone());
        let Some(cycle) = self.product(key).and_then(|product| product.cycle(cycle_key)) else {
            let why = format!("these facts have no {key} {cycle_key}");
            lifecycle.state = LifecycleState::Unknown { why };
            return lifecycle;
        };
        lifecycle.label = Some(cycle.name.clone());
        lifecycle.state = self.judge_cycle(cycle, extended, policy, now);
        let past = matches!(lifecycle.state, LifecycleState::Ended { .. });
        if past && !extended && cycle.extended_end.is_some_and(|end| !is_over(end, now)) {
            lifecycle.not_seen.clone_from(&cycle.extended_kind);
        }
        lifecycle
    }

    fn judge_cycle(
        &self,
        cycle: &Cycle,
        extended: bool,
        policy: &Policy,
        now: Timestamp,
    ) -> LifecycleState {
        let unknown = |why: String| LifecycleState::Unknown { why };
        let too_old =
            || unknown(format!("no end was announced on {}, too long ago", self.snapshot.date()));
        let open_decayed = now.since(self.snapshot) > OPEN_DECAYS_MS;
        let soon_ms = i64::from(policy.ending_soon_days).saturating_mul(DAY_MS);
        match cycle.eol {
            End::Open if open_decayed => return too_old(),
            End::Open => return LifecycleState::Supported { until: None },
            End::On(day) if !is_over(cycle.eol, now) => {
                // Who goes on with free or attached extended support need not hurry yet.
                return if !extended && day.since(now) <= soon_ms {
                    LifecycleState::EndingSoon { until: day, kind: None }
                } else {
                    LifecycleState::Supported { until: Some(day) }
                };
            }
            End::On(_) | End::Ended => {}
        }
        if extended {
            let kind = cycle.extended_kind.clone().unwrap_or_else(|| "extended".to_owned());
            match cycle.extended_end {
                Some(End::Open) if open_decayed => return too_old(),
                Some(End::Open) => return LifecycleState::ExtendedOnly { kind, until: None },
                Some(end @ End::On(day)) if !is_over(end, now) && day.since(now) <= soon_ms => {
                    return LifecycleState::EndingSoon { until: day, kind: Some(kind) };
                }
                Some(end @ End::On(day)) if !is_over(end, now) => {
                    return LifecycleState::ExtendedOnly { kind, until: Some(day) };
                }
                _ => {}
            }
        }
        let patched_lately =
            cycle.latest_date.is_some_and(|day| self.snapshot.since(day) < DISPUTE_SETTLES_MS);
        if cycle.disputed && patched_lately {
            return unknown(format!(
                "patches for {} were published after its announced end",
                cycle.name
            ));
        }
        let since = match (extended, cycle.extended_end, cycle.eol) {
            (true, Some(End::On(day)), _) | (_, _, End::On(day)) => Some(day),
            _ => None,
        };
        LifecycleState::Ended { since }
    }

    fn linux(&self, os: &Os) -> Result<CycleMatch, String> {
        let value = |key: &str| os.release.get(key).map(String::as_str).filter(|v| !v.is_empty());
        let id = value("ID").ok_or("the system does not name itself (no ID in os-release)")?;
        let name = value("NAME").unwrap_or_default();
        let product = self
            .products
            .iter()
            .filter(|product| product.kind == "linux")
            .filter(|product| product.ids.iter().any(|known| known.eq_ignore_ascii_case(id)))
            .find(|product| {
                !product.names_not.iter().any(|other| other == name)
                    && (product.names.is_empty() || product.names.iter().any(|own| own == name))
            })
            .ok_or_else(|| format!("there are no facts about {}", label(name, id)))?;
        let rolling = || CycleMatch::Rolling { product: product.product.clone() };
        if product.rolling {
            return Ok(rolling());
        }
        let Some(version) = value("VERSION_ID") else {
            return if product.rolling_without_version {
                Ok(rolling())
            } else {
                Err(format!("{} does not tell its version", label(name, id)))
            };
        };
        if version
            .split('.')
            .any(|part| part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(format!("{} {version} is a development version", product.name));
        }
        let edition = value("DEBIAN_CODENAME").filter(|_| product.product == "linuxmint");
        let key = match edition {
            Some(_) => format!("lmde{version}"),
            None => version.to_owned(),
        };
        let cycle = find_cycle(product, &key).ok_or_else(|| self.no_cycle(product, version))?;
        let extended = match product.extended_access {
            Access::Free => cycle.extended_end.is_some(),
            Access::Subscription => cycle.extended_end.is_some() && os.ubuntu_pro == Some(true),
            Access::Paid => false,
        };
        Ok(exact(product, cycle, extended))
    }

    fn windows(&self, windows: &WindowsRelease) -> Result<CycleMatch, String> {
        let edition = windows.edition_id.as_deref().unwrap_or_default();
        let family = self
            .windows_edition_families
            .iter()
            .find(|(_, editions)| editions.iter().any(|known| known == edition))
            .map(|(family, _)| family.as_str());
        let server = match windows.installation_type.as_deref() {
            Some("Client") => false,
            Some(kind) => kind.starts_with("Server") || kind == "Nano Server",
            None => edition.starts_with("Server") && family != Some("E"),
        };
        let key = if server { "windows-server" } else { "windows" };
        let product = self.product(key).ok_or("there are no facts about Windows")?;
        let build = windows.build;
        let mut of_build =
            product.cycles.iter().filter(|cycle| cycle.build == Some(build)).peekable();
        if of_build.peek().is_none() {
            return Err(self.no_build(product, build));
        }
        let wanted = match family {
            None if server => "server",
            None => "any",
            Some(family) => family,
        };
        let mut fitting = of_build
            .filter(|cycle| cycle.edition_family.iter().any(|own| own == wanted || own == "any"));
        match (fitting.next(), fitting.next()) {
            (Some(cycle), None) => {
                let seen = cycle
                    .extended_from_revision
                    .is_some_and(|from| windows.revision.is_some_and(|revision| revision >= from));
                Ok(exact(product, cycle, seen))
            }
            (Some(_), Some(_)) => {
                Err(format!("several versions of {} share build {build}", product.name))
            }
            (None, _) if edition.is_empty() => {
                Err(format!("build {build} did not tell its edition, which decides its end"))
            }
            (None, _) => {
                Err(format!("there are no facts about edition {edition} of build {build}"))
            }
        }
    }

    fn macos(&self, macos: &MacosRelease) -> Result<CycleMatch, String> {
        let build = macos.build.as_deref().unwrap_or_default();
        if build.ends_with(|c: char| c.is_ascii_lowercase()) {
            return Err(format!("macOS {} ({build}) is a beta", macos.version));
        }
        let product = self.product("macos").ok_or("there are no facts about macOS")?;
        let cycle = find_cycle(product, &macos.version)
            .ok_or_else(|| self.no_cycle(product, &macos.version))?;
        Ok(exact(product, cycle, false))
    }

    fn no_cycle(&self, product: &Product, version: &str) -> String {
        let newer = product.cycles.iter().all(|cycle| {
            let order = version::compare(Scheme::Dotted, version, &cycle.cycle);
            order.is_none_or(std::cmp::Ordering::is_gt)
        });
        self.no_facts(&format!("{} {version}", product.name), newer)
    }

    fn no_build(&self, product: &Product, build: u32) -> String {
        let newer = product.cycles.iter().all(|cycle| cycle.build.is_none_or(|own| own < build));
        self.no_facts(&format!("{} build {build}", product.name), newer)
    }

    fn no_facts(&self, what: &str, newer: bool) -> String {
        let date = self.snapshot.date();
        if newer {
            format!("{what} is newer than the facts of {date}")
        } else {
            format!("the facts of {date} do not know {what}")
        }
    }
}

fn exact(product: &Product, cycle: &Cycle, extended: bool) -> CycleMatch {
    CycleMatch::Cycle { product: product.product.clone(), cycle: cycle.cycle.clone(), extended }
}

/// The cycle that is the longest start of the version by whole components: `8.10` is of `8`, `9x`
/// and `90` are not of `9`. A bare `12` is also `12.0`.
fn find_cycle<'a>(product: &'a Product, version: &str) -> Option<&'a Cycle> {
    let mut key = version;
    loop {
        if let Some(cycle) = product.cycle(key) {
            return Some(cycle);
        }
        match key.rsplit_once('.') {
            Some((shorter, _)) => key = shorter,
            None => break,
        }
    }
    if version.contains('.') { None } else { product.cycle(&format!("{version}.0")) }
}

/// Whether the last day has passed: the day itself still counts, everywhere in UTC.
fn is_over(end: End, now: Timestamp) -> bool {
    match end {
        End::On(day) => now >= day.plus_ms(DAY_MS),
        End::Open => false,
        End::Ended => true,
    }
}

fn label<'a>(name: &'a str, id: &'a str) -> &'a str {
    if name.is_empty() { id } else { name }
}

#[cfg(test)]
#[path = "lifecycle_tests.rs"]
mod tests;
