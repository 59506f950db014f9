//! The only door to files and programs of the observed computer.
//!
//! Everything is looked up below a root folder, so the same sources read the running system, a
//! mounted image, or a folder of captures in a test.

mod database;
mod io_registry;
mod kept;
mod open;
mod property_list;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rollcall_shared::{Note, NoteKind, Timestamp};

pub(crate) use kept::Look;

use crate::budget::{Counted, Meter};
use crate::inputs::{About, Asked, Inputs, Stamp};
use crate::source::SOURCES;

/// No file read whole may be larger; what is larger is streamed by its source. It is a fraction of
/// the memory the agent may use, since text is held a second time while it is taken apart.
pub const READ_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// Files of the kernel do not tell their size; most fit into this.
const KERNEL_FILE_BYTES: usize = 4000;
/// The largest file that holds a single value.
const VALUE_LIMIT_BYTES: u64 = 64 * 1024;

/// The computer that is looked at.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    live: bool,
    /// Whether the homes of people may be looked into.
    homes: bool,
    /// Where everything that is looked at is remembered, if it shall be.
    inputs: Option<Arc<Mutex<Inputs>>>,
    /// What is read through this value is counted here.
    meter: Arc<Meter>,
    /// Which packages brought which programs, as long as no package comes or goes.
    pub(crate) owners: Arc<Mutex<Owners>>,
    /// What is known from looks before, and the look that is going on.
    kept: Arc<kept::Kept>,
    look: Option<Look>,
    /// The kernel's count of events as it was at the beginning of the look.
    events: Option<Arc<OnceLock<Option<String>>>>,
    /// The stamps that were asked for in this look.
    asked: Option<Arc<Asked>>,
    #[cfg(test)]
    opened: Arc<Mutex<Vec<String>>>,
    #[cfg(test)]
    looked_for: Arc<Mutex<Vec<String>>>,
}

/// What was looked up in the lists of packages, which is dear, and the lists it was found in.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// The lists as they were; `None` for one that was not there.
    pub(crate) lists: Vec<Option<FileInfo>>,
    /// The package of each program; `None` for a program of no package.
    pub(crate) packages: BTreeMap<String, Option<String>>,
}

/// Why something could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HostError {
    /// It is not there.
    #[error("{path} is not there")]
    NotFound {
        /// What was looked for.
        path: String,
    },
    /// It is there, but only an administrator may read it.
    #[error("reading {path} needs administrator rights")]
    Denied {
        /// What was to be read.
        path: String,
    },
    /// Something else went wrong.
    #[error("reading {path} failed: {why}")]
    Failed {
        /// What was to be read or run.
        path: String,
        /// What went wrong, in the system's words.
        why: String,
    },
    /// A program took longer than it may.
    #[error("{path} took longer than it may")]
    TimedOut {
        /// The program.
        path: String,
    },
}

impl HostError {
    pub(crate) fn from_io(path: &str, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            _ => Self::Failed { path, why: error.to_string() },
        }
    }

    /// Whether the thing is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

impl From<HostError> for Note {
    fn from(error: HostError) -> Self {
        let kind = match &error {
            HostError::NotFound { .. } => NoteKind::NotFound,
            HostError::Denied { .. } => NoteKind::NeedsPrivilege,
            HostError::Failed { .. } => NoteKind::Failed,
            HostError::TimedOut { .. } => NoteKind::TimedOut,
        };
        Note::new(kind).with_detail(error.to_string())
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Last change of its content.
    pub modified_at: Timestamp,
}

impl Host {
    /// The running computer.
    pub fn live() -> Self {
        Self { live: true, ..Self::at("/") }
    }

