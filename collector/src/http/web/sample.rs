//! A small made-up fleet for the tests of the pages, and a test that writes all pages to a folder
//! to be looked at (`ROLLCALL_PAGES=folder`).

#![expect(
    clippy::too_many_lines,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    reason = "a made-up fleet is one long table of values"
)]

use std::collections::BTreeMap;

use askama::Template as _;
use axum::http::HeaderMap;
use axum::response::Response;
use http_body_util::BodyExt as _;
use rollcall_shared::api::Page;
use rollcall_shared::api::account::{Account, ApiToken, Role};
use rollcall_shared::api::audit::AuditLine;
use rollcall_shared::api::change::{Change, ChangeKind};
use rollcall_shared::api::device::{
    DecisionKind, DeviceClass, DeviceDetail, DeviceSummary, IdentityDecision, OsSupport, Person,
    Presence, SectionView, SupportState,
};
use rollcall_shared::api::finding::{Finding, FindingState, RuleCount, Severity, Waiver};
use rollcall_shared::api::search::{MatchKind, SearchAnswer, SearchHit};
use rollcall_shared::api::software::{SoftwareDetail, SoftwareTitle, SoftwareVersion};
use rollcall_shared::api::token::EnrollmentToken;
use rollcall_shared::api::unit::{Unit, UnitFrom, UnitKind, UnitMove, UnitPreview};
use rollcall_shared::report::{AgentInfo, Cost, Reboot, Session, Vitals, VolumeSpace};
use rollcall_shared::section::Software;
use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};
use rollcall_shared::{DeviceId, HardwareIds, Note, NoteKind, Timestamp};
use serde_json::{Value, json};

use super::device::{DevicePage, TabData};
use super::devices::DevicesPage;
use super::enroll::{Arrival, TokenPage};
use super::home::HomePage;
use super::params::Params;
use super::settings::SettingsPage;
use super::shell::{Shell, Theme, Viewer};
use crate::domain::Scope;
use crate::view::devices::Facets;
use crate::view::overview::Overview;
use crate::view::policy::{HistoryPreview, PolicyPreview, RulePreview};

/// 2026-11-23T10:15:00Z
pub(super) const NOW: Timestamp = Timestamp(1_795_428_900_000);

fn before(ms: i64) -> Timestamp {
    NOW.plus_ms(-ms)
}

fn id(number: u128) -> DeviceId {
    DeviceId(uuid::Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0000 + number))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The body of an answer as text.
