//! What a source looked at, and whether any of it may have changed since.
//!
//! Every file and folder that was read is remembered with its stamp. Of a name that was only looked
//! for, or that was not there, the folder tells: its stamp changes when a name comes or goes. As long
//! as all stamps are the same, looking again would tell the same. It knows nothing of what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;

/// Places whose content changes without a trace in the stamps.
const WITHOUT_STAMPS: &[&str] = &["/proc/", "/sys/", "/dev/"];
/// Of these the kernel's count of events tells, for sources that ask for devices alone.
const BY_EVENTS: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/asound/",
    "/proc/bus/",
    "/proc/device-tree/",
    "/proc/driver/nvidia/",
    "/sys/",
    "/dev/",
];
/// Folders in which names come and go all the time: what is not there is looked for itself.
const RESTLESS: &[&str] = &["", "/run", "/var/run", "/tmp", "/var/tmp", "/var/log"];
/// A source that looked at more than this is simply asked again.
const PATHS_LIMIT: usize = 50_000;
/// So many stamps are remembered within a look for all who ask.
const ASKED_LIMIT: usize = 4_096;
/// File systems count time in steps. Two changes within one step leave the same stamp, so what
/// changed shortly before a look may have changed during it.
const STEP_MS: i64 = 2_000;

/// What the system says of a file or folder without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    device: u64,
    number: u64,
    size_bytes: u64,
    /// Seconds and nanoseconds.
    modified_at: (i64, i64),
    /// Last change of content, name, owner or mode; no program can set it back.
    changed_at: (i64, i64),
}

/// What matters about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// What the file or folder holds, or what the system says of it.
    Content,
    /// Only whether the name is there, and where it leads if it is a link.
    Name,
}

/// The state of one path: of the name itself, and where it is a link also of what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    named: Result<Facts, io::ErrorKind>,
    reached: Option<Result<Facts, io::ErrorKind>>,
}

/// The stamps that were asked for in one look. Many sources stand on the same folders, and what
/// changes after a stamp was taken differs from it in the next look.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<BTreeMap<String, Stamp>>);

impl Asked {
    /// The stamp of a path as it was first asked for.
    pub(crate) fn stamp(&self, path: &str, place: impl Fn(&str) -> PathBuf) -> Stamp {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stamp) = known().get(path) {
            return *stamp;
        }
        // Nobody waits for one who asks a disk that hangs.
        let stamp = Stamp::of(&place(path));
        let mut known = known();
        if known.len() < ASKED_LIMIT {
            known.insert(path.to_owned(), stamp);
        }
        stamp
    }
}

/// All that one source looked at.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    stamps: BTreeMap<String, Stamp>,
    /// Folders whose files are only ever replaced as a whole, so that the folder tells of them.
    wholes: BTreeSet<String>,
    /// The same for everything below.
    trees: Vec<String>,
    beyond_stamps: bool,
    /// Something could not be read for the moment.
    failed: bool,
    /// For what has no stamp because it is the kernel's word on devices: the kernel's count of
    /// events, which grows whenever a device comes, goes or changes.
    events: Option<String>,
}

impl Inputs {
    /// Takes the kernel's count of events for the stamp of everything that the kernel tells.
    pub(crate) fn with_events(events: String) -> Self {
        Self { events: Some(events), ..Self::default() }
    }

    /// Whether the kernel's count of events is known.
    pub(crate) fn has_events(&self) -> bool {
        self.events.is_some()
    }

    /// Remembers a path before it is looked at. The first stamp counts: what changes afterwards
    /// differs from it. `place` gives where a path lies.
    pub(crate) fn add(&mut self, path: &str, place: &dyn Fn(&str) -> PathBuf, about: About) {
        if self.beyond_stamps || self.stamps.contains_key(path) {
            return;
        }
        if self.events.is_some() && BY_EVENTS.iter().any(|place| path.starts_with(place)) {
            return;
        }
        if self.stamps.len() >= PATHS_LIMIT
            || WITHOUT_STAMPS.iter().any(|place| path.starts_with(place))
        {
            self.add_without_stamp();
            return;
        }
        let below =
            |tree: &String| path.strip_prefix(tree.as_str()).is_some_and(|it| it.starts_with('/'));
        if folder_of(path).is_some_and(|folder| self.wholes.contains(folder))
            || self.trees.iter().any(below)
        {
            return;
        }
        if about == About::Content {
            let stamp = Stamp::of(&place(path));
            if stamp.is_there() {
                self.stamps.insert(path.to_owned(), stamp);
                return;
            }
        }
        self.add_folder_of(path, place);
    }

    /// Remembers the nearest folder above a name; there the name comes or goes.
    fn add_folder_of(&mut self, path: &str, place: &dyn Fn(&str) -> PathBuf) {
        let mut at = path;
        while let Some(folder) = folder_of(at) {
            if RESTLESS.contains(&folder) {
                break;
            }
            if self.stamps.contains_key(folder) {
                return;
            }
            let stamp = Stamp::of(&place(folder));
            if stamp.is_there() {
                self.stamps.insert(folder.to_owned(), stamp);
                return;
            }
            at = folder;
        }
        self.stamps.insert(path.to_owned(), Stamp::of(&place(path)));
    }

