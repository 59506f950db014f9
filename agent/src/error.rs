//! What can go wrong with the agent, by what was being done; how it is told and which exit code
//! it gives. Sources of a report never end here: their failures are notes.

use std::fmt::Write as _;
use std::time::Duration;

use rollcall_shared::DeviceId;
use rollcall_shared::join::JoinStringError;

use crate::config::ConfigError;
use crate::reach::ReachError;
use crate::state::StateError;

/// Exit codes, the same for every command.
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Problems were found.
    pub const PROBLEMS: u8 = 1;
    /// Wrong usage or configuration.
    pub const USAGE: u8 = 2;
    /// The collector was not reached; the report is kept.
    pub const UNREACHABLE: u8 = 3;
    /// The collector refused, or is not believed.
    pub const REFUSED: u8 = 4;
    /// Missing rights on this computer.
    pub const PERMISSION: u8 = 5;
    /// Something else is in the way: another agent, an existing enrolment.
    pub const CONFLICT: u8 = 6;
    /// A mistake in the agent itself.
    pub const INTERNAL: u8 = 70;
}

/// Why the agent could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The join string is wrong.
    #[error(transparent)]
    Join(#[from] JoinStringError),
    /// The command was called in a way that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no enrolment.
    #[error("this computer is not enrolled")]
    NotEnrolled,
    /// There is an enrolment already.
    #[error("this computer is already enrolled at {url} as {device_id}")]
    AlreadyEnrolled {
        /// The collector.
        url: String,
        /// The device.
        device_id: DeviceId,
    },
    /// The state folder or the spool cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The collector was not reached.
    #[error("the collector at {url} could not be reached")]
    Reach {
        /// The collector.
        url: String,
        /// The step that failed.
        source: ReachError,
    },
    /// The collector is there and asks to come back later.
    #[error("the collector is busy (HTTP {status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// Something answered, but not as a collector does.
    #[error("what answered at {url} is not a Rollcall collector (HTTP {status})")]
    NotACollector {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The enrolment token is not accepted.
    #[error("the collector did not accept the enrolment token")]
    TokenRefused,
    /// The signature is not accepted.
    #[error("the collector does not know this device's key")]
    Unauthorised,
    /// The device was revoked.
    #[error("the collector has revoked this device; it reports no more")]
    Revoked,
    /// The collector refused for another reason.
    #[error("the collector refused: {0}")]
    Refused(String),
    /// Something broke that cannot break.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The exit code of a command that ends with this.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Join(_) | Self::Usage(_) => exit::USAGE,
            Self::NotEnrolled => exit::PROBLEMS,
            Self::AlreadyEnrolled { .. } => exit::CONFLICT,
            Self::State(error) => state_exit_code(error),
            Self::Reach { source, .. } if source.is_distrust() => exit::REFUSED,
            Self::Reach { .. } | Self::Busy { .. } | Self::NotACollector { .. } => {
                exit::UNREACHABLE
            }
            Self::TokenRefused | Self::Unauthorised | Self::Revoked | Self::Refused(_) => {
                exit::REFUSED
            }
            Self::Internal(_) => exit::INTERNAL,
        }
    }

    /// The likely cause and the next command, for a person.
    pub fn hint(&self) -> String {
        let doctor = "Run `rollcall-agent doctor` to see which step fails.";
        match self {
            Self::Config(_) => "Run `rollcall-agent config` to see every key and value.".into(),
            Self::Join(_) => "Run `rollcall-agent enroll -` and paste the line again.".into(),
            Self::Usage(_) => "Run `rollcall-agent --help`.".into(),
            Self::NotEnrolled => {
                "Copy the join string from the collector's Enrol page and run `rollcall-agent \
                 enroll -`."
                    .into()
            }
            Self::AlreadyEnrolled { .. } => {
                "Run `rollcall-agent unenroll` first if it shall report elsewhere.".into()
            }
            Self::State(error) => state_hint(error).into(),
            Self::Reach { source, .. } => format!("{} {doctor}", source.likely_cause()),
            Self::Busy { .. } => "It is overloaded or restarting; the report is kept and sent \
                                  later. Run `rollcall-agent once` to try now."
                .into(),
            Self::NotACollector { .. } => {
                format!("A proxy, a sign-in page of the network or another service. {doctor}")
            }
            Self::TokenRefused => {
                "It is unknown, expired, used up or revoked. Make a new join string on the Enrol \
                 page and run `rollcall-agent enroll -`."
                    .into()
            }
            Self::Unauthorised => {
                "The collector was restored from a backup or set up anew. Run `rollcall-agent \
                 doctor`, or `rollcall-agent unenroll` and enrol again."
                    .into()
            }
            Self::Revoked => {
                "A person retired it. Run `rollcall-agent unenroll` and enrol again if that was a \
                 mistake."
                    .into()
            }
            Self::Refused(_) => doctor.into(),
            Self::Internal(_) => {
                "This is a mistake in the agent; please report it with this text.".into()
            }
        }
    }

    /// Whether trying again without a person's help makes no sense.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Revoked | Self::NotEnrolled | Self::Config(_) => true,
            Self::State(error) => !matches!(error, StateError::Io { .. }),
            _ => false,
        }
    }

    /// How long the collector asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// The error, its causes and the hint, as lines for a terminal.
    pub fn explain(&self) -> String {
        let mut text = format!("error: {self}");
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let _ = write!(text, "\n  caused by: {error}");
            cause = error.source();
        }
        let _ = write!(text, "\n{}", self.hint());
        text
    }
}

fn state_exit_code(error: &StateError) -> u8 {
    use crate::disk::FolderError;
    let denied = |error: &std::io::Error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem
        )
    };
    match error {
        StateError::Folder(FolderError::Io { source, .. }) | StateError::Io { source, .. } => {
            if denied(source) {
                exit::PERMISSION
            } else {
                exit::PROBLEMS
            }
        }
        StateError::Folder(_) | StateError::Exposed(_) => exit::PERMISSION,
        StateError::Locked(_) => exit::CONFLICT,
        StateError::Damaged { .. } => exit::PROBLEMS,
        StateError::NoRandomness => exit::INTERNAL,
    }
}

pub(crate) fn state_hint(error: &StateError) -> &'static str {
    match error {
        StateError::Locked(_) => {
            "The service is running. Run `rollcall-agent status`, or stop it first: `systemctl \
             stop rollcall-agent`."
        }
        StateError::Damaged { .. } => {
            "Restore the file, or run `rollcall-agent unenroll` and enrol this computer again."
        }
        StateError::Exposed(_) => {
            "Someone may have copied it. Run `rollcall-agent unenroll` and enrol again."
        }
        StateError::Folder(crate::disk::FolderError::Io { .. }) => {
            "Run the command as an administrator, or name another folder with `--state`."
        }
        StateError::Folder(_) => {
            "Remove it after checking who made it, or name another folder with `--state`."
        }
        error if error.is_disk_full() => {
            "The disk is full. Free some space, then run `rollcall-agent once`."
        }
        StateError::Io { .. } => {
            "Run the command as an administrator; `rollcall-agent doctor` shows the rest."
        }
        StateError::NoRandomness => "Run `rollcall-agent doctor`.",
    }
}
