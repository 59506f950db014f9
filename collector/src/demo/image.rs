//! The images demo devices are installed from: system, kind of device, and their software with
//! the versions of each patch week.

use std::collections::BTreeMap;

use rollcall_shared::section::os::{MacosRelease, OsFamily, WindowsRelease};
use rollcall_shared::section::{Os, Software};

use super::random::{Random, number_of};
use super::words;

/// What kind of computer an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Server,
    Desktop,
    Laptop,
    Mac,
}

/// One image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub(super) number: u64,
    pub(super) shape: Shape,
    /// Of a hundred devices, how many have it.
    pub(super) share: u64,
    /// os-release `ID`, `windows` or `macos`.
    system: &'static str,
    /// Name and version for people.
    name: &'static str,
    version: &'static str,
    codename: &'static str,
    kernel: &'static str,
    titles: usize,
    /// Set in one image: nobody installs its updates.
    pub(super) patched: bool,
}

macro_rules! images {
    ($($number:literal $shape:ident $share:literal $system:literal $name:literal $version:literal
       $codename:literal $kernel:literal $titles:literal $patched:literal;)*) => {
        /// All of them; shares add up to 100.
        pub(super) const IMAGES: &[Image] = &[$(Image {
            number: $number, shape: Shape::$shape, share: $share, system: $system, name: $name,
            version: $version, codename: $codename, kernel: $kernel, titles: $titles,
            patched: $patched,
        }),*];
    };
}

images! {
    1 Server 16 "debian" "Debian GNU/Linux" "12" "bookworm" "6.1.0-42-amd64" 620 true;
    2 Server 7 "rhel" "Red Hat Enterprise Linux" "9.6" "Plow" "5.14.0-570.12.1.el9_6.x86_64" 780 true;
    3 Server 4 "rhel" "Red Hat Enterprise Linux" "8.10" "Ootpa" "4.18.0-553.el8_10.x86_64" 740 true;
    4 Server 2 "centos" "CentOS Linux" "7" "Core" "3.10.0-1160.119.1.el7.x86_64" 520 false;
    5 Desktop 12 "ubuntu" "Ubuntu" "24.04" "noble" "6.8.0-88-generic" 1460 true;
    6 Desktop 10 "ubuntu" "Ubuntu" "22.04" "jammy" "5.15.0-160-generic" 1380 true;
    7 Laptop 27 "windows" "Windows 11 Pro" "25H2" "26200" "10.0.26200" 320 true;
    8 Laptop 8 "windows" "Windows 10 Pro" "22H2" "19045" "10.0.19045" 300 true;
    9 Mac 9 "macos" "macOS" "15.7" "24G222" "24.6.0" 360 true;
    10 Mac 5 "macos" "macOS" "14.8" "23J21" "23.6.0" 340 true;
}

