//! What `/etc/apt/preferences` says. Understands the forms people write: a package name, a list of
//! names or a pattern with `*`, and a pin by version, release fields or origin.

use super::apt::Release;
use crate::source::text::{Step, clip, for_each_field, matches_pattern as matches, number};

const PINS_LIMIT: usize = 1000;

/// All pins, in the order of the files.
#[derive(Debug, Clone, Default)]
pub(super) struct Pins(Vec<Pin>);

#[derive(Debug, Clone, Default)]
struct Pin {
    packages: Vec<String>,
    what: String,
    priority: i32,
}

impl Pins {
    /// Adds what one file says.
    pub(super) fn add(&mut self, text: &[u8]) {
        let mut pin = Pin::default();
        // Reading from memory cannot fail.
        let _ = for_each_field(text, |step| match step {
            Step::Field(b"Package", value) => {
                pin.packages = clip(value).split_whitespace().map(str::to_owned).collect();
            }
            Step::Field(b"Pin", value) => pin.what = clip(value),
            Step::Field(b"Pin-Priority", value) => {
                pin.priority = match value {
                    b"never" => -1,
                    value => number(value).unwrap_or_default(),
                };
            }
            Step::Field(..) => {}
            Step::End => {
                let done = std::mem::take(&mut pin);
                if self.0.len() < PINS_LIMIT && done.priority != 0 {
                    self.0.push(done);
                }
            }
        });
    }

    /// The priority that is configured for a version, if any: pins of names before general ones.
    pub(super) fn priority(&self, name: &str, version: &str, release: &Release) -> Option<i32> {
        let matching = |general: bool| {
            self.0.iter().find(|pin| {
                (pin.packages.iter().any(|package| package == "*") == general)
                    && pin.packages.iter().any(|package| matches(package, name))
                    && pin.covers(version, release)
            })
        };
        matching(false).or_else(|| matching(true)).map(|pin| pin.priority)
    }
}

impl Pin {
    fn covers(&self, version: &str, release: &Release) -> bool {
        match self.what.split_once(char::is_whitespace) {
            Some(("version", wanted)) => matches(wanted.trim(), version),
            Some(("release", wanted)) => wanted.split(',').all(|part| {
                let Some((key, value)) = part.trim().split_once('=') else {
                    return [&release.suite, &release.codename, &release.version]
                        .iter()
                        .any(|field| matches(part.trim(), field));
                };
                let value = value.trim_matches('"');
                match key.trim() {
                    "a" => matches(value, &release.suite),
                    "n" => matches(value, &release.codename),
                    "o" => matches(value, &release.origin),
                    "l" => matches(value, &release.label),
                    "v" => matches(value, &release.version),
                    _ => false,
                }
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_patterns_and_releases_match() {
        assert!(matches("lib*ssl*", "libfoossl3"));
        assert!(!matches("lib*ssl", "libssl3"));
        assert!(matches("*", "") && !matches("a", "ab"));
        let mut pins = Pins::default();
        pins.add(
            b"Package: *\nPin: release o=Debian,n=sid\nPin-Priority: 50\n\n\
              Package: nginx*\nPin: version 1.22*\nPin-Priority: 1001\n",
        );
        let sid = Release {
            origin: "Debian".to_owned(),
            codename: "sid".to_owned(),
            ..Release::default()
        };
        assert_eq!(pins.priority("bash", "5", &sid), Some(50));
        assert_eq!(pins.priority("nginx-core", "1.22.1-9", &sid), Some(1001));
        assert_eq!(pins.priority("bash", "5", &Release::default()), None);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes: Vec<u8>, pattern: String, text: String) {
            let mut pins = Pins::default();
            pins.add(&bytes);
            pins.priority(&text, &pattern, &Release::default());
            matches(&pattern, &text);
        }
    }
}
