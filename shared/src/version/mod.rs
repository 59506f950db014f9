//! The order of versions, by the rules of the system that wrote them.
//!
//! The scheme comes from where a version was read, never from the look of its text. `None` means
//! that two texts cannot be compared: "unknown", "latest" and the like have no place in an order.
//! Within one scheme the comparable texts form a total order, whatever bytes an agent sends.

mod alpm;
mod apk;
mod deb;
mod dotted;
mod rpm;
mod semver;

use std::cmp::Ordering;

/// A way to order versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Debian packages: `1:9.2p1-2+deb12u5`.
    Deb,
    /// RPM packages: `1:3.0.7-27.el9`.
    Rpm,
    /// Alpine packages: `3.1.4_rc1-r0`.
    Apk,
    /// Arch packages: `1:2.44.0-1`.
    Alpm,
    /// Semantic versioning: `1.4.0-beta.2`.
    SemVer,
    /// Numbers and words with anything between them: `24.08.1 (x64)`.
    Dotted,
}

impl Scheme {
    /// The scheme of a source of software as agents name it; `Dotted` for every other one.
    pub fn of_source(source: &str) -> Self {
        match source {
            "dpkg" | "apt" => Self::Deb,
            "rpm" | "dnf" | "yum" | "zypper" => Self::Rpm,
            "apk" => Self::Apk,
            "pacman" | "alpm" => Self::Alpm,
            "cargo" | "npm" | "rollcall" => Self::SemVer,
            _ => Self::Dotted,
        }
    }
}

/// How `a` stands to `b` in the order of `scheme`; `None` when either has no place in it.
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.trim(), b.trim());
    if !has_number(a) || !has_number(b) {
        return None;
    }
    match scheme {
        Scheme::Deb => deb::compare(a, b),
        Scheme::Rpm => rpm::compare(a, b),
        Scheme::Apk => apk::compare(a, b),
        Scheme::Alpm => alpm::compare(a, b),
        Scheme::SemVer => semver::compare(a, b),
        Scheme::Dotted => Some(dotted::compare(a, b)),
    }
}

/// A version without a single digit is a word: `unknown`, `latest`, `n/a`, the empty text.
fn has_number(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// A run of digits of any length, ordered by its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    fn new(digits: &'a str) -> Self {
        Self(digits.trim_start_matches('0'))
    }

    fn is_zero(self) -> bool {
        self.0.is_empty()
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Splits off the longest start of `text` whose characters satisfy `take`.
fn split_while(text: &str, take: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !take(c)).unwrap_or(text.len()))
}

/// Splits `epoch:rest`; a missing epoch is 0, one that is not a number makes the text none.
fn split_epoch(text: &str) -> Option<(Number<'_>, &str)> {
    match text.split_once(':') {
        None => Some((Number::new(""), text)),
        Some(("(none)", rest)) => Some((Number::new(""), rest)),
        Some((epoch, rest)) => (!epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()))
            .then(|| (Number::new(epoch), rest)),
    }
}

