//! What kind of network an IP address belongs to. Pure.
//!
//! Only what is certainly on the public Internet counts as public; forms that carry an IPv4 address
//! inside (mapped, NAT64, 6to4, ISATAP) are what that address is. Source: the IANA registries of
//! special-purpose IPv4 and IPv6 addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The public Internet.
    Public,
    /// This very computer.
    Loopback,
    /// A network of a company or a home, or the shared one of a provider (CGNAT).
    Private,
    /// The same cable.
    LinkLocal,
    /// Where clouds tell computers their credentials.
    Metadata,
    /// Many computers at once.
    Multicast,
    /// No computer at all.
    Unspecified,
    /// Documentation, tunnels, tests and what nobody has yet.
    Reserved,
}

impl Kind {
    /// Whether a configured name may lead there; to others only a configured range does.
    pub fn may_be_named(self) -> bool {
        matches!(self, Self::Public | Self::Loopback | Self::Private)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "an address of the collector's own computer",
            Self::Private => "an address of a private network",
            Self::LinkLocal => "an address of the local link",
            Self::Metadata => "where clouds keep their credentials",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "no address of a computer",
            Self::Reserved => "a reserved address",
        })
    }
}

/// First address, length of the prefix, kind; the first that fits counts.
const V4: &[([u8; 4], u8, Kind)] = &[
    ([169, 254, 169, 254], 32, Kind::Metadata),
    ([169, 254, 170, 2], 32, Kind::Metadata),
    ([100, 100, 100, 200], 32, Kind::Metadata),
    ([168, 63, 129, 16], 32, Kind::Metadata),
    ([0, 0, 0, 0], 8, Kind::Unspecified),
    ([10, 0, 0, 0], 8, Kind::Private),
    ([100, 64, 0, 0], 10, Kind::Private),
    ([127, 0, 0, 0], 8, Kind::Loopback),
    ([169, 254, 0, 0], 16, Kind::LinkLocal),
    ([172, 16, 0, 0], 12, Kind::Private),
    ([192, 0, 0, 0], 24, Kind::Reserved),
    ([192, 0, 2, 0], 24, Kind::Reserved),
    ([192, 88, 99, 0], 24, Kind::Reserved),
    ([192, 168, 0, 0], 16, Kind::Private),
    ([198, 18, 0, 0], 15, Kind::Reserved),
    ([198, 51, 100, 0], 24, Kind::Reserved),
    ([203, 0, 113, 0], 24, Kind::Reserved),
    ([224, 0, 0, 0], 4, Kind::Multicast),
    ([240, 0, 0, 0], 4, Kind::Reserved),
];

/// The same for IPv6, by the first 64 bits: no prefix here is longer.
const V6: &[([u16; 4], u8, Kind)] = &[
    ([0x0064, 0xff9b, 0x0001, 0], 48, Kind::Private), // NAT64 of one's own
    ([0xfc00, 0, 0, 0], 7, Kind::Private),
    ([0xfe80, 0, 0, 0], 10, Kind::LinkLocal),
    ([0xfec0, 0, 0, 0], 10, Kind::Private),
    ([0xff00, 0, 0, 0], 8, Kind::Multicast),
    ([0x2001, 0, 0, 0], 23, Kind::Reserved), // Teredo and other protocols
    ([0x2001, 0x0db8, 0, 0], 32, Kind::Reserved),
    ([0x3fff, 0, 0, 0], 20, Kind::Reserved),
];

