//! The sections and vitals of a demo device at a moment.

use rollcall_shared::Timestamp;
use rollcall_shared::report::{BatteryCharge, Reboot, Session, Vitals, VolumeSpace};
use rollcall_shared::section::certificate::CertificatePurpose;
use rollcall_shared::section::firmware::{FirmwareMode, Tpm};
use rollcall_shared::section::memory::MemoryModule;
use rollcall_shared::section::network::{Interface, InterfaceKind, Route};
use rollcall_shared::section::security::{Protection, Ssh};
use rollcall_shared::section::service::{ServiceStart, ServiceState};
use rollcall_shared::section::storage::{DiskHealth, DiskKind};
use rollcall_shared::section::system::{Chassis, Virtualization, VirtualizationRole};
use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::section::user::{Account, AccountKind};
use rollcall_shared::section::{
    Battery, Certificate, Disk, Display, Firmware, Gpu, Memory, Network, Port, Printer, Processor,
    Product, Section, Security, Service, Software, System, Update, Users, Volume,
};
use rollcall_shared::time::{DAY_MS, HOUR_MS};

use super::device::{DemoDevice, State};
use super::image::Shape;
use super::random::{Random, number_of};

const GIB: u64 = 1 << 30;
const GB: u64 = 1_000_000_000;

#[expect(clippy::unnecessary_wraps, reason = "most fields are optional")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Everything a report of this device says, but the vitals.
pub(super) fn sections(device: &DemoDevice, state: &State<'_>) -> Vec<Section> {
    let (_, _, time_zone, locale) = device.site;
    let mut sections = vec![
        Section::System(system(device, state)),
        Section::Firmware(firmware(device)),
        Section::Os(device.image.os(state.week, time_zone, locale)),
        Section::Cpu(processors(device)),
        Section::Memory(memory(device, state)),
        Section::Storage(vec![disk(device, state)]),
        Section::Volume(vec![volume(device)]),
        Section::Network(network(device)),
        Section::Gpu(vec![Gpu { name: graphics(device).to_owned(), ..Gpu::default() }]),
        Section::User(users(device, state)),
        Section::Software(software(device, state)),
        Section::Update(updates(device, state)),
        Section::Security(security(device)),
        Section::Service(services(device)),
        Section::Port(ports(device)),
        Section::RemoteAccess(remote_access(device)),
    ];
    if device.image.shape == Shape::Server {
        sections.push(Section::Database(databases(device)));
        sections.push(Section::Certificate(vec![certificate(device, state)]));
    } else {
        sections.push(Section::Display(displays(device)));
        sections.push(Section::Printer(vec![printer(device)]));
    }
    if portable(device) {
        sections.push(Section::Battery(vec![battery(device)]));
    }
    sections
}

fn portable(device: &DemoDevice) -> bool {
    matches!(device.image.shape, Shape::Laptop | Shape::Mac)
}

fn is_virtual(device: &DemoDevice) -> bool {
    device.model.0 == "QEMU"
}

fn system(device: &DemoDevice, state: &State<'_>) -> System {
    let ids = device.hardware_ids();
    let (manufacturer, model, ..) = device.model;
    System {
        fqdn: Some(format!("{}.example.org", state.hostname.to_lowercase())),
        hostname: state.hostname.clone(),
        domain: text("example.org"),
        chassis: Some(match device.image.shape {
            _ if is_virtual(device) => Chassis::VirtualMachine,
            Shape::Server => Chassis::Server,
            Shape::Desktop => Chassis::Desktop,
            Shape::Laptop | Shape::Mac => Chassis::Laptop,
        }),
        manufacturer: text(manufacturer),
        model: text(model),
        serial: ids.serial,
        uuid: ids.uuid,
        asset_tag: Some(format!("A-{}", 10_000 + device.number)),
        virtualization: is_virtual(device).then(|| Virtualization {
            kind: "kvm".to_owned(),
            role: Some(VirtualizationRole::VirtualMachine),
        }),
        ..System::default()
    }
}

