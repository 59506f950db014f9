//! What a device page shows of each section: facts in words, tables, and why something is absent.
//!
//! A section that this version cannot read is left to the raw view; it is never dropped silently.

use rollcall_shared::api::device::{DeviceDetail, OsSupport, SectionView, SupportState};
use rollcall_shared::section::security::ScreenLock;
use rollcall_shared::section::{
    Battery, Disk, Firmware, Gpu, Memory, Network, Os, Processor, Security, System, Update, Users,
    Volume,
};
use rollcall_shared::{Note, NoteKind, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::filters::{disk_size, frequency, size, spoken};
use super::listed;

/// A table with more rows than this is folded, so that what stands below is found.
const ROWS_OPEN: usize = 12;
/// Rows of waiting updates; the raw view has all.
const UPDATES_SHOWN: usize = 500;

/// One box on the page.
#[derive(Debug, Default)]
pub(super) struct Card {
    pub(super) key: String,
    pub(super) title: &'static str,
    pub(super) changed_at: Option<Timestamp>,
    pub(super) facts: Vec<Fact>,
    pub(super) tables: Vec<Table>,
    pub(super) notes: Vec<String>,
    /// Said in place of content.
    pub(super) empty: Option<&'static str>,
}

/// One line: what, and its value.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) label: String,
    pub(super) value: Value,
    pub(super) code: bool,
    pub(super) copy: bool,
}

/// A value in one of the forms that pages show.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Time(Timestamp),
    YesNo(bool),
    Status(Status),
}

/// A judgement by icon and words.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) class: &'static str,
    pub(super) icon: &'static str,
    pub(super) text: &'static str,
}

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) caption: &'static str,
    /// So many rows that they open only when asked for.
    pub(super) folded: bool,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A heading.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) label: &'static str,
    pub(super) numeric: bool,
}

/// One cell; with `percent` it has a bar.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) numeric: bool,
    pub(super) percent: Option<u64>,
    pub(super) class: &'static str,
}

impl Card {
    fn fact(&mut self, label: &str, value: Value) -> &mut Self {
        self.facts.push(Fact { label: label.to_owned(), value, code: false, copy: false });
        self
    }

    pub(super) fn text(&mut self, label: &str, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        if value.is_empty() { self } else { self.fact(label, Value::Text(value)) }
    }

    pub(super) fn maybe(&mut self, label: &str, value: Option<&String>) -> &mut Self {
        match value {
            Some(value) => self.text(label, value.clone()),
            None => self,
        }
    }

