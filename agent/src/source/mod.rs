//! The sources: where facts about a computer are read, each declared once, as data.

use rollcall_shared::Note;
use rollcall_shared::section::Section;

use crate::host::Host;

pub mod battery;
pub mod bus;
pub mod certificate;
pub mod cpu;
#[cfg(windows)]
mod device_call;
mod devices;
pub mod display;
pub mod firmware;
pub mod gpu;
pub mod guest;
pub(crate) mod homes;
pub mod known;
mod local_time;
pub mod management;
pub mod memory;
mod names;
#[cfg(target_os = "linux")]
mod netlink;
pub mod network;
pub mod os;
pub mod peripheral;
pub mod pool;
pub mod port;
pub mod printer;
#[cfg(target_os = "macos")]
mod process_call;
mod processes;
pub mod security;
pub mod service;
pub mod software;
pub mod storage;
pub mod system;
pub(crate) mod text;
mod unsupported;
pub mod update;
pub mod user;
pub mod vitals;
pub mod volume;
mod windows_place;

/// One place where facts are read.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Short name, e.g. `dpkg`; notes and `rollcall-agent sources` use it.
    pub name: &'static str,
    /// The section it feeds, e.g. `software`.
    pub section: &'static str,
    /// What it reads, in one sentence.
    pub about: &'static str,
    /// Systems it works on.
    pub platforms: &'static [Platform],
    /// Whether it gives everything to an ordinary user.
    pub privilege: Privilege,
    /// Programs it starts; nearly always none.
    pub programs: &'static [Program],
    /// Looks.
    pub gather: fn(&Host) -> Gathered,
}

/// A program that a source starts, because there is no other way to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: &'static str,
    /// What is learnt from it.
    pub why: &'static str,
}

/// What a source gave: rows or a body, and why anything is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gathered {
    /// The body. Several sources may feed one list section; their rows are put together.
    pub section: Option<Section>,
    /// Why there is none, or what is missing from it.
    pub notes: Vec<Note>,
}

impl Gathered {
    /// A complete body.
    pub fn of(section: Section) -> Self {
        Self { section: Some(section), notes: Vec::new() }
    }

    /// Nothing, and why.
    pub fn absent(note: Note) -> Self {
        Self { section: None, notes: vec![note] }
    }

    /// Nothing to say: this source has no business here (no such package manager).
    pub fn nothing() -> Self {
        Self::default()
    }
}

/// A family of systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Linux.
    Linux,
    /// Windows.
    Windows,
    /// macOS.
    Macos,
}

impl Platform {
    /// The system this agent was built for; `None` where no source works.
    pub const CURRENT: Option<Self> = cfg_select! {
        target_os = "linux" => Some(Self::Linux),
        windows => Some(Self::Windows),
        target_os = "macos" => Some(Self::Macos),
        _ => None,
    };
}

/// Rights a source needs to give everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Any user.
    User,
    /// Some fields need an administrator; without, a note says which.
    Administrator,
}

/// Names of the sources whose whole answer comes from files and folders reached through [`Host`],
/// and from nothing else: no system call, no program, no file of the kernel. Such an answer stays
/// true until one of the files changes; all other sources are asked at every check-in.
pub const FROM_FILES: &[&str] = &[
    "accounts",
    "dpkg",
    "rpm",
    "apk",
    "pacman",
    "snap",
    "flatpak",
    "updates",
    "printer",
    "pip",
    "npm",
    "gem",
    "cargo",
    "extension",
    "certificate",
];

/// Names of the sources that ask the kernel for devices, and files. Their answer stays true until
/// one of the files changes or the kernel counts an event of a device: one that came, went or
/// changed.
pub const FROM_DEVICES: &[&str] = &[
    "firmware", "cpu", "memory", "storage", "gpu", "battery", "display", "pci", "usb", "audio",
    "camera", "input",
];

