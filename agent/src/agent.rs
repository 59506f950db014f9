//! The agent as a whole: an opened state, and what can be done with it.
//!
//! This is all that other programs use: the agent's own binary, the collector's `up`, tests.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::api::enroll::EnrollStatus;
use rollcall_shared::report::CheckIn;
use rollcall_shared::{DeviceId, Timestamp};
use uuid::Uuid;

use crate::change::Held;
use crate::client::{Address, Client, TimeOuts};
use crate::config::Config;
use crate::disk::Disk;
use crate::error::Error;
use crate::gather::{Gathering, Observer, Options};
use crate::guard;
use crate::host::Host;
use crate::now::{Present, SystemPresent};
use crate::paths::Paths;
use crate::proxy::Proxy;
use crate::report::{Naming, assemble, fit};
use crate::schedule::{Outcome, Schedule, device_number};
use crate::service::Manager;
use crate::settings;
use crate::spool::{Spool, digests_of};
use crate::state::{State, StateError};
use crate::status::{self, Asked};
use crate::tls::{NoTrustStore, Tls, Trust};

/// A running request may take so long after the agent was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// So many reports are kept in memory while the disk takes none; the oldest goes first.
const UNSPOOLED_KEPT: usize = 4;

/// Looks at the computer.
pub(crate) type Look = Arc<dyn Fn(&Options) -> Gathering + Send + Sync>;

/// An agent with its state opened. No other agent can open the same state meanwhile.
pub struct Agent {
    pub(crate) paths: Paths,
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) spool: Spool,
    pub(crate) present: Arc<dyn Present>,
    pub(crate) client: Option<Client>,
    /// What is believed of whom, made once for many check-ins: reading the system's certificates is
    /// dear, and a connection that continues an earlier one is cheap.
    pub(crate) tls: Option<(Trust, Tls)>,
    /// The report that was written down last, so that it need not be read back.
    pub(crate) written: Option<CheckIn>,
    pub(crate) look: Look,
    /// When every source was asked last.
    full_look_at: Option<Timestamp>,
    /// When each source was asked last since the start, and what it cost.
    pub(crate) asked: BTreeMap<String, Asked>,
    /// The list of software that the collector holds, as far as known since the start.
    pub(crate) held: Option<Held>,
    /// Reports that could not be written down; they are sent from here.
    pub(crate) unspooled: Vec<CheckIn>,
    /// Who started this process and wants to hear how it goes.
    manager: Option<Arc<Manager>>,
    /// What could not be written down although the collector has stored the report.
    pub(crate) trouble: Option<StateError>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// A finished enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollOutcome {
    /// The id this device has from now on.
    pub device_id: DeviceId,
    /// Whether a person must still approve.
    pub status: EnrollStatus,
    /// The collector.
    pub url: String,
}

/// A finished check-in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnceOutcome {
    /// The last report that was stored.
    pub report_id: Option<Uuid>,
    /// Reports the collector has stored.
    pub stored: u32,
    /// Reports it will never take, and why.
    pub rejected: Vec<String>,
    /// The device's new id, when the collector took it for a copy of another.
    pub rekeyed: Option<DeviceId>,
}

/// The parts that tests replace.
pub(crate) struct Parts {
    pub(crate) disk: Disk,
    pub(crate) present: Arc<dyn Present>,
    pub(crate) look: Look,
}

impl Agent {
    /// Opens the state of the agent of this computer.
    pub fn open(paths: Paths, config: Config) -> Result<Self, Error> {
        Self::open_on(paths, config, Host::live())
    }

    /// Opens the state of an agent that looks at another root than the running system.
    pub fn open_on(paths: Paths, config: Config, host: Host) -> Result<Self, Error> {
        Self::open_as_of(paths, config, host, Arc::new(SystemPresent))
    }

    /// The same with a clock and a random source of the caller's.
    pub fn open_as_of(
        paths: Paths,
        config: Config,
        host: Host,
        present: Arc<dyn Present>,
    ) -> Result<Self, Error> {
        let observer = Mutex::new(Observer::new(host));
        let look: Look = Arc::new(move |options| {
            observer.lock().unwrap_or_else(PoisonError::into_inner).look(options)
        });
        Self::open_with(paths, config, Parts { disk: Disk::default(), present, look })
    }