impl Image {
    /// The image of a device.
    pub(super) fn of(random: &mut Random) -> &'static Self {
        let mut place = random.below(100);
        for image in IMAGES {
            match place.checked_sub(image.share) {
                Some(rest) => place = rest,
                None => return image,
            }
        }
        &IMAGES[0]
    }

    pub(super) fn is_windows(&self) -> bool {
        self.system == "windows"
    }

    pub(super) fn is_linux(&self) -> bool {
        !self.is_windows() && self.shape != Shape::Mac
    }

    /// What its agent was built for.
    pub(super) fn target(&self) -> &'static str {
        match self.system {
            "windows" => "x86_64-pc-windows-msvc",
            "macos" => "aarch64-apple-darwin",
            _ => "x86_64-unknown-linux-gnu",
        }
    }

    /// Who manages its updates.
    pub(super) fn manager(&self) -> &'static str {
        match self.system {
            "windows" => "windows_update",
            "macos" => "softwareupdate",
            "debian" | "ubuntu" => "apt",
            _ => "dnf",
        }
    }

    /// The section `os` in a patch week.
    pub(super) fn os(&self, week: i64, time_zone: &str, locale: &str) -> Os {
        let mut os = Os {
            name: format!("{} {}", self.name, self.version),
            architecture: if self.shape == Shape::Mac { "aarch64" } else { "x86_64" }.to_owned(),
            kernel: Some(self.kernel.to_owned()),
            time_zone: Some(time_zone.to_owned()),
            locale: Some(locale.to_owned()),
            ..Os::default()
        };
        match self.system {
            "windows" => {
                os.family = OsFamily::Windows;
                os.windows = Some(WindowsRelease {
                    build: self.codename.parse().unwrap_or_default(),
                    revision: u32::try_from(6000 + week / 4).ok(),
                    edition_id: Some("Professional".to_owned()),
                    installation_type: Some("Client".to_owned()),
                    display_version: Some(self.version.to_owned()),
                    product_name: Some("Windows 10 Pro".to_owned()),
                });
            }
            "macos" => {
                os.family = OsFamily::Macos;
                os.macos = Some(MacosRelease {
                    version: format!("{}.{}", self.version, (week / 5).rem_euclid(4)),
                    build: Some(self.codename.to_owned()),
                    model: Some("Mac15,6".to_owned()),
                });
            }
            id => {
                os.name = format!("{} {} ({})", self.name, self.version, self.codename);
                os.release = BTreeMap::from([
                    ("ID".to_owned(), id.to_owned()),
                    ("NAME".to_owned(), self.name.to_owned()),
                    ("VERSION_ID".to_owned(), self.version.to_owned()),
                    ("PRETTY_NAME".to_owned(), os.name.clone()),
                ]);
                os.ubuntu_pro = (id == "ubuntu").then_some(false);
            }
        }
        os
    }

    /// The names of its software, with their makers, in a fixed order.
    fn names(&self) -> Vec<(String, Option<String>)> {
        let plain = |name: &&str| ((*name).to_owned(), None);
        let made = |(name, maker): &(&str, &str)| ((*name).to_owned(), Some((*maker).to_owned()));
        let mut names: Vec<(String, Option<String>)> = match self.system {
            "windows" => words::WINDOWS.iter().map(made).collect(),
            "macos" => words::MAC.iter().map(made).collect(),
            _ => words::LINUX_BASE.iter().map(plain).collect(),
        };
        match self.shape {
            Shape::Server => names.extend(words::SERVER_EXTRA.iter().map(plain)),
            Shape::Desktop => names.extend(words::DESKTOP_EXTRA.iter().map(plain)),
            Shape::Laptop | Shape::Mac => {}
        }
        if self.is_windows() {
            for (before, after, maker) in words::WINDOWS_FORMS {
                let stems = words::STEMS.iter();
                names.extend(
                    stems.map(|stem| (format!("{before}{stem}{after}"), Some((*maker).to_owned()))),
                );
            }
        } else {
            for (before, after) in words::LINUX_FORMS {
                names.extend(
                    words::STEMS.iter().map(|stem| (format!("{before}{stem}{after}"), None)),
                );
            }
        }
        names.truncate(self.titles);
        names
    }

    /// Where its software is read from.
    fn source(&self, at: usize) -> &'static str {
        match self.system {
            "windows" => "registry",
            "macos" if at < words::MAC.len() => "app_bundle",
            "macos" => "homebrew",
            "debian" | "ubuntu" => "dpkg",
            _ => "rpm",
        }
    }

    /// Its software in a patch week, without what single devices have besides.
    pub(super) fn software(&self, week: i64) -> Vec<Software> {
        let names = self.names().into_iter().enumerate();
        names.map(|(at, (name, publisher))| self.title(at, name, publisher, week)).collect()
    }

    fn title(&self, at: usize, name: String, publisher: Option<String>, week: i64) -> Software {
        let source = self.source(at);
        // Systems of one family share names, and each release has versions of its own.
        let seed = number_of(&name);
        let mut random = Random::of(&[seed, self.number]);
        let (major, minor) = (1 + random.below(9), random.below(30));
        // Each title is renewed every few months, in a week of its own.
        let every = 8 + i64::try_from(seed % 40).unwrap_or(0);
        let patch = (week + random.between(0, every)).div_euclid(every).max(0) % 60;
        let version = match source {
            "dpkg" => format!("{major}.{minor}.{patch}-{}+{}u1", 1 + seed % 4, self.dpkg_tag()),
            "rpm" => format!("{major}.{minor}.{patch}-{}.el{}", 1 + seed % 9, &self.version[..1]),
            _ => format!("{major}.{minor}.{patch}"),
        };
        let architecture = match source {
            "dpkg" => Some("amd64"),
            "rpm" => Some("x86_64"),
            _ => None,
        };
        Software {
            source: source.to_owned(),
            name,
            version,
            architecture: architecture.map(str::to_owned),
            publisher: publisher.or_else(|| self.maker().map(str::to_owned)),
            size_bytes: Some(20_000 + random.below(40_000_000)),
            ..Software::default()
        }
    }

    fn dpkg_tag(&self) -> String {
        match self.system {
            "debian" => format!("deb{}", self.version),
            _ => self.version.replace('.', ""),
        }
    }

    fn maker(&self) -> Option<&'static str> {
        match self.system {
            "debian" => Some("Debian"),
            "ubuntu" => Some("Ubuntu Developers"),
            "rhel" => Some("Red Hat, Inc."),
            "centos" => Some("CentOS"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_titles_are_many() {
        assert_eq!(IMAGES.iter().map(|image| image.share).sum::<u64>(), 100);
        for image in IMAGES {
            let software = image.software(2900);
            assert!((300..=1500).contains(&software.len()), "{image:?} {}", software.len());
            let mut names: Vec<_> = software.iter().map(|title| &title.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), software.len(), "{image:?} names a title twice");
        }
    }

    #[test]
    fn a_week_renews_a_few_titles() {
        let image = &IMAGES[0];
        let (before, after) = (image.software(2900), image.software(2901));
        let renewed = before.iter().zip(&after).filter(|(a, b)| a.version != b.version).count();
        assert!((5..100).contains(&renewed), "{renewed}");
    }
}
