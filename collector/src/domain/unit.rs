//! Where a device belongs: what a person said, else the first rule that fits, else what its token
//! said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rollcall_shared::api::unit::{RuleTest, UnitFrom, UnitKind};

/// Most rules there may be: each is held against each device.
pub const MOST_RULES: usize = 500;
/// Longest pattern, in bytes.
const LONGEST_PATTERN: usize = 200;

/// The rules in force, ready to be held against devices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Number of the unit.
    pub unit: i64,
    /// What that is.
    pub kind: UnitKind,
    /// What devices of it are like.
    pub test: Test,
}

/// What a rule asks of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// An address in this network.
    Subnet(Network),
    /// A host name like this, in lower case.
    Hostname(String),
    /// A domain or realm like this, in lower case.
    Directory(String),
}

/// A network, IPv4 as part of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Looks<'a> {
    /// Host name.
    pub hostname: &'a str,
    /// IP addresses.
    pub addresses: &'a [String],
    /// Domain and realms.
    pub directories: &'a [String],
}

/// Where a device belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the unit; absent: nowhere.
    pub unit: Option<i64>,
    /// Who says so; absent: nobody.
    pub from: Option<UnitFrom>,
}

impl Place {
    /// Nowhere.
    pub const NOWHERE: Self = Self { unit: None, from: None };

    /// Where somebody says.
    pub fn of(unit: i64, from: UnitFrom) -> Self {
        Self { unit: Some(unit), from: Some(from) }
    }
}

impl Test {
    /// Reads the pattern of a rule; what is wrong with it otherwise.
    pub fn read(test: RuleTest, pattern: &str) -> Result<Self, String> {
        let pattern = pattern.trim();
        if pattern.is_empty() || pattern.len() > LONGEST_PATTERN {
            return Err(format!("give 1 to {LONGEST_PATTERN} bytes"));
        }
        if pattern.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err("leave blanks and control characters out".to_owned());
        }
        match test {
            RuleTest::Subnet => Network::read(pattern)
                .map(Self::Subnet)
                .ok_or_else(|| "write a network as 10.1.0.0/16 or 2001:db8::/32".to_owned()),
            RuleTest::Hostname => Ok(Self::Hostname(pattern.to_lowercase())),
            RuleTest::Directory => Ok(Self::Directory(pattern.to_lowercase())),
        }
    }

    /// Whether a device is like this.
    fn fits(&self, looks: &Looks<'_>) -> bool {
        match self {
            Self::Subnet(network) => looks.addresses.iter().any(|text| network.holds(text)),
            Self::Hostname(pattern) => like(pattern, looks.hostname),
            Self::Directory(pattern) => looks.directories.iter().any(|name| like(pattern, name)),
        }
    }
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let length = length.unwrap_or(bits);
        if length > bits {
            return None;
        }
        let free = bits - length;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Some(Self { bits: wide(address) & mask, mask })
    }

    fn holds(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address| wide(address) & self.mask == self.bits)
    }
}

