//! Where the agent keeps things on this computer.

use std::path::{Path, PathBuf};

/// The agent's folders and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The state folder: key, identity, ledger, spool. Only the agent's own user may enter it.
    pub state: PathBuf,
    /// What `status` shows to every user; holds no secret.
    pub status: PathBuf,
}

impl Paths {
    /// Everything below one folder.
    pub fn at(state: impl Into<PathBuf>) -> Self {
        let state = state.into();
        let status = state.join("status.json");
        Self { state, status }
    }

    /// The usual places: those of the system for an administrator, the user's own otherwise.
    pub fn usual(privileged: bool, environment: impl Fn(&str) -> Option<PathBuf>) -> Self {
        if privileged {
            return Self::system();
        }
        let state = environment("XDG_STATE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| environment("HOME").map(|home| home.join(".local/state")))
            .or_else(|| environment("LOCALAPPDATA"))
            .unwrap_or_else(|| PathBuf::from("."));
        Self::at(state.join("rollcall-agent"))
    }

    /// The places of the system's own agent.
    #[cfg(unix)]
    pub fn system() -> Self {
        Self {
            state: PathBuf::from("/var/lib/rollcall-agent"),
            status: PathBuf::from("/run/rollcall-agent/status.json"),
        }
    }

    /// The places of the system's own agent.
    #[cfg(not(unix))]
    pub fn system() -> Self {
        Self {
            state: PathBuf::from(r"C:\ProgramData\Rollcall\Agent\state"),
            status: PathBuf::from(r"C:\ProgramData\Rollcall\Agent\status.json"),
        }
    }

    /// The spool of reports not yet acknowledged.
    pub fn spool(&self) -> PathBuf {
        self.state.join("spool")
    }
}

/// Where this system's configuration file is when none is named.
pub fn usual_config() -> &'static Path {
    Path::new(if cfg!(windows) {
        r"C:\ProgramData\Rollcall\agent.toml"
    } else {
        "/etc/rollcall/agent.toml"
    })
}

/// Whether this process has administrator rights.
pub fn is_privileged() -> bool {
    #[cfg(unix)]
    {
        rustix::process::geteuid().is_root()
    }
    #[cfg(windows)]
    {
        crate::disk::is_elevated()
    }
    #[cfg(not(any(unix, windows)))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_their_own_state() {
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/anna"));
        assert_eq!(
            Paths::usual(false, home).state,
            PathBuf::from("/home/anna/.local/state/rollcall-agent")
        );
        let xdg = |name: &str| {
            Some(PathBuf::from(if name == "HOME" { "/home/anna" } else { "relative" }))
        };
        assert_eq!(
            Paths::usual(false, xdg).state,
            PathBuf::from("/home/anna/.local/state/rollcall-agent")
        );
        assert_eq!(Paths::usual(true, home), Paths::system());
    }
}
