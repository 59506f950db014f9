//! What is attached to PCI and USB, with names from the system's own lists where it has them.

mod macos;
mod pci;
mod usb;
mod windows;

pub use macos::{PCI_MACOS, USB_MACOS};
pub(crate) use macos::{
    pci_address, pci_class, pci_id, usb_classes, usb_entries, usb_id, usb_name,
};
pub use pci::PCI;
pub use usb::USB;
pub use windows::{PCI_WINDOWS, USB_WINDOWS};

/// `0x8086` or `8086` as `8086`.
fn digits(text: &str) -> Option<String> {
    let digits = text.trim().trim_start_matches("0x");
    let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| digits.to_ascii_lowercase())
}