/// IPv4 addresses as the part of IPv6 that stands for them.
fn wide(address: IpAddr) -> u128 {
    let mapped = |address: Ipv4Addr| -> Ipv6Addr { address.to_ipv6_mapped() };
    match address {
        IpAddr::V4(address) => mapped(address).to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether a text is like a pattern in lower case: `*` stands for any letters, `?` for one. Takes
/// the product of their lengths at most.
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[place] => {
                at += 1;
                place += 1;
            }
            _ => {
                // The last star takes one letter more.
                let Some((behind, taken)) = star else { return false };
                star = Some((behind, taken + 1));
                at = behind + 1;
                place = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

impl Rules {
    /// These, in this order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The unit of the first rule that fits.
    fn first(&self, kind: UnitKind, looks: &Looks<'_>) -> Option<i64> {
        self.0.iter().find(|rule| rule.kind == kind && rule.test.fits(looks)).map(|rule| rule.unit)
    }

    /// Where a device belongs when no person says anything.
    pub fn derived(&self, kind: UnitKind, looks: &Looks<'_>, token: Option<i64>) -> Place {
        self.first(kind, looks)
            .map(|unit| Place::of(unit, UnitFrom::Rule))
            .or_else(|| token.map(|unit| Place::of(unit, UnitFrom::Token)))
            .unwrap_or(Place::NOWHERE)
    }

    /// Where a device belongs that belongs `now`: what a person said stays.
    pub fn decide(
        &self,
        kind: UnitKind,
        looks: &Looks<'_>,
        now: Place,
        token: Option<i64>,
    ) -> Place {
        if now.from == Some(UnitFrom::Hand) { now } else { self.derived(kind, looks, token) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(unit: i64, kind: UnitKind, test: RuleTest, pattern: &str) -> Rule {
        Rule { unit, kind, test: Test::read(test, pattern).unwrap() }
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_a_hand_stays() {
        let rules = Rules::new(vec![
            rule(7, UnitKind::Department, RuleTest::Hostname, "srv-*"),
            rule(1, UnitKind::Site, RuleTest::Subnet, "10.1.0.0/16"),
            rule(2, UnitKind::Site, RuleTest::Hostname, "SRV-*"),
            rule(3, UnitKind::Site, RuleTest::Directory, "*.example.org"),
        ]);
        let (addresses, directories) = (["10.1.2.3".to_owned()], ["Lab.Example.ORG".to_owned()]);
        let all = Looks { hostname: "srv-9", addresses: &addresses, directories: &directories };
        let token = Some(9);
        let site = |looks: &Looks<'_>| rules.decide(UnitKind::Site, looks, Place::NOWHERE, token);
        assert_eq!(site(&all), Place::of(1, UnitFrom::Rule));
        let elsewhere = Looks { addresses: &[], ..all };
        assert_eq!(site(&elsewhere), Place::of(2, UnitFrom::Rule));
        let named = Looks { hostname: "pc", ..elsewhere };
        assert_eq!(site(&named), Place::of(3, UnitFrom::Rule));
        let unknown = Looks { directories: &[], ..named };
        assert_eq!(site(&unknown), Place::of(9, UnitFrom::Token));
        let hand = Place::of(5, UnitFrom::Hand);
        assert_eq!(rules.decide(UnitKind::Site, &all, hand, token), hand);
        let department = rules.decide(UnitKind::Department, &unknown, Place::NOWHERE, None);
        assert_eq!(department, Place::NOWHERE);
    }

    #[test]
    fn networks_hold_what_is_in_them() {
        let holds = |network: &str, address: &str| Network::read(network).unwrap().holds(address);
        assert!(holds("10.1.0.0/16", "10.1.255.1") && !holds("10.1.0.0/16", "10.2.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "10.0.0.1"));
        assert!(holds("::/0", "10.0.0.1") && !holds("10.0.0.0/8", "nonsense"));
        for wrong in ["10.1.0.0/33", "10.1/16", "::/129", "10.0.0.0/-1", "lan"] {
            assert_eq!(Network::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn patterns_are_bounded_and_read_whole() {
        for (pattern, text, fits) in [
            ("srv-*", "SRV-01", true),
            ("srv-*", "xsrv-01", false),
            ("*-db-??", "berlin-db-01", true),
            ("*-db-??", "berlin-db-1", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-c-d", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
        for wrong in ["", " ", "a b", "a\nb"] {
            assert!(Test::read(RuleTest::Hostname, wrong).is_err(), "{wrong:?}");
        }
        assert!(Test::read(RuleTest::Hostname, &"a".repeat(201)).is_err());
        // A pattern of many stars is no work without end.
        assert!(!like(&"*a".repeat(100), &"b".repeat(255)));
    }

    proptest! {
        #[test]
        fn whatever_stands_there_is_like_itself(text in "[a-z0-9.-]{0,40}", at in 0_usize..40) {
            prop_assert!(like(&text, &text));
            let at = at.min(text.len());
            let any = format!("{}*{}", &text[..at], &text[at..]);
            prop_assert!(like(&any, &text));
        }
    }
}
