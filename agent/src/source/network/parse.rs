//! An interface by the files of its folder in `/sys/class/net`, and the tables of the kernel.

use std::net::{Ipv4Addr, Ipv6Addr};

use rollcall_shared::section::network::{Interface, InterfaceKind, Route};

/// The interface in a folder of `/sys/class/net`; `None` when it is no folder of an interface.
///
/// `field` reads a file of the folder, `has` tells whether something of the name is in it, and
/// `path` is where the device hangs in the tree of devices.
pub fn interface(
    name: &str,
    path: &str,
    field: impl Fn(&str) -> Option<String>,
    has: impl Fn(&str) -> bool,
) -> Option<Interface> {
    let number = |file: &str| field(file)?.parse::<u32>().ok();
    // `bonding_masters` is a file beside the interfaces.
    number("ifindex")?;
    let mac = field("address").filter(|mac| is_mac(mac));
    let permanent_mac = field("bonding_slave/perm_hwaddr")
        .or_else(|| field("phy80211/macaddress"))
        .or_else(|| {
            // 0: the address burnt in, 3: one that somebody set.
            if field("addr_assign_type")? == "0" { mac.clone() } else { None }
        })
        .filter(|mac| is_mac(mac));
    let flags = field("flags")
        .and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok())
        .unwrap_or(0);
    let virtual_interface = !has("device");
    let up = match field("operstate").as_deref() {
        Some("up") => true,
        Some("unknown") => flags & 1 == 1,
        _ => false,
    };
    let kind = kind(name, &field, &has, virtual_interface);
    let is_loopback = kind == Some(InterfaceKind::Loopback);
    // The speed of a bridge is that of what is plugged into it at the moment.
    let has_speed = up && (!virtual_interface || kind == Some(InterfaceKind::Bond));
    Some(Interface {
        name: name.to_owned(),
        virtual_interface,
        removable: path.contains("/usb"),
        up: (!virtual_interface).then_some(up),
        mac: mac.filter(|_| !is_loopback),
        permanent_mac: permanent_mac.filter(|_| !virtual_interface),
        // -1 and the like where there is no link.
        speed_mbps: has_speed
            .then(|| number("speed"))
            .flatten()
            .filter(|speed| (1..=1_000_000).contains(speed)),
        mtu: number("mtu"),
        kind,
        ..Interface::default()
    })
}

fn is_mac(text: &str) -> bool {
    text.len() == 17
        && text != "00:00:00:00:00:00"
        && text
            .split(':')
            .all(|byte| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn kind(
    name: &str,
    field: &impl Fn(&str) -> Option<String>,
    has: &impl Fn(&str) -> bool,
    virtual_interface: bool,
) -> Option<InterfaceKind> {
    const TAP: u32 = 2;
    let hardware = field("type").and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let uevent = field("uevent").unwrap_or_default();
    let told = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    let tun_flags =
        field("tun_flags").and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
    let linked_elsewhere = || field("iflink") != field("ifindex");
    Some(match (told, hardware) {
        (_, 772) => InterfaceKind::Loopback,
        ("wlan", _) => InterfaceKind::Wifi,
        ("bridge", _) => InterfaceKind::Bridge,
        ("bond" | "team", _) => InterfaceKind::Bond,
        ("vlan", _) => InterfaceKind::Vlan,
        ("wwan", _) => InterfaceKind::Mobile,
        ("bluetooth", _) => InterfaceKind::Bluetooth,
        ("wireguard" | "vxlan" | "geneve" | "gre", _) | (_, 512 | 768..=769 | 776 | 778 | 823) => {
            InterfaceKind::Tunnel
        }
        (_, 32) => InterfaceKind::Other("infiniband".to_owned()),
        (_, 801..=803) => InterfaceKind::Wifi,
        _ if has("phy80211") || has("wireless") => InterfaceKind::Wifi,
        _ if has("bridge") => InterfaceKind::Bridge,
        _ if has("bonding") => InterfaceKind::Bond,
        // Links of virtual machines end in a tap, VPNs in a tun.
        _ if tun_flags.is_some_and(|flags| flags & TAP != 0) => InterfaceKind::Container,
        _ if tun_flags.is_some() => InterfaceKind::Tunnel,
        (_, 1) if !virtual_interface => InterfaceKind::Ethernet,
        (_, 1) if name.starts_with("veth") || linked_elsewhere() => InterfaceKind::Container,
        (_, 1) if ["dummy", "ifb"].iter().any(|kind| name.starts_with(kind)) => {
            let plain = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
            InterfaceKind::Other(plain.to_owned())
        }
        _ => return None,
    })
}

/// Whether this is only the end of a link to a container or a virtual machine. Such ends get a new
/// name at every start; their other end, seen from inside, has an address that leads somewhere.
pub fn is_inner_end(interface: &Interface) -> bool {
    interface.kind == Some(InterfaceKind::Container)
        && interface.addresses.iter().all(|address| address.starts_with("fe80:"))
}

/// The route is in use.
const UP: u32 = 0x1;
/// The route leads to a gateway.
const GATEWAY: u32 = 0x2;
/// The route says that there is no way.
const REJECT: u32 = 0x200;

/// Default routes in `/proc/net/route`, which writes addresses as numbers in the order of the
/// processor's bytes.
pub fn routes_v4(table: &str) -> Vec<Route> {
    let route = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let hex = |at: usize| u32::from_str_radix(columns.get(at)?, 16).ok();
        let (gateway, flags) = (hex(2)?, hex(3)?);
        let is_default = hex(1)? == 0 && hex(7)? == 0 && flags & (UP | REJECT) == UP;
        is_default.then_some(())?;
        let gateway = (flags & GATEWAY != 0).then(|| Ipv4Addr::from(gateway.to_ne_bytes()));
        Some(Route {
            gateway: gateway.map(|address| address.to_string()),
            interface: (*columns.first()?).to_owned(),
        })
    };
    table.lines().skip(1).filter_map(route).collect()
}

/// Default routes in `/proc/net/ipv6_route`.
pub fn routes_v6(table: &str) -> Vec<Route> {
    let route = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let to = u128::from_str_radix(columns.first()?, 16).ok()?;
        let gateway = u128::from_str_radix(columns.get(4)?, 16).ok()?;
        let flags = u32::from_str_radix(columns.get(8)?, 16).ok()?;
        let interface = *columns.get(9)?;
        let is_default = to == 0
            && *columns.get(1)? == "00"
            && flags & (UP | REJECT) == UP
            // Every kernel has one that leads nowhere.
            && interface != "lo";
        is_default.then_some(())?;
        Some(Route {
            gateway: (gateway != 0).then(|| Ipv6Addr::from(gateway).to_string()),
            interface: interface.to_owned(),
        })
    };
    table.lines().filter_map(route).collect()
}

