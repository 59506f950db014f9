//! What every handler and job holds: the store, the fleet in memory, the clock, the settings.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::http::Guard;
use crate::outgoing::Outgoing;
use crate::store::Store;

/// The running collector. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What an [`App`] is made of.
pub struct Inner {
    /// The tables.
    pub store: Store,
    /// The fleet in memory.
    pub fleet: Fleet,
    /// The time.
    pub clock: Clock,
    /// The address agents and people use, without a trailing slash, e.g. `https://127.0.0.1:8443`.
    pub public_url: String,
    /// SHA-256 of the CA certificate that join strings carry; absent when the system's trust
    /// store decides.
    pub ca_digest: Option<rollcall_shared::Digest>,
    /// The one way to call others.
    pub outgoing: Outgoing,
    /// What the doors remember between requests; `Guard::default()` in tests.
    pub guard: Guard,
    /// Held (shared) while a device's past is told report by report, so that no sweep judges it by
    /// today's clock in the middle.
    pub past_being_told: Arc<RwLock<()>>,
}

impl App {
    /// Puts the parts together.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The same collector at another time: what the demo's past is told through.
    #[must_use]
    pub fn with_clock(&self, clock: Clock) -> Self {
        Self::new(Inner {
            store: self.store.clone(),
            fleet: self.fleet.clone(),
            clock,
            public_url: self.public_url.clone(),
            ca_digest: self.ca_digest,
            outgoing: self.outgoing.clone(),
            guard: Guard::default(),
            past_being_told: Arc::clone(&self.past_being_told),
        })
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