pub(super) async fn body(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A frame for an administrator.
pub(super) fn shell() -> Shell {
    let viewer = Viewer { name: "clara".to_owned(), role: Role::Admin, limited: false };
    Shell::new(viewer, &HeaderMap::new(), "/devices", NOW)
}

/// A frame for somebody at the helpdesk.
pub(super) fn helpdesk() -> Shell {
    let viewer = Viewer { name: "henk".to_owned(), role: Role::Helpdesk, limited: true };
    Shell::new(viewer, &HeaderMap::new(), "/devices", NOW)
}

/// A frame for nobody.
pub(super) fn signed_out() -> Shell {
    Shell::signed_out(&HeaderMap::new(), "/sign-in", NOW)
}

/// One device of this name.
pub(super) fn device(hostname: &str) -> DeviceSummary {
    DeviceSummary {
        id: id(42),
        hostname: hostname.to_owned(),
        class: DeviceClass::Laptop,
        presence: Presence::Fresh,
        last_seen_at: Some(before(12 * MINUTE_MS)),
        enrolled_at: before(90 * DAY_MS),
        os_name: "Windows 11 Pro 24H2".to_owned(),
        manufacturer: some("LENOVO"),
        model: some("ThinkPad T14 Gen 3"),
        serial: some("PF3A1B2C"),
        user: some("anna"),
        user_full_name: some("Anna Berg"),
        addresses: vec!["10.1.2.3".to_owned(), "2001:db8::42".to_owned(), "10.8.0.7".to_owned()],
        site: some("Berlin"),
        site_from: Some(UnitFrom::Rule),
        department: some("Finance"),
        department_from: Some(UnitFrom::Hand),
        asset_tag: some("A-10042"),
        agent_version: some("0.1.0"),
        software_count: 214,
        open_findings: 2,
        worst_severity: Some(Severity::Critical),
        demo: false,
    }
}

fn fleet() -> Vec<DeviceSummary> {
    let rows: [(&str, DeviceClass, Presence, &str, &str, &str, u64, i64); 8] = [
        (
            "lt-0042",
            DeviceClass::Laptop,
            Presence::Fresh,
            "Windows 11 Pro 24H2",
            "ThinkPad T14 Gen 3",
            "anna",
            2,
            12,
        ),
        (
            "db-01",
            DeviceClass::Server,
            Presence::Fresh,
            "Debian GNU/Linux 12 (bookworm)",
            "PowerEdge R650",
            "",
            0,
            3,
        ),
        (
            "lt-0099",
            DeviceClass::Laptop,
            Presence::Stale,
            "macOS 15.1",
            "MacBook Pro 14",
            "boris.long-surname",
            1,
            3000,
        ),
        (
            "ws-building-7-room-214-desk-3",
            DeviceClass::Desktop,
            Presence::Missing,
            "Ubuntu 20.04.6 LTS",
            "OptiPlex 7090",
            "carla",
            3,
            20160,
        ),
        (
            "kvm-build-3",
            DeviceClass::Server,
            Presence::Fresh,
            "Fedora Linux 42 (Server Edition)",
            "Standard PC",
            "",
            0,
            7,
        ),
        (
            "lt-0100",
            DeviceClass::Laptop,
            Presence::Pending,
            "Windows 10 Pro 22H2",
            "Latitude 5440",
            "dora",
            0,
            1,
        ),
        (
            "lt-0101",
            DeviceClass::Laptop,
            Presence::Fresh,
            "Ubuntu 24.04.1 LTS",
            "XPS 13 9340",
            "emil",
            0,
            9,
        ),
        (
            "ws-old",
            DeviceClass::Desktop,
            Presence::Retired,
            "Windows 10 Pro 22H2",
            "OptiPlex 3020",
            "",
            0,
            90000,
        ),
    ];
    let row = |(index, (name, class, presence, os, model, user, findings, minutes)): (u128, _)| {
        DeviceSummary {
            id: id(index),
            class,
            presence,
            last_seen_at: Some(before(minutes * MINUTE_MS)),
            os_name: String::from(os),
            model: some(model),
            user: Some(String::from(user)).filter(|user| !user.is_empty()),
            open_findings: findings,
            worst_severity: match findings {
                0 => None,
                1 => Some(Severity::Warning),
                _ => Some(Severity::Critical),
            },
            demo: index == 6,
            ..device(name)
        }
    };
    (0..).zip(rows).map(row).collect()
}

fn facets() -> Facets {
    let list = |rows: &[(&str, u64)]| rows.iter().map(|(n, c)| ((*n).to_owned(), *c)).collect();
    Facets {
        os: list(&[
            ("Windows 11 Pro 24H2", 812),
            ("Debian GNU/Linux 12 (bookworm)", 240),
            ("macOS 15.1", 96),
        ]),
        model: list(&[("ThinkPad T14 Gen 3", 310), ("PowerEdge R650", 48)]),
        class: list(&[("laptop", 900), ("server", 240), ("desktop", 44)]),
        presence: list(&[("fresh", 1120), ("stale", 40), ("missing", 24)]),
        site: list(&[("Berlin", 700), ("Lyon", 484)]),
        department: list(&[("Finance", 90), ("", 12)]),
        rule: list(&[("os_end_of_life", 12), ("volume_full", 4)]),
        os_support: list(&[("supported", 1100), ("unknown", 7)]),
    }
}

/// The list of devices under this query.
pub(super) fn devices(params: &Params) -> DevicesPage {
    let page = Page { items: fleet(), total: 1184, next_cursor: some("abc=") };
    DevicesPage::new(shell().at("devices"), params, None, page, &facets())
}

/// The first page.
pub(super) fn home() -> HomePage {
    let overview = Overview {
        devices: 1184,
        fresh: 1120,
        stale: 40,
        missing: 24,
        pending: 1,
        demo: 1,
        titles: 6210,
        rules: rule_counts(),
        os: facets().os,
        os_support_unknown: 7,
        facts_date: before(200 * DAY_MS),
        facts_are_old: true,
        newest: fleet().into_iter().take(5).collect(),
        seen_by_hour: vec![
            1, 0, 2, 1, 4, 3, 2, 5, 8, 9, 12, 10, 8, 7, 6, 14, 18, 20, 30, 44, 62, 180, 410, 520,
        ],
    };
    HomePage::new(shell().at("home"), overview, changes())
}

/// How many findings there are by rule.
pub(super) fn rule_counts() -> Vec<RuleCount> {
    let row = |rule: &str, title: &str, severity, open| RuleCount {
        rule: rule.to_owned(),
        title: title.to_owned(),
        severity,
        open,
    };
    vec![
        row("os_end_of_life", "Operating system is past its end of life", Severity::Critical, 12),
        row("missing", "Device is missing", Severity::Critical, 24),
        row("volume_full", "Disk is nearly full", Severity::Warning, 4),
        row("reboot_pending", "A restart is waited for", Severity::Info, 61),
    ]
}

/// Two findings.
pub(super) fn findings() -> Vec<Finding> {
    let first = Finding {
        id: 7,
        device_id: id(42),
        hostname: "lt-0042".to_owned(),
        rule: "os_end_of_life".to_owned(),
        title: "Operating system is past its end of life".to_owned(),
        severity: Severity::Critical,
        state: FindingState::Open,
        since: before(40 * DAY_MS),
        closed_at: None,
        subject: None,
        value: "Windows 10 22H2".to_owned(),
        threshold: "supported until 2025-10-14".to_owned(),
        source: "endoflife.date facts".to_owned(),
        source_date: Timestamp::from_date("2026-08-22"),
        next_step: "Upgrade to a supported system, or buy extended updates.".to_owned(),
        evidence: BTreeMap::from([
            ("build".to_owned(), json!(19045)),
            ("revision".to_owned(), json!(6456)),
        ]),
        waiver: None,
    };
    let second = Finding {
        id: 8,
        rule: "volume_full".to_owned(),
        title: "Disk is nearly full".to_owned(),
        severity: Severity::Warning,
        subject: some("/home"),
        value: "4.1 GiB free of 120 GiB (3 %)".to_owned(),
        threshold: "at least 10 % free".to_owned(),
        source: "this computer's report".to_owned(),
        source_date: Some(before(12 * MINUTE_MS)),
        next_step: "Remove what is not needed, or make the volume larger.".to_owned(),
        ..first.clone()
    };
    vec![first, second]
}

/// A page of findings, one of them waived.
pub(super) fn findings_page() -> Page<Finding> {
    let mut items = findings();
    let waiver = Waiver {
        by: "clara".to_owned(),
        reason: "replaced in March".to_owned(),
        until: NOW.plus_ms(30 * DAY_MS),
    };
    items.push(Finding {
        id: 9,
        state: FindingState::Waived,
        waiver: Some(waiver),
        severity: Severity::Info,
        ..findings().remove(0)
    });
    Page { items, total: 41, next_cursor: some("next") }
}

/// Some changes of two days.
pub(super) fn changes() -> Vec<Change> {
    let change = |hours: i64, kind, section: &str, subject: &str, from: &str, to: &str| Change {
        device_id: id(42),
        hostname: "lt-0042".to_owned(),
        at: before(hours * HOUR_MS),
        received_at: before(hours * HOUR_MS),
        section: section.to_owned(),
        kind,
        subject: subject.to_owned(),
        before: Some(from.to_owned()).filter(|text| !text.is_empty()),
        after: Some(to.to_owned()).filter(|text| !text.is_empty()),
    };
    vec![
        change(
            1,
            ChangeKind::Upgraded,
            "software",
            "openssl",
            "3.0.15-1~deb12u1",
            "3.0.17-1~deb12u2",
        ),
        change(1, ChangeKind::Added, "software", "Mozilla Firefox", "", "128.3.0"),
        change(3, ChangeKind::Removed, "software", "telnet", "0.17+2.4", ""),
        change(30, ChangeKind::Changed, "memory", "module DIMM 1", "8 GiB", "16 GiB"),
        change(31, ChangeKind::Downgraded, "software", "curl", "8.11", "8.10"),
    ]
}

/// Some titles on one device.
pub(super) fn software() -> Vec<Software> {
    let item = |source: &str, name: &str, version: &str, publisher: &str| Software {
        source: source.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: some("amd64"),
        publisher: some(publisher),
        installed_at: Some(before(9 * DAY_MS)),
        size_bytes: Some(214_000_000),
        ..Software::default()
    };
    vec![
        item("registry", "7-Zip", "24.08", "Igor Pavlov"),
        item("registry", "Mozilla Firefox", "128.3.0", "Mozilla"),
        item("dpkg", "openssl", "3.0.17-1~deb12u2", "Debian OpenSSL Team"),
    ]
}

/// All that is known of one device.
pub(super) fn device_detail() -> DeviceDetail {
    let section = |body: Value| SectionView {
        body: Some(body),
        changed_at: Some(before(3 * DAY_MS)),
        notes: Vec::new(),
    };
    let gib = 1024_u64 * 1024 * 1024;
    let sections = [
        (
            "system",
            section(
                json!({"hostname": "lt-0042", "fqdn": "lt-0042.example.org", "manufacturer": "LENOVO",
            "model": "ThinkPad T14 Gen 3", "serial": "PF3A1B2C", "chassis": "laptop", "asset_tag": "A-10042",
            "board": {"manufacturer": "LENOVO", "model": "21AHCTO1WW", "serial": "L1HF2AB00CD"}}),
            ),
        ),
        (
            "os",
            section(
                json!({"family": "windows", "name": "Windows 11 Pro 24H2", "architecture": "x86_64",
            "windows": {"build": 26100, "revision": 4349, "edition_id": "Professional", "display_version": "24H2"},
            "time_zone": "Europe/Berlin"}),
            ),
        ),
        (
            "cpu",
            section(
                json!([{"socket": 0, "model": "AMD Ryzen 7 PRO 6850U", "cores": 8, "threads": 16,
            "max_mhz": 4768, "microcode": "0xa404105", "flags": ["aes", "avx2", "svm"]}]),
            ),
        ),
        (
            "memory",
            section(
                json!({"total_bytes": 16 * gib - 900_000_000, "installed_bytes": 16 * gib, "swap_bytes": 2 * gib,
            "slots": 2, "modules": [{"locator": "DIMM 0", "size_bytes": 16 * gib, "kind": "DDR5", "speed_mts": 4800,
            "manufacturer": "Samsung", "part_number": "M425R2GA3BB0-CQKOL", "serial": "03C15A21"}]}),
            ),
        ),
        (
            "storage",
            section(
                json!([{"name": "nvme0n1", "model": "SAMSUNG MZVL2512HCJQ-00BL7", "serial": "S64KNX0T",
            "size_bytes": 512_110_190_592_u64, "kind": "nvme", "bus": "nvme", "removable": false, "health": "good"}]),
            ),
        ),
        (
            "volume",
            section(
                json!([{"point": "C:", "file_system": "ntfs", "size_bytes": 475 * gib, "encryption": "bitlocker",
            "read_only": false, "remote": false}]),
            ),
        ),
        (
            "network",
            section(
                json!({"interfaces": [{"name": "wlp2s0", "kind": "wifi", "virtual_interface": false, "up": true,
            "mac": "8c:8c:aa:12:34:56", "addresses": ["10.1.2.3/24", "2001:db8::42/64"], "speed_mbps": 866, "driver": "iwlwifi"}],
            "default_routes": [{"gateway": "10.1.2.1", "interface": "wlp2s0"}], "resolvers": ["10.1.2.1"]}),
            ),
        ),
        (
            "firmware",
            section(
                json!({"vendor": "LENOVO", "version": "N3MET15W (1.14 )", "date": "2025-03-07", "mode": "uefi",
            "secure_boot": true, "tpm": {"version": "2.0", "manufacturer": "AMD"}}),
            ),
        ),
        (
            "battery",
            section(json!([{"name": "BAT0", "manufacturer": "SMP", "design_capacity_mwh": 52500,
            "full_capacity_mwh": 44100, "cycles": 214}])),
        ),
        (
            "user",
            section(
                json!({"accounts": [{"name": "anna", "id": "1000", "kind": "person", "full_name": "Anna Berg",
            "administrator": true}], "groups": [{"name": "sudo", "id": "27", "members": ["anna"]}]}),
            ),
        ),
        (
            "update",
            section(
                json!({"manager": "apt", "security_known": true, "automatic": true, "pending": [
            {"name": "openssl", "installed": "3.0.15", "available": "3.0.17", "security": true}]}),
            ),
        ),
        (
            "security",
            section(
                json!({"firewalls": [{"name": "ufw", "enabled": true}], "disk_encryption": true,
            "malware_protection": [{"name": "Microsoft Defender", "enabled": false}], "mandatory_access": "apparmor",
            "screen_lock": {"enabled": true, "after_s": 300, "enforced": true}}),
            ),
        ),
        (
            "gpu",
            SectionView {
                body: None,
                changed_at: None,
                notes: vec![
                    Note::new(NoteKind::NeedsPrivilege)
                        .from_source("smbios")
                        .with_detail("reading it needs root"),
                ],
            },
        ),
        ("x_future", section(json!({"thing": [1, 2, 3]}))),
    ];
    let decision = |kind, evidence: &str, days: i64| IdentityDecision {
        id: 0,
        at: before(days * DAY_MS),
        kind,
        evidence: evidence.to_owned(),
        other_device: None,
        by: None,
        undone_at: None,
    };
    let vitals = Vitals {
        booted_at: Some(before(5 * DAY_MS)),
        volumes: vec![
            VolumeSpace {
                point: "C:".to_owned(),
                size_bytes: 475 * gib,
                available_bytes: 210 * gib,
            },
            VolumeSpace {
                point: "/home".to_owned(),
                size_bytes: 120 * gib,
                available_bytes: 4 * gib,
            },
        ],
        memory_available_bytes: Some(7 * gib),
        sessions: vec![Session { user: "anna".to_owned(), ..Session::default() }],
        reboot: Some(Reboot {
            pending: true,
            reasons: vec!["linux-image-6.1.0-38-amd64".to_owned()],
        }),
        ..Vitals::default()
    };
    DeviceDetail {
        summary: device("lt-0042"),
        sections: sections.into_iter().map(|(name, view)| (name.to_owned(), view)).collect(),
        vitals: Some(vitals),
        vitals_at: Some(before(12 * MINUTE_MS)),
        hardware_ids: HardwareIds::default(),
        agent: Some(AgentInfo {
            version: "0.1.0".to_owned(),
            target: "x86_64-pc-windows-msvc".to_owned(),
            privileged: true,
        }),
        cost: Some(Cost { cpu_ms: 84, peak_rss_bytes: 9_100_000, wall_ms: 120, ..Cost::default() }),
        findings: findings(),
        os_support: Some(OsSupport {
            state: SupportState::Supported,
            label: some("Windows 11 24H2"),
            until: Some(NOW.plus_ms(300 * DAY_MS)),
            extended: None,
            extended_not_seen: None,
            why: None,
            facts_date: before(90 * DAY_MS),
        }),
        decisions: vec![
            decision(DecisionKind::HardwareChanged, "the board's serial number is another", 3),
            decision(
                DecisionKind::ReImaged,
                "serial PF3A1B2C and board L1HF2AB00CD are the same; the key is new",
                20,
            ),
            decision(DecisionKind::Enrolled, "first contact with token “Laptops, Berlin”", 90),
        ],
        as_of: None,
        first_report_at: Some(before(90 * DAY_MS)),
        clock_error_ms: Some(120),
        notes_text: "Lent to Anna until Friday.".to_owned(),
    }
}

/// One tab of a device's page.
pub(super) fn device_page(tab: &str) -> DevicePage {
    let params = Params(vec![("tab".to_owned(), tab.to_owned())]);
    let people = vec![
        Person {
            user: "anna".to_owned(),
            full_name: some("Anna Berg"),
            first_seen_at: before(90 * DAY_MS),
            last_seen_at: before(HOUR_MS),
        },
        Person {
            user: "boris".to_owned(),
            full_name: None,
            first_seen_at: before(400 * DAY_MS),
            last_seen_at: before(91 * DAY_MS),
        },
    ];
    let data = TabData {
        software: software(),
        people,
        units: units(),
        changes: changes(),
        changes_total: Some(5),
        changes_next: some("older"),
    };
    DevicePage::new(shell().at("devices"), &params, device_detail(), data)
}

/// What a search found.
pub(super) fn search_answer() -> SearchAnswer {
    let hit = |name: &str, matched, value: &str, past| SearchHit {
        device: device(name),
        matched,
        value: value.to_owned(),
        past,
    };
    SearchAnswer {
        query: "berg".to_owned(),
        hits: vec![
            hit("lt-0042", MatchKind::User, "Anna Berg", false),
            hit("lt-0099", MatchKind::Hostname, "bergwerk-3", true),
        ],
        total: 7,
        as_of: None,
    }
}

/// Titles of the fleet.
pub(super) fn settings() -> SettingsPage {
    let row = |rule: &str, title: &str, now, then| RulePreview {
        rule: rule.to_owned(),
        title: title.to_owned(),
        findings_now: now,
        findings_then: then,
        devices_now: now,
        devices_then: then,
    };
    let preview = PolicyPreview {
        devices_now: 21,
        devices_then: 37,
        rules: vec![
            row("missing", "Device has not checked in for too long", 5, 21),
            row("reboot_pending", "A restart is waited for", 16, 16),
        ],
        history: Some(HistoryPreview {
            from: before(365 * DAY_MS),
            oldest: Some(before(800 * DAY_MS)),
            devices: 512,
            changes: 181_340,
            bytes: 9_400_000,
            findings: 2_204,
        }),
    };
    let value = |name: &str| if name.ends_with("version") { "" } else { "7" }.to_owned();
    SettingsPage::new(shell().at("settings"), value, None, Some(preview))
}

pub(super) fn titles() -> Page<SoftwareTitle> {
    let title = |source: &str, name: &str, versions, devices| SoftwareTitle {
        source: source.to_owned(),
        name: name.to_owned(),
        publisher: some("Mozilla"),
        versions,
        devices,
    };
    let items =
        vec![title("registry", "Mozilla Firefox", 7, 812), title("dpkg", "openssl", 3, 240)];
    Page { items, total: 6210, next_cursor: some("n") }
}

/// One title with its versions.
pub(super) fn title() -> SoftwareDetail {
    let version = |version: &str, devices| SoftwareVersion {
        version: version.to_owned(),
        architectures: vec!["amd64".to_owned()],
        devices,
    };
    SoftwareDetail {
        source: "registry".to_owned(),
        name: "Mozilla Firefox".to_owned(),
        publisher: some("Mozilla"),
        devices: 812,
        versions: vec![version("131.0", 40), version("128.3.0", 700), version("115.9.1", 72)],
    }
}

/// Enrolment tokens.
pub(super) fn tokens() -> Vec<EnrollmentToken> {
    let token = EnrollmentToken {
        id: 1,
        label: "Laptops, Berlin".to_owned(),
        site: some("Berlin"),
        department: some("Finance"),
        created_at: before(MINUTE_MS),
        created_by: "clara".to_owned(),
        expires_at: NOW.plus_ms(7 * DAY_MS),
        uses_allowed: Some(5),
        uses: 2,
        needs_approval: true,
        allows_reenrollment: false,
        revoked_at: None,
    };
    let ended = EnrollmentToken {
        id: 2,
        label: "Servers".to_owned(),
        expires_at: before(DAY_MS),
        ..token.clone()
    };
    vec![token, ended]
}

/// The page of a new token, with its line or later.
pub(super) fn token_page(new: bool) -> TokenPage {
    let digest = "9f".repeat(32);
    let secret = "A1b2C3d4".repeat(5);
    let join =
        format!("rcl1:https://rollcall.example.org:8443#ca-sha256={digest}#rcl_enr_{secret}");
    let arrival =
        Arrival { id: id(99), hostname: "LT-0099".to_owned(), at: before(3000), pending: true };
    let arrivals = if new { Vec::new() } else { vec![arrival] };
    TokenPage::new(shell().at("enroll"), tokens().remove(0), new.then_some(join), arrivals)
}

/// API tokens.
pub(super) fn api_tokens() -> Vec<ApiToken> {
    vec![ApiToken {
        id: 3,
        label: "nightly export".to_owned(),
        role: Role::Auditor,
        owner: "clara".to_owned(),
        created_at: before(9 * DAY_MS),
        expires_at: NOW.plus_ms(80 * DAY_MS),
        last_used_at: Some(before(8 * HOUR_MS)),
        revoked_at: None,
        read_only: true,
    }]
}

/// What clara sees of her account.
pub(super) fn own() -> super::account::Own {
    let open = |name: &str, client: &str, ms: i64| crate::store::session::OpenSession {
        id: rollcall_shared::Digest::of(name.as_bytes()),
        created_at: before(ms * 3),
        used_at: before(ms),
        client: client.to_owned(),
    };
    super::account::Own {
        second_factor: Some(9),
        has_password: true,
        sessions: vec![
            (open("one", "Firefox on Linux, 192.0.2.4", MINUTE_MS), true),
            (open("two", "Safari on iPhone, 2001:db8::17", 40 * MINUTE_MS), false),
        ],
        done: None,
    }
}

/// Some accounts.
pub(super) fn accounts() -> Vec<Account> {
    let account = |id, name: &str, role, second_factor, disabled_at| Account {
        id,
        name: name.to_owned(),
        role,
        created_at: before(90 * DAY_MS),
        disabled_at,
        second_factor,
    };
    vec![
        account(1, "clara", Role::Admin, true, None),
        account(2, "henk", Role::Helpdesk, false, None),
        account(3, "ivan.petrov@example.org", Role::It, true, None),
        account(4, "olga", Role::Auditor, false, Some(before(3 * DAY_MS))),
    ]
}

/// The same with what they see.
pub(super) fn account_rows() -> Vec<super::accounts::Row> {
    let sees = |account: &Account| match account.name.as_str() {
        "henk" => "site: Berlin; department: Finance",
        _ => "everything",
    };
    let row = |account: Account| super::accounts::Row { sees: sees(&account).to_owned(), account };
    accounts().into_iter().map(row).collect()
}

/// Some sites and departments.
pub(super) fn units() -> Vec<Unit> {
    let unit = |id, kind, name: &str, devices| Unit { id, kind, name: name.to_owned(), devices };
    vec![
        unit(1, UnitKind::Site, "Berlin", 700),
        unit(2, UnitKind::Site, "Lyon", 484),
        unit(3, UnitKind::Department, "Finance", 90),
        unit(4, UnitKind::Department, "IT and more", 1),
    ]
}

/// The page of sites and departments, with or without a look at other rules.
pub(super) fn units_page(shell: Shell, preview: bool) -> super::units::UnitsPage {
    let moves = vec![
        UnitMove { kind: UnitKind::Site, before: some("Berlin"), after: some("Lyon"), devices: 2 },
        UnitMove { kind: UnitKind::Department, before: None, after: some("Finance"), devices: 1 },
    ];
    let preview = preview.then_some(UnitPreview { devices: 3, moves, held_by_hand: 1 });
    let rules = "subnet 10.1.0.0/16 site Berlin\nhostname srv-* department IT and more\n";
    super::units::UnitsPage::new(shell, units(), rules.to_owned(), preview)
}

/// The page that sets what an account sees.
pub(super) fn scope_page(scope: &Scope) -> super::account_scope::ScopePage {
    let account = accounts().remove(1);
    super::account_scope::ScopePage::new(shell(), account, &units(), scope, &Scope::whole())
}

/// Some entries of the audit log.
pub(super) fn audit_page() -> Page<AuditLine> {
    let device = format!("device {} LT-0042", id(42));
    let rows: &[(&str, &str, &str, &str, i64)] = &[
        ("clara", "export", "devices.csv", "as_of=2026-11-23T10:02:11.480Z profile=raw", 13),
        ("ivan (API token 3)", "device_retired", &device, "sold", 55),
        ("clara", "policy_set", "policy", "missing_after_days.laptop: 14 -> 7", 70),
        ("nobody", "sign_in_refused", "no account", "from 192.0.2.17", 240),
        ("clara", "sign_in", "account clara", "from 192.0.2.4", 241),
    ];
    let line = |(number, row): (usize, &(&str, &str, &str, &str, i64))| AuditLine {
        number: 1_284 - i64::try_from(number).unwrap(),
        at: before(row.4 * MINUTE_MS),
        actor: row.0.to_owned(),
        action: row.1.to_owned(),
        object: row.2.to_owned(),
        detail: row.3.to_owned(),
        hash: rollcall_shared::Digest::of(row.1.as_bytes()),
    };
    let items = rows.iter().enumerate().map(line).collect();
    Page { items, total: 1_284, next_cursor: some("1280") }
}

/// Every page by name.
fn pages() -> Vec<(String, String)> {
    use super::account::{AccountPage, NewToken};
    use super::accounts::{AccountsPage, NewAccount};
    use super::audit::AuditPage;
    use super::collected::CollectedPage;
    use super::enroll;
    use super::exports::ExportsPage;
    use super::findings::FindingsPage;
    use super::search::SearchPage;
    use super::second_factor::{RecoveryCodesPage, SecondFactorPage, Why};
    use super::set_up::SetUpPage;
    use super::sign_in::SignInPage;
    use super::software::{SoftwarePage, TitlePage};

    let none = Params::default();
    let filtered = Params(vec![
        ("os".into(), "Windows 11 Pro 24H2".into()),
        ("presence".into(), "fresh".into()),
    ]);
    let set_up = |key: Option<&str>| SetUpPage {
        shell: signed_out(),
        public_url: "https://127.0.0.1:8443".to_owned(),
        key: key.map(str::to_owned),
        name: String::new(),
        problem: None,
    };
    let sign_in = SignInPage {
        shell: signed_out(),
        name: "anna".to_owned(),
        next: "/".to_owned(),
        problem: some("The name or the password is not right."),
        providers: Vec::new(),
    };
    let empty = Page { items: Vec::new(), total: 0, next_cursor: None };
    let new_account_token = NewToken::empty(Role::Admin).unwrap();
    let new_token = enroll::NewToken {
        label: String::new(),
        site: String::new(),
        department: String::new(),
        days: "7".to_owned(),
        uses: "1".to_owned(),
        approval: false,
        again: false,
        once: "x".to_owned(),
    };
    let mut all = vec![
        ("home".to_owned(), home().render().unwrap()),
        (
            "home-empty".to_owned(),
            HomePage::new(shell().at("home"), Overview::default(), vec![]).render().unwrap(),
        ),
        (
            "home-first".to_owned(),
            HomePage::new(
                shell().at("home"),
                Overview {
                    devices: 1,
                    fresh: 1,
                    newest: vec![device("lt-0001")],
                    os: vec![("Windows 11 Pro 24H2".into(), 1)],
                    ..Overview::default()
                },
                vec![],
            )
            .render()
            .unwrap(),
        ),
        ("devices".to_owned(), devices(&filtered).render().unwrap()),
        (
            "devices-empty".to_owned(),
            DevicesPage::new(shell().at("devices"), &none, None, empty, &Facets::default())
                .render()
                .unwrap(),
        ),
        (
            "software".to_owned(),
            SoftwarePage::new(shell().at("software"), &none, titles()).render().unwrap(),
        ),
        (
            "software-title".to_owned(),
            TitlePage::new(shell().at("software"), title()).render().unwrap(),
        ),
        (
            "findings".to_owned(),
            FindingsPage::new(shell().at("findings"), &none, None, findings_page(), rule_counts())
                .render()
                .unwrap(),
        ),
        (
            "enroll".to_owned(),
            enroll::EnrollPage::new(shell().at("enroll"), tokens(), units(), new_token, None)
                .render()
                .unwrap(),
        ),
        ("enroll-token".to_owned(), token_page(true).render().unwrap()),
        ("enroll-arrived".to_owned(), token_page(false).render().unwrap()),
        ("exports".to_owned(), ExportsPage::new(shell().at("exports")).render().unwrap()),
        (
            "account".to_owned(),
            AccountPage::new(shell(), api_tokens(), new_account_token, None, None, own())
                .render()
                .unwrap(),
        ),
        (
            "accounts".to_owned(),
            AccountsPage::new(shell(), account_rows(), NewAccount::empty().unwrap(), None, None)
                .render()
                .unwrap(),
        ),
        (
            "second-factor".to_owned(),
            SecondFactorPage::new(
                shell(),
                "clara",
                &crate::totp::TotpSecret::random().unwrap(),
                Why::Soon,
                "/",
                None,
            )
            .render()
            .unwrap(),
        ),
        (
            "recovery-codes".to_owned(),
            RecoveryCodesPage {
                shell: shell(),
                codes: super::second_factor::new_codes().unwrap().0,
                next: "/".to_owned(),
            }
            .render()
            .unwrap(),
        ),
        (
            "sign-in-code".to_owned(),
            super::sign_in::CodePage { shell: signed_out(), next: "/".to_owned(), problem: None }
                .render()
                .unwrap(),
        ),
        (
            "audit".to_owned(),
            AuditPage::new(shell(), Params::default(), audit_page(), vec!["export".to_owned()])
                .unwrap()
                .render()
                .unwrap(),
        ),
        (
            "settings".to_owned(),
            SettingsPage::in_force(shell(), &crate::domain::Policy::default(), true)
                .render()
                .unwrap(),
        ),
        ("units".to_owned(), units_page(shell(), false).render().unwrap()),
        ("units-preview".to_owned(), units_page(shell(), true).render().unwrap()),
        (
            "account-scope".to_owned(),
            scope_page(&Scope::of(Some([1].into()), None)).render().unwrap(),
        ),
        ("settings-preview".to_owned(), settings().render().unwrap()),
        ("collected".to_owned(), CollectedPage::new(shell()).render().unwrap()),
        ("search".to_owned(), SearchPage::new(shell(), search_answer()).render().unwrap()),
        ("sign-in".to_owned(), sign_in.render().unwrap()),
        ("set-up".to_owned(), set_up(Some("rcl_set_x")).render().unwrap()),
        ("set-up-lost".to_owned(), set_up(None).render().unwrap()),
    ];
    for tab in ["overview", "hardware", "software", "network", "people", "changes", "raw"] {
        all.push((format!("device-{tab}"), device_page(tab).render().unwrap()));
    }
    all
}

#[test]
fn pages_are_well_formed() {
    for (name, html) in pages() {
        assert_eq!(html.matches("<h1").count(), 1, "{name} has one main heading");
        assert!(html.contains("<main id=\"content\"") && html.contains("class=\"skip\""), "{name}");
        assert!(!html.contains(" style="), "{name}: the policy forbids inline style");
        assert!(!html.contains("<script>") && !html.contains(" onclick"), "{name}");
        assert!(
            !html.contains("http://") || name == "set-up-lost",
            "{name}: nothing from elsewhere"
        );
        let mut ids: Vec<&str> =
            html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}: an id stands twice");
        for (open, close) in [
            ("<div", "</div>"),
            ("<section", "</section>"),
            ("<table", "</table>"),
            ("<form", "</form>"),
            ("<a ", "</a>"),
            ("<bdi", "</bdi>"),
            ("<details", "</details>"),
        ] {
            assert_eq!(html.matches(open).count(), html.matches(close).count(), "{name}: {open}");
        }
    }
}

