//! Whether what is printed ends in the journal of systemd.

/// Whether standard output is the journal, which others than the administrator may read.
pub(crate) fn is_printed_to() -> bool {
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
    fn the_journal_is_known_by_device_and_inode() {
        use std::os::unix::fs::MetadataExt as _;
        let file = tempfile::tempfile().unwrap();
        let of = file.metadata().unwrap();
        assert!(is_stream(&file, &format!("{}:{}", of.dev(), of.ino())));
        assert!(!is_stream(&file, &format!("{}:{}", of.dev(), of.ino() + 1)));
        assert!(!is_stream(&file, ""));
    }
}