/// Interface and address with prefix length of each line of `/proc/net/if_inet6`.
///
/// Addresses made up for some hours for privacy are left out: they say nothing of the computer
/// and would make every report a change.
pub fn addresses_v6(table: &str) -> Vec<(String, String)> {
    const TEMPORARY: u32 = 0x01;
    const DEPRECATED: u32 = 0x20;
    let address = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let address = u128::from_str_radix(columns.first()?, 16).ok()?;
        let prefix = u8::from_str_radix(columns.get(2)?, 16).ok()?;
        let flags = u32::from_str_radix(columns.get(4)?, 16).ok()?;
        let name = *columns.get(5)?;
        // On the loopback interface the first flag means nothing of the kind.
        let lasts = flags & DEPRECATED == 0 && (flags & TEMPORARY == 0 || name == "lo");
        lasts.then(|| (name.to_owned(), format!("{}/{prefix}", Ipv6Addr::from(address))))
    };
    table.lines().filter_map(address).collect()
}

/// Resolvers and search domains of a `resolv.conf`.
pub fn resolvers(resolv_conf: &str) -> (Vec<String>, Vec<String>) {
    let mut servers: Vec<String> = Vec::new();
    let mut domains = Vec::new();
    for line in resolv_conf.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => {
                if let Some(server) = words.next()
                    && !servers.iter().any(|known| known == server)
                {
                    servers.push(server.to_owned());
                }
            }
            // The last such line counts.
            Some("search") => domains = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    (servers, domains)
}

/// Whether these are only the small resolver of systemd on this computer.
pub fn is_own_stub(servers: &[String]) -> bool {
    let own = |server: &String| matches!(server.as_str(), "127.0.0.53" | "127.0.0.54");
    !servers.is_empty() && servers.iter().all(own)
}

/// Whether a lease file, whoever wrote it, speaks of one of these addresses.
pub fn is_leased(lease: &str, addresses: &[String]) -> bool {
    let mut words =
        lease.split(|letter: char| !(letter.is_ascii_hexdigit() || letter == '.' || letter == ':'));
    let plain: Vec<&str> =
        addresses.iter().filter_map(|address| Some(address.split_once('/')?.0)).collect();
    words.any(|word| word.contains(['.', ':']) && plain.contains(&word))
}

