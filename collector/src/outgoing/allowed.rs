//! Where the configuration lets outgoing calls go besides the public Internet. Pure.

use std::net::IpAddr;
use std::str::FromStr;

use super::address::{Kind, kind};

/// Rules of `--allow-outgoing`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Rule>);

/// One of them: `10.1.0.0/16`, `192.168.7.5`, `idp.example.lan`, each also behind `http://`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// It may be spoken to without TLS.
    plain: bool,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Range { first: IpAddr, length: u8 },
    Name(String),
}

/// Why a call may not go somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barred {
    /// Not without TLS.
    Plain,
    /// Not into such a network.
    Network(Kind),
}

impl Allowed {
    /// Reads the rules, or says which one is wrong.
    pub fn parse(rules: &[String]) -> Result<Self, String> {
        rules.iter().map(|rule| rule.parse()).collect::<Result<Vec<_>, _>>().map(Self)
    }

    /// Whether this name may be spoken to without TLS, as far as can be told before it is resolved.
    pub(super) fn may_be_plain(&self, host: &str) -> bool {
        self.0.iter().filter(|rule| rule.plain).any(|rule| match &rule.place {
            Place::Range { .. } => true,
            Place::Name(name) => name == host,
        })
    }

    /// Whether a call to this host, which is at this address, may be made.
    pub(super) fn permits(&self, host: &str, address: IpAddr, tls: bool) -> Result<(), Barred> {
        let kind = kind(address);
        if tls && kind == Kind::Public {
            return Ok(());
        }
        let fits = |rule: &&Rule| match &rule.place {
            Place::Range { first, length } => within(*first, *length, address),
            Place::Name(name) => kind.may_be_named() && name == host,
        };
        let mut fitting = self.0.iter().filter(fits).peekable();
        if fitting.peek().is_none() && kind != Kind::Public {
            return Err(Barred::Network(kind));
        }
        if tls || fitting.any(|rule| rule.plain) { Ok(()) } else { Err(Barred::Plain) }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no place that outgoing calls can be allowed to; write a network \
                 (10.1.0.0/16), an address or a name, behind http:// where there is no TLS"
            )
        };
        let (plain, rest) = match text.trim().strip_prefix("http://") {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let bare = rest.trim_start_matches('[').trim_end_matches(']');
        if let Ok(first) = bare.parse::<IpAddr>() {
            let length = if first.is_ipv4() { 32 } else { 128 };
            return Ok(Self { plain, place: Place::Range { first, length } });
        }
        if let Some((first, length)) = rest.split_once('/') {
            let first: IpAddr = first.parse().map_err(|_| wrong())?;
            let length: u8 = length.parse().map_err(|_| wrong())?;
            if length > if first.is_ipv4() { 32 } else { 128 } {
                return Err(wrong());
            }
            return Ok(Self { plain, place: Place::Range { first, length } });
        }
        let name = plain_name(rest);
        let letters = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        // What ends in a number would be read as an address by some.
        let numeric = name.rsplit('.').next().is_none_or(|last| last.parse::<u64>().is_ok());
        if name.is_empty() || numeric || !name.chars().all(letters) {
            return Err(wrong());
        }
        Ok(Self { plain, place: Place::Name(name) })
    }
}

/// A host name as it is compared.
pub(super) fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether an address lies in a network. An IPv4 address in its mapped form lies where it lies.
fn within(first: IpAddr, length: u8, address: IpAddr) -> bool {
    let length = u32::from(length);
    match (first.to_canonical(), address.to_canonical()) {
        (IpAddr::V4(first), IpAddr::V4(address)) => {
            (first.to_bits() ^ address.to_bits()).checked_shr(32 - length.min(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(first), IpAddr::V6(address)) => {
            (first.to_bits() ^ address.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(texts: &[&str]) -> Allowed {
        Allowed::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn permits(texts: &[&str], host: &str, address: &str, tls: bool) -> Result<(), Barred> {
        rules(texts).permits(host, address.parse().unwrap(), tls)
    }

    #[test]
    fn nothing_but_the_public_internet_by_tls_unless_allowed() {
        assert_eq!(permits(&[], "a.example", "8.8.8.8", true), Ok(()));
        assert_eq!(permits(&[], "a.example", "8.8.8.8", false), Err(Barred::Plain));
        let private = Err(Barred::Network(Kind::Private));
        assert_eq!(permits(&[], "a.example", "10.1.2.3", true), private);
        assert_eq!(permits(&["10.1.0.0/16"], "a.example", "10.1.2.3", true), Ok(()));
        assert_eq!(permits(&["10.1.0.0/16"], "a.example", "::ffff:10.1.2.3", true), Ok(()));
        assert_eq!(permits(&["10.1.0.0/16"], "a.example", "10.2.0.0", true), private);
        assert_eq!(permits(&["10.1.0.0/16"], "a", "10.1.2.3", false), Err(Barred::Plain));
        assert_eq!(permits(&["http://10.1.0.0/16"], "a", "10.1.2.3", false), Ok(()));
        assert_eq!(permits(&["idp.lan"], "idp.lan", "192.168.0.9", true), Ok(()));
        assert_eq!(permits(&["idp.lan"], "other.lan", "192.168.0.9", true), private);
        assert_eq!(permits(&["http://Idp.Lan."], "idp.lan", "8.8.8.8", false), Ok(()));
    }

    #[test]
    fn a_name_never_leads_to_credentials_of_a_cloud() {
        for address in ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "ff02::1", "fe80::1"] {
            assert!(permits(&["idp.lan"], "idp.lan", address, true).is_err(), "{address}");
            let range = format!("{address}/{}", if address.contains(':') { 128 } else { 32 });
            assert_eq!(permits(&[&range], "idp.lan", address, true), Ok(()), "said by address");
        }
        let nat64 = "64:ff9b::a00:1";
        assert!(permits(&["10.0.0.0/8"], "a", nat64, true).is_err(), "another network");
        assert_eq!(permits(&["64:ff9b::/96"], "a", nat64, true), Ok(()));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in
            ["", "10.0.0.0/33", "a b", "https://idp.lan", "10.1", "idp.lan/path", "1.2.3.4.5"]
        {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_range_holds_exactly_what_shares_its_first_bits(a: u32, b: u32, length in 0_u8..=32) {
            let same = (0..length).all(|bit| (a >> (31 - bit)) & 1 == (b >> (31 - bit)) & 1);
            let (a, b) = (std::net::Ipv4Addr::from(a), std::net::Ipv4Addr::from(b));
            prop_assert_eq!(within(a.into(), length, b.into()), same);
        }
    }
}
