//! Reads `/sys/class/net`, the kernel's tables in `/proc/net`, and what DHCP clients noted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_shared::section::network::{Interface, InterfaceKind, Network};
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use super::links::{self, Links};
use super::parse;
use crate::host::Host;
use crate::source::Gathered;

const FOLDER: &str = "/sys/class/net";
const CONNECTIONS: &str = "/etc/NetworkManager/system-connections";
const NETWORK_MANAGER: &str = "/run/NetworkManager/devices";
const NETWORKD: &str = "/run/systemd/netif/leases";
const DHCLIENT: [&str; 2] = ["/var/lib/dhcp", "/var/lib/dhclient"];
/// Where clients that ask for addresses note what they got.
const CLIENTS: &[&str] = &[NETWORK_MANAGER, NETWORKD, DHCLIENT[0], DHCLIENT[1]];

pub(crate) fn gather(host: &Host) -> Gathered {
    let names = match host.list(FOLDER) {
        Ok(names) => names,
        Err(error) => return Gathered::absent(error.into()),
    };
    let mut notes = Vec::new();
    let steady = Steady::of(host);
    let routes = text(host, "/proc/net/route");
    let mut addresses = addresses_v4(&steady, &names, &routes).unwrap_or_else(|note| {
        notes.push(note);
        Vec::new()
    });
    addresses.extend(parse::addresses_v6(&text(host, "/proc/net/if_inet6")));
    let clients: Vec<&str> = CLIENTS.iter().copied().filter(|place| host.exists(place)).collect();
    let interface = |name: &String| interface(&steady, name, &addresses, &clients);
    let interfaces = names.iter().filter_map(interface).collect();

    let mut default_routes = parse::routes_v4(&routes);
    default_routes.extend(parse::routes_v6(&text(host, "/proc/net/ipv6_route")));
    let (resolvers, search_domains) = resolvers(host);
    let network = Network { interfaces, default_routes, resolvers, search_domains };
    Gathered { section: Some(Section::Network(network)), notes }
}

fn text(host: &Host, path: &str) -> String {
    host.read_text(path).unwrap_or_default()
}

/// What an interface is, as long as the kernel tells of no event: it comes, goes, is renamed or gets
/// another driver only with one. Its other words hold as long as the kernel tells the same of it.
/// Reading a file of an interface is dear, so all are remembered.
struct Steady<'a> {
    host: &'a Host,
    known: Arc<Mutex<Known>>,
    /// Interfaces of which the kernel told in this look.
    told: BTreeSet<String>,
}

#[derive(Default)]
struct Known {
    /// By path.
    words: BTreeMap<String, Option<String>>,
    links: Links,
}

impl<'a> Steady<'a> {
    const FILES: &'static [&'static str] =
        &["ifindex", "iflink", "phy80211/macaddress", "tun_flags", "type", "uevent"];

    fn of(host: &'a Host) -> Self {
        let known = host.keep_of_devices("interfaces", |_| Mutex::<Known>::default());
        let links = host.is_live().then(links::now).flatten().unwrap_or_default();
        let told = links.keys().cloned().collect();
        let mut before = known.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { words, links: old } = &mut *before;
        words.retain(|path, _| {
            let mut names = path.strip_prefix(FOLDER).unwrap_or_default().split('/').skip(1);
            let (name, file) = (names.next().unwrap_or_default(), names.next());
            old.get(name) == links.get(name) || file.is_none_or(|it| Self::FILES.contains(&it))
        });
        before.links = links;
        drop(before);
        Self { host, known, told }
    }

    fn once(&self, path: String, read: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.words.get(&path).cloned().unwrap_or_else(|| {
            let value = read(&path);
            known.words.insert(path, value.clone());
            value
        })
    }

    fn field(&self, name: &str, file: &str) -> Option<String> {
        let path = format!("{FOLDER}/{name}/{file}");
        if self.told.contains(name) || Self::FILES.contains(&file) {
            self.once(path, |path| self.host.value(path))
        } else {
            self.host.value(&path)
        }
    }

    fn has(&self, name: &str, file: &str) -> bool {
        let there = |path: &str| self.host.exists(path).then(String::new);
        self.once(format!("{FOLDER}/{name}/{file}"), there).is_some()
    }

    fn driver(&self, name: &str) -> Option<String> {
        self.once(format!("{FOLDER}/{name}/device/driver"), |path| self.host.link_name(path))
    }

    /// Where the device hangs in the tree of devices.
    fn place(&self, name: &str) -> String {
        let place = |path: &str| Some(self.host.link(path).ok()?.to_string_lossy().into_owned());
        self.once(format!("{FOLDER}/{name}"), place).unwrap_or_default()
    }
}