/// A value of a file in the style of `key=value`, e.g. of NetworkManager.
pub fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map<'a>(fields: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn default_routes_of_both_kinds() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                  eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                  eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let gateway = Ipv4Addr::from(0x0102_00C0_u32.to_ne_bytes()).to_string();
        if cfg!(target_endian = "little") {
            assert_eq!(gateway, "192.0.2.1");
        }
        let expected = Route { gateway: Some(gateway), interface: "eth0".to_owned() };
        assert_eq!(routes_v4(v4), [expected]);
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 1 0 00450003 wlan0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 1 0 00200200 lo\n"
        );
        let expected = Route { gateway: Some("fe80::1".to_owned()), interface: "wlan0".to_owned() };
        assert_eq!(routes_v6(&v6), [expected]);
    }

    #[test]
    fn default_routes_without_a_gateway() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
                  ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
                  *\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n";
        let expected = |name: &str| Route { gateway: None, interface: name.to_owned() };
        assert_eq!(routes_v4(v4), [expected("ppp0")]);
        let zeros = "0".repeat(32);
        let v6 = format!(
            "{zeros} 00 {zeros} 00 {zeros} 00000400 1 0 00000001 wg0\n\
             {zeros} 00 {zeros} 00 {zeros} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(routes_v6(&v6), [expected("wg0")]);
    }

    #[test]
    fn addresses_for_privacy_are_left_out() {
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
                    20010db8000000000000000000000005 02 40 00 00     eth0\n\
                    20010db8000000001234567890abcdef 02 40 00 01     eth0\n";
        let told = addresses_v6(text);
        assert_eq!(
            told,
            [
                ("lo".to_owned(), "::1/128".to_owned()),
                ("eth0".to_owned(), "2001:db8::5/64".to_owned())
            ]
        );
    }

    #[test]
    fn a_wireless_adapter_with_a_made_up_address() {
        let fields = [
            ("ifindex", "3"),
            ("address", "3e:11:22:33:44:55"),
            ("addr_assign_type", "3"),
            ("phy80211/macaddress", "8c:8c:aa:12:34:58"),
            ("operstate", "up"),
            ("mtu", "1500"),
            ("type", "1"),
            ("uevent", "DEVTYPE=wlan\nINTERFACE=wlp2s0\n"),
        ];
        let path = "../../devices/pci0000:00/0000:00:14.3/net/wlp2s0";
        let found = interface("wlp2s0", path, map(&fields), |name| name == "device").unwrap();
        assert_eq!(found.kind, Some(InterfaceKind::Wifi));
        assert_eq!(found.permanent_mac.as_deref(), Some("8c:8c:aa:12:34:58"));
        assert!(found.up == Some(true) && !found.virtual_interface && !found.removable);
        assert_eq!(found.speed_mbps, None);
    }

    #[test]
    fn made_by_software() {
        let veth = [("ifindex", "7"), ("iflink", "6"), ("type", "1"), ("operstate", "up")];
        let found = interface("eth0", "/devices/virtual/net/eth0", map(&veth), |_| false).unwrap();
        assert_eq!(found.kind, Some(InterfaceKind::Container));
        assert!(found.virtual_interface);
        assert_eq!(found.up, None, "it goes up and down with the container");
        assert!(is_inner_end(&found));
        let local = Interface { addresses: vec!["fe80::1/64".to_owned()], ..found.clone() };
        assert!(is_inner_end(&local));
        let inside = Interface { addresses: vec!["172.17.0.2/16".to_owned()], ..found };
        assert!(!is_inner_end(&inside));
        let tun = [("ifindex", "8"), ("type", "65534"), ("tun_flags", "0x1001")];
        let found = interface("tun0", "", map(&tun), |_| false).unwrap();
        assert_eq!(found.kind, Some(InterfaceKind::Tunnel));
        assert!(interface("bonding_masters", "", map(&[]), |_| false).is_none());
    }

    #[test]
    fn leases_count_while_their_address_is_in_use() {
        let lease = "lease {\n  interface \"eth0\";\n  fixed-address 10.1.2.3;\n}\n";
        assert!(is_leased(lease, &["10.1.2.3/24".to_owned()]));
        assert!(!is_leased(lease, &["10.1.2.30/24".to_owned()]));
        assert!(is_leased("# private\nADDRESS=10.1.2.3\n", &["10.1.2.3/24".to_owned()]));
    }

    #[test]
    fn resolvers_in_their_order() {
        let text = "# by hand\nnameserver 10.0.0.2\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n\
                    search a.example b.example\noptions edns0\n";
        let (servers, domains) = resolvers(text);
        assert_eq!(servers, ["10.0.0.2", "10.0.0.1"]);
        assert_eq!(domains, ["a.example", "b.example"]);
        assert!(is_own_stub(&["127.0.0.53".to_owned()]) && !is_own_stub(&servers));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(eth0|[0-9a-f]{1,40}|\\PC{0,5}|[ \t\n:.])*") {
            let any = |_: &str| Some(text.clone());
            let _ = interface(&text, &text, any, |_| false);
            let _ = interface("eth0", &text, |name: &str| if name == "ifindex" { Some("1".to_owned()) } else { any(name) }, |_| true);
            let _ = (routes_v4(&text), routes_v6(&text), addresses_v6(&text), resolvers(&text));
            let _ = is_leased(&text, &[text.clone(), "1/2".to_owned()]);
            let _ = value_of(&text, "uuid");
        }
    }
}
