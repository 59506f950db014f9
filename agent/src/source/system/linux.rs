//! Reads `/sys/class/dmi/id`, the device tree, and the signs of a hypervisor or container.

use std::sync::Arc;

use rollcall_shared::section::system::{Board, Chassis, System, VirtualizationRole};
use rollcall_shared::section::Section;
use rollcall_shared::{Note, NoteKind};

use super::guest::{self, Evidence};
use super::parse;
use crate::host::{Host, HostError};
use crate::source::Gathered;
use crate::source::network::resolv_conf;
use crate::source::os::running_kernel;
use crate::source::processes::has_threads_of_the_kernel;

const DMI: &str = "/sys/class/dmi/id";
const TREE: &str = "/proc/device-tree";
/// Number of the first process namespace of every kernel.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

pub(crate) fn gather(host: &Host) -> Gathered {
    let board = host.keep_of_devices("board", |host| {
        let mut reader = Reader { host, denied: Vec::new() };
        let mut system = from_dmi(&mut reader);
        from_device_tree(host, &mut system);
        (system, reader.denied)
    });
    let (mut system, denied) = (board.0.clone(), &board.1);

    let hostname = host
        .value("/proc/sys/kernel/hostname")
        .or_else(|| host.value("/etc/hostname"))
        .unwrap_or_default();
    let hosts = host.keep("hosts", |host| host.read_text("/etc/hosts").unwrap_or_default());
    let resolv_conf = resolv_conf(host);
    (system.hostname, system.fqdn, system.domain) = parse::names(&hostname, &hosts, &resolv_conf);

    let vendor = system.manufacturer.clone();
    system.virtualization =
        guest::virtualization(&Evidence { vendor, ..Evidence::clone(&evidence(host)) });
    match system.virtualization.as_ref().and_then(|guest| guest.role.as_ref()) {
        Some(VirtualizationRole::Container) => {
            // Numbers of the host's board would make every container on it the same computer.
            system.chassis = Some(Chassis::Container);
            (system.serial, system.uuid, system.board, system.asset_tag) = (None, None, None, None);
        }
        Some(_) => system.chassis = Some(Chassis::VirtualMachine),
        None => {}
    }
    system.cloud_instance_id = host
        .value("/var/lib/cloud/data/instance-id")
        .and_then(|text| parse::cloud_instance_id(&text));

    let notes = if denied.is_empty() {
        Vec::new()
    } else {
        let detail =
            format!("only an administrator may read {} in {DMI}", denied.join(", "));
        vec![Note::new(NoteKind::NeedsPrivilege).with_detail(detail)]
    };
    Gathered { section: Some(Section::System(system)), notes }
}

/// Whether this system runs on the kernel of another one.
pub(crate) fn is_container(host: &Host) -> bool {
    let found = guest::virtualization(&evidence(host));
    found.and_then(|guest| guest.role) == Some(VirtualizationRole::Container)
}

struct Reader<'a> {
    host: &'a Host,
    denied: Vec<&'static str>,
}

impl Reader<'_> {
    fn dmi(&mut self, file: &'static str) -> Option<String> {
        match self.host.read_text(&format!("{DMI}/{file}")) {
            Ok(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Err(HostError::Denied { .. }) => {
                self.denied.push(file);
                None
            }
            Err(_) => None,
        }
    }
}

fn from_dmi(reader: &mut Reader<'_>) -> System {
    let manufacturer = reader.dmi("sys_vendor");
    let (model, sku) = parse::model_and_sku(
        manufacturer.as_deref(),
        reader.dmi("product_name"),
        reader.dmi("product_version"),
        reader.dmi("product_sku"),
    );
    let board = Board {
        manufacturer: reader.dmi("board_vendor"),
        model: reader.dmi("board_name"),
        serial: reader.dmi("board_serial"),
    };
    System {
        chassis: reader.dmi("chassis_type").and_then(|code| parse::chassis(&code)),
        manufacturer,
        model,
        sku,
        family: reader.dmi("product_family"),
        serial: reader.dmi("product_serial").or_else(|| reader.dmi("chassis_serial")),
        uuid: reader.dmi("product_uuid").and_then(|text| parse::uuid(&text)),
        asset_tag: reader.dmi("chassis_asset_tag"),
        board: (board != Board::default()).then_some(board),
        ..System::default()
    }
}

fn from_device_tree(host: &Host, system: &mut System) {
    let property =
        |name: &str| host.read_text(&format!("{TREE}/{name}")).ok().and_then(|text| parse::first_text(&text));
    let Some(model) = property("model") else { return };
    if system.model.is_some() {
        return;
    }
    system.manufacturer = parse::board_maker(&model, property("compatible").as_deref());
    system.serial = system.serial.take().or_else(|| property("serial-number"));
    system.chassis = property("chassis-type")
        .and_then(|word| parse::chassis_word(&word))
        .or(Some(Chassis::EmbeddedDevice));
    system.model = Some(model);
}

/// All evidence but the maker. A computer that runs does not become a guest.
fn evidence(host: &Host) -> Arc<Evidence> {
    host.keep_while_running("evidence of a guest", look_for_evidence)
}

fn look_for_evidence(host: &Host) -> Evidence {
    let environment = host.read_text("/proc/1/environ").unwrap_or_default();
    let manager = || {
        environment.split('\0').find_map(|pair| pair.strip_prefix("container=")).map(str::to_owned)
    };
    let namespace = host.link("/proc/self/ns/pid").ok();
    // Threads of the kernel are seen only from its first namespace.
    let kernel_threads = has_threads_of_the_kernel(host);
    Evidence {
        manager: host.value("/run/systemd/container").or_else(manager).filter(|word| !word.is_empty()),
        first_namespace: namespace
            .map(|name| kernel_threads || name.as_os_str() == FIRST_NAMESPACE)
            .or_else(|| kernel_threads.then_some(true)),
        docker_file: host.exists("/.dockerenv"),
        podman_file: host.exists("/run/.containerenv"),
        cgroup: host.read_text("/proc/1/cgroup").ok(),
        kernel: running_kernel(host),
        vendor: None,
        product: host.value(&format!("{DMI}/product_name")),
        bios_vendor: host.value(&format!("{DMI}/bios_vendor")),
        hypervisor_flag: *host.keep_of_devices("hypervisor flag", |host| {
            let text = host.read_text("/proc/cpuinfo").unwrap_or_default();
            let flags = text.lines().find(|line| line.starts_with("flags"));
            flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
        }),
        hypervisor_type: host.value("/sys/hypervisor/type"),
        xen_control: host
            .value("/proc/xen/capabilities")
            .is_some_and(|text| text.contains("control_d")),
        clocks: host.value("/sys/devices/system/clocksource/clocksource0/available_clocksource"),
        device_tree: host.value(&format!("{TREE}/hypervisor/compatible")),
    }
}
