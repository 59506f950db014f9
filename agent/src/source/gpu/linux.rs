//! Reads `/sys/bus/pci/devices` and, for adapters on no such bus, `/sys/class/drm`.

use rollcall_shared::section::{Gpu, Section};

use super::parse::{self, PciDevice};
use crate::host::Host;
use crate::source::Gathered;

const PCI: &str = "/sys/bus/pci/devices";
const DRM: &str = "/sys/class/drm";
/// Where distributions keep the list of names.
const NAMES: &[&str] =
    &["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/var/lib/pciutils/pci.ids"];

pub(crate) fn gather(host: &Host) -> Gathered {
    let devices: Vec<PciDevice> = host
        .list(PCI)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|address| pci_device(host, address))
        .collect();
    let names = if devices.is_empty() {
        String::new()
    } else {
        NAMES.iter().find_map(|path| host.read_text(path).ok()).unwrap_or_default()
    };
    let mut found: Vec<Gpu> =
        devices.into_iter().map(|device| parse::gpu(device, &names)).collect();
    if found.is_empty() {
        found = built_in(host);
    }
    Gathered::of(Section::Gpu(found))
}

fn pci_device(host: &Host, address: String) -> Option<PciDevice> {
    let value = |file: &str| host.value(&format!("{PCI}/{address}/{file}"));
    if !parse::is_display(&value("class")?) {
        return None;
    }
    let information = format!("/proc/driver/nvidia/gpus/{address}/information");
    Some(PciDevice {
        vendor: parse::hex_id(&value("vendor")?)?,
        device: parse::hex_id(&value("device")?)?,
        driver: host.link_name(&format!("{PCI}/{address}/driver")),
        memory_bytes: value("mem_info_vram_total").and_then(|bytes| bytes.parse().ok()),
        driver_name: host.read_text(&information).ok().and_then(|text| parse::nvidia_model(&text)),
        address,
    })
}

/// Adapters that are a part of the chip, as on single-board computers.
fn built_in(host: &Host) -> Vec<Gpu> {
    let cards = host.list(DRM).unwrap_or_default();
    let is_card = |name: &&String| {
        name.strip_prefix("card").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let card = |name: &String| {
        let driver = host.link_name(&format!("{DRM}/{name}/device/driver"))?;
        let compatible = host.value(&format!("{DRM}/{name}/device/of_node/compatible"));
        let name = compatible
            .as_deref()
            .and_then(|text| text.split('\0').next())
            .map_or_else(|| driver.clone(), str::to_owned);
        Some(Gpu { name, driver: Some(driver), ..Gpu::default() })
    };
    cards.iter().filter(is_card).filter_map(card).collect()
}
