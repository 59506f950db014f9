//! What the firmware of a Windows computer says of it, and its names from the registry.

use rollcall_shared::section::system::{Board, Chassis};
use rollcall_shared::section::{Section, System};

use super::guest::{Evidence, virtualization};
use super::parse;
use crate::host::Host;
use crate::smbios::{self, Described};
use crate::source::{Gathered, Platform, Privilege, Source};

const TCPIP: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
const COMPUTER_NAME: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName";

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "firmware_table",
    section: "system",
    about: "Names and numbers from the firmware's table (SMBIOS), host name and domain from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let table = host.firmware_table();
    let (described, notes) = match table {
        Ok(table) => (smbios::parse(&table).described, Vec::new()),
        Err(error) => (Described::default(), vec![error.into()]),
    };
    let mut system = system(&described);
    let tcpip = host.registry(TCPIP).unwrap_or_default();
    let name = || host.registry(COMPUTER_NAME).ok()?.text("ComputerName");
    let hostname = tcpip.text("Hostname").or_else(|| tcpip.text("NV Hostname")).or_else(name);
    system.hostname = hostname.unwrap_or_default();
    // A computer of a domain has its name; one that got a name by DHCP has that.
    system.domain = tcpip.text("Domain").or_else(|| tcpip.text("DhcpDomain"));
    system.fqdn = system.domain.as_ref().map(|domain| format!("{}.{domain}", system.hostname));
    Gathered { section: Some(Section::System(system)), notes }
}

fn system(described: &Described) -> System {
    let (model, sku) = parse::model_and_sku(
        described.manufacturer.as_deref(),
        described.product.clone(),
        described.version.clone(),
        described.sku.clone(),
    );
    let board = Board {
        manufacturer: described.board_manufacturer.clone(),
        model: described.board_product.clone(),
        serial: described.board_serial.clone(),
    };
    let guest = virtualization(&Evidence {
        vendor: described.manufacturer.clone(),
        product: described.product.clone(),
        bios_vendor: described.bios_vendor.clone(),
        first_namespace: Some(true),
        ..Evidence::default()
    });
    System {
        chassis: match &guest {
            Some(_) => Some(Chassis::VirtualMachine),
            None => described.chassis.and_then(|code| parse::chassis(&code.to_string())),
        },
        manufacturer: described.manufacturer.clone(),
        model,
        sku,
        family: described.family.clone(),
        serial: described.serial.clone(),
        uuid: described.uuid.clone(),
        asset_tag: described.asset_tag.clone(),
        board: (board != Board::default()).then_some(board),
        virtualization: guest,
        ..System::default()
    }
}