    /// From here on the stamp of a folder stands for all files in it.
    pub(crate) fn add_whole(&mut self, folder: &str, place: &dyn Fn(&str) -> PathBuf) {
        self.add(folder, place, About::Content);
        self.wholes.insert(folder.to_owned());
    }

    /// From here on the stamp of a folder stands for everything below it.
    pub(crate) fn add_tree(&mut self, folder: &str, place: &dyn Fn(&str) -> PathBuf) {
        self.add(folder, place, About::Content);
        self.trees.push(folder.to_owned());
    }

    /// Adds what stands behind something that was known already.
    pub(crate) fn add_all(&mut self, others: &Self) {
        self.failed |= others.failed;
        if others.beyond_stamps {
            self.add_without_stamp();
        }
        if !self.beyond_stamps {
            for (path, stamp) in &others.stamps {
                self.stamps.entry(path.clone()).or_insert(*stamp);
            }
        }
    }

    /// Something could not be read for the moment; the next time it may go well.
    pub(crate) fn add_failure(&mut self) {
        self.failed = true;
    }

    /// The source asked something that no file tells, such as a program.
    pub(crate) fn add_without_stamp(&mut self) {
        self.beyond_stamps = true;
        self.stamps.clear();
    }

    /// Whether the stamps tell everything: nothing was looked at that has none, and nothing
    /// changed so shortly before the look began that it may have changed again during it.
    pub(crate) fn are_settled(&self, began_at: Timestamp) -> bool {
        let latest_ms = began_at.0.saturating_sub(STEP_MS);
        !self.beyond_stamps
            && !self.failed
            && self.stamps.values().all(|stamp| stamp.latest_ms() < latest_ms)
    }

    /// Whether everything still has the stamp it had. `now` gives the stamp of a path, `events` the
    /// kernel's count now.
    pub(crate) fn are_unchanged(
        &self,
        now: impl Fn(&str) -> Stamp,
        events: impl Fn() -> Option<String>,
    ) -> bool {
        !self.beyond_stamps
            && (self.events.is_none() || self.events == events())
            && self.stamps.iter().all(|(path, stamp)| *stamp == now(path))
    }
}

/// The folder that a path lies in.
fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

impl Stamp {
    /// Whether there is anything of this name.
    fn is_there(&self) -> bool {
        self.named.is_ok()
    }

    pub(crate) fn of(path: &Path) -> Self {
        let kind = |error: io::Error| error.kind();
        let named = std::fs::symlink_metadata(path).map_err(kind);
        let is_link = named.as_ref().is_ok_and(Metadata::is_symlink);
        let reached =
            is_link.then(|| std::fs::metadata(path).map(|data| Facts::of(&data)).map_err(kind));
        Self { named: named.map(|data| Facts::of(&data)), reached }
    }

    fn latest_ms(&self) -> i64 {
        let facts = [self.named.ok(), self.reached.and_then(Result::ok)];
        let ms = |at: (i64, i64)| at.0.saturating_mul(1000).saturating_add(at.1 / 1_000_000);
        facts
            .iter()
            .flatten()
            .map(|facts| ms(facts.modified_at).max(ms(facts.changed_at)))
            .max()
            .unwrap_or(i64::MIN)
    }
}