    /// A system that is not running: a mounted image or a folder of captures.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            live: false,
            homes: false,
            inputs: None,
            meter: Arc::default(),
            owners: Arc::default(),
            kept: Arc::default(),
            look: None,
            events: None,
            asked: None,
            #[cfg(test)]
            opened: Arc::default(),
            #[cfg(test)]
            looked_for: Arc::default(),
        }
    }

    /// The same computer with the homes of people open to sources, or closed.
    #[must_use]
    pub fn with_homes(self, homes: bool) -> Self {
        Self { homes, ..self }
    }

    /// Whether sources may look into the homes of people: only this computer's own configuration
    /// can say so.
    pub fn may_enter_homes(&self) -> bool {
        self.homes
    }

    /// The kernel's count of events of devices, with the start that it counts from.
    fn events(&self) -> Option<String> {
        match &self.events {
            Some(events) => events.get_or_init(|| self.events_now()).clone(),
            None => self.events_now(),
        }
    }

    fn events_now(&self) -> Option<String> {
        let own = |path: &str| {
            // Both are short, and the kernel gives such a text in one read.
            let mut text = [0; 64];
            let read = std::fs::File::open(self.place(path)).and_then(|mut it| it.read(&mut text));
            Some(String::from_utf8_lossy(&text[..read.ok()?]).into_owned())
        };
        Some(own("/sys/kernel/uevent_seqnum")? + &own("/proc/sys/kernel/random/boot_id")?)
    }

    /// The same computer, and a list of all that is looked at through this value. `devices`: what
    /// the kernel says of devices counts as unchanged as long as it tells of no event.
    pub(crate) fn watched(&self, devices: bool) -> (Self, Arc<Mutex<Inputs>>) {
        let events = if devices { self.events() } else { None };
        let mut inputs = events.map_or_else(Inputs::default, Inputs::with_events);
        if devices && !inputs.has_events() {
            // Nothing would tell that a device came or went.
            inputs.add_without_stamp();
        }
        let inputs = Arc::new(Mutex::new(inputs));
        (Self { inputs: Some(Arc::clone(&inputs)), ..self.clone() }, inputs)
    }

    /// The same computer with everything that is read through this value counted.
    pub(crate) fn metered(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Whether all that was looked at is as it was.
    pub(crate) fn is_unchanged(&self, inputs: &Inputs) -> bool {
        let now = |path: &str| match &self.asked {
            Some(asked) => asked.stamp(path, |path| self.place(path)),
            None => Stamp::of(&self.place(path)),
        };
        inputs.are_unchanged(now, || self.events())
    }

    fn watch(&self, add: impl FnOnce(&mut Inputs)) {
        if let Some(inputs) = &self.inputs {
            add(&mut inputs.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Says that what is looked at has no stamp, so that it is looked at anew each time.
    pub(crate) fn watch_without_stamp(&self) {
        self.watch(Inputs::add_without_stamp);
    }

    fn touch(&self, path: &str, about: About) {
        self.meter.saw(path);
        #[cfg(test)]
        self.looked_for.lock().unwrap().push(path.to_owned());
        self.watch(|inputs| inputs.add(path, &|path| self.place(path), about));
    }

    /// Says that the files of a folder are only ever replaced as a whole, never written over, so
    /// that the folder's own stamp tells of every change.
    pub(crate) fn takes_as_whole(&self, folder: &str) {
        self.watch(|inputs| inputs.add_whole(folder, &|path| self.place(path)));
    }

    /// The same for everything below a folder: what lies deeper never changes by itself.
    pub(crate) fn takes_tree_as_whole(&self, folder: &str) {
        self.watch(|inputs| inputs.add_tree(folder, &|path| self.place(path)));
    }

    /// What is told of a file that was opened but could not be read to its end.
    fn broken(&self, path: &str, error: &io::Error) -> HostError {
        self.watch(Inputs::add_failure);
        HostError::from_io(path, error)
    }

    fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// How many files were opened through this value and those made from it.
    #[cfg(test)]
    pub(crate) fn opened(&self) -> usize {
        self.opened.lock().unwrap().len()
    }

    /// All paths that were looked for since the last time, in that order.
    #[cfg(test)]
    pub(crate) fn take_looked_for(&self) -> Vec<String> {
        std::mem::take(&mut *self.looked_for.lock().unwrap())
    }

    /// The files that were opened since the last time, in that order.
    #[cfg(test)]
    pub(crate) fn take_opened(&self) -> Vec<String> {
        std::mem::take(&mut *self.opened.lock().unwrap())
    }

    /// When the look that is going on began, by this computer's clock.
    pub(crate) fn look_began_at(&self) -> Option<Timestamp> {
        self.look.map(|look| look.began_at)
    }

    /// Whether this is the running computer, so that system calls speak of it.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The folder that everything lies in, where that is not the running computer's own.
    fn own_root(&self) -> Option<&Path> {
        if self.live { None } else { Some(&self.root) }
    }

    /// Links lead where they would if this computer ran: never out of the root folder.
    fn resolve(&self, path: &str, follow: bool) -> Result<PathBuf, HostError> {
        match self.own_root() {
            Some(root) => open::within(root, Path::new(path), follow)
                .map_err(|error| HostError::from_io(path, &error)),
            None => Ok(PathBuf::from(path)),
        }
    }

    /// Opens a regular file for streaming. Devices, pipes and folders are refused.
    pub fn open(&self, path: &str) -> Result<Counted, HostError> {
        self.touch(path, About::Content);
        #[cfg(test)]
        self.opened.lock().unwrap().push(path.to_owned());
        let file = open::content(self.own_root(), path)
            .map_err(|error| HostError::from_io(path, &error))?;
        Ok(Counted::new(file, Arc::clone(&self.meter)))
    }

    /// Reads a whole file of at most [`READ_LIMIT_BYTES`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.whole(self.open(path)?, path, READ_LIMIT_BYTES)
    }

    /// Reads a text from a folder that others than the administrator fill, such as the contents of
    /// an application: no link on the way from `folder` to the file is followed.
    pub fn read_text_below(&self, folder: &str, path: &str) -> Result<String, HostError> {
        let full = format!("{folder}/{path}");
        self.touch(&full, About::Content);
        #[cfg(test)]
        self.opened.lock().unwrap().push(full.clone());
        let file = open::content_below(self.own_root(), folder, path)
            .map_err(|error| HostError::from_io(&full, &error))?;
        self.whole(Counted::new(file, Arc::clone(&self.meter)), &full, READ_LIMIT_BYTES).map(text)
    }

    /// Reads a whole text file; bytes that are not UTF-8 become `U+FFFD`.
    pub fn read_text(&self, path: &str) -> Result<String, HostError> {
        self.read(path).map(text)
    }

    /// The trimmed text of a small file; `None` when it cannot be read or is empty.
    pub fn value(&self, path: &str) -> Option<String> {
        let text = text(self.whole(self.open(path).ok()?, path, VALUE_LIMIT_BYTES).ok()?);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: &str) -> Result<Vec<String>, HostError> {
        self.touch(path, About::Content);
        let entries = std::fs::read_dir(self.resolve(path, true)?)
            .map_err(|error| HostError::from_io(path, &error))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points, as it is written there.
    pub fn link(&self, path: &str) -> Result<PathBuf, HostError> {
        self.touch(path, About::Name);
        std::fs::read_link(self.resolve(path, false)?)
            .map_err(|error| HostError::from_io(path, &error))
    }

    /// The last name in a symbolic link, e.g. the driver's in `device/driver`.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = self.link(path).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Where a path leads when every link on the way is followed.
    pub fn real_path(&self, path: &str) -> Option<String> {
        self.touch(path, About::Name);
        let real = match self.own_root() {
            Some(root) => {
                let real = open::within(root, Path::new(path), true).ok()?;
                std::fs::symlink_metadata(&real).ok()?;
                Path::new("/").join(real.strip_prefix(root).ok()?)
            }
            None => std::fs::canonicalize(path).ok()?,
        };
        Some(real.to_string_lossy().into_owned())
    }

    /// Whether something of this name is there.
    pub fn exists(&self, path: &str) -> bool {
        self.touch(path, About::Name);
        self.resolve(path, false).is_ok_and(|path| std::fs::symlink_metadata(path).is_ok())
    }

    /// Size and age of a file or folder.
    pub fn info(&self, path: &str) -> Result<FileInfo, HostError> {
        self.touch(path, About::Content);
        let failed = |error: &io::Error| HostError::from_io(path, error);
        let data = std::fs::metadata(self.resolve(path, true)?).map_err(|error| failed(&error))?;
        let modified = data.modified().map_err(|error| failed(&error))?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(FileInfo {
            size_bytes: data.len(),
            modified_at: Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        })
    }

    /// The path below the root, for libraries that open files themselves.
    pub fn path(&self, path: &str) -> Result<PathBuf, HostError> {
        // What is new in a database may lie in its write-ahead log only.
        self.touch(path, About::Content);
        self.touch(&format!("{path}-wal"), About::Content);
        self.resolve(path, true)
    }

    /// What a system call answered when this folder of captures was made: the text of
    /// `call/<name>.txt`. The running system is asked directly and has no such file.
    pub fn captured_call(&self, name: &str) -> Option<String> {
        if self.live { None } else { self.read_text(&format!("/call/{name}.txt")).ok() }
    }

    /// Runs a program that a source lists, and gives what it wrote to its standard output. In a
    /// folder of captures the answer is `cmd/<program>_<arguments>.txt`.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<Vec<u8>, HostError> {
        self.watch_without_stamp();
        if !self.live {
            return self.read(&format!("/cmd/{}", capture_name(program, arguments)));
        }
        if !SOURCES.iter().any(|source| source.programs.iter().any(|one| one.path == program)) {
            return Err(HostError::Failed {
                path: program.to_owned(),
                why: "no source lists this program".to_owned(),
            });
        }
        let told = crate::program::run(program, arguments)?;
        self.count(program, told.len())?;
        Ok(told)
    }

    /// Remembers what was looked at for a person who wants to know.
    #[cfg(windows)]
    pub(crate) fn saw(&self, path: &str) {
        self.meter.saw(path);
    }

    /// Counts bytes that others read for a source.
    pub(crate) fn count(&self, path: &str, bytes: usize) -> Result<(), HostError> {
        self.meter.count(bytes).map_err(|over| HostError::Failed {
            path: path.to_owned(),
            why: over.note().detail.unwrap_or_default(),
        })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn whole(&self, file: Counted, path: &str, limit_bytes: u64) -> Result<Vec<u8>, HostError> {
        let too_large = || HostError::Failed {
            path: path.to_owned(),
            why: format!("it is larger than {limit_bytes} bytes"),
        };
        // Files of the kernel say 0 or one page, whatever they hold.
        let told = file.told_bytes();
        if told > limit_bytes {
            return Err(too_large());
        }
        let expected = usize::try_from(told).unwrap_or_default();
        // Room for one byte more lets the end be seen without growing.
        let mut bytes =
            Vec::with_capacity(if expected == 0 { KERNEL_FILE_BYTES } else { expected + 64 });
        let read = file.take(limit_bytes + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(path, &error))?;
        if bytes.len() as u64 > limit_bytes { Err(too_large()) } else { Ok(bytes) }
    }
}

fn text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// Name of the file that holds a captured answer, e.g. `dpkg-query_-W.txt`.
fn capture_name(program: &str, arguments: &[&str]) -> String {
    let mut name = program.rsplit('/').next().unwrap_or_default().to_owned();
    for argument in arguments {
        name.push('_');
        name.extend(argument.chars().map(|letter| {
            let plain = letter.is_ascii_alphanumeric() || "._=-,".contains(letter);
            if plain { letter } else { '-' }
        }));
    }
    name.push_str(".txt");
    name
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
