//! Changes of parts: processors, memory, disks, volumes, network, graphics, batteries.

use rollcall_shared::section::battery::Battery;
use rollcall_shared::section::cpu::Processor;
use rollcall_shared::section::gpu::Gpu;
use rollcall_shared::section::memory::{Memory, MemoryModule};
use rollcall_shared::section::network::{Interface, Network, Route};
use rollcall_shared::section::storage::Disk;
use rollcall_shared::section::volume::Volume;

use super::{Out, join, optional_words};
use crate::domain::hardware::bytes;

pub(super) fn processors(before: &[Processor], after: &[Processor], out: &mut Out) {
    out.list(
        "processor",
        before,
        after,
        |processor| processor.socket.to_string(),
        |processor| Some(processor.model.clone()),
        |subject, a, b, out| {
            let Processor {
                socket: _,
                model,
                vendor,
                cores,
                threads,
                base_mhz,
                max_mhz,
                microcode,
                flags,
            } = a;
            out.value(subject, model, &b.model);
            out.value(&format!("{subject}, maker"), vendor, &b.vendor);
            out.value(&format!("{subject}, cores"), cores, &b.cores);
            out.value(&format!("{subject}, threads"), threads, &b.threads);
            out.value(&format!("{subject}, base MHz"), base_mhz, &b.base_mhz);
            out.value(&format!("{subject}, highest MHz"), max_mhz, &b.max_mhz);
            out.value(&format!("{subject}, microcode"), microcode, &b.microcode);
            out.value(&format!("{subject}, flags"), flags, &b.flags);
        },
    );
}

pub(super) fn memory(before: &Memory, after: &Memory, out: &mut Out) {
    let Memory { total_bytes, installed_bytes, swap_bytes, slots, error_correction, modules } =
        before;
    // Firmware and kernel take a little more or less of it at each start.
    if total_bytes.abs_diff(after.total_bytes) > total_bytes / 32 {
        let words = |bytes| Some(bytes_binary(bytes));
        out.changed("memory", words(*total_bytes), words(after.total_bytes));
    }
    if installed_bytes != &after.installed_bytes {
        let words = |bytes: Option<u64>| bytes.map(bytes_binary);
        out.changed("installed memory", words(*installed_bytes), words(after.installed_bytes));
    }
    if swap_bytes != &after.swap_bytes {
        let words = |bytes| Some(bytes_binary(bytes));
        out.changed("swap", words(*swap_bytes), words(after.swap_bytes));
    }
    out.value("memory slots", slots, &after.slots);
    out.value("error correction", error_correction, &after.error_correction);
    out.list(
        "module",
        modules,
        &after.modules,
        |module| module.locator.clone(),
        describe_module,
        |subject, a, b, out| {
            let MemoryModule {
                locator: _,
                size_bytes,
                kind,
                form_factor,
                speed_mts,
                manufacturer,
                part_number,
                serial,
            } = a;
            let swapped = size_bytes != &b.size_bytes
                || part_number != &b.part_number
                || serial.is_some() && b.serial.is_some() && serial != &b.serial;
            if swapped {
                let full =
                    |module| join([describe_module(module).as_deref(), module.serial.as_deref()]);
                out.changed(subject, full(a), full(b));
                return;
            }
            out.value(&format!("{subject}, kind"), kind, &b.kind);
            out.value(&format!("{subject}, form"), form_factor, &b.form_factor);
            out.value(&format!("{subject}, speed in MT/s"), speed_mts, &b.speed_mts);
            out.value(&format!("{subject}, maker"), manufacturer, &b.manufacturer);
            out.value(&format!("{subject}, serial"), serial, &b.serial);
        },
    );
}

fn describe_module(module: &MemoryModule) -> Option<String> {
    join([
        Some(&bytes_binary(module.size_bytes)),
        module.kind.as_deref(),
        module.manufacturer.as_deref(),
        module.part_number.as_deref(),
    ])
}

/// Memory comes in powers of two; what firmware and kernel take of it is no whole GiB.
fn bytes_binary(size: u64) -> String {
    match size.saturating_add(1 << 29) >> 30 {
        0 => format!("{} MiB", size >> 20),
        gib => format!("{gib} GiB"),
    }
}

pub(super) fn disks(before: &[Disk], after: &[Disk], out: &mut Out) {
    // The name moves between disks when one is added; the serial does not.
    let key = |disk: &Disk| disk.serial.clone().unwrap_or_else(|| disk.name.clone());
    let subject_name = |disk: &Disk| disk.name.clone();
    let describe = |disk: &Disk| {
        join([disk.model.as_deref(), Some(&bytes(disk.size_bytes)), disk.serial.as_deref()])
            .map(|text| format!("{} ({text})", subject_name(disk)))
    };
    out.list("disk", before, after, key, describe, |subject, a, b, out| {
        let Disk {
            // Names are given anew at each start.
            name: _,
            model,
            vendor,
            serial,
            wwn: _,
            firmware,
            size_bytes,
            kind,
            bus,
            removable: _,
            health,
        } = a;
        out.value(&format!("{subject}, model"), model, &b.model);
        out.value(&format!("{subject}, maker"), vendor, &b.vendor);
        out.value(&format!("{subject}, serial"), serial, &b.serial);
        out.value(&format!("{subject}, firmware"), firmware, &b.firmware);
        size(out, &format!("{subject}, size"), Some(*size_bytes), Some(b.size_bytes));
        out.value(&format!("{subject}, kind"), kind, &b.kind);
        out.value(&format!("{subject}, bus"), bus, &b.bus);
        out.value(&format!("{subject}, health"), health, &b.health);
    });
}