    pub(crate) fn open_with(paths: Paths, config: Config, parts: Parts) -> Result<Self, Error> {
        let Parts { disk, present, look } = parts;
        let mut state = State::open(&paths.state, disk.clone())?;
        let spool = Spool::open(&paths.spool(), disk)?;
        // A crash between writing a report and its number must not give the number twice.
        if let Some(last) = spool.seqs()?.last() {
            state.continue_after(*last)?;
        }
        Ok(Self {
            paths,
            config,
            state,
            spool,
            present,
            client: None,
            tls: None,
            written: None,
            look,
            full_look_at: None,
            asked: BTreeMap::new(),
            held: None,
            unspooled: Vec::new(),
            manager: None,
            trouble: None,
        })
    }

    /// Who this device is, once enrolled.
    pub fn identity(&self) -> Option<&crate::state::Identity> {
        self.state.identity.as_ref()
    }

    /// Tells a service manager how each check-in ended.
    pub(crate) fn tell_to(&mut self, manager: Arc<Manager>) {
        self.manager = Some(manager);
    }

    /// A client that believes whom it shall.
    pub(crate) fn connect_to(&self, url: &str, trust: Trust) -> Result<Client, Error> {
        let reach =
            |error: NoTrustStore| Error::Reach { url: url.to_owned(), source: error.into() };
        self.connect_with(url, Tls::new(trust).map_err(reach)?)
    }

    /// The same with what is believed made before.
    pub(crate) fn connect_with(&self, url: &str, tls: Tls) -> Result<Client, Error> {
        let reach = |source| Error::Reach { url: url.to_owned(), source };
        let address = Address::parse(url).map_err(reach)?;
        let time_outs = TimeOuts {
            connect: Duration::from_secs(self.config.connect_timeout_s.into()),
            request: Duration::from_secs(self.config.request_timeout_s.into()),
        };
        let proxy =
            Proxy::on_the_way(self.config.proxy.as_ref(), &address, crate::config::environment)
                .map_err(reach)?;
        Ok(Client::new(address, tls, time_outs).through(proxy))
    }

    /// Looks at the computer without holding up anything else.
    pub(crate) async fn gather(&mut self) -> Result<Gathering, Error> {
        let look = Arc::clone(&self.look);
        let settings = &self.state.ledger.settings;
        let now = self.present.now();
        let full = settings::full_look_is_due(self.full_look_at, now, settings);
        let options = Options { full, now, ..settings::options(&self.config, settings) };
        let mut gathering =
            tokio::task::spawn_blocking(move || look(&options)).await.map_err(|error| {
                Error::Internal(format!("looking at the computer stopped: {error}"))
            })?;
        for (source, cost) in &gathering.cost.sources {
            self.asked.insert(source.clone(), Asked { at: now, cost: cost.clone() });
        }
        let ledger = &mut self.state.ledger;
        // A second look decides, and none of its sources may answer from memory.
        if guard::hold_back(&mut gathering, &ledger.rows, &mut ledger.held_back) {
            self.full_look_at = None;
        } else if full {
            self.full_look_at = Some(now);
        }
        if full {
            // The system may trust others by now.
            self.tls = None;
        }
        ledger.rows.extend(guard::rows_of(&gathering));
        Ok(gathering)
    }

    /// Looks once and delivers everything that waits.
    ///
    /// An error leaves the reports in the spool; only what the collector has stored is removed.
    pub async fn once(&mut self) -> Result<OnceOutcome, Error> {
        if self.state.identity.is_none() {
            return Err(Error::NotEnrolled);
        }
        if self.state.ledger.revoked {
            return Err(Error::Revoked);
        }
        // What went wrong at an earlier check-in was told then.
        self.trouble = None;
        let kept = self.observe().await;
        let delivered = self.deliver().await;
        // The connection is kept for one check-in, not for a quarter of an hour of silence.
        (self.client, self.written) = (None, None);
        if delivered.is_err() {
            self.tls = None;
        }
        match (delivered, kept) {
            (Ok(outcome), Ok(())) => match self.trouble.take() {
                None => Ok(outcome),
                Some(error) => Err(error.into()),
            },
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        }
    }

