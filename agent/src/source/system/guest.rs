//! Whether this computer is a guest, and of what.
//!
//! Two mistakes are common: a virtual machine whose disk was made from a container image is called
//! a container because of a left-over `/.dockerenv`, and a container is called a virtual machine
//! because its host is one. So a container needs a process namespace of its own, or its manager's
//! word; only then come the signs of a hypervisor.

use rollcall_shared::section::system::{Virtualization, VirtualizationRole};

/// What is known, each as it was read.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was seen or not")]
pub struct Evidence {
    /// `/run/systemd/container`, or `container=` in the environment of the first process.
    pub manager: Option<String>,
    /// Whether this process lives in the first process namespace of its kernel.
    pub first_namespace: Option<bool>,
    /// `/.dockerenv` is there.
    pub docker_file: bool,
    /// `/run/.containerenv` is there.
    pub podman_file: bool,
    /// `/proc/1/cgroup`.
    pub cgroup: Option<String>,
    /// `/proc/sys/kernel/osrelease`.
    pub kernel: Option<String>,
    /// `sys_vendor` of the firmware.
    pub vendor: Option<String>,
    /// `product_name` of the firmware.
    pub product: Option<String>,
    /// `bios_vendor` of the firmware.
    pub bios_vendor: Option<String>,
    /// The processor says that a hypervisor runs it.
    pub hypervisor_flag: bool,
    /// `/sys/hypervisor/type`.
    pub hypervisor_type: Option<String>,
    /// This is the first system on a Xen hypervisor, which owns the hardware.
    pub xen_control: bool,
    /// `available_clocksource`.
    pub clocks: Option<String>,
    /// `compatible` of the hypervisor in the device tree.
    pub device_tree: Option<String>,
}

/// What it is a guest of.
pub fn virtualization(evidence: &Evidence) -> Option<Virtualization> {
    let told = |kind: &str, role| Some(Virtualization { kind: kind.to_owned(), role: Some(role) });
    if let Some(kind) = container(evidence) {
        return told(&kind, VirtualizationRole::Container);
    }
    if let Some(role) = wsl(evidence) {
        return told("wsl", role);
    }
    told(virtual_machine(evidence)?, VirtualizationRole::VirtualMachine)
}

fn container(evidence: &Evidence) -> Option<String> {
    if evidence.first_namespace == Some(true) {
        return None;
    }
    if let Some(manager) = evidence.manager.as_deref() {
        // Inside WSL the word is the same, but it is no container.
        return (manager != "wsl").then(|| manager.to_owned());
    }
    let cgroup = evidence.cgroup.as_deref().unwrap_or_default();
    let by_cgroup = [
        ("/docker", "docker"),
        ("/kubepods", "kubernetes"),
        ("/libpod", "podman"),
        ("/lxc", "lxc"),
        ("/machine.slice/machine-", "systemd-nspawn"),
    ];
    if let Some((_, kind)) = by_cgroup.iter().find(|(sign, _)| cgroup.contains(sign)) {
        return Some((*kind).to_owned());
    }
    // Files alone prove nothing in a disk that does not run.
    let own_namespace = evidence.first_namespace == Some(false);
    match (own_namespace, evidence.podman_file, evidence.docker_file) {
        (true, true, _) => Some("podman".to_owned()),
        (true, _, true) => Some("docker".to_owned()),
        _ => None,
    }
}

fn wsl(evidence: &Evidence) -> Option<VirtualizationRole> {
    let kernel = evidence.kernel.as_deref()?.to_ascii_lowercase();
    if kernel.contains("wsl2") {
        return Some(VirtualizationRole::VirtualMachine);
    }
    // The first generation has no kernel of its own.
    kernel.ends_with("-microsoft").then_some(VirtualizationRole::Container)
}

