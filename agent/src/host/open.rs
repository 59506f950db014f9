//! Opening files so that neither a pipe, nor a link, nor somebody who swaps them in between can
//! make the agent wait or read something else.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

/// As many links as the system itself follows on the way to one file.
const LINKS_LIMIT: usize = 40;

/// Where a path leads when `root` is the root of everything: an absolute link starts there again,
/// and `..` does not climb above it. Without `follow` the last name may stay a link.
pub(super) fn within(root: &Path, path: &Path, follow: bool) -> io::Result<PathBuf> {
    let mut at = root.to_path_buf();
    let mut depth = 0_usize;
    let mut left: Vec<OsString> = Vec::new();
    let mut links = 0;
    push(&mut left, path);
    while let Some(name) = left.pop() {
        if name == ".." {
            if depth > 0 {
                at.pop();
                depth -= 1;
            }
            continue;
        }
        let next = at.join(&name);
        let target = if follow || !left.is_empty() { std::fs::read_link(&next).ok() } else { None };
        let Some(target) = target else {
            at = next;
            depth += 1;
            continue;
        };
        links += 1;
        if links > LINKS_LIMIT {
            return Err(io::Error::other("too many links lead to it"));
        }
        if target.is_absolute() {
            root.clone_into(&mut at);
            depth = 0;
        }
        push(&mut left, &target);
    }
    Ok(at)
}

/// Puts the names of a path on the pile of those to walk through, the first on top.
fn push(left: &mut Vec<OsString>, path: &Path) {
    left.extend(path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    }));
}

/// Opens a regular file below a folder one name after the other, so that no link on the way is
/// followed; also gives its size in bytes.
#[cfg(all(unix, any(test, not(target_os = "linux"))))]
pub(super) fn beneath(folder: &Path, path: &str) -> io::Result<(File, u64)> {
    use rustix::fs::{FileType, Mode, OFlags};

    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    // Without waiting for the other end of a pipe.
    const CONTENT: OFlags = OFlags::RDONLY
        .union(OFlags::NONBLOCK)
        .union(OFlags::NOCTTY)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::CLOEXEC);
    let mut at = rustix::fs::open(folder, FOLDER, Mode::empty())?;
    let mut names: Vec<&str> = path.split('/').collect();
    let last = names.pop().unwrap_or_default();
    for name in names {
        at = rustix::fs::openat(&at, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let opened = rustix::fs::openat(&at, last, CONTENT, Mode::empty())?;
    let facts = rustix::fs::fstat(&opened)?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok((File::from(opened), u64::try_from(facts.st_size).unwrap_or_default()))
}

cfg_select! {
    target_os = "linux" => {
        use rustix::fd::OwnedFd;
        use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
        use rustix::io::Errno;

        /// Without waiting for the other end of a pipe.
        const CONTENT: OFlags = OFlags::RDONLY
            .union(OFlags::NONBLOCK)
            .union(OFlags::NOCTTY)
            .union(OFlags::CLOEXEC);
        const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

        /// Opens a regular file, below `root` where there is one; also gives its size in bytes.
        pub(super) fn content(root: Option<&Path>, path: &str) -> io::Result<(File, u64)> {
            regular(at(root, path, CONTENT)?)
        }

        /// Opens a regular file below a folder, following no link on the way from there.
        pub(super) fn content_below(
            root: Option<&Path>,
            folder: &str,
            path: &str,
        ) -> io::Result<(File, u64)> {
            let mut folder = at(root, folder, FOLDER)?;
            let mut names: Vec<&str> = path.split('/').collect();
            let last = names.pop().unwrap_or_default();
            for name in names {
                folder = rustix::fs::openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
            }
            regular(rustix::fs::openat(folder, last, CONTENT | OFlags::NOFOLLOW, Mode::empty())?)
        }

        fn at(root: Option<&Path>, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
            const TRIES: usize = 8;
            let Some(root) = root else {
                return Ok(rustix::fs::open(path, flags, Mode::empty())?);
            };
            let top = rustix::fs::open(root, FOLDER, Mode::empty())?;
            let path = path.trim_start_matches('/');
            let path = if path.is_empty() { "." } else { path };
            for _ in 0..TRIES {
                match rustix::fs::openat2(&top, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
                    // Something was renamed on the way.
                    Err(Errno::AGAIN) => {}
                    // Kernels before 5.6, and containers that allow only what they know.
                    Err(Errno::NOSYS | Errno::PERM) => break,
                    other => return Ok(other?),
                }
            }
            by_names(root, path, flags)
        }

        /// The same without help from the kernel.
        pub(super) fn by_names(root: &Path, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
            let full = within(root, Path::new(path), true)?;
            Ok(rustix::fs::open(full, flags | OFlags::NOFOLLOW, Mode::empty())?)
        }

        /// What was opened decides, not what lay there before. Files of `/proc` and `/sys` are
        /// regular too.
        fn regular(opened: OwnedFd) -> io::Result<(File, u64)> {
            let facts = rustix::fs::fstat(&opened)?;
            if FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile {
                Ok((File::from(opened), u64::try_from(facts.st_size).unwrap_or_default()))
            } else {
                Err(io::Error::other("it is not a regular file"))
            }
        }
    }
    _ => {
        pub(super) fn content(root: Option<&Path>, path: &str) -> io::Result<(File, u64)> {
            let full = match root {
                Some(root) => within(root, Path::new(path), true)?,
                None => PathBuf::from(path),
            };
            let facts = std::fs::metadata(&full)?;
            if !facts.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            Ok((File::open(full)?, facts.len()))
        }

        pub(super) fn content_below(
            root: Option<&Path>,
            folder: &str,
            path: &str,
        ) -> io::Result<(File, u64)> {
            cfg_select! {
                unix => {
                    let folder = match root {
                        Some(root) => within(root, Path::new(folder), true)?,
                        None => PathBuf::from(folder),
                    };
                    beneath(&folder, path)
                }
                _ => content(root, &format!("{folder}/{path}")),
            }
        }
    }
}
