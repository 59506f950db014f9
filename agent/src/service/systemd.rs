//! Telling systemd how it goes, by its datagram socket: `Type=notify` and the watchdog.
//!
//! Without `NOTIFY_SOCKET` in the environment nothing is told.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Where to tell it.
#[derive(Debug)]
pub struct Manager {
    socket: Option<UnixDatagram>,
    /// How often a sign of life is waited for.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The service manager that started this process, if one did.
    pub fn started_by() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(environment: impl Fn(&str) -> Option<OsString>) -> Self {
        let socket = environment("NOTIFY_SOCKET").and_then(|path| connected(&path).ok());
        let number = |name: &str| environment(name)?.to_str()?.parse::<u64>().ok();
        let is_meant = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_meant).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// How often to give a sign of life; `None` when nobody waits for one.
    pub fn interval(&self) -> Option<Duration> {
        // Twice in the time, so that one that comes late does no harm.
        self.socket.as_ref().and(self.watchdog).map(|time| time / 2).filter(|half| !half.is_zero())
    }

    /// Everything is opened, and the work begins.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The loop goes round.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// It was asked to stop and does so.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, line: &str) {
        self.tell(&format!("STATUS={}", line.replace(['\n', '\r'], " ")));
    }

    fn tell(&self, text: &str) {
        // A manager that does not listen is no reason to stop.
        let _ = self.socket.as_ref().map(|socket| socket.send(text.as_bytes()));
    }
}

fn connected(path: &OsString) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(name) = path.as_bytes().strip_prefix(b"@") {
            socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?;
            return Ok(socket);
        }
    }
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_what_it_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::of(|name| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            "WATCHDOG_USEC" => Some("3000000".into()),
            "WATCHDOG_PID" => Some(std::process::id().to_string().into()),
            _ => None,
        });
        assert_eq!(manager.interval(), Some(Duration::from_millis(1500)));
        manager.ready();
        manager.status("two\nlines");
        let mut buffer = [0; 100];
        let length = heard.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1");
        let length = heard.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"STATUS=two lines");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_manager_without_a_file_is_found_by_its_name() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;
        let name = format!("rollcall-{}", std::process::id());
        let heard = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap());
        let heard = heard.unwrap();
        let manager =
            Manager::of(|asked| (asked == "NOTIFY_SOCKET").then(|| format!("@{name}").into()));
        manager.stopping();
        let mut buffer = [0; 100];
        let length = heard.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"STOPPING=1");
    }

    #[test]
    fn without_a_manager_or_for_another_process_nothing_is_told() {
        assert_eq!(Manager::of(|_| None).interval(), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _heard = UnixDatagram::bind(&path).unwrap();
        let other = Manager::of(|name| match name {
            "NOTIFY_SOCKET" => Some(path.clone().into_os_string()),
            "WATCHDOG_USEC" => Some("3000000".into()),
            "WATCHDOG_PID" => Some("1".into()),
            _ => None,
        });
        assert_eq!(other.interval(), None);
        Manager::of(|_| Some("/nonexistent/notify".into())).ready();
    }
}