#[test]
fn pages_can_be_written_to_be_looked_at() {
    let Ok(folder) = std::env::var("ROLLCALL_PAGES") else { return };
    let assets = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
    for (name, html) in pages() {
        for theme in [Theme::Light, Theme::Dark] {
            let themed = html
                .replace("data-theme=\"system\"", &format!("data-theme=\"{}\"", theme.as_str()))
                .replace(&super::asset::base(), assets);
            std::fs::write(format!("{folder}/{name}-{}.html", theme.as_str()), themed).unwrap();
        }
    }
}

/// Every string of a value replaced by hostile text.
pub(super) fn poisoned<T: serde::Serialize + serde::de::DeserializeOwned>(
    value: &T,
    keep: &[&str],
) -> T {
    fn walk(value: &mut Value, keep: &[&str], name: &str) {
        match value {
            Value::String(text) if !keep.contains(&name) => HOSTILE.clone_into(text),
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, keep, name)),
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    walk(field, keep, name);
                }
            }
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).unwrap();
    walk(&mut json, keep, "");
    serde_json::from_value(json).unwrap()
}

/// What an agent may say to break a page.
pub(super) const HOSTILE: &str =
    "\"'><script>alert(1)</script>{{7*7}}\u{202e}\u{0}<img src=x onerror=x>";

