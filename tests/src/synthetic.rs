//! A deterministic fleet: computers made from a few images that drift apart day by day.
//!
//! The same numbers always give the same reports, so that a ledger can tell what a collector must
//! hold after any day.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the low bits of a mixed number are as good as all"
)]

use rollcall_shared::report::{
    AgentInfo, CheckIn, Cost, SectionState, Session, Vitals, VolumeSpace,
};
use rollcall_shared::section::network::{Interface, InterfaceKind, Network, Route};
use rollcall_shared::section::storage::DiskKind;
use rollcall_shared::section::system::{Board, Chassis};
use rollcall_shared::section::user::{Account, AccountKind, Users};
use rollcall_shared::section::{
    Disk, Firmware, Memory, Os, Processor, Section, Software, System, Volume,
};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{HardwareIds, Timestamp};
use uuid::Uuid;

/// Titles of one computer.
pub const TITLES: u32 = 1_500;
/// Titles in a thousand that a computer has for itself, beside its image.
const OWN_TITLES_PERMILLE: u32 = 49;
/// Titles that each of its own is one of: a fleet knows tens of thousands of titles, not millions.
const OWN_CHOICES: u64 = 110;
const IMAGES: u32 = 4;

/// A number that depends on all of its inputs and on nothing else.
pub fn mix(a: u64, b: u64, c: u64) -> u64 {
    // SplitMix64's finaliser.
    let mut x = a
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(b.wrapping_mul(0xBF58_476D_1CE4_E5B9))
        .wrapping_add(c.wrapping_mul(0x94D0_49BB_1331_11EB));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// One computer of the fleet.
#[derive(Debug, Clone, Copy)]
pub struct Computer {
    /// Its number.
    pub number: u32,
}

impl Computer {
    fn image(self) -> u32 {
        self.number % IMAGES
    }

    /// Host name, e.g. `lt-000042`.
    pub fn hostname(self) -> String {
        format!("lt-{:06}", self.number)
    }

    /// Serial number.
    pub fn serial(self) -> String {
        format!("PF{:08X}", mix(1, self.number.into(), 0) as u32)
    }

    /// MAC address of the built-in adapter.
    pub fn mac(self) -> String {
        let [.., a, b, c] = self.number.to_be_bytes();
        format!("8c:8c:aa:{a:02x}:{b:02x}:{c:02x}")
    }

    /// Its address.
    pub fn address(self) -> String {
        let [_, a, b, c] = self.number.to_be_bytes();
        format!("10.{a}.{b}.{c}")
    }

    /// Evidence of who it is.
    pub fn hardware_ids(self) -> HardwareIds {
        HardwareIds {
            serial: Some(self.serial()),
            uuid: Some(
                Uuid::from_u128(u128::from(mix(2, self.number.into(), 0)) << 40).to_string(),
            ),
            board_serial: Some(format!("L1HF{:07X}", mix(3, self.number.into(), 0) as u32 >> 4)),
            machine_id_digest: Some(
                rollcall_shared::Digest::of(&self.number.to_be_bytes()).to_string(),
            ),
            macs: vec![self.mac()],
        }
    }

    /// The version number of one of its titles on a day: five titles change a day.
    fn revision(self, title: u32, day: u32) -> u32 {
        let period = TITLES / 5;
        let phase = mix(4, self.number.into(), title.into()) as u32 % period;
        (day + period - phase) / period
    }

    /// Whether its software on one day is other than on another: on few days nothing changes.
    pub fn changes_between(self, days: (u32, u32)) -> bool {
        (0..TITLES).any(|title| self.revision(title, days.0) != self.revision(title, days.1))
    }

    /// Its software on a day, sorted as agents send it.
    pub fn software(self, day: u32) -> Vec<Software> {
        let own = TITLES * OWN_TITLES_PERMILLE / 1_000;
        (0..TITLES)
            .map(|title| {
                let (name, base) = if title < own {
                    // One of a few thousand titles that some computers have and most have not.
                    let which = u64::from(title) * OWN_CHOICES
                        + mix(5, self.number.into(), title.into()) % OWN_CHOICES;
                    (format!("own-{which:05}"), which)
                } else {
                    (format!("lib{:02}-package-{title:04}", self.image()), u64::from(title))
                };
                Software {
                    source: "dpkg".to_owned(),
                    version: format!("{}.{}-{}", base % 9, base % 31, self.revision(title, day)),
                    architecture: Some("amd64".to_owned()),
                    publisher: Some(format!("Maintainer {} <m@example.org>", base % 97)),
                    source_package: title.is_multiple_of(3).then(|| format!("src-{name}")),
                    installed_at: Some(Timestamp(1_780_000_000_000 + i64::from(title) * 1_000)),
                    size_bytes: Some(base * 1_024),
                    name,
                    ..Software::default()
                }
            })
            .collect()
    }

    fn small_sections(self, day: u32) -> Vec<Section> {
        let gib = 1_u64 << 30;
        vec![
            Section::System(System {
                hostname: self.hostname(),
                fqdn: Some(format!("{}.example.org", self.hostname())),
                domain: Some("example.org".to_owned()),
                chassis: Some(Chassis::Laptop),
                manufacturer: Some("LENOVO".to_owned()),
                model: Some(format!("ThinkPad T14 Gen {}", self.number % 5 + 1)),
                serial: Some(self.serial()),
                uuid: self.hardware_ids().uuid,
                board: Some(Board {
                    manufacturer: Some("LENOVO".to_owned()),
                    model: Some("21AHCTO1WW".to_owned()),
                    serial: self.hardware_ids().board_serial,
                }),
                ..System::default()
            }),
            Section::Firmware(Firmware {
                vendor: Some("LENOVO".to_owned()),
                version: Some(format!("N3MET{:02}W (1.{:02})", 10 + day / 90, day / 90)),
                ..Firmware::default()
            }),
            Section::Os(Os {
                name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
                architecture: "x86_64".to_owned(),
                release: [("ID", "debian"), ("VERSION_ID", "12"), ("NAME", "Debian GNU/Linux")]
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect(),
                kernel: Some(format!("6.1.0-{}-amd64", 30 + day / 30)),
                ..Os::default()
            }),
            Section::Cpu(vec![Processor {
                model: "AMD Ryzen 7 PRO 6850U".to_owned(),
                cores: Some(8),
                threads: Some(16),
                ..Processor::default()
            }]),
            Section::Memory(Memory {
                total_bytes: (16 + 16 * u64::from(self.number % 2)) * gib,
                swap_bytes: gib,
                ..Memory::default()
            }),
            Section::Storage(vec![Disk {
                name: "nvme0n1".to_owned(),
                model: Some("SAMSUNG MZVL2512HCJQ-00BL7".to_owned()),
                serial: Some(format!("S64K{:010}", mix(6, self.number.into(), 0) % 10_000_000_000)),
                size_bytes: 512 * gib,
                kind: Some(DiskKind::Nvme),
                bus: Some("nvme".to_owned()),
                ..Disk::default()
            }]),
            Section::Volume(vec![Volume {
                point: "/".to_owned(),
                device: Some("/dev/nvme0n1p2".to_owned()),
                file_system: Some("ext4".to_owned()),
                size_bytes: Some(500 * gib),
                ..Volume::default()
            }]),
            Section::Network(Network {
                interfaces: vec![Interface {
                    name: "enp1s0".to_owned(),
                    kind: Some(InterfaceKind::Ethernet),
                    up: Some(true),
                    mac: Some(self.mac()),
                    addresses: vec![format!("{}/8", self.address())],
                    ..Interface::default()
                }],
                default_routes: vec![Route {
                    gateway: Some("10.0.0.1".to_owned()),
                    interface: "enp1s0".to_owned(),
                }],
                resolvers: vec!["10.0.0.53".to_owned()],
                ..Network::default()
            }),
            Section::User(Users {
                accounts: vec![Account {
                    name: format!("user{:05}", self.number % 70_000),
                    id: "1000".to_owned(),
                    kind: Some(AccountKind::Person),
                    ..Account::default()
                }],
                ..Users::default()
            }),
        ]
    }

    /// Its complete report on a day.
    pub fn report(self, seq: u64, day: u32, start: Timestamp) -> CheckIn {
        let observed_at = start.plus_ms(i64::from(day) * DAY_MS);
        let mut sections = self.small_sections(day);
        sections.push(Section::Software(self.software(day)));
        let sections = sections
            .iter()
            .map(|section| {
                let state = SectionState::collected(section).expect("sections serialise");
                (section.name().to_owned(), state)
            })
            .collect();
        let random = u128::from(mix(7, self.number.into(), seq));
        CheckIn {
            report_id: Uuid::from_u128((random << 64 | random) & !(0xf000 << 64) | (0x7000 << 64)),
            seq,
            observed_at,
            sent_at: observed_at,
            agent: AgentInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                target: "x86_64-unknown-linux-gnu".to_owned(),
                privileged: true,
            },
            hardware_ids: self.hardware_ids(),
            vitals: Vitals {
                booted_at: Some(observed_at.plus_ms(-DAY_MS)),
                volumes: vec![VolumeSpace {
                    point: "/".to_owned(),
                    size_bytes: 500 << 30,
                    available_bytes: (100 + mix(8, self.number.into(), day.into()) % 300) << 30,
                }],
                sessions: vec![Session {
                    user: format!("user{:05}", self.number % 70_000),
                    ..Session::default()
                }],
                ..Vitals::default()
            },
            sections,
            cost: Cost { cpu_ms: 60, peak_rss_bytes: 11 << 20, wall_ms: 90, ..Cost::default() },
            dropped_reports: 0,
        }
    }
}

/// The same report without the bodies of sections in `held`, as an agent sends what is known.
#[must_use]
pub fn without_bodies(mut report: CheckIn, held: impl Fn(&str) -> bool) -> CheckIn {
    for (name, state) in &mut report.sections {
        if held(name) {
            state.body = None;
        }
    }
    report
}
