//! When the screen locks by itself, as an administrator settled it for everybody.
//!
//! GNOME reads it from the databases of dconf, KDE from `/etc/xdg`, Windows from a policy of the
//! computer, macOS from a profile. What people chose for themselves is not looked at.

use rollcall_shared::section::security::ScreenLock;

use crate::host::Host;

/// Names the databases of dconf that everybody reads, the one that counts most first.
const DCONF_PROFILE: &str = "/etc/dconf/profile/user";
const DCONF: &str = "/etc/dconf/db";
const LOCK_ENABLED: &str = "/org/gnome/desktop/screensaver/lock-enabled";
const LOCK_DELAY: &str = "/org/gnome/desktop/screensaver/lock-delay";
const IDLE_DELAY: &str = "/org/gnome/desktop/session/idle-delay";
const KDE: &str = "/etc/xdg/kscreenlockerrc";
/// `Interactive logon: Machine inactivity limit`
const WINDOWS: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System";
const MAC: &str = "/Library/Managed Preferences/com.apple.screensaver.plist";
/// Files that are read at most of one database.
const FILES_LIMIT: usize = 100;

pub(super) fn of_linux(host: &Host) -> Option<ScreenLock> {
    gnome(host).or_else(|| kde(&host.read_text(KDE).ok()?))
}

fn gnome(host: &Host) -> Option<ScreenLock> {
    let profile = host.read_text(DCONF_PROFILE).ok()?;
    let names = profile.lines().filter_map(|line| line.trim().strip_prefix("system-db:"));
    let databases: Vec<Dconf> = names.map(|name| Dconf::read(host, name.trim())).collect();
    let value = |key: &str| databases.iter().find_map(|database| database.value(key));
    let locked = |key: &&str| databases.iter().any(|one| one.locks.iter().any(|it| it == key));
    let seconds = |key| value(key)?.trim_start_matches("uint32").trim().parse::<u64>().ok();
    let (enabled, idle_s) = (value(LOCK_ENABLED).map(|word| word == "true"), seconds(IDLE_DELAY));
    lock(enabled, idle_s, seconds(LOCK_DELAY), [LOCK_ENABLED, IDLE_DELAY].iter().all(locked))
}

/// One that is not settled is not told; GNOME and KDE lock where nothing says otherwise.
fn lock(
    enabled: Option<bool>,
    idle_s: Option<u64>,
    grace_s: Option<u64>,
    enforced: bool,
) -> Option<ScreenLock> {
    if (enabled, idle_s) == (None, None) {
        return None;
    }
    let enabled = enabled != Some(false) && idle_s != Some(0);
    let after_s = idle_s.filter(|_| enabled).map(|idle| idle.saturating_add(grace_s.unwrap_or(0)));
    Some(ScreenLock { enabled: Some(enabled), after_s, enforced })
}

/// A database of dconf, from the files that it is made of.
#[derive(Default)]
struct Dconf {
    /// Keys with their folder, in the order of the files.
    values: Vec<(String, String)>,
    locks: Vec<String>,
}

impl Dconf {
    fn read(host: &Host, name: &str) -> Self {
        let mut found = Self::default();
        // A name is that of a file in one folder.
        if name.is_empty() || name.contains('/') {
            return found;
        }
        let folder = format!("{DCONF}/{name}.d");
        for file in host.list(&folder).unwrap_or_default().iter().take(FILES_LIMIT) {
            let text = host.read_text(&format!("{folder}/{file}")).unwrap_or_default();
            let values =
                values(&text).map(|(group, key, value)| (format!("/{group}/{key}"), value));
            found.values.extend(values);
        }
        let locks = format!("{folder}/locks");
        for file in host.list(&locks).unwrap_or_default().iter().take(FILES_LIMIT) {
            let text = host.read_text(&format!("{locks}/{file}")).unwrap_or_default();
            found.locks.extend(text.lines().map(|line| line.trim().to_owned()));
        }
        found
    }

    fn value(&self, key: &str) -> Option<&str> {
        let mut values = self.values.iter().rev();
        values.find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn kde(text: &str) -> Option<ScreenLock> {
    // `[$i]` behind a group or a key says that people cannot change it.
    let find = |wanted: &str| {
        values(text).filter(|(group, ..)| is_named(group, "Daemon")).find_map(
            |(group, key, value)| {
                let fixed = group.contains("[$i]") || key.contains("[$i]");
                is_named(&key, wanted).then_some((value, fixed))
            },
        )
    };
    let (enabled, minutes, grace_s) = (find("Autolock"), find("Timeout"), find("LockGrace"));
    let fixed = |it: &Option<(String, bool)>| it.as_ref().is_some_and(|(_, fixed)| *fixed);
    let number = |it: &Option<(String, bool)>| it.as_ref()?.0.parse::<u64>().ok();
    lock(
        enabled.as_ref().map(|(word, _)| word.eq_ignore_ascii_case("true")),
        number(&minutes).map(|minutes| minutes.saturating_mul(60)),
        number(&grace_s),
        fixed(&enabled) && fixed(&minutes),
    )
}

fn is_named(text: &str, name: &str) -> bool {
    text.split(['[', ']']).next() == Some(name)
}

/// Group, key and value of each line of a file in groups.
fn values(text: &str) -> impl Iterator<Item = (String, String, String)> {
    let mut group = String::new();
    text.lines().filter_map(move |line| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            // KDE writes `[Daemon][$i]`.
            group = name.strip_suffix(']').unwrap_or(name).replace("][", "[");
            if name.contains("[$i]") && !group.ends_with(']') {
                group.push(']');
            }
            return None;
        }
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some((group.clone(), key.trim().to_owned(), value.trim().to_owned()))
    })
}