/// Fields whose words are our own, so that an agent cannot choose them.
const OURS: &[&str] = &[
    "id",
    "class",
    "presence",
    "last_seen_at",
    "enrolled_at",
    "worst_severity",
    "site_from",
    "department_from",
    "severity",
    "state",
    "since",
    "source_date",
    "closed_at",
    "device_id",
    "at",
    "received_at",
    "kind",
    "first_seen_at",
    "installed_at",
    "until",
    "changed_at",
    "vitals_at",
    "first_report_at",
    "booted_at",
    "matched",
    "cpu_ms",
    "other_device",
    "undone_at",
    "as_of",
    "notes_text",
    "update_lists_at",
    "last_upgrade_at",
    "last_installed_at",
    "last_sign_in_at",
    "family",
    "facts_date",
];

#[test]
fn no_page_lets_agents_write_markup() {
    use super::findings::FindingsPage;
    use super::search::SearchPage;
    use super::software::{SoftwarePage, TitlePage};

    let none = Params::default();
    let mut texts = Vec::new();
    for tab in ["overview", "hardware", "software", "network", "people", "changes", "raw"] {
        let mut detail = device_detail();
        detail = poisoned(&detail, OURS);
        let data = TabData {
            software: poisoned(&software(), OURS),
            people: Vec::new(),
            changes: poisoned(&changes(), OURS),
            ..TabData::default()
        };
        let params = Params(vec![("tab".into(), tab.into()), ("f".into(), HOSTILE.into())]);
        texts.push((tab, DevicePage::new(shell(), &params, detail, data).render().unwrap()));
    }
    let all_columns = [
        "user",
        "os",
        "model",
        "manufacturer",
        "serial",
        "address",
        "site",
        "department",
        "asset_tag",
        "agent",
    ];
    let mut params: Vec<(String, String)> =
        all_columns.iter().map(|c| ("col".into(), (*c).into())).collect();
    params.push(("q".into(), HOSTILE.into()));
    params.push(("presence".into(), HOSTILE.into()));
    let rows = Page { items: poisoned(&fleet(), OURS), total: 8, next_cursor: some(HOSTILE) };
    let list = vec![(HOSTILE.to_owned(), 3)];
    let facets =
        Facets { os: list.clone(), rule: list.clone(), site: list.clone(), ..Facets::default() };
    texts.push((
        "devices",
        DevicesPage::new(shell(), &Params(params), None, rows, &facets).render().unwrap(),
    ));
    let overview =
        Overview { devices: 9, os: list, newest: poisoned(&fleet(), OURS), ..Overview::default() };
    texts.push((
        "home",
        HomePage::new(shell(), overview, poisoned(&changes(), OURS)).render().unwrap(),
    ));
    let findings = poisoned(&findings_page(), OURS);
    texts.push((
        "findings",
        FindingsPage::new(shell(), &none, None, findings, rule_counts()).render().unwrap(),
    ));
    texts.push((
        "search",
        SearchPage::new(shell(), poisoned(&search_answer(), OURS)).render().unwrap(),
    ));
    texts.push((
        "software",
        SoftwarePage::new(shell(), &none, poisoned(&titles(), OURS)).render().unwrap(),
    ));
    texts.push(("title", TitlePage::new(shell(), poisoned(&title(), OURS)).render().unwrap()));
    for (name, html) in texts {
        assert!(html.contains("alert(1)"), "{name} shows the value");
        for markup in ["<script>", "<img", "onerror=x>"] {
            assert!(!html.contains(markup), "{name} let {markup} through");
        }
        assert!(!html.contains('\u{202e}') || html.contains("U+202E"), "{name}");
        // Between the tags no letter that turns text around is left.
        let visible: String =
            html.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text).collect();
        assert!(!visible.contains('\u{202e}') && !visible.contains('\u{0}'), "{name}");
    }
}
