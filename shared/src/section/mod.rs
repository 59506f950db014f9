//! The sections of a report, each named once, here.
//!
//! A section holds facts that change only when the computer changes; what moves all the time is
//! in [`crate::report::Vitals`].

pub mod battery;
pub mod bus;
pub mod certificate;
pub mod cpu;
pub mod display;
pub mod firmware;
pub mod gpu;
pub mod guest;
pub mod memory;
pub mod network;
pub mod os;
pub mod peripheral;
pub mod pool;
pub mod port;
pub mod product;
pub mod security;
pub mod service;
pub mod software;
pub mod storage;
pub mod system;
pub mod update;
pub mod user;
pub mod volume;

pub use battery::Battery;
pub use bus::{PciDevice, UsbDevice};
pub use certificate::Certificate;
pub use cpu::Processor;
pub use display::Display;
pub use firmware::Firmware;
pub use gpu::Gpu;
pub use guest::{Container, VirtualMachine};
pub use memory::Memory;
pub use network::Network;
pub use os::Os;
pub use peripheral::{Audio, Camera, Input, Printer};
pub use pool::Pool;
pub use port::Port;
pub use product::{Manager, Product};
pub use security::Security;
pub use service::Service;
pub use software::Software;
pub use storage::Disk;
pub use system::System;
pub use update::Update;
pub use user::Users;
pub use volume::Volume;

/// What a section is called and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionInfo {
    /// Name on the wire, in the store and on pages, e.g. `software`.
    pub name: &'static str,
    /// What it holds, in one sentence.
    pub about: &'static str,
}

macro_rules! sections {
    ($( $variant:ident $name:literal $body:ty, $about:literal; )*) => {
        /// Every section this version knows, in the order people read them.
        pub const SECTIONS: &[SectionInfo] =
            &[$( SectionInfo { name: $name, about: $about }, )*];

        /// The body of a section this version knows.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Section {
            $( #[doc = $about] $variant($body), )*
        }

        impl Section {
            /// Name on the wire.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $name, )* }
            }

            /// The body as the bytes that are sent and digested.
            pub fn to_json(&self) -> serde_json::Result<Box<serde_json::value::RawValue>> {
                match self { $( Self::$variant(body) => serde_json::value::to_raw_value(body), )* }
            }

            /// Reads the body of the named section; `None` for a section this version does not know.
            pub fn from_json(name: &str, json: &str) -> Option<serde_json::Result<Self>> {
                match name {
                    $( $name => Some(serde_json::from_str::<$body>(json).map(Self::$variant)), )*
                    _ => None,
                }
            }
        }

        /// All section bodies side by side, for the JSON schema of a report.
        #[cfg(feature = "schema")]
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, non_snake_case, reason = "read by the schema generator only")]
        pub(crate) struct AllSections {
            $( #[doc = $about] #[schemars(rename = $name)] $variant: Option<$body>, )*
        }
    };
}

sections! {
    System "system" System, "What this computer is: name, maker, model, serial numbers, kind";
    Firmware "firmware" Firmware, "BIOS or UEFI, secure boot, TPM";
    Os "os" Os, "The operating system as it names itself";
    Cpu "cpu" Vec<Processor>, "Processors, one entry per socket";
    Memory "memory" Memory, "Main memory and its modules";
    Storage "storage" Vec<Disk>, "Disks";
    Volume "volume" Vec<Volume>, "Mounted file systems";
    Network "network" Network, "Interfaces, routes, resolvers";
    Gpu "gpu" Vec<Gpu>, "Graphics adapters";
    Battery "battery" Vec<Battery>, "Batteries";
    User "user" Users, "Accounts and groups";
    Software "software" Vec<Software>, "Installed software";
    Update "update" Update, "Updates that wait";
    Security "security" Security, "Firewall, malware protection, confinement, remote access";
    Service "service" Vec<Service>, "Services and what starts them";
    Port "port" Vec<Port>, "Sockets that wait for others";
    Display "display" Vec<Display>, "Displays that are attached";
    Pci "pci" Vec<PciDevice>, "Devices on the PCI bus";
    Usb "usb" Vec<UsbDevice>, "Devices on the USB";
    Audio "audio" Vec<Audio>, "Sound cards";
    Camera "camera" Vec<Camera>, "Cameras";
    Input "input" Vec<Input>, "Keyboards, pointers and the like";
    Printer "printer" Vec<Printer>, "Printer queues";
    Certificate "certificate" Vec<Certificate>,
        "Certificates added to those trusted, and certificates of servers; never keys";
    Container "container" Vec<Container>, "Containers that live on this computer";
    VirtualMachine "virtual_machine" Vec<VirtualMachine>,
        "Virtual machines that live on this computer";
    Database "database" Vec<Product>, "Database servers";
    RemoteAccess "remote_access" Vec<Product>, "Programs that let others use this computer";
    Management "management" Vec<Manager>,
        "Directories this computer joined, and what sets it up";
    Pool "pool" Vec<Pool>, "Volume groups, RAID arrays and pools between disks and file systems";
}
