//! Webhooks: programs that are told of events.

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use crate::identity::DeviceId;
use crate::time::Timestamp;

/// Something that programs are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A finding was opened, other than that a device is missing.
    FindingOpened,
    /// A finding was closed, other than by a device that returned.
    FindingClosed,
    /// A device is missing.
    DeviceMissing,
    /// A missing device reports again.
    DeviceReturned,
    /// A device was enrolled.
    DeviceNew,
    /// Two computers may be one, or one key spoke from two.
    DeviceConflict,
    /// Somebody tries the webhook.
    Test,
}

impl EventKind {
    /// All that can be chosen, in order.
    pub const ALL: &[Self] = &[
        Self::FindingOpened,
        Self::FindingClosed,
        Self::DeviceMissing,
        Self::DeviceReturned,
        Self::DeviceNew,
        Self::DeviceConflict,
    ];

    /// The word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FindingOpened => "finding_opened",
            Self::FindingClosed => "finding_closed",
            Self::DeviceMissing => "device_missing",
            Self::DeviceReturned => "device_returned",
            Self::DeviceNew => "device_new",
            Self::DeviceConflict => "device_conflict",
            Self::Test => "test",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().chain([&Self::Test]).copied().find(|kind| kind.as_str() == word)
    }

    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::FindingOpened => "A finding is opened",
            Self::FindingClosed => "A finding is closed",
            Self::DeviceMissing => "A device is missing",
            Self::DeviceReturned => "A missing device is back",
            Self::DeviceNew => "A device is new",
            Self::DeviceConflict => "Two devices may be one",
            Self::Test => "Test",
        }
    }
}

/// A webhook, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Webhook {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub label: String,
    /// Where events are sent.
    pub url: String,
    /// Which events.
    pub kinds: Vec<EventKind>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Since when nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Why nothing is sent, where the collector gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_why: Option<String>,
    /// Since when deliveries fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Deliveries that wait.
    pub waiting: u64,
    /// Events that were left out because too many waited.
    pub dropped: u64,
}

/// The body that makes or sets a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// What it is for, 1 to 100 characters.
    pub label: String,
    /// Where events are sent: an https address.
    pub url: String,
    /// Which events, at least one.
    pub kinds: Vec<EventKind>,
    /// Whether nothing is sent for now. Switching it on again forgets that it failed.
    #[serde(default)]
    pub disabled: bool,
}

/// A new webhook with its secret, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedWebhook {
    /// The webhook.
    pub webhook: Webhook,
    /// What its deliveries are signed with.
    pub secret: String,
}

/// An event on its way to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookDelivery {
    /// Its id, the same at every try.
    pub id: String,
    /// Which event.
    pub kind: EventKind,
    /// When it was put into the queue.
    pub made_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// When it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
    /// Whether it arrived; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<bool>,
    /// The HTTP status of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the last try failed; empty where it did not.
    pub said: String,
}

/// What a webhook is sent, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookEvent {
    /// The same at every try: what was seen before is no news.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// When it happened.
    pub at: Timestamp,
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<EventDevice>,
    /// The finding as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
}

/// The device of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its host name.
    pub hostname: String,
    /// Its page.
    pub url: String,
}
