//! Printer queues of a Windows computer, as its spooler keeps them in the registry.

use rollcall_shared::section::{Printer, Section};

use super::parse;
use crate::host::Host;
use crate::order;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const PRINTERS: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Print\Printers";
const PORTS: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Control\Print\Monitors\Standard TCP/IP Port\Ports";
/// `PRINTER_ATTRIBUTE_SHARED`.
const SHARED: u64 = 0x8;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "spooler",
    section: "printer",
    about: r"Printer queues of the whole computer from the registry (Control\Print\Printers), without names and passwords",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let keys = match host.registry_below(PRINTERS) {
        Ok(keys) => keys,
        Err(error) => return Gathered::absent(error.into()),
    };
    let queue = |(name, key): &(String, Key)| {
        let port = key.text("Port");
        let network =
            port.as_ref().and_then(|port| host.registry(&format!(r"{PORTS}\{port}")).ok());
        printer(name, key, network.as_ref())
    };
    let mut rows: Vec<Printer> = keys.iter().map(queue).collect();
    order::sort(&mut rows, Ord::cmp);
    Gathered::of(Section::Printer(rows))
}

fn printer(name: &str, key: &Key, network: Option<&Key>) -> Printer {
    let by_network = network.and_then(|key| {
        let host = key.text("HostName").or_else(|| key.text("IPAddress"))?;
        // 1 is raw (usually port 9100), 2 is LPR with the name of a queue.
        match key.number("Protocol") {
            Some(2) => Some(match key.text("Queue") {
                Some(queue) => format!("lpd://{host}/{queue}"),
                None => format!("lpd://{host}"),
            }),
            _ => Some(match key.number("PortNumber") {
                Some(port) => format!("socket://{host}:{port}"),
                None => format!("socket://{host}"),
            }),
        }
    });
    let address = match (by_network, key.text("Port")) {
        (Some(address), _) => parse::address(&address),
        // Printing over the Internet has a whole address here, with what lets one in.
        (None, Some(port)) if port.contains("://") => parse::address(&port),
        (None, port) => port,
    };
    Printer {
        name: key.text("Name").unwrap_or_else(|| name.to_owned()),
        description: key.text("Description"),
        location: key.text("Location"),
        model: key.text("Printer Driver"),
        address,
        serial: None,
        // Each person has a choice of their own.
        is_default: false,
        shared: key.number("Attributes").is_some_and(|attributes| attributes & SHARED != 0),
    }
}