fn interface(
    steady: &Steady<'_>,
    name: &str,
    addresses: &[(String, String)],
    clients: &[&str],
) -> Option<Interface> {
    let host = steady.host;
    let field = |file: &str| steady.field(name, file);
    let mut found =
        parse::interface(name, &steady.place(name), field, |file| steady.has(name, file))?;
    found.driver = steady.driver(name);
    found.addresses = addresses
        .iter()
        .filter(|(interface, _)| interface == name)
        .map(|(_, address)| address.clone())
        .collect();
    found.addresses.sort_unstable();
    found.addresses.dedup();
    if parse::is_inner_end(&found) {
        return None;
    }
    let index = field("ifindex").unwrap_or_default();
    let connection = clients
        .contains(&NETWORK_MANAGER)
        .then(|| value(host, &format!("{NETWORK_MANAGER}/{index}"), "connection-uuid"))
        .flatten();
    found.dhcp = is_leased(host, &found, clients, &index, connection.as_deref()).then_some(true);
    if found.kind == Some(InterfaceKind::Wifi) {
        found.wifi_ssid = connection.and_then(|uuid| ssid(host, &uuid));
    }
    Some(found)
}

fn value(host: &Host, path: &str, key: &str) -> Option<String> {
    parse::value_of(&text(host, path), key).map(str::to_owned)
}

/// Interface and address with prefix length.
fn addresses_v4(
    steady: &Steady<'_>,
    names: &[String],
    routes: &str,
) -> Result<Vec<(String, String)>, Note> {
    let host = steady.host;
    if !host.is_live() {
        let captured = host.captured_call("addresses").unwrap_or_default();
        let pairs = captured.lines().filter_map(|line| line.split_once(' '));
        return Ok(pairs.map(|(name, address)| (name.to_owned(), address.to_owned())).collect());
    }
    // These tell of every change of an address, and are read at a fraction of the cost.
    let tables = || {
        let numbers = names.iter().map(|name| {
            let number = steady.field(name, "ifindex").unwrap_or_default();
            format!("{name} {number}")
        });
        let mut tables: Vec<String> = numbers.collect();
        tables.push(host.value("/proc/net/fib_trie")?);
        tables.push(routes.to_owned());
        Some(tables)
    };
    let before = host.keep("IPv4 addresses", |_| Mutex::new((None, Vec::new())));
    let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
    let now = tables();
    if now.is_some() && before.0 == now {
        return Ok(before.1.clone());
    }
    let networks = sysinfo::Networks::new_with_refreshed_list().map_err(|error| {
        let why = format!("the IPv4 addresses could not be read: {error}");
        Note::new(NoteKind::Failed).with_detail(why)
    })?;
    let mut found = Vec::new();
    for (name, data) in &networks {
        for network in data.ip_networks() {
            if matches!(network.addr, IpAddr::V4(_)) {
                found.push((name.to_string_lossy().into_owned(), format!("{}/{}", network.addr, network.prefix)));
            }
        }
    }
    *before = (now, found.clone());
    Ok(found)
}

/// Whether any of the usual clients holds a lease for an address in use.
fn is_leased(
    host: &Host,
    interface: &Interface,
    clients: &[&str],
    index: &str,
    connection: Option<&str>,
) -> bool {
    let name = &interface.name;
    let of_client = [
        (NETWORKD, index.to_owned()),
        (DHCLIENT[0], format!("dhclient.{name}.leases")),
        (DHCLIENT[0], "dhclient.leases".to_owned()),
        (DHCLIENT[1], format!("dhclient--{name}.lease")),
    ];
    let here = of_client.iter().filter(|(place, _)| clients.contains(place));
    let mut files: Vec<String> = here.map(|(place, file)| format!("{place}/{file}")).collect();
    if let Some(uuid) = connection {
        files.push(format!("/var/lib/NetworkManager/internal-{uuid}-{name}.lease"));
        files.push(format!("/var/lib/NetworkManager/dhclient-{uuid}-{name}.lease"));
    }
    !interface.addresses.is_empty()
        && files.iter().any(|file| parse::is_leased(&text(host, file), &interface.addresses))
}

/// Name of the wireless network of a connection. The same files hold its password, so nothing
/// but the one line is kept.
fn ssid(host: &Host, uuid: &str) -> Option<String> {
    let names = host.list(CONNECTIONS).ok()?;
    names.iter().find_map(|name| {
        let text = host.read_text(&format!("{CONNECTIONS}/{name}")).ok()?;
        (parse::value_of(&text, "uuid") == Some(uuid)).then_some(())?;
        parse::value_of(&text, "ssid").map(str::to_owned)
    })
}

/// What programs are told of name servers, and of the domain of this computer.
pub(crate) fn resolv_conf(host: &Host) -> Arc<String> {
    host.keep("resolv.conf", |host| text(host, "/etc/resolv.conf"))
}

fn resolvers(host: &Host) -> (Vec<String>, Vec<String>) {
    let (servers, domains) = parse::resolvers(&resolv_conf(host));
    if parse::is_own_stub(&servers) {
        let (behind, more) = parse::resolvers(&text(host, "/run/systemd/resolve/resolv.conf"));
        if !behind.is_empty() {
            return (behind, if domains.is_empty() { more } else { domains });
        }
    }
    (servers, domains)
}