const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// What kind of network this address belongs to.
pub fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    }
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let bits = address.to_bits();
    let found = V4.iter().find(|(first, length, _)| {
        (bits ^ Ipv4Addr::from(*first).to_bits()) >> (32 - u32::from(*length)) == 0
    });
    found.map_or(Kind::Public, |(_, _, kind)| *kind)
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return Kind::Metadata;
    }
    if address.is_loopback() {
        return Kind::Loopback;
    }
    if address.is_unspecified() {
        return Kind::Unspecified;
    }
    if let Some(inside) = inside(address) {
        return kind_v4(inside);
    }
    let bits = address.to_bits();
    let found = V6.iter().find(|([a, b, c, d], length, _)| {
        let first = Ipv6Addr::new(*a, *b, *c, *d, 0, 0, 0, 0).to_bits();
        (bits ^ first) >> (128 - u32::from(*length)) == 0
    });
    match found {
        Some((_, _, kind)) => *kind,
        // All public addresses begin with the bits 001.
        None if bits >> 125 == 1 => Kind::Public,
        None => Kind::Reserved,
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, translated (RFC 2765), NAT64, 6to4 and
/// ISATAP, in this order.
fn inside(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Kind {
        kind(text.parse().unwrap())
    }

    #[test]
    fn each_kind_is_known_by_its_edges() {
        for (text, expected) in [
            ("9.255.255.255", Kind::Public),
            ("10.0.0.0", Kind::Private),
            ("10.255.255.255", Kind::Private),
            ("11.0.0.0", Kind::Public),
            ("100.63.255.255", Kind::Public),
            ("100.64.0.0", Kind::Private),
            ("100.127.255.255", Kind::Private),
            ("100.128.0.0", Kind::Public),
            ("100.100.100.200", Kind::Metadata),
            ("127.0.0.1", Kind::Loopback),
            ("127.255.255.254", Kind::Loopback),
            ("169.254.0.1", Kind::LinkLocal),
            ("169.254.169.254", Kind::Metadata),
            ("168.63.129.16", Kind::Metadata),
            ("172.15.255.255", Kind::Public),
            ("172.16.0.0", Kind::Private),
            ("172.31.255.255", Kind::Private),
            ("172.32.0.0", Kind::Public),
            ("192.168.1.1", Kind::Private),
            ("198.18.0.1", Kind::Reserved),
            ("203.0.113.9", Kind::Reserved),
            ("224.0.0.1", Kind::Multicast),
            ("255.255.255.255", Kind::Reserved),
            ("0.0.0.0", Kind::Unspecified),
            ("8.8.8.8", Kind::Public),
            ("::", Kind::Unspecified),
            ("::1", Kind::Loopback),
            ("::7f00:1", Kind::Reserved),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("::ffff:8.8.8.8", Kind::Public),
            ("::ffff:0:10.0.0.1", Kind::Private),
            ("64:ff9b::a9fe:a9fe", Kind::Metadata),
            ("64:ff9b::808:808", Kind::Public),
            ("64:ff9b:1::1", Kind::Private),
            ("2002:7f00:1::", Kind::Loopback),
            ("2002:a00:1::1", Kind::Private),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Kind::Reserved),
            ("2001:db8::1", Kind::Reserved),
            ("2606:4700::5efe:c0a8:101", Kind::Private),
            ("2606:4700::1111", Kind::Public),
            ("fc00::1", Kind::Private),
            ("fd00:ec2::254", Kind::Metadata),
            ("fe80::1", Kind::LinkLocal),
            ("fec0::1", Kind::Private),
            ("ff02::1", Kind::Multicast),
            ("100::1", Kind::Reserved),
            ("4000::1", Kind::Reserved),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_the_standard_calls_private_is_public(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let standard = address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_documentation()
                || address.is_multicast()
                || address.is_unspecified();
            prop_assert!(!standard || kind_v4(address) != Kind::Public);
        }

        #[test]
        fn a_form_of_an_address_is_what_the_address_is(bits: u32, low: u64, near in 0_usize..8) {
            // Random bits seldom hit a small network: half of them are moved into one.
            let (first, length, _) = V4[usize::try_from(bits).unwrap() % V4.len()];
            let mask = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
            let inside = Ipv4Addr::from(first).to_bits() | (bits & mask);
            let address = Ipv4Addr::from(if near < 4 { inside } else { bits });
            let expected = kind_v4(address);
            let [a, b, c, d] = address.octets();
            let (high, low_half) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let six_to_four = (0x2002_u128 << 112)
                | (u128::from(address.to_bits()) << 80)
                | u128::from(low);
            for form in [
                address.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low_half),
                Ipv6Addr::from(six_to_four),
            ] {
                prop_assert_eq!(kind_v6(form), expected, "{} as {}", address, form);
            }
        }

        #[test]
        fn only_global_unicast_is_public(bits: u128) {
            let address = Ipv6Addr::from(bits);
            if kind_v6(address) == Kind::Public && inside(address).is_none() {
                prop_assert_eq!(bits >> 125, 1);
                prop_assert!(!address.is_unique_local() && !address.is_unicast_link_local());
            }
        }
    }
}
