//! When the package manager last refreshed its lists, by the traces it leaves.

use rollcall_shared::Timestamp;

use crate::host::Host;

/// Files and folders whose change means that lists were refreshed. apt gives its lists the time of
/// the server, so the folders tell more than the files.
const REFRESHED: &[&str] = &[
    "/var/lib/apt/periodic/update-success-stamp",
    "/var/lib/apt/lists",
    "/var/lib/apt/lists/partial",
    "/var/lib/pacman/sync",
    "/var/cache/apk",
];

/// Folders of package managers with one folder for each repository, and the file in it that is
/// written anew with every refresh.
const REPOSITORIES: &[(&str, &str)] = &[
    ("/var/cache/libdnf5", "repodata/repomd.xml"),
    ("/var/cache/dnf", "repodata/repomd.xml"),
    ("/var/cache/zypp/raw", "repodata/repomd.xml"),
    ("/var/cache/zypp/solv", "cookie"),
];

pub(super) fn lists_at(host: &Host) -> Option<Timestamp> {
    let changed = |path: &str| Some(host.info(path).ok()?.modified_at);
    let holds_lists = |folder: &str| {
        let names = host.list(folder).unwrap_or_default();
        names.iter().any(|name| {
            name.contains("_Packages")
                || name.starts_with("APKINDEX")
                || name.strip_suffix(".db").is_some()
        })
    };
    let apt = holds_lists("/var/lib/apt/lists");
    let mut latest = None;
    for path in REFRESHED {
        let counts = if path.starts_with("/var/lib/apt") { apt } else { holds_lists(path) };
        if counts {
            latest = latest.max(changed(path));
        }
    }
    for (folder, file) in REPOSITORIES {
        for repository in host.list(folder).unwrap_or_default().iter().take(1000) {
            latest = latest.max(changed(&format!("{folder}/{repository}/{file}")));
        }
    }
    latest.filter(|at| at.0 > 0).map(|at| Timestamp::from_seconds(at.seconds()))
}