fn firmware(device: &DemoDevice) -> Firmware {
    let mut random = Random::of(&[10, device.number % 7]);
    Firmware {
        vendor: text(device.model.0),
        version: Some(format!("1.{}.0", random.between(8, 31))),
        date: Some(format!("2025-{:02}-{:02}", random.between(1, 12), random.between(1, 28))),
        mode: Some(FirmwareMode::Uefi),
        secure_boot: Some(!Random::of(&[11, device.number]).chance(12)),
        tpm: (device.image.shape != Shape::Mac)
            .then(|| Tpm { version: text("2.0"), manufacturer: text("INTC") }),
    }
}

fn processors(device: &DemoDevice) -> Vec<Processor> {
    let (_, _, model, cores) = device.model;
    let sockets = if device.image.shape == Shape::Server && !is_virtual(device) { 2 } else { 1 };
    let one = |socket| Processor {
        socket,
        model: model.to_owned(),
        vendor: text(if model.contains("AMD") { "AuthenticAMD" } else { "GenuineIntel" }),
        cores: Some(cores),
        threads: Some(cores * 2),
        ..Processor::default()
    };
    (0..sockets).map(one).collect()
}

fn memory(device: &DemoDevice, state: &State<'_>) -> Memory {
    let half = device.memory_gib * GIB / 2;
    let sticks = if state.memory_added { 4 } else { 2 };
    let module = |at: u64| MemoryModule {
        locator: format!("DIMM {at}"),
        size_bytes: half,
        kind: text(if device.image.shape == Shape::Mac { "LPDDR5" } else { "DDR5" }),
        form_factor: text(if portable(device) { "SODIMM" } else { "DIMM" }),
        speed_mts: Some(4800),
        manufacturer: text("Samsung"),
        part_number: text("M425R2GA3BB0-CQKOL"),
        serial: Some(format!("{:08X}", Random::of(&[12, device.number, at]).below(1 << 32))),
    };
    Memory {
        total_bytes: half * sticks / 100 * 97,
        installed_bytes: Some(half * sticks),
        swap_bytes: 2 * GIB,
        slots: Some(4),
        modules: (0..sticks).map(module).collect(),
        ..Memory::default()
    }
}

fn disk(device: &DemoDevice, state: &State<'_>) -> Disk {
    let (size_gb, model) = if state.disk_replaced {
        (device.disk_gb * 2, "WDC PC SN740 SDDPNQD")
    } else {
        (device.disk_gb, "SAMSUNG MZVL2512HCJQ-00BL7")
    };
    let mut random = Random::of(&[13, device.number, u64::from(state.disk_replaced)]);
    Disk {
        name: if device.image.is_windows() { "PhysicalDrive0" } else { "nvme0n1" }.to_owned(),
        model: text(model),
        serial: Some(format!("S675NX0{:07}", random.below(10_000_000))),
        firmware: text("GXA7801Q"),
        size_bytes: size_gb * GB,
        kind: Some(DiskKind::Nvme),
        bus: text("nvme"),
        removable: false,
        health: Some(DiskHealth::Good),
        ..Disk::default()
    }
}

fn point(device: &DemoDevice) -> &'static str {
    if device.image.is_windows() { "C:" } else { "/" }
}

fn volume(device: &DemoDevice) -> Volume {
    let (kind, encryption) = match device.image.shape {
        Shape::Mac => ("apfs", Some("filevault")),
        Shape::Laptop => ("ntfs", Some("bitlocker")),
        Shape::Desktop => ("ext4", Some("luks2")),
        Shape::Server => ("xfs", None),
    };
    Volume {
        point: point(device).to_owned(),
        device: text(if device.image.is_windows() { "Disk 0" } else { "/dev/nvme0n1p2" }),
        file_system: text(kind),
        size_bytes: Some(device.disk_gb * GB / 100 * 95),
        encryption: encryption
            .filter(|_| !Random::of(&[14, device.number]).chance(9))
            .and_then(text),
        ..Volume::default()
    }
}

