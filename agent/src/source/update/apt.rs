//! Which of apt's candidates is newer than what is installed. Knows text, no files.
//!
//! The rules are apt's own: a release that calls itself not automatic is no source of updates, one
//! that adds "but automatic upgrades" updates only what came from it, and nothing is downgraded.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{self, BufRead};

use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::version::{Scheme, compare};

use super::pins::Pins;
use crate::order;
use crate::source::software::dpkg::state;
use crate::source::text::{Step, clip, for_each_field};

const PRIORITY_NORMAL: i32 = 500;
const PRIORITY_INSTALLED: i32 = 100;

/// A repository as its Release file names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) origin: String,
    pub(super) label: String,
    pub(super) suite: String,
    pub(super) codename: String,
    pub(super) version: String,
    pub(super) not_automatic: bool,
    pub(super) but_automatic_upgrades: bool,
}

impl Release {
    /// Reads the first stanza of a Release or `InRelease` file.
    pub(super) fn parse(reader: impl BufRead) -> io::Result<Self> {
        let mut release = Self::default();
        for_each_field(reader, |step| {
            let Step::Field(name, value) = step else { return };
            let yes = value.eq_ignore_ascii_case(b"yes");
            match name {
                b"Origin" => release.origin = clip(value),
                b"Label" => release.label = clip(value),
                b"Suite" => release.suite = clip(value),
                b"Codename" => release.codename = clip(value),
                b"Version" => release.version = clip(value),
                b"NotAutomatic" => release.not_automatic = yes,
                b"ButAutomaticUpgrades" => release.but_automatic_upgrades = yes,
                _ => {}
            }
        })?;
        Ok(release)
    }

    /// Priority of this repository's packages where nothing else is configured.
    fn priority(&self) -> i32 {
        match (self.not_automatic, self.but_automatic_upgrades) {
            (false, _) => PRIORITY_NORMAL,
            (true, true) => 100,
            (true, false) => 1,
        }
    }

    fn is_security(&self) -> bool {
        self.label == "Debian-Security"
            || [&self.suite, &self.codename].iter().any(|name| name.ends_with("-security"))
    }

    /// The name apt gives it, e.g. `Debian-Security:12/stable-security`.
    fn name(&self) -> Option<String> {
        let maker = if self.label.is_empty() { &self.origin } else { &self.label };
        let suite = if self.suite.is_empty() { &self.codename } else { &self.suite };
        match (maker.is_empty(), self.version.is_empty(), suite.is_empty()) {
            (true, _, true) => None,
            (_, _, true) => Some(maker.clone()),
            (_, true, false) => Some(format!("{maker}/{suite}")),
            (_, false, false) => Some(format!("{maker}:{}/{suite}", self.version)),
        }
    }
}

/// One installed package and the best that was found for it so far.
#[derive(Debug)]
struct Package {
    architecture: Vec<u8>,
    version: String,
    /// Priority of the installed version: higher where a repository still offers it.
    installed_priority: i32,
    best: Option<Best>,
    security: bool,
}

#[derive(Debug)]
struct Best {
    priority: i32,
    version: String,
    /// Number of the repository.
    release: usize,
}

/// Everything installed, waiting to be compared with lists.
#[derive(Debug, Default)]
pub(super) struct Apt {
    packages: HashMap<Vec<u8>, Vec<Package>>,
    releases: Vec<Release>,
    native: Vec<u8>,
    pins: Pins,
}

impl Apt {
    /// Reads dpkg's status file. Held packages are left out: nobody waits for their updates.
    pub(super) fn installed(status: impl BufRead, pins: Pins) -> io::Result<Self> {
        let mut apt = Self { pins, ..Self::default() };
        let (mut name, mut version, mut architecture) = (Vec::new(), String::new(), Vec::new());
        let mut counts = false;
        for_each_field(status, |step| match step {
            Step::Field(b"Package", value) => name = value.to_vec(),
            Step::Field(b"Version", value) => version = clip(value),
            Step::Field(b"Architecture", value) => architecture = value.to_vec(),
            Step::Field(b"Status", value) => counts = state(value) == (true, false),
            Step::Field(..) => {}
            Step::End => {
                let package = Package {
                    architecture: std::mem::take(&mut architecture),
                    version: std::mem::take(&mut version),
                    installed_priority: PRIORITY_INSTALLED,
                    best: None,
                    security: false,
                };
                if name == b"dpkg" {
                    apt.native.clone_from(&package.architecture);
                }
                let name = std::mem::take(&mut name);
                if std::mem::take(&mut counts) && !name.is_empty() {
                    apt.packages.entry(name).or_default().push(package);
                }
            }
        })?;
        Ok(apt)
    }

