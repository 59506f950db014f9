//! How a command ends when it does not succeed: one sentence, the next step, an exit code.

use std::fmt;

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something was found to be wrong.
    Problems = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The collector or the database cannot be reached.
    Unreachable = 3,
    /// It was refused.
    Refused = 4,
    /// This user may not do it on this computer.
    Permission = 5,
    /// Something else is in the way: a port, a name, a running collector.
    Conflict = 6,
    /// Our fault.
    Internal = 70,
}

/// Why a command did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    what: String,
    next: Option<String>,
}

impl Failure {
    /// What failed and its likely cause.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), next: None }
    }

    /// What to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// An error with all its causes.
    pub fn of(exit: Exit, error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(exit, crate::http::error::chain(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.next {
            Some(next) => write!(f, "\n  {next}"),
            None => Ok(()),
        }
    }
}

impl From<crate::store::Error> for Failure {
    fn from(error: crate::store::Error) -> Self {
        use crate::store::Error;
        let exit = match &error {
            Error::Conflict | Error::OtherKey | Error::Newer { .. } | Error::Older { .. } => {
                Exit::Conflict
            }
            Error::Unavailable(_) | Error::Busy => Exit::Unreachable,
            Error::Address(_) => Exit::Usage,
            Error::Unwritable { .. } => Exit::Permission,
            Error::Migrate(_) | Error::Damaged(_) | Error::Database(_) => Exit::Internal,
        };
        Self::of(exit, &error)
    }
}

impl From<crate::http::Error> for Failure {
    fn from(error: crate::http::Error) -> Self {
        Self::of(Exit::Internal, &error)
    }
}
