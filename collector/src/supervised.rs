//! Being run by systemd: telling it when the collector is ready, and knowing when what is printed
//! ends in its journal.

/// Tells systemd `READY=1` or `STOPPING=1`; without `NOTIFY_SOCKET` nothing is told.
pub(crate) fn tell(state: &str) {
    #[cfg(target_os = "linux")]
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        // A manager that does not listen is no reason to stop.
        let _ = send(&socket, state);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = state;
}

#[cfg(target_os = "linux")]
fn send(socket: &std::ffi::OsStr, state: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let from = UnixDatagram::unbound()?;
    match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => from.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?),
        None => from.send_to(state.as_bytes(), socket),
    }
}

/// Whether standard output is the journal, which others than the administrator may read.
pub(crate) fn prints_into_journal() -> bool {
    #[cfg(unix)]
    return std::env::var("JOURNAL_STREAM")
        .is_ok_and(|stream| is_stream(std::io::stdout(), &stream));
    #[cfg(not(unix))]
    return false;
}

/// Whether an open file is the one that `DEVICE:INODE` names.
#[cfg(unix)]
fn is_stream(file: impl std::os::fd::AsFd, stream: &str) -> bool {
    rustix::fs::fstat(file).is_ok_and(|of| format!("{}:{}", of.st_dev, of.st_ino) == stream)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn systemd_is_told_at_its_socket() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("rollcall-{}", std::process::id());
        let hidden = SocketAddr::from_abstract_name(&name).unwrap();
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path.clone().into_os_string()),
            (UnixDatagram::bind_addr(&hidden).unwrap(), format!("@{name}").into()),
        ];
        for (socket, path) in sockets {
            send(&path, "READY=1").unwrap();
            let mut said = [0; 64];
            let length = socket.recv(&mut said).unwrap();
            assert_eq!(&said[..length], b"READY=1");
        }
        assert!(send(folder.path().join("nobody").as_os_str(), "READY=1").is_err());
    }

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        use std::os::unix::fs::MetadataExt as _;
        let file = tempfile::tempfile().unwrap();
        let of = file.metadata().unwrap();
        assert!(is_stream(&file, &format!("{}:{}", of.dev(), of.ino())));
        assert!(!is_stream(&file, &format!("{}:{}", of.dev(), of.ino() + 1)));
        assert!(!is_stream(&file, ""));
    }
}