/// Every source, in the order of the sections.
pub const SOURCES: &[Source] = &listed([
    system::SOURCE,
    system::WINDOWS,
    system::MACOS,
    firmware::SOURCE,
    firmware::WINDOWS,
    firmware::MACOS,
    os::OS,
    os::WINDOWS,
    os::MACOS,
    cpu::SOURCE,
    cpu::WINDOWS,
    cpu::MACOS,
    memory::SOURCE,
    memory::WINDOWS,
    memory::MACOS,
    storage::SOURCE,
    storage::WINDOWS,
    storage::MACOS,
    volume::SOURCE,
    volume::WINDOWS,
    volume::MACOS,
    network::SOURCE,
    network::WINDOWS,
    network::MACOS,
    gpu::SOURCE,
    gpu::WINDOWS,
    gpu::MACOS,
    battery::SOURCE,
    battery::WINDOWS,
    battery::MACOS,
    user::ACCOUNTS,
    user::LOCAL,
    user::WINDOWS,
    user::MACOS,
    software::DPKG,
    software::RPM,
    software::APK,
    software::PACMAN,
    software::SNAP,
    software::FLATPAK,
    software::PIP,
    software::NPM,
    software::GEM,
    software::CARGO,
    software::EXTENSION,
    software::REGISTRY,
    software::APPX,
    software::HOTFIX,
    software::LANGUAGES_WINDOWS,
    software::EXTENSION_WINDOWS,
    software::APP_BUNDLE,
    software::RECEIPT,
    software::HOMEBREW,
    update::UPDATES,
    update::WINDOWS,
    update::MACOS,
    security::PROTECTION,
    security::WINDOWS,
    security::MACOS,
    service::SOURCE,
    service::WINDOWS,
    service::MACOS,
    port::SOURCE,
    port::WINDOWS,
    port::MACOS,
    display::SOURCE,
    display::WINDOWS,
    display::MACOS,
    bus::PCI,
    bus::PCI_WINDOWS,
    bus::PCI_MACOS,
    bus::USB,
    bus::USB_WINDOWS,
    bus::USB_MACOS,
    peripheral::AUDIO,
    peripheral::AUDIO_WINDOWS,
    peripheral::AUDIO_MACOS,
    peripheral::CAMERA,
    peripheral::CAMERA_WINDOWS,
    peripheral::CAMERA_MACOS,
    peripheral::INPUT,
    peripheral::INPUT_WINDOWS,
    peripheral::INPUT_MACOS,
    printer::SOURCE,
    printer::WINDOWS,
    certificate::SOURCE,
    certificate::WINDOWS,
    certificate::MACOS,
    guest::CONTAINER,
    guest::DOCKER_WINDOWS,
    guest::VIRTUAL_MACHINE,
    guest::WSL,
    guest::HYPER_V,
    guest::MACHINES_MACOS,
    known::DATABASE,
    known::DATABASE_WINDOWS,
    known::DATABASE_MACOS,
    known::REMOTE_ACCESS,
    known::REMOTE_ACCESS_WINDOWS,
    known::REMOTE_ACCESS_MACOS,
    management::SOURCE,
    management::WINDOWS,
    management::MACOS,
    pool::SOURCE,
    pool::WINDOWS,
    pool::MACOS,
]);

/// Sections that a system has no source for by decision, and why: there is nothing that could be
/// read. Where neither a source nor a reason is given, it is not read yet.
pub const DECIDED: &[(&str, Platform, &str)] = &[(
    "container",
    Platform::Macos,
    "containers on a Mac run inside of virtual machines, whose insides are not looked into; the machines themselves are told",
)];

/// In a release those of other systems are only listed: nobody asks them here, and their code would
/// make the program larger by a tenth. Tests and fuzzers ask all of them, on captures.
const fn listed<const COUNT: usize>(mut all: [Source; COUNT]) -> [Source; COUNT] {
    const ALL_ARE_ASKED: bool = cfg!(any(test, debug_assertions));
    let mut at = 0;
    while at < COUNT {
        if !ALL_ARE_ASKED && !works_here(all[at].platforms) {
            all[at].gather = unsupported::gather;
        }
        at += 1;
    }
    all
}

const fn works_here(platforms: &[Platform]) -> bool {
    let mut at = 0;
    while at < platforms.len() {
        if let Some(here) = Platform::CURRENT
            && here as u8 == platforms[at] as u8
        {
            return true;
        }
        at += 1;
    }
    false
}