pub(super) fn volumes(before: &[Volume], after: &[Volume], out: &mut Out) {
    out.list(
        "volume",
        before,
        after,
        |volume| volume.point.clone(),
        |volume| {
            let size = volume.size_bytes.map(bytes);
            join([volume.device.as_deref(), volume.file_system.as_deref(), size.as_deref()])
        },
        |subject, a, b, out| {
            let Volume {
                point: _,
                device,
                file_system,
                size_bytes,
                label,
                uuid,
                encryption,
                read_only,
                remote,
            } = a;
            out.value(&format!("{subject}, device"), device, &b.device);
            out.value(&format!("{subject}, file system"), file_system, &b.file_system);
            size(out, &format!("{subject}, size"), *size_bytes, b.size_bytes);
            out.value(&format!("{subject}, label"), label, &b.label);
            out.value(&format!("{subject}, UUID"), uuid, &b.uuid);
            out.value(&format!("{subject}, encryption"), encryption, &b.encryption);
            out.value(&format!("{subject}, read-only"), read_only, &b.read_only);
            out.value(&format!("{subject}, remote"), remote, &b.remote);
        },
    );
}

pub(super) fn network(before: &Network, after: &Network, out: &mut Out) {
    let Network { interfaces, default_routes, resolvers, search_domains } = before;
    out.list(
        "interface",
        interfaces,
        &after.interfaces,
        |interface| interface.name.clone(),
        |interface| {
            join([interface.mac.as_deref(), optional_words(&interface.addresses).as_deref()])
        },
        |subject, a, b, out| {
            let Interface {
                name: _,
                kind,
                virtual_interface,
                removable: _,
                up,
                mac,
                permanent_mac,
                speed_mbps,
                mtu,
                driver,
                addresses,
                dhcp,
                wifi_ssid,
            } = a;
            out.value(&format!("{subject}, kind"), kind, &b.kind);
            out.value(&format!("{subject}, virtual"), virtual_interface, &b.virtual_interface);
            out.value(&format!("{subject}, up"), up, &b.up);
            out.value(&format!("{subject}, MAC address"), mac, &b.mac);
            out.value(
                &format!("{subject}, permanent MAC address"),
                permanent_mac,
                &b.permanent_mac,
            );
            out.value(&format!("{subject}, speed in Mbit/s"), speed_mbps, &b.speed_mbps);
            out.value(&format!("{subject}, MTU"), mtu, &b.mtu);
            out.value(&format!("{subject}, driver"), driver, &b.driver);
            out.value(&format!("{subject}, addresses"), addresses, &b.addresses);
            out.value(&format!("{subject}, DHCP"), dhcp, &b.dhcp);
            out.value(&format!("{subject}, wireless network"), wifi_ssid, &b.wifi_ssid);
        },
    );
    let routes = |routes: &[Route]| {
        let words: Vec<String> = routes
            .iter()
            .map(|Route { gateway, interface }| {
                format!("{} by {interface}", gateway.as_deref().unwrap_or("directly"))
            })
            .collect();
        optional_words(&words)
    };
    out.changed("default route", routes(default_routes), routes(&after.default_routes));
    out.value("DNS resolvers", resolvers, &after.resolvers);
    out.value("DNS search domains", search_domains, &after.search_domains);
}

pub(super) fn gpus(before: &[Gpu], after: &[Gpu], out: &mut Out) {
    out.list(
        "graphics",
        before,
        after,
        |gpu| gpu.pci_address.clone().unwrap_or_else(|| gpu.name.clone()),
        |gpu| Some(gpu.name.clone()),
        |subject, a, b, out| {
            let Gpu { name, vendor, pci_id: _, pci_address: _, driver, memory_bytes } = a;
            out.value(subject, name, &b.name);
            out.value(&format!("{subject}, maker"), vendor, &b.vendor);
            out.value(&format!("{subject}, driver"), driver, &b.driver);
            size(out, &format!("{subject}, memory"), *memory_bytes, b.memory_bytes);
        },
    );
}

pub(super) fn batteries(before: &[Battery], after: &[Battery], out: &mut Out) {
    out.list(
        "battery",
        before,
        after,
        |battery| battery.name.clone(),
        describe_battery,
        |subject, a, b, out| {
            let Battery {
                name: _,
                manufacturer,
                model,
                serial,
                chemistry,
                design_capacity_mwh,
                // Wear: these move all the time and are read from the section, not from its past.
                full_capacity_mwh: _,
                cycles: _,
            } = a;
            if serial.is_some() && b.serial.is_some() && serial != &b.serial {
                out.changed(subject, describe_battery(a), describe_battery(b));
                return;
            }
            out.value(&format!("{subject}, maker"), manufacturer, &b.manufacturer);
            out.value(&format!("{subject}, model"), model, &b.model);
            out.value(&format!("{subject}, serial"), serial, &b.serial);
            out.value(&format!("{subject}, chemistry"), chemistry, &b.chemistry);
            let design = design_capacity_mwh;
            out.value(&format!("{subject}, capacity in mWh"), design, &b.design_capacity_mwh);
        },
    );
}

fn describe_battery(battery: &Battery) -> Option<String> {
    join([battery.manufacturer.as_deref(), battery.model.as_deref(), battery.serial.as_deref()])
}

fn size(out: &mut Out, subject: &str, before: Option<u64>, after: Option<u64>) {
    if before != after {
        out.changed(subject, before.map(bytes), after.map(bytes));
    }
}
