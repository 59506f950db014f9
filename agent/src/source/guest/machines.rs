//! Where programs keep their virtual machines.

use std::cell::LazyCell;

use rollcall_shared::section::VirtualMachine;

use super::{Search, groups, has_groups, parse};

pub(super) fn libvirt(search: &mut Search<'_, VirtualMachine>) {
    for (kind, folder) in [("qemu", "/etc/libvirt/qemu"), ("xen", "/etc/libvirt/libxl")] {
        let running = search.host.list(&format!("/run/libvirt/{kind}")).ok();
        let automatic = search.host.list(&format!("{folder}/autostart")).unwrap_or_default();
        for file in search.list(folder) {
            let Some(name) = file.strip_suffix(".xml") else { continue };
            match search.host.read_text(&format!("{folder}/{file}")) {
                Ok(text) => {
                    let running = running.as_ref().map(|files| {
                        files.contains(&format!("{name}.pid")) || files.contains(&file)
                    });
                    let automatic = Some(automatic.contains(&file));
                    let machine = parse::libvirt(&text);
                    search.found.extend(machine.map(|it| VirtualMachine {
                        running,
                        automatic,
                        ..it
                    }));
                }
                Err(error) => search.missed(error),
            }
        }
    }
}

pub(super) fn proxmox(search: &mut Search<'_, VirtualMachine>) {
    let folder = "/etc/pve/qemu-server";
    for file in search.list(folder) {
        let Some(number) = file.strip_suffix(".conf") else { continue };
        match search.host.read_text(&format!("{folder}/{file}")) {
            Ok(text) => {
                let pid = format!("/run/qemu-server/{number}.pid");
                let running =
                    search.host.exists("/run/qemu-server").then(|| search.host.exists(&pid));
                let machine = parse::proxmox_machine(number, &text);
                search.found.push(VirtualMachine { running, ..machine });
            }
            Err(error) => search.missed(error),
        }
    }
}

pub(super) fn folders(search: &mut Search<'_, VirtualMachine>) {
    const PLACES: &[(&str, &str)] = &[
        ("lxd", "/var/snap/lxd/common/lxd/virtual-machines"),
        ("lxd", "/var/lib/lxd/virtual-machines"),
        ("incus", "/var/lib/incus/virtual-machines"),
    ];
    let host = search.host;
    // Asked only where there is one.
    let running = LazyCell::new(|| has_groups(host).then(|| groups(host)));
    for (manager, folder) in PLACES {
        for name in search.list(folder) {
            let group = format!("lxc.payload.{name}");
            let pid = format!("/run/{manager}/{name}/qemu.pid");
            let running = running
                .as_ref()
                .map(|names| names.contains(&group) || search.host.exists(&pid))
                // Whether a machine runs is told by no group of its own everywhere.
                .filter(|runs| *runs);
            search.found.push(VirtualMachine {
                name,
                manager: (*manager).to_owned(),
                kind: Some("kvm".to_owned()),
                running,
                ..VirtualMachine::default()
            });
        }
    }
}
