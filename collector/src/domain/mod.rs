//! What the collector decides, as pure functions: values and the present moment in, values out.
//!
//! Nothing here knows of tables, requests or clocks. "Why is this laptop flagged?" is answered by
//! reading `rule`, "who is this device?" by [`matching`], "what changed?" by [`diff`].

pub mod diff;
pub mod facts;
pub mod finding;
pub mod freshness;
pub mod hardware;
pub mod lifecycle;
pub mod matching;
pub mod policy;
mod rule;
pub mod scope;
pub mod unit;
pub mod waiting;

pub use facts::Facts;
pub use finding::{Flag, Observed, Rule, evaluate, reconcile};
pub use freshness::presence;
pub use lifecycle::{CycleMatch, Lifecycle, LifecycleState};
pub use policy::Policy;
pub use scope::Scope;
pub use waiting::Waiting;