pub(super) fn of_windows(host: &Host) -> Option<ScreenLock> {
    let after_s = host.registry(WINDOWS).ok()?.number("InactivityTimeoutSecs")?;
    // 0 is what stands there when nothing is settled.
    (after_s > 0).then_some(ScreenLock {
        enabled: Some(true),
        after_s: Some(after_s),
        enforced: true,
    })
}

pub(super) fn of_mac(host: &Host) -> Option<ScreenLock> {
    let profile = host.property_list(MAC).ok()?;
    let seconds = |name| profile.number(name).and_then(|number| u64::try_from(number).ok());
    let (asks, idle_s) = (profile.flag("askForPassword"), seconds("idleTime"));
    let enabled = match (asks, idle_s) {
        (Some(false), _) | (_, Some(0)) => Some(false),
        // Without the time it asks whenever the screen went dark, whenever that is.
        (Some(true), _) => Some(true),
        (None, Some(_)) => None,
        (None, None) => return None,
    };
    let delay_s = seconds("askForPasswordDelay").unwrap_or_default();
    let after_s = idle_s.filter(|_| enabled == Some(true)).map(|idle| idle.saturating_add(delay_s));
    Some(ScreenLock { enabled, after_s, enforced: true })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn computer(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let host = Host::at(root.path());
        (root, host)
    }

    fn told(enabled: bool, after_s: Option<u64>, enforced: bool) -> ScreenLock {
        ScreenLock { enabled: Some(enabled), after_s, enforced }
    }

    #[test]
    fn gnome_reads_the_databases_of_its_profile() {
        const SETTLED: &str = "[org/gnome/desktop/session]\nidle-delay=uint32 300\n\n\
            [org/gnome/desktop/screensaver]\nlock-enabled=true\nlock-delay=uint32 30\n";
        const LOCKS: &str = "/org/gnome/desktop/session/idle-delay\n\
            /org/gnome/desktop/screensaver/lock-enabled\n";
        let profile = (DCONF_PROFILE, "user-db:user\nsystem-db:local\nsystem-db:site\n");
        let settled = ("/etc/dconf/db/site.d/00-screen", SETTLED);
        let locks = ("/etc/dconf/db/site.d/locks/screen", LOCKS);
        let (_root, host) = computer(&[profile, settled, locks]);
        assert_eq!(of_linux(&host), Some(told(true, Some(330), true)));
        let (_root, host) = computer(&[profile, settled]);
        assert_eq!(of_linux(&host), Some(told(true, Some(330), false)));
        let never = "[org/gnome/desktop/session]\nidle-delay=uint32 0\n";
        let nearer = ("/etc/dconf/db/local.d/10-never", never);
        let (_root, host) = computer(&[profile, settled, nearer]);
        assert_eq!(of_linux(&host), Some(told(false, None, false)), "the first database counts");
        let (_root, host) = computer(&[settled]);
        assert_eq!(of_linux(&host), None, "without a profile nobody reads it");
        let (_root, host) = computer(&[profile]);
        assert_eq!(of_linux(&host), None);
    }

    #[test]
    fn kde_says_what_people_cannot_change() {
        let fixed = "[Daemon][$i]\nAutolock=true\nTimeout=10\nLockGrace=5\n";
        assert_eq!(kde(fixed), Some(told(true, Some(605), true)));
        assert_eq!(
            kde("[Daemon]\nAutolock[$i]=true\nTimeout[$i]=5\n"),
            Some(told(true, Some(300), true))
        );
        assert_eq!(kde("[Daemon]\n# Timeout=9\nAutolock=false\n"), Some(told(false, None, false)));
        assert_eq!(kde("[Greeter]\nTimeout=5\n"), None);
    }

    #[test]
    fn a_profile_of_a_mac_is_read() {
        let plist = |keys: &str| format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>");
        let asks =
            "<key>askForPassword</key><true/><key>askForPasswordDelay</key><integer>5</integer>";
        let idle = "<key>idleTime</key><integer>600</integer>";
        let of = |keys: &str| {
            let (_root, host) = computer(&[(MAC, &plist(keys))]);
            of_mac(&host)
        };
        assert_eq!(of(""), None);
        assert_eq!(of(&format!("{asks}{idle}")), Some(told(true, Some(605), true)));
        assert_eq!(of(asks), Some(told(true, None, true)));
        let never = "<key>askForPassword</key><integer>0</integer>";
        assert_eq!(of(&format!("{never}{idle}")), Some(told(false, None, true)));
        let unknown = ScreenLock { enabled: None, after_s: None, enforced: true };
        assert_eq!(of(idle), Some(unknown));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\[?[A-Za-z/]{0,9}(\\[\\$i\\])?\\]?=?[0-9a-z ]{0,9}\n){0,9}") {
            let _ = kde(&text);
        }
    }
}