fn virtual_machine(evidence: &Evidence) -> Option<&'static str> {
    if evidence.xen_control {
        return None;
    }
    let vendor = evidence.vendor.as_deref().unwrap_or_default();
    let product = evidence.product.as_deref().unwrap_or_default();
    let bios = evidence.bios_vendor.as_deref().unwrap_or_default();
    let starts = |text: &str| [vendor, product, bios].iter().any(|one| one.starts_with(text));
    let kvm_clock = evidence.clocks.as_deref().is_some_and(|text| text.contains("kvm-clock"));

    if starts("Amazon EC2") {
        let metal = product.split_once('.').is_some_and(|(_, size)| size.starts_with("metal"));
        return (!metal).then_some("amazon");
    }
    let known = [
        ("VMware", "vmware"),
        ("VMW", "vmware"),
        ("VirtualBox", "virtualbox"),
        ("innotek GmbH", "virtualbox"),
        ("Parallels", "parallels"),
        ("BHYVE", "bhyve"),
        ("Xen", "xen"),
        ("HVM domU", "xen"),
        ("Google Compute Engine", "google"),
        ("Apple Virtualization", "apple"),
        ("KVM", "kvm"),
        ("KubeVirt", "kvm"),
        ("OpenStack", "kvm"),
        ("Nutanix AHV", "kvm"),
        ("Alibaba Cloud", "kvm"),
        ("Hetzner vServer", "kvm"),
        ("DigitalOcean", "kvm"),
    ];
    if let Some((_, kind)) = known.iter().find(|(sign, _)| starts(sign)) {
        return Some(kind);
    }
    if vendor == "Microsoft Corporation" && product == "Virtual Machine" {
        return Some("hyper-v");
    }
    if vendor == "Hetzner" && product == "vServer" {
        return Some("kvm");
    }
    if starts("QEMU") || starts("Bochs") {
        // Without the clock of KVM it is emulated; on ARM there is no such clock to see.
        return Some(if kvm_clock || !evidence.hypervisor_flag { "kvm" } else { "qemu" });
    }
    if let Some(compatible) = evidence.device_tree.as_deref() {
        return Some(if compatible.contains("xen") { "xen" } else { "kvm" });
    }
    if evidence.hypervisor_type.as_deref() == Some("xen") {
        return Some("xen");
    }
    if !evidence.hypervisor_flag {
        return None;
    }
    let clocks = evidence.clocks.as_deref().unwrap_or_default();
    Some(match () {
        () if kvm_clock => "kvm",
        () if clocks.contains("hyperv") => "hyper-v",
        () if clocks.contains("xen") => "xen",
        () => "other",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(evidence: &Evidence) -> String {
        virtualization(evidence)
            .map(|found| format!("{} {:?}", found.kind, found.role))
            .unwrap_or_default()
    }

    fn machine(kind: &str) -> String {
        format!("{kind} {:?}", Some(VirtualizationRole::VirtualMachine))
    }

    fn container(kind: &str) -> String {
        format!("{kind} {:?}", Some(VirtualizationRole::Container))
    }

    #[test]
    fn a_kvm_guest_made_from_a_docker_image_is_a_kvm_guest() {
        let evidence = Evidence {
            first_namespace: Some(true),
            docker_file: true,
            cgroup: Some("0::/\n".to_owned()),
            hypervisor_flag: true,
            clocks: Some("tsc kvm-clock ".to_owned()),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), machine("kvm"));
    }

    #[test]
    fn a_container_on_a_vmware_guest_is_a_container() {
        let evidence = Evidence {
            first_namespace: Some(false),
            docker_file: true,
            cgroup: Some("0::/\n".to_owned()),
            vendor: Some("VMware, Inc.".to_owned()),
            hypervisor_flag: true,
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), container("docker"));
    }

    #[test]
    fn a_host_of_containers_is_none_itself() {
        let evidence = Evidence {
            first_namespace: Some(true),
            cgroup: Some("0::/init.scope\n".to_owned()),
            vendor: Some("Dell Inc.".to_owned()),
            product: Some("PowerEdge R650".to_owned()),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), "");
    }

    #[test]
    fn firmware_names_the_hypervisor() {
        let with = |vendor: &str, product: &str| Evidence {
            first_namespace: Some(true),
            vendor: Some(vendor.to_owned()),
            product: Some(product.to_owned()),
            hypervisor_flag: true,
            ..Evidence::default()
        };
        assert_eq!(told(&with("Microsoft Corporation", "Virtual Machine")), machine("hyper-v"));
        assert_eq!(told(&with("innotek GmbH", "VirtualBox")), machine("virtualbox"));
        assert_eq!(told(&with("Amazon EC2", "t3.micro")), machine("amazon"));
        assert_eq!(told(&with("Amazon EC2", "m5.metal")), "");
        let surface = Evidence {
            hypervisor_flag: false,
            ..with("Microsoft Corporation", "Surface Laptop 5")
        };
        assert_eq!(told(&surface), "");
        let xen = Evidence { xen_control: true, ..with("Dell Inc.", "PowerEdge R650") };
        assert_eq!(told(&xen), "");
    }

    #[test]
    fn windows_subsystem_for_linux() {
        let with = |kernel: &str| Evidence {
            first_namespace: Some(false),
            kernel: Some(kernel.to_owned()),
            hypervisor_flag: true,
            ..Evidence::default()
        };
        assert_eq!(told(&with("5.15.153.1-microsoft-standard-WSL2")), machine("wsl"));
        assert_eq!(told(&with("4.4.0-19041-Microsoft")), container("wsl"));
        let docker = Evidence { docker_file: true, ..with("5.15.153.1-microsoft-standard-WSL2") };
        assert_eq!(told(&docker), container("docker"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(a in proptest::option::of("\\PC*"), b in proptest::option::of("\\PC*"), flag in any::<bool>()) {
            let _ = virtualization(&Evidence {
                manager: a.clone(),
                cgroup: b.clone(),
                kernel: a.clone(),
                vendor: b.clone(),
                product: a.clone(),
                clocks: b,
                device_tree: a,
                hypervisor_flag: flag,
                ..Evidence::default()
            });
        }
    }
}