/// Splits `version-release` at the last dash; a missing release is the empty text.
fn split_release(text: &str) -> (&str, &str) {
    text.rsplit_once('-').unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEMES: [Scheme; 6] =
        [Scheme::Deb, Scheme::Rpm, Scheme::Apk, Scheme::Alpm, Scheme::SemVer, Scheme::Dotted];

    fn table(scheme: Scheme, rows: &[&str]) {
        for row in rows {
            let mut words = row.split(' ');
            let (a, sign, b) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let expected = match sign {
                "<" => Ordering::Less,
                ">" => Ordering::Greater,
                _ => Ordering::Equal,
            };
            assert_eq!(compare(scheme, a, b), Some(expected), "{scheme:?}: {row}");
            assert_eq!(compare(scheme, b, a), Some(expected.reverse()), "{scheme:?}: {row}");
        }
    }

    #[test]
    fn debian_versions() {
        table(
            Scheme::Deb,
            &[
                "1.0~rc1 < 1.0",
                "1.0~~ < 1.0~",
                "1.0~ < 1.0",
                "1:1.0 > 9.9",
                "0:1.0 = 1.0",
                "1.0-0 = 1.0",
                "1.0-1 > 1.0",
                "1.0a > 1.0",
                "1.0+b1 > 1.0",
                "1.0+ > 1.0a",
                "1.10 > 1.9",
                "1.010 = 1.10",
                "3.0.15-1~deb12u1 < 3.0.15-1",
                "1:9.2p1-2+deb12u5 < 1:9.2p1-2+deb12u10",
                "1.2-3-4 > 1.2-3",
                "1.0é > 1.0",
            ],
        );
        assert_eq!(compare(Scheme::Deb, "a:1.0", "1.0"), None);
    }

    #[test]
    fn rpm_versions() {
        table(
            Scheme::Rpm,
            &[
                "1.0~rc1 < 1.0",
                "1.0^git > 1.0",
                "1.0^git1 < 1.0.1",
                "1.0^ < 1.0.1",
                "1.0~rc1^git1 > 1.0~rc1",
                "1:1.0-1 > 2.0-1",
                "(none):1.0-1 = 1.0-1",
                "3.0.7-27.el9 > 3.0.7-24.el9_2",
                "1.0a < 1.0.1",
                "1.001 = 1.1",
                "1..0 = 1.0",
                "1.0é = 1.0",
            ],
        );
    }

    #[test]
    fn alpine_versions() {
        table(
            Scheme::Apk,
            &[
                "3.1.4-r5 < 3.1.4-r6",
                "3.1.4 < 3.1.4-r0",
                "1.0_alpha1 < 1.0_beta1",
                "1.0_rc2 < 1.0",
                "1.0_p1 > 1.0",
                "1.0_git20240101 > 1.0",
                "1.0a > 1.0",
                "1.0a < 1.0b",
                "1.0.1 > 1.0a",
                "1.01 < 1.1",
                "1.2.10 > 1.2.9",
                "1.36.1-r29 < 1.37.0-r0",
            ],
        );
        assert_eq!(compare(Scheme::Apk, "1.0é", "1.0"), None);
        assert_eq!(compare(Scheme::Apk, "1.0_strange1", "1.0"), None);
    }

    #[test]
    fn arch_versions() {
        table(
            Scheme::Alpm,
            &[
                "1.0a < 1.0b",
                "1.0b < 1.0beta",
                "1.0beta < 1.0p",
                "1.0p < 1.0pre",
                "1.0pre < 1.0rc",
                "1.0rc < 1.0",
                "1.0 < 1.0.a",
                "1.0.a < 1.0.1",
                "1:1.0-1 > 2.0-1",
                "1.5-1 < 1.5-2",
                "1.5.b < 1.5.1",
                "20240101 > 5.1",
            ],
        );
    }

    #[test]
    fn semantic_versions() {
        table(
            Scheme::SemVer,
            &[
                "1.0.0-alpha < 1.0.0-alpha.1",
                "1.0.0-alpha.1 < 1.0.0-alpha.beta",
                "1.0.0-beta.2 < 1.0.0-beta.11",
                "1.0.0-rc.1 < 1.0.0",
                "1.0.0+build1 = 1.0.0+build2",
                "v1.2.3 = 1.2.3",
                "1.2 = 1.2.0",
                "0.10.0 > 0.9.9",
            ],
        );
        assert_eq!(compare(Scheme::SemVer, "1.x.0", "1.0.0"), None);
        assert_eq!(compare(Scheme::SemVer, "1.2.3.4", "1.0.0"), None);
    }

    #[test]
    fn dotted_versions() {
        table(
            Scheme::Dotted,
            &[
                "1.0 = 1.0.0",
                "1.10 > 1.9",
                "v128.3 < 128.10",
                "1.0rc1 < 1.0",
                "1.0-beta2 < 1.0-rc1",
                "1.0a1 < 1.0",
                "1.0a > 1.0",
                "1.0.2k < 1.0.2l",
                "1.0-patch1 > 1.0",
                "1.0-patch1 < 1.0.1",
                "128.3.0esr < 128.4.0esr",
                "10.0.26100.1 > 10.0.22631.9",
                "1.0～rc1 < 1.0",
            ],
        );
    }

    #[test]
    fn words_are_not_versions() {
        for scheme in SCHEMES {
            for word in ["", " ", "unknown", "latest", "n/a", "~", "^", "ä"] {
                assert_eq!(compare(scheme, word, "1.0"), None, "{scheme:?} {word}");
                assert_eq!(compare(scheme, "1.0", word), None, "{scheme:?} {word}");
            }
        }
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9a-c.~^:+_-]{0,8}",
            "[0-2](\\.[0-2]){0,2}([a~^]|_rc|_p|rc)?[0-2]?(-r?[0-2])?",
            any::<String>()
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn antisymmetric(a in text(), b in text()) {
            for scheme in SCHEMES {
                prop_assert_eq!(
                    compare(scheme, &a, &b),
                    compare(scheme, &b, &a).map(Ordering::reverse)
                );
            }
        }

        #[test]
        fn transitive(a in text(), b in text(), c in text()) {
            for scheme in SCHEMES {
                let mut sorted = [&a, &b, &c];
                let order = |x: &str, y: &str| compare(scheme, x, y);
                if order(&a, &b).is_none() || order(&b, &c).is_none() {
                    continue;
                }
                sorted.sort_by(|x, y| order(x, y).unwrap_or(Ordering::Equal));
                let [low, middle, high] = sorted;
                prop_assert_ne!(order(low, middle), Some(Ordering::Greater));
                prop_assert_ne!(order(middle, high), Some(Ordering::Greater));
                prop_assert_ne!(order(low, high), Some(Ordering::Greater));
                if order(low, high) == Some(Ordering::Equal) {
                    prop_assert_eq!(order(low, middle), Some(Ordering::Equal));
                }
            }
        }
    }
}