    /// Compares with one list of a repository. Stanzas of packages that are not installed are
    /// passed over without looking at their fields.
    pub(super) fn add_list(&mut self, list: impl BufRead, release: Release) -> io::Result<()> {
        let number = self.releases.len();
        let default_priority = release.priority();
        let security = release.is_security();
        self.releases.push(release);
        let Self { packages, releases, native, pins } = self;
        let release = &releases[number];
        let mut name = Vec::new();
        let (mut version, mut architecture) = (Vec::new(), Vec::new());
        for_each_field(list, |step| match step {
            Step::Field(b"Package", value) => {
                name.clear();
                if packages.contains_key(value) {
                    name.extend_from_slice(value);
                }
            }
            Step::Field(b"Version", value) if !name.is_empty() => {
                value.clone_into(&mut version);
            }
            Step::Field(b"Architecture", value) if !name.is_empty() => {
                value.clone_into(&mut architecture);
            }
            Step::Field(..) => {}
            Step::End => {
                if let Some(instances) = packages.get_mut(&name) {
                    let version = clip(&version);
                    let priority = pins.priority(&clip(&name), &version, release);
                    let priority = priority.unwrap_or(default_priority);
                    for package in instances {
                        let same = |a: &[u8]| if a == b"all" { native.clone() } else { a.to_vec() };
                        if same(&package.architecture) == same(&architecture) {
                            package.offer(&version, priority, security, number);
                        }
                    }
                }
                name.clear();
                version.clear();
                architecture.clear();
            }
        })
    }

    /// The updates that wait, sorted by name.
    pub(super) fn pending(self) -> Vec<PendingUpdate> {
        let Self { packages, releases, native, .. } = self;
        let mut pending: Vec<PendingUpdate> = Vec::new();
        for (name, instances) in packages {
            for package in instances {
                let Some(best) = package.best else { continue };
                if best.priority < package.installed_priority {
                    continue;
                }
                let name = clip(&name);
                let foreign = !matches!(&package.architecture[..], b"all")
                    && !native.is_empty()
                    && package.architecture != native;
                pending.push(PendingUpdate {
                    name: if foreign {
                        format!("{name}:{}", clip(&package.architecture))
                    } else {
                        name
                    },
                    installed: Some(package.version),
                    available: Some(best.version),
                    security: package.security,
                    origin: releases.get(best.release).and_then(Release::name),
                });
            }
        }
        order::sort(&mut pending, |a, b| (&a.name, &a.available).cmp(&(&b.name, &b.available)));
        pending
    }
}

impl Package {
    /// A repository has this version.
    fn offer(&mut self, version: &str, priority: i32, security: bool, release: usize) {
        match compare(Scheme::Deb, version, &self.version) {
            Some(Ordering::Equal) => {
                self.installed_priority = self.installed_priority.max(priority);
                return;
            }
            Some(Ordering::Greater) if priority > 0 => {}
            _ => return,
        }
        // An update that comes by another way still carries what the security repository has.
        self.security |= security && priority >= PRIORITY_INSTALLED;
        let better = self.best.as_ref().is_none_or(|best| {
            match (priority.cmp(&best.priority), compare(Scheme::Deb, version, &best.version)) {
                (Ordering::Equal, Some(order)) => {
                    order == Ordering::Greater || (order == Ordering::Equal && security)
                }
                (order, _) => order == Ordering::Greater,
            }
        });
        if better {
            self.best = Some(Best { priority, version: version.to_owned(), release });
        }
    }
}