fn network(device: &DemoDevice) -> Network {
    let (_, octet, ..) = device.site;
    let (third, fourth) = (device.number / 250 % 250, device.number % 250 + 4);
    let name = match device.image.shape {
        Shape::Server => "eno1",
        Shape::Desktop => "enp2s0",
        Shape::Laptop => "Wi-Fi",
        Shape::Mac => "en0",
    };
    let kind = if portable(device) { InterfaceKind::Wifi } else { InterfaceKind::Ethernet };
    let main = Interface {
        name: name.to_owned(),
        kind: Some(kind),
        up: Some(true),
        mac: Some(device.mac(0)),
        speed_mbps: Some(1000),
        mtu: Some(1500),
        addresses: vec![format!("10.{octet}.{third}.{fourth}/16")],
        dhcp: Some(device.image.shape != Shape::Server),
        ..Interface::default()
    };
    let second = Interface {
        name: if portable(device) { "Ethernet" } else { "eno2" }.to_owned(),
        kind: Some(InterfaceKind::Ethernet),
        up: Some(false),
        mac: Some(device.mac(1)),
        ..Interface::default()
    };
    let gateway = format!("10.{octet}.0.1");
    Network {
        default_routes: vec![Route {
            gateway: Some(gateway.clone()),
            interface: main.name.clone(),
        }],
        interfaces: vec![main, second],
        resolvers: vec![gateway],
        search_domains: vec!["example.org".to_owned()],
    }
}

fn graphics(device: &DemoDevice) -> &'static str {
    match device.model.2 {
        model if model.contains("AMD") => "Radeon 680M",
        model if model.contains("Apple") => "Apple GPU",
        _ => "Intel Iris Xe Graphics",
    }
}

fn battery(device: &DemoDevice) -> Battery {
    let mut random = Random::of(&[15, device.number]);
    let worn = random.below(3000);
    Battery {
        name: "BAT0".to_owned(),
        manufacturer: text("SMP"),
        chemistry: text("li_poly"),
        design_capacity_mwh: Some(52_500),
        full_capacity_mwh: Some(52_500 - worn * 5),
        cycles: u32::try_from(worn / 6).ok(),
        ..Battery::default()
    }
}

/// Sign-in name as this system writes it.
fn user(device: &DemoDevice, state: &State<'_>) -> String {
    match device.image.shape {
        Shape::Server => "root".to_owned(),
        Shape::Laptop => format!("EXAMPLE\\{}", state.person.user),
        Shape::Desktop | Shape::Mac => state.person.user.clone(),
    }
}

fn users(device: &DemoDevice, state: &State<'_>) -> Users {
    let administrator = match device.image.shape {
        Shape::Laptop => "Administrator",
        _ => "root",
    };
    let mut accounts = vec![Account {
        name: administrator.to_owned(),
        id: "0".to_owned(),
        kind: Some(AccountKind::System),
        administrator: Some(true),
        ..Account::default()
    }];
    if device.image.shape != Shape::Server {
        accounts.push(Account {
            name: user(device, state),
            id: (1000 + number_of(&state.person.user) % 50_000).to_string(),
            kind: Some(AccountKind::Directory),
            full_name: Some(state.person.full_name.clone()),
            administrator: Some(Random::of(&[16, device.number]).chance(15)),
            ..Account::default()
        });
    }
    Users { accounts, groups: Vec::new() }
}

/// The image's software of this week, without the few titles this device lacks.
fn software(device: &DemoDevice, state: &State<'_>) -> Vec<Software> {
    let mut titles = device.image.software(state.week);
    titles.retain(|title| !Random::of(&[17, device.number, number_of(&title.name)]).chance(5));
    titles.sort_by(|a, b| a.name.cmp(&b.name));
    titles
}

fn updates(device: &DemoDevice, state: &State<'_>) -> Update {
    let mut update = Update {
        manager: device.image.manager().to_owned(),
        automatic: Some(state.weeks_behind < 4),
        security_known: device.image.manager() != "softwareupdate",
        ..Update::default()
    };
    let behind = usize::try_from(state.weeks_behind.max(0)).unwrap_or(0);
    if behind < 3 {
        return update;
    }
    let titles = device.image.software(state.week);
    let newer = device.image.software(state.week + state.weeks_behind);
    let waiting = titles.iter().zip(&newer).filter(|(old, new)| old.version != new.version);
    update.pending = waiting
        .take(behind * 4)
        .map(|(old, new)| PendingUpdate {
            name: old.name.clone(),
            installed: Some(old.version.clone()),
            available: Some(new.version.clone()),
            security: number_of(&old.name).is_multiple_of(4),
            origin: None,
        })
        .collect();
    update.pending.sort_by(|a, b| a.name.cmp(&b.name));
    update
}