impl Facts {
    #[cfg(unix)]
    fn of(data: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: data.dev(),
            number: data.ino(),
            size_bytes: data.len(),
            modified_at: (data.mtime(), data.mtime_nsec()),
            changed_at: (data.ctime(), data.ctime_nsec()),
        }
    }

    #[cfg(not(unix))]
    fn of(data: &Metadata) -> Self {
        let since =
            data.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let since = since.unwrap_or_default();
        let modified_at =
            (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos().into());
        let (device, number) = (0, 0);
        Self { device, number, size_bytes: data.len(), modified_at, changed_at: modified_at }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const LATER: Timestamp = Timestamp(i64::MAX / 2);

    fn seen(paths: &[&Path]) -> Inputs {
        let mut inputs = Inputs::default();
        for path in paths {
            inputs.add(path.to_str().unwrap(), &|path| PathBuf::from(path), About::Content);
        }
        inputs
    }

    fn unchanged(inputs: &Inputs) -> bool {
        inputs.are_unchanged(|path| Stamp::of(Path::new(path)), || None)
    }

    #[test]
    fn every_kind_of_change_is_seen() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        let (file, link, absent, folder) =
            (path("file"), path("link"), path("absent"), path("folder"));
        fs::write(&file, "one").unwrap();
        fs::write(path("other"), "one").unwrap();
        fs::create_dir(&folder).unwrap();
        symlink(&file, &link).unwrap();
        let all = [file.as_path(), &link, &absent, &folder];
        let changes: [(&str, &dyn Fn()); 6] = [
            ("a new size", &|| fs::write(&file, "longer").unwrap()),
            ("the same size", &|| fs::write(&file, "LONGER").unwrap()),
            ("another file under the name", &|| fs::rename(path("other"), &file).unwrap()),
            ("a file that was not there", &|| fs::write(&absent, "").unwrap()),
            ("a name in a folder", &|| fs::write(folder.join("new"), "").unwrap()),
            ("a link that leads elsewhere", &|| {
                fs::remove_file(&link).unwrap();
                symlink(&absent, &link).unwrap();
            }),
        ];
        for (what, change) in changes {
            let inputs = seen(&all);
            assert!(unchanged(&inputs), "before {what}");
            // One step of the file system's clock.
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            assert!(!unchanged(&inputs), "{what}");
        }
    }

    #[test]
    fn a_name_that_was_only_looked_for_is_told_by_its_folder() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::create_dir(path("folder")).unwrap();
        fs::write(path("folder/file"), "one").unwrap();
        let looked_for = |names: &[&str]| {
            let mut inputs = Inputs::default();
            for name in names {
                inputs.add(path(name).to_str().unwrap(), &|path| PathBuf::from(path), About::Name);
            }
            inputs
        };
        let changes: [(&str, &dyn Fn()); 4] = [
            ("a folder on the way", &|| fs::create_dir(path("folder/deep")).unwrap()),
            ("the name itself", &|| fs::write(path("folder/new"), "").unwrap()),
            ("it is gone", &|| fs::remove_file(path("folder/file")).unwrap()),
            ("the folder is another", &|| {
                fs::rename(path("folder"), path("old")).unwrap();
                fs::create_dir(path("folder")).unwrap();
            }),
        ];
        let names = ["folder/file", "folder/new", "folder/deep/below/name"];
        assert_eq!(looked_for(&names).stamps.len(), 1, "one folder tells of all");
        for (what, change) in changes {
            let inputs = looked_for(&names);
            assert!(unchanged(&inputs), "before {what}");
            std::thread::sleep(std::time::Duration::from_millis(20));
            change();
            assert!(!unchanged(&inputs), "{what}");
        }
        let restless = Path::new("/run/never-there-1f3a");
        let inputs = seen(&[restless]);
        assert!(inputs.stamps.contains_key(restless.to_str().unwrap()), "not all of /run");
    }

    #[test]
    fn a_folder_may_stand_for_what_lies_in_it_or_below() {
        let base = tempfile::tempdir().unwrap();
        let top = base.path().join("top");
        fs::create_dir_all(top.join("package-1.0")).unwrap();
        let (deep, side) = (top.join("package-1.0/INSTALLER"), base.path().join("top-2/file"));
        for (tree, stamps) in [(true, 2), (false, 3)] {
            let mut inputs = Inputs::default();
            let place = |path: &str| PathBuf::from(path);
            let folder = top.to_str().unwrap();
            if tree {
                inputs.add_tree(folder, &place);
            } else {
                inputs.add_whole(folder, &place);
            }
            for path in [&deep, &top.join("file"), &side] {
                inputs.add(path.to_str().unwrap(), &place, About::Content);
            }
            assert_eq!(inputs.stamps.len(), stamps, "{:?}", inputs.stamps.keys());
            std::thread::sleep(std::time::Duration::from_millis(20));
            let next = top.join(format!("package-{stamps}.0"));
            fs::create_dir(next).unwrap();
            assert!(!unchanged(&inputs));
        }
    }

    #[test]
    fn a_stamp_is_asked_for_once_in_a_look() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "one").unwrap();
        let path = file.to_str().unwrap();
        let asked = Asked::default();
        let first = asked.stamp(path, |path| PathBuf::from(path));
        assert!(first.is_there());
        fs::write(&file, "longer").unwrap();
        assert_eq!(asked.stamp(path, |path| PathBuf::from(path)), first);
        assert_ne!(Asked::default().stamp(path, |path| PathBuf::from(path)), first);
    }

    #[test]
    fn a_failure_is_never_relied_on() {
        let base = tempfile::tempdir().unwrap();
        let mut inputs = seen(&[base.path()]);
        assert!(inputs.are_settled(LATER));
        inputs.add_failure();
        assert!(!inputs.are_settled(LATER));
        let mut other = seen(&[base.path()]);
        other.add_all(&inputs);
        assert!(!other.are_settled(LATER), "nor is what was made of it");
    }

    #[test]
    fn an_old_time_put_on_a_new_content_is_seen() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "one").unwrap();
        let inputs = seen(&[&file]);
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&file, "two").unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        assert!(!unchanged(&inputs));
    }

    #[test]
    fn what_changed_just_now_or_has_no_stamp_is_not_relied_on() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("file");
        fs::write(&file, "one").unwrap();
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        let changed = changed.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let changed = Timestamp(i64::try_from(changed).unwrap());
        let inputs = seen(&[&file]);
        assert!(!inputs.are_settled(changed.plus_ms(100)));
        assert!(!inputs.are_settled(changed.plus_ms(-86_400_000)), "a clock that is behind");
        assert!(inputs.are_settled(changed.plus_ms(10_000)));
        let kernel = seen(&[&file, Path::new("/proc/uptime")]);
        assert!(!kernel.are_settled(LATER) && !unchanged(&kernel));
    }
}