    /// Makes a report of what is seen now. It is on disk afterwards, or, if that fails, in memory;
    /// an error tells what could not be written down.
    async fn observe(&mut self) -> Result<(), Error> {
        let observed_at = self.present.now();
        let gathering = self.gather().await?;
        let (seq, numbered) = self.state.take_seq();
        if let Err(error) = &numbered {
            tracing::error!(report.seq = seq, %error, "the report's number could not be written down");
        }
        let naming = Naming {
            report_id: self.present.report_id(),
            seq,
            observed_at,
            dropped_reports: self.state.ledger.dropped_reports,
        };
        let mut report = assemble(gathering, naming);
        fit(&mut report, settings::upload_limit_bytes(&self.state.ledger.settings))
            .map_err(|error| Error::Internal(format!("a report could not be written: {error}")))?;
        let mut dropped = 0;
        let added = self.spool.add(&mut report, &self.state.ledger.acknowledged, &mut dropped);
        let counted = match &added {
            // The report carries what was counted before it.
            Ok(()) => {
                self.written = Some(report);
                self.count_dropped(dropped, self.state.ledger.dropped_reports)
            }
            Err(error) => {
                tracing::error!(report.seq = seq, %error, "the report could not be written down; it is sent from memory");
                dropped += self.keep_in_memory(report);
                self.count_dropped(dropped, 0)
            }
        };
        added?;
        numbered?;
        counted?;
        Ok(())
    }

    /// Keeps a report that could not be written down. Says how many older ones were given up.
    fn keep_in_memory(&mut self, mut report: CheckIn) -> u64 {
        // The count stays in the ledger until a report that outlives this process carries it.
        report.dropped_reports = 0;
        let digests = digests_of(&report);
        self.unspooled.retain(|older| digests_of(older) != digests);
        self.unspooled.push(report);
        if self.unspooled.len() <= UNSPOOLED_KEPT {
            return 0;
        }
        self.unspooled.remove(0);
        1
    }

    /// Remembers reports that were given up, until a report carries the count. `carried` were
    /// remembered and are carried now.
    pub(crate) fn count_dropped(&mut self, dropped: u64, carried: u64) -> Result<(), StateError> {
        if (dropped, carried) == (0, 0) {
            return Ok(());
        }
        let ledger = &mut self.state.ledger;
        ledger.dropped_reports = ledger.dropped_reports.saturating_sub(carried) + dropped;
        self.state.save_ledger()
    }

    /// Checks in again and again until `shutdown` is done. Returns an error only when trying
    /// again makes no sense, for instance because the device was revoked.
    pub async fn run(&mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        tokio::pin!(shutdown);
        let identity = self.state.identity.as_ref().ok_or(Error::NotEnrolled)?;
        let device = device_number(identity.device_id.0.as_bytes());
        let mut schedule = Schedule::default();
        let mut wait = Schedule::start(self.state.ledger.last_stored.is_none(), device);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            let result = {
                let once = self.once();
                tokio::pin!(once);
                tokio::select! {
                    result = &mut once => result,
                    () = &mut shutdown => {
                        // What is on its way may finish; what does not is still in the spool.
                        let _ = tokio::time::timeout(STOP_GRACE, once).await;
                        return Ok(());
                    }
                }
            };
            let outcome = match &result {
                Ok(_) => Outcome::Delivered,
                Err(error) => Outcome::Failed { retry_after: error.retry_after() },
            };
            let interval = settings::interval(&self.config, &self.state.ledger.settings);
            wait = schedule.next(outcome, interval, device, self.present.random_number());
            self.tell(&result, wait);
            if let Err(error) = result
                && error.is_final()
            {
                return Err(error);
            }
        }
    }

    /// Says how a check-in ended, in the log and in the status file.
    fn tell(&self, result: &Result<OnceOutcome, Error>, wait: Duration) {
        let next_s = wait.as_secs();
        if let Some(manager) = &self.manager {
            manager.status(&match result {
                Ok(_) => format!("Checked in; the next time in {next_s} s"),
                Err(error) => format!("{error}; tried again in {next_s} s"),
            });
        }
        match result {
            Ok(outcome) => {
                tracing::info!(reports.stored = outcome.stored, next_s, "checked in");
            }
            Err(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, next_s, "the check-in failed; the report is kept");
            }
        }
        self.publish_status(result.as_ref().err(), Some(wait));
    }

    /// Writes the status file, which every user may read. Failing is no reason to stop.
    pub fn publish_status(&self, error: Option<&Error>, next: Option<Duration>) {
        let status = status::Status::of(self, error, next);
        if let Err(error) = status.publish(&self.paths) {
            tracing::debug!(%error, "the status file could not be written");
        }
    }
}