fn security(device: &DemoDevice) -> Security {
    let mut random = Random::of(&[18, device.number]);
    let on = |name: &str, enabled| Protection {
        name: name.to_owned(),
        enabled: Some(enabled),
        ..Protection::default()
    };
    let firewall = match device.image.shape {
        Shape::Laptop => "Windows Defender Firewall",
        Shape::Mac => "Application Firewall",
        _ => "nftables",
    };
    let mut security = Security {
        firewalls: vec![on(firewall, !random.chance(7))],
        disk_encryption: Some(volume(device).encryption.is_some()),
        ..Security::default()
    };
    if device.image.is_windows() {
        security.malware_protection = vec![on("Microsoft Defender Antivirus", !random.chance(3))];
    }
    if device.image.is_linux() {
        let method = if random.chance(20) { "prohibit-password" } else { "no" };
        security.ssh = Some(Ssh {
            permit_root_login: text(method),
            password_authentication: Some(random.chance(15)),
        });
    }
    security
}

/// Services that the page of a device can show: name, program, port.
fn running(device: &DemoDevice) -> &'static [(&'static str, &'static str, u16)] {
    match device.image.shape {
        Shape::Laptop => &[("Spooler", "spoolsv.exe", 0), ("WinDefend", "MsMpEng.exe", 0)],
        Shape::Mac => &[("com.apple.screensharing", "screensharingd", 5900)],
        Shape::Desktop => &[("cups.service", "cupsd", 631), ("cron.service", "cron", 0)],
        Shape::Server => &[
            ("cron.service", "cron", 0),
            ("nginx.service", "nginx", 443),
            ("postgresql@15-main.service", "postgres", 5432),
            ("ssh.service", "sshd", 22),
        ],
    }
}

fn services(device: &DemoDevice) -> Vec<Service> {
    let stopped = Random::of(&[20, device.number]).chance(8);
    let all = running(device).iter().enumerate();
    all.map(|(at, (name, ..))| Service {
        name: (*name).to_owned(),
        start: Some(ServiceStart::Automatic),
        state: Some(if stopped && at == 0 { ServiceState::Stopped } else { ServiceState::Running }),
        ..Service::default()
    })
    .collect()
}

fn ports(device: &DemoDevice) -> Vec<Port> {
    let waiting = running(device).iter().filter(|(_, _, port)| *port > 0);
    let mut ports: Vec<Port> = waiting
        .map(|(_, process, port)| Port {
            port: *port,
            protocol: "tcp".to_owned(),
            address: if *port == 5432 { "127.0.0.1" } else { "0.0.0.0" }.to_owned(),
            process: text(process),
            ..Port::default()
        })
        .collect();
    ports.sort();
    ports
}

fn remote_access(device: &DemoDevice) -> Vec<Product> {
    let mut random = Random::of(&[21, device.number]);
    let mut found = Vec::new();
    if random.chance(6) {
        found.push(Product {
            name: "AnyDesk".to_owned(),
            id: Some(random.between(100_000_000, 999_999_999).to_string()),
            running: Some(true),
            ..Product::default()
        });
    }
    if device.image.shape == Shape::Server {
        found.push(Product {
            name: "OpenSSH server".to_owned(),
            running: Some(true),
            automatic: Some(true),
            ports: vec![22],
            ..Product::default()
        });
    }
    found
}

fn databases(device: &DemoDevice) -> Vec<Product> {
    let version = if device.number.is_multiple_of(3) { "13.16" } else { "15.8" };
    vec![Product {
        name: "PostgreSQL".to_owned(),
        version: text(version),
        running: Some(true),
        automatic: Some(true),
        ports: vec![5432],
        ..Product::default()
    }]
}