    /// A value that people carry elsewhere: in the typewriter's letters, with a copy button.
    pub(super) fn code(&mut self, label: &str, value: Option<&String>) -> &mut Self {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let value = Value::Text(value.clone());
            self.facts.push(Fact { label: label.to_owned(), value, code: true, copy: true });
        }
        self
    }

    pub(super) fn time(&mut self, label: &str, at: Option<Timestamp>) -> &mut Self {
        match at {
            Some(at) => self.fact(label, Value::Time(at)),
            None => self,
        }
    }

    fn yes_no(&mut self, label: &str, value: Option<bool>) -> &mut Self {
        match value {
            Some(value) => self.fact(label, Value::YesNo(value)),
            None => self,
        }
    }

    fn on_off(&mut self, label: &str, value: Option<bool>, good: bool) -> &mut Self {
        let status = |on: bool| Status {
            class: if on == good { "good" } else { "warn" },
            icon: if on == good { "fresh" } else { "warning" },
            text: if on { "on" } else { "off" },
        };
        match value {
            Some(on) => self.fact(label, Value::Status(status(on))),
            None => self.fact(label, Value::Text("not known".to_owned())),
        }
    }

    pub(super) fn table(
        &mut self,
        caption: &'static str,
        columns: &[(&'static str, bool)],
        rows: Vec<Vec<String>>,
    ) -> &mut Self {
        if !rows.is_empty() {
            let cells = |row: Vec<String>| {
                let numeric = columns.iter().map(|(_, numeric)| *numeric);
                row.into_iter().zip(numeric).map(|(text, numeric)| Cell {
                    text,
                    numeric,
                    percent: None,
                    class: "",
                })
            };
            self.tables.push(Table {
                caption,
                folded: rows.len() > ROWS_OPEN,
                columns: columns
                    .iter()
                    .map(|(label, numeric)| Column { label, numeric: *numeric })
                    .collect(),
                rows: rows.into_iter().map(|row| cells(row).collect()).collect(),
            });
        }
        self
    }
}

/// The word that a wire enum is written as.
fn word(value: Option<&impl Serialize>) -> String {
    let json = value.and_then(|value| serde_json::to_value(value).ok());
    json.and_then(|json| json.as_str().map(spoken)).unwrap_or_default()
}

fn opt(value: Option<&String>) -> String {
    value.cloned().unwrap_or_default()
}

/// A note as a sentence.
pub(super) fn note(note: &Note) -> String {
    let kind = match &note.kind {
        NoteKind::Unsupported => "this system has no such thing, or the agent cannot look for it",
        NoteKind::NeedsPrivilege => "reading it needs administrator rights",
        NoteKind::NotFound => "the agent looked, and there is none",
        NoteKind::Failed => "the agent looked, and something went wrong",
        NoteKind::TimedOut => "it took longer than it may",
        NoteKind::SwitchedOff => "switched off by configuration",
        NoteKind::Other(other) => other,
    };
    let source = note.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default();
    match &note.detail {
        Some(detail) => format!("{source}{kind} ({detail})"),
        None => format!("{source}{kind}"),
    }
}

/// Builds the card of one section; `fill` sees its body.
fn section<T: DeserializeOwned>(
    detail: &DeviceDetail,
    name: &str,
    title: &'static str,
    fill: impl FnOnce(&mut Card, &T),
) -> Card {
    let mut card = Card { key: name.to_owned(), title, ..Card::default() };
    let Some(SectionView { body, changed_at, notes }) = detail.sections.get(name) else {
        card.empty = Some("The agent has not reported this.");
        return card;
    };
    card.changed_at = *changed_at;
    card.notes = notes.iter().map(note).collect();
    match body.as_ref().map(T::deserialize) {
        Some(Ok(value)) => fill(&mut card, &value),
        Some(Err(_)) => {
            card.empty = Some("This version cannot read what the agent sent; see Raw.");
        }
        None if notes.is_empty() => card.empty = Some("The agent has not reported this."),
        None => {}
    }
    card
}

/// What the first tab shows.
pub(super) fn overview(detail: &DeviceDetail) -> Vec<Card> {
    let mut cards = vec![computer(detail), os(detail), vitals(detail), space(detail)];
    cards.push(update(detail));
    cards.push(security(detail));
    cards.retain(|card| {
        !(card.facts.is_empty() && card.tables.is_empty() && card.notes.is_empty())
            || card.empty.is_some()
    });
    cards
}

/// What the hardware tab shows.
pub(super) fn hardware(detail: &DeviceDetail) -> Vec<Card> {
    let mut cards = vec![
        computer(detail),
        firmware(detail),
        processors(detail),
        memory(detail),
        disks(detail),
        volumes(detail),
        graphics(detail),
        batteries(detail),
    ];
    cards.extend(listed::cards(detail, "hardware"));
    cards
}

/// What the network tab shows.
pub(super) fn network(detail: &DeviceDetail) -> Vec<Card> {
    let card = section(detail, "network", "Network", |card, network: &Network| {
        for route in &network.default_routes {
            let gateway = route.gateway.as_deref().unwrap_or("directly");
            card.text("Default route", format!("{gateway} by {}", route.interface));
        }
        card.text("Resolvers", network.resolvers.join(", "));
        card.text("Search domains", network.search_domains.join(", "));
        let rows = network.interfaces.iter().map(|interface| {
            let mut name = interface.name.clone();
            if let Some(ssid) = &interface.wifi_ssid {
                name = format!("{name} ({ssid})");
            }
            let speed = interface.speed_mbps.map(|mbps| format!("{mbps} Mbit/s"));
            let kind = word(interface.kind.as_ref());
            vec![
                name,
                if interface.virtual_interface { format!("{kind}, virtual") } else { kind },
                interface.up.map_or("", |up| if up { "up" } else { "down" }).to_owned(),
                opt(interface.mac.as_ref()),
                interface.addresses.join(" "),
                speed.unwrap_or_default(),
                opt(interface.driver.as_ref()),
            ]
        });
        let columns = [
            ("Name", false),
            ("Kind", false),
            ("State", false),
            ("MAC", false),
            ("Addresses", false),
            ("Speed", true),
            ("Driver", false),
        ];
        card.table("Interfaces", &columns, rows.collect());
    });
    let mut cards = vec![card];
    cards.extend(listed::cards(detail, "network"));
    cards
}

/// Accounts, under the people seen.
pub(super) fn accounts(detail: &DeviceDetail) -> Vec<Card> {
    let card = section(detail, "user", "Accounts on this computer", |card, users: &Users| {
        let rows = users.accounts.iter().map(|account| {
            let yes = |value: Option<bool>| match value {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            };
            vec![
                account.name.clone(),
                opt(account.full_name.as_ref()),
                word(account.kind.as_ref()),
                yes(account.administrator).to_owned(),
                yes(account.disabled).to_owned(),
                yes(account.password_locked).to_owned(),
                account.last_sign_in_at.map(Timestamp::date).unwrap_or_default(),
            ]
        });
        let columns = [
            ("Name", false),
            ("Full name", false),
            ("Kind", false),
            ("Administrator", false),
            ("Disabled", false),
            ("Password locked", false),
            ("Last sign-in", false),
        ];
        card.table("Accounts", &columns, rows.collect());
        let groups = users.groups.iter();
        let groups = groups.map(|group| vec![group.name.clone(), group.members.join(", ")]);
        card.table("Groups", &[("Name", false), ("Members", false)], groups.collect());
    });
    vec![card]
}

fn computer(detail: &DeviceDetail) -> Card {
    section(detail, "system", "Computer", |card, system: &System| {
        card.maybe("Maker", system.manufacturer.as_ref())
            .maybe("Model", system.model.as_ref())
            .maybe("Family", system.family.as_ref())
            .text("Kind", word(system.chassis.as_ref()))
            .code("Serial", system.serial.as_ref())
            .code("Asset tag", system.asset_tag.as_ref())
            .maybe("Order number", system.sku.as_ref())
            .code("Full name", system.fqdn.as_ref())
            .maybe("Domain", system.domain.as_ref());
        if let Some(guest) = &system.virtualization {
            card.text("Runs inside", format!("{} {}", guest.kind, word(guest.role.as_ref())));
        }
        card.code("Cloud instance", system.cloud_instance_id.as_ref())
            .code("UUID", system.uuid.as_ref());
        if let Some(board) = &system.board {
            let parts = [&board.manufacturer, &board.model];
            let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
            card.text("Main board", parts.join(" ")).code("Board serial", board.serial.as_ref());
        }
    })
}

fn os(detail: &DeviceDetail) -> Card {
    section(detail, "os", "Operating system", |card, os: &Os| {
        card.text("Name", os.name.clone()).text("Architecture", os.architecture.clone());
        if let Some(support) = &detail.os_support {
            card.text("Support", support_in_words(support));
            card.text("Judged by", format!("lifecycle facts of {}", support.facts_date.date()));
        }
        if let Some(windows) = &os.windows {
            let revision = windows.revision.map(|number| format!(".{number}"));
            card.text("Build", format!("{}{}", windows.build, revision.unwrap_or_default()))
                .maybe("Edition", windows.edition_id.as_ref())
                .maybe("Version", windows.display_version.as_ref());
        }
        if let Some(macos) = &os.macos {
            card.text("Version", macos.version.clone()).maybe("Build", macos.build.as_ref());
        }
        card.maybe("Kernel", os.kernel.as_ref())
            .time("Installed", os.installed_at)
            .maybe("Time zone", os.time_zone.as_ref())
            .maybe("Language", os.locale.as_ref())
            .yes_no("Ubuntu Pro", os.ubuntu_pro);
    })
}

/// What a maker still does for a system, e.g. `LTS security support until 2028-06-30`.
fn support_in_words(support: &OsSupport) -> String {
    let OsSupport { state, label: _, until, extended, extended_not_seen, why, facts_date: _ } =
        support;
    let kind = extended.as_ref().map(|kind| format!("{} security support", kind.to_uppercase()));
    let day = until.map(Timestamp::date);
    match (state, day) {
        (SupportState::Unknown, _) => {
            format!("not known: {}", why.as_deref().unwrap_or("the facts do not tell"))
        }
        (SupportState::Rolling, _) => "rolling, never at its end".to_owned(),
        (SupportState::Ended, day) => {
            let end = day.map_or_else(|| "has ended".to_owned(), |day| format!("ended on {day}"));
            match extended_not_seen {
                Some(kind) => {
                    format!("{end}; {} exists, not seen on this device", kind.to_uppercase())
                }
                None => end,
            }
        }
        (SupportState::Supported | SupportState::EndingSoon | SupportState::Extended, day) => {
            let what = kind.unwrap_or_else(|| "supported".to_owned());
            match day {
                Some(day) => format!("{what} until {day}"),
                None => format!("{what}, no end announced"),
            }
        }
    }
}

/// The moving numbers of the last report.
fn vitals(detail: &DeviceDetail) -> Card {
    let mut card =
        Card { key: "vitals".to_owned(), title: "Now", changed_at: None, ..Card::default() };
    let Some(vitals) = &detail.vitals else { return card };
    card.time("Taken", detail.vitals_at).time("Started", vitals.booted_at);
    for session in &vitals.sessions {
        let from = session.remote_host.as_ref().map(|host| format!(" from {host}"));
        card.text("Signed in", format!("{}{}", session.user, from.unwrap_or_default()));
    }
    if let Some(reboot) = &vitals.reboot {
        let text = match (reboot.pending, reboot.reasons.is_empty()) {
            (false, _) => "not needed".to_owned(),
            (true, true) => "waited for".to_owned(),
            (true, false) => format!("waited for: {}", reboot.reasons.join(", ")),
        };
        card.text("Restart", text);
    }
    if let Some(bytes) = vitals.memory_available_bytes {
        card.text("Memory available", size(bytes));
    }
    for battery in &vitals.batteries {
        let charging = if battery.charging { ", charging" } else { "" };
        card.text("Battery", format!("{} {} %{charging}", battery.name, battery.percent));
    }
    if let Some(agent) = &detail.agent {
        let rights = if agent.privileged { "" } else { ", without administrator rights" };
        card.text("Agent", format!("{} for {}{rights}", agent.version, agent.target));
    }
    if let Some(cost) = &detail.cost {
        let (cpu, memory) = (cost.cpu_ms, size(cost.peak_rss_bytes));
        card.text("Last look cost", format!("{cpu} ms of processor time, {memory} of memory"));
    }
    if let Some(error) = detail.clock_error_ms.filter(|error| error.abs() > 60_000) {
        let side = if error > 0 { "ahead" } else { "behind" };
        card.text("Clock", format!("{} min {side}", error.abs() / 60_000));
    }
    card
}

/// Free space of each volume, with a bar.
fn space(detail: &DeviceDetail) -> Card {
    let mut card = Card { key: "space".to_owned(), title: "Free space", ..Card::default() };
    let Some(vitals) = &detail.vitals else { return card };
    card.changed_at = None;
    let plain = |text: String, numeric| Cell { text, numeric, percent: None, class: "" };
    let rows = vitals.volumes.iter().filter(|volume| volume.size_bytes > 0).map(|volume| {
        let used = volume.size_bytes.saturating_sub(volume.available_bytes);
        let percent =
            u64::try_from(u128::from(used) * 100 / u128::from(volume.size_bytes)).unwrap_or(100);
        let class = match percent {
            95.. => "b-missing",
            90.. => "b-stale",
            _ => "",
        };
        vec![
            plain(volume.point.clone(), false),
            Cell {
                text: format!("{percent} % used"),
                numeric: false,
                percent: Some(percent.min(100)),
                class,
            },
            plain(size(volume.available_bytes), true),
            plain(size(volume.size_bytes), true),
        ]
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    if !rows.is_empty() {
        let heading = |label, numeric| Column { label, numeric };
        card.tables.push(Table {
            caption: "As of the last report",
            folded: false,
            columns: vec![
                heading("Volume", false),
                heading("Used", false),
                heading("Free", true),
                heading("Size", true),
            ],
            rows,
        });
    }
    card
}

fn update(detail: &DeviceDetail) -> Card {
    section(detail, "update", "Updates", |card, update: &Update| {
        let security = update.pending.iter().filter(|pending| pending.security).count();
        if update.pending_unknown {
            card.text("Waiting", "unknown".to_owned());
        } else {
            card.text("Waiting", update.pending.len().to_string());
        }
        if update.security_known && !update.pending_unknown {
            card.text("For security", security.to_string());
        }
        card.text("Known from", update.manager.clone())
            .yes_no("Install themselves", update.automatic)
            .time("Last installed", update.last_installed_at)
            .time("Lists refreshed", detail.vitals.as_ref().and_then(|v| v.update_lists_at));
        let rows = update.pending.iter().take(UPDATES_SHOWN).map(|pending| {
            vec![
                pending.name.clone(),
                opt(pending.installed.as_ref()),
                opt(pending.available.as_ref()),
                if pending.security { "security".to_owned() } else { String::new() },
            ]
        });
        let columns = [("Name", false), ("Installed", false), ("Waiting", false), ("Kind", false)];
        card.table("Waiting updates", &columns, rows.collect());
    })
}

fn security(detail: &DeviceDetail) -> Card {
    section(detail, "security", "Protection", |card, security: &Security| {
        card.on_off("Disk encryption", security.disk_encryption, true);
        for firewall in &security.firewalls {
            card.on_off(&format!("Firewall {}", firewall.name), firewall.enabled, true);
        }
        for product in &security.malware_protection {
            card.on_off(&format!("Protection {}", product.name), product.enabled, true);
        }
        card.maybe("Screen lock", security.screen_lock.as_ref().map(ScreenLock::words).as_ref());
        card.maybe("Confinement", security.mandatory_access.as_ref());
        if let Some(ssh) = &security.ssh {
            card.maybe("SSH as root", ssh.permit_root_login.as_ref())
                .yes_no("SSH by password", ssh.password_authentication);
        }
        card.yes_no("sudo without password", security.sudo_without_password);
    })
}

fn firmware(detail: &DeviceDetail) -> Card {
    section(detail, "firmware", "Firmware", |card, firmware: &Firmware| {
        card.maybe("Maker", firmware.vendor.as_ref())
            .maybe("Version", firmware.version.as_ref())
            .maybe("Date", firmware.date.as_ref())
            .text("Mode", word(firmware.mode.as_ref()));
        if firmware.secure_boot.is_some() {
            card.on_off("Secure boot", firmware.secure_boot, true);
        }
        if let Some(tpm) = &firmware.tpm {
            card.text(
                "TPM",
                format!("{} {}", opt(tpm.version.as_ref()), opt(tpm.manufacturer.as_ref())),
            );
        }
    })
}

fn processors(detail: &DeviceDetail) -> Card {
    section(detail, "cpu", "Processor", |card, sockets: &Vec<Processor>| {
        for processor in sockets {
            let mut parts = vec![processor.model.clone()];
            if let (Some(cores), Some(threads)) = (processor.cores, processor.threads) {
                parts.push(format!("{cores} cores, {threads} threads"));
            }
            parts.extend(processor.max_mhz.or(processor.base_mhz).map(frequency));
            card.text(&format!("Socket {}", processor.socket), parts.join(" · "))
                .maybe("Microcode", processor.microcode.as_ref())
                .text("Flags", processor.flags.join(" "));
        }
    })
}

fn memory(detail: &DeviceDetail) -> Card {
    section(detail, "memory", "Memory", |card, memory: &Memory| {
        card.text("Usable", size(memory.total_bytes));
        if let Some(bytes) = memory.installed_bytes {
            card.text("Installed", size(bytes));
        }
        card.text("Swap", size(memory.swap_bytes));
        if let Some(slots) = memory.slots {
            card.text("Slots", format!("{} of {slots} filled", memory.modules.len()));
        }
        card.text(
            "Error correction",
            memory.error_correction.as_deref().map(spoken).unwrap_or_default(),
        );
        let rows = memory.modules.iter().map(|module| {
            let speed = module.speed_mts.map(|speed| format!("{speed} MT/s"));
            vec![
                module.locator.clone(),
                size(module.size_bytes),
                opt(module.kind.as_ref()),
                speed.unwrap_or_default(),
                opt(module.manufacturer.as_ref()),
                opt(module.part_number.as_ref()),
                opt(module.serial.as_ref()),
            ]
        });
        let columns = [
            ("Where", false),
            ("Size", true),
            ("Kind", false),
            ("Speed", true),
            ("Maker", false),
            ("Part", false),
            ("Serial", false),
        ];
        card.table("Modules", &columns, rows.collect());
    })
}

fn disks(detail: &DeviceDetail) -> Card {
    section(detail, "storage", "Disks", |card, disks: &Vec<Disk>| {
        let rows = disks.iter().map(|disk| {
            vec![
                disk.name.clone(),
                opt(disk.model.as_ref()),
                disk_size(disk.size_bytes),
                word(disk.kind.as_ref()),
                opt(disk.bus.as_ref()),
                opt(disk.serial.as_ref()),
                word(disk.health.as_ref()),
            ]
        });
        let columns = [
            ("Name", false),
            ("Model", false),
            ("Size", true),
            ("Kind", false),
            ("Bus", false),
            ("Serial", false),
            ("Health", false),
        ];
        card.table("Disks", &columns, rows.collect());
    })
}

fn volumes(detail: &DeviceDetail) -> Card {
    section(detail, "volume", "Volumes", |card, volumes: &Vec<Volume>| {
        let rows = volumes.iter().map(|volume| {
            let flags = [(volume.read_only, "read-only"), (volume.remote, "remote")];
            let flags: Vec<&str> =
                flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
            vec![
                volume.point.clone(),
                opt(volume.device.as_ref()),
                opt(volume.file_system.as_ref()),
                volume.size_bytes.map(size).unwrap_or_default(),
                opt(volume.encryption.as_ref()),
                flags.join(", "),
            ]
        });
        let columns = [
            ("Where", false),
            ("Device", false),
            ("File system", false),
            ("Size", true),
            ("Encrypted", false),
            ("Marks", false),
        ];
        card.table("Mounted file systems", &columns, rows.collect());
    })
}

fn graphics(detail: &DeviceDetail) -> Card {
    section(detail, "gpu", "Graphics", |card, adapters: &Vec<Gpu>| {
        for adapter in adapters {
            let memory = adapter.memory_bytes.map(|bytes| format!(", {}", size(bytes)));
            let label = adapter.vendor.as_deref().unwrap_or("Adapter");
            card.text(label, format!("{}{}", adapter.name, memory.unwrap_or_default()))
                .maybe("Driver", adapter.driver.as_ref());
        }
    })
}

fn batteries(detail: &DeviceDetail) -> Card {
    section(detail, "battery", "Battery", |card, batteries: &Vec<Battery>| {
        for battery in batteries {
            let maker = [&battery.manufacturer, &battery.model].into_iter().flatten();
            let maker: Vec<&str> = maker.map(String::as_str).collect();
            card.text(&battery.name, maker.join(" "));
            if let (Some(design), Some(full)) =
                (battery.design_capacity_mwh, battery.full_capacity_mwh)
                && design > 0
            {
                let percent = u128::from(full) * 100 / u128::from(design);
                card.text("Health", format!("{percent} % of {} Wh when new", design / 1000));
            }
            card.text("Cycles", battery.cycles.map(|count| count.to_string()).unwrap_or_default())
                .code("Serial", battery.serial.as_ref());
        }
    })
}