fn certificate(device: &DemoDevice, state: &State<'_>) -> Certificate {
    let mut random = Random::of(&[22, device.number]);
    let name = format!("{}.example.org", state.hostname.to_lowercase());
    let not_after = Timestamp(1_798_000_000_000 + random.between(0, 300 * DAY_MS));
    Certificate {
        fingerprint: format!("{:016x}", random.below(u64::MAX)).repeat(4),
        place: format!("/etc/letsencrypt/live/{name}/cert.pem"),
        purpose: Some(CertificatePurpose::Server),
        subject: Some(format!("CN={name}")),
        issuer: text("CN=E7, O=Let's Encrypt, C=US"),
        names: vec![name],
        not_before: Some(not_after.plus_ms(-90 * DAY_MS)),
        not_after: Some(not_after),
        key_kind: text("ec p-256"),
        key_bits: Some(256),
        ..Certificate::default()
    }
}

fn displays(device: &DemoDevice) -> Vec<Display> {
    let mut random = Random::of(&[23, device.number]);
    let mut found = Vec::new();
    if portable(device) {
        found.push(Display {
            connector: "eDP-1".to_owned(),
            manufacturer: text("BOE"),
            model: text("NV140WUM-N43"),
            width_px: Some(1920),
            height_px: Some(1200),
            built_in: true,
            ..Display::default()
        });
    }
    if !portable(device) || random.chance(60) {
        found.push(Display {
            connector: "DP-1".to_owned(),
            manufacturer: text("Dell"),
            model: text("DELL U2720Q"),
            serial: Some(format!("8LX{:05}", random.below(100_000))),
            year: Some(2021),
            width_px: Some(3840),
            height_px: Some(2160),
            ..Display::default()
        });
    }
    found.sort();
    found
}

fn printer(device: &DemoDevice) -> Printer {
    let (site, octet, ..) = device.site;
    Printer {
        name: "floor-2".to_owned(),
        location: text(site),
        model: text("HP LaserJet M507"),
        address: Some(format!("ipp://10.{octet}.0.30/ipp/print")),
        is_default: true,
        ..Printer::default()
    }
}

/// The moving numbers.
pub(super) fn vitals(device: &DemoDevice, state: &State<'_>) -> Vitals {
    let mut random = Random::of(&[19, device.number]);
    let size_bytes = device.disk_gb * GB / 100 * 95;
    let free_percent =
        if device.trouble.full_disk { random.below(5) } else { 15 + random.below(70) };
    let at = state.at;
    let booted_at = at.plus_ms(-random.between(HOUR_MS, 20 * DAY_MS));
    let lists_age =
        if device.trouble.stale_lists { 30 * DAY_MS } else { random.between(HOUR_MS, DAY_MS) };
    Vitals {
        booted_at: Some(booted_at),
        volumes: vec![VolumeSpace {
            point: point(device).to_owned(),
            size_bytes,
            // Little in bytes as well: a large disk is nearly full only when little is left.
            available_bytes: if device.trouble.full_disk {
                (size_bytes / 100 * free_percent).min(15 * GB)
            } else {
                size_bytes / 100 * free_percent
            },
        }],
        memory_available_bytes: Some(device.memory_gib * GIB / 100 * (20 + random.below(60))),
        batteries: if portable(device) {
            vec![BatteryCharge {
                name: "BAT0".to_owned(),
                percent: u8::try_from(20 + random.below(80)).unwrap_or(100),
                charging: random.chance(50),
            }]
        } else {
            Vec::new()
        },
        sessions: if device.image.shape == Shape::Server {
            Vec::new()
        } else {
            vec![Session {
                user: user(device, state),
                terminal: text("seat0"),
                remote_host: None,
                since: Some(at.plus_ms(-random.between(HOUR_MS, 9 * HOUR_MS))),
            }]
        },
        reboot: Some(Reboot {
            pending: device.trouble.reboot,
            reasons: if device.trouble.reboot { vec!["kernel".to_owned()] } else { Vec::new() },
        }),
        update_lists_at: device.image.is_linux().then(|| at.plus_ms(-lists_age)),
        last_upgrade_at: None,
    }
}
