//! One device: findings first, then what it is, what runs on it, and what changed.

use askama::Template;
use axum::extract::{Path, State};
use rollcall_shared::api::account::Role;
use rollcall_shared::api::change::Change;
use rollcall_shared::api::device::{
    DecisionKind, DeviceDetail, DeviceSummary, IdentityDecision, Person,
};
use rollcall_shared::api::finding::Finding;
use rollcall_shared::api::unit::{Unit, UnitFrom, UnitKind};
use rollcall_shared::section::{SECTIONS, Software};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Timestamp};

use super::card::{self, Card, Value};
use super::listed;
use super::params::{Params, link};
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use super::{filters, findings};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::view;

const CHANGES_SHOWN: u32 = 200;
/// Rows of software on one page; the filter finds the others.
const SOFTWARE_SHOWN: usize = 150;

const TABS: &[(&str, &str)] = &[
    ("overview", "Overview"),
    ("hardware", "Hardware"),
    ("software", "Software"),
    ("network", "Network"),
    ("services", "Services"),
    ("people", "People seen"),
    ("changes", "Changes"),
    ("raw", "Raw"),
];

#[derive(Template)]
#[template(path = "device.html")]
pub(super) struct DevicePage {
    shell: Shell,
    summary: DeviceSummary,
    model: Option<String>,
    tab: &'static str,
    tabs: Vec<Tab>,
    as_of: Option<Timestamp>,
    as_of_day: String,
    ticket: String,
    findings: Vec<Finding>,
    show_device: bool,
    waive_until: String,
    decisions: Vec<IdentityDecision>,
    /// The known device that this one, waiting, looks like.
    looks_like: Option<DeviceId>,
    own_asset_tag: String,
    sites: Vec<Unit>,
    departments: Vec<Unit>,
    /// What a person chose; empty where rules and the token decide.
    own_site: String,
    own_department: String,
    firmware_asset_tag: String,
    notes_text: String,
    first_report_at: Option<Timestamp>,
    cards: Vec<Card>,
    software: Vec<Software>,
    software_total: usize,
    software_found: usize,
    software_first: usize,
    software_earlier: Option<String>,
    software_later: Option<String>,
    software_filter: String,
    software_notes: Vec<String>,
    people: Vec<Person>,
    days: Vec<Day>,
    older_href: Option<String>,
    changes_total: Option<u64>,
    raw: Vec<RawSection>,
}

struct Tab {
    key: &'static str,
    label: &'static str,
    href: String,
    count: Option<u64>,
}

struct Day {
    date: String,
    changes: Vec<Change>,
}

struct RawSection {
    name: String,
    about: Option<&'static str>,
    changed_at: Option<Timestamp>,
    notes: Vec<String>,
    json: String,
    lines: usize,
}

/// What one tab shows beyond what all have.
#[derive(Default)]
pub(super) struct TabData {
    /// Titles, for the tab of software.
    pub(super) software: Vec<Software>,
    /// People, for their tab.
    pub(super) people: Vec<Person>,
    /// Sites and departments that the viewer may give, for who may.
    pub(super) units: Vec<Unit>,
    /// Changes, newest first.
    pub(super) changes: Vec<Change>,
    /// How many changes there are, and where the next ones begin.
    pub(super) changes_total: Option<u64>,
    /// Where the next page of changes begins.
    pub(super) changes_next: Option<String>,
}

/// Site and department as far as a person chose them.
fn by_hand(summary: &DeviceSummary) -> [String; 2] {
    let chosen = |name: Option<&String>, from| {
        name.filter(|_| from == Some(UnitFrom::Hand)).cloned().unwrap_or_default()
    };
    [
        chosen(summary.site.as_ref(), summary.site_from),
        chosen(summary.department.as_ref(), summary.department_from),
    ]
}

/// The tab that an address asks for; the first for any other word.
pub(super) fn tab(params: &Params) -> &'static str {
    let asked = params.get("tab").unwrap_or_default();
    TABS.iter().map(|(key, _)| *key).find(|key| *key == asked).unwrap_or("overview")
}

impl DevicePage {
    pub(super) fn new(shell: Shell, params: &Params, detail: DeviceDetail, data: TabData) -> Self {
        let tab = tab(params);
        let cards = match tab {
            "overview" => card::overview(&detail),
            "hardware" => card::hardware(&detail),
            "network" => card::network(&detail),
            "services" => listed::cards(&detail, "services"),
            "people" => card::accounts(&detail),
            _ => Vec::new(),
        };
        let raw = if tab == "raw" { raw_sections(&detail) } else { Vec::new() };
        let software_filter = params.text("f").unwrap_or_default();
        let software_total = data.software.len();
        let found = narrowed(data.software, &software_filter);
        let software_found = found.len();
        let pages = software_found.div_ceil(SOFTWARE_SHOWN).max(1);
        let at = params.get("page").and_then(|text| text.parse().ok()).unwrap_or(1_usize);
        let at = at.clamp(1, pages);
        let software_first = (at - 1) * SOFTWARE_SHOWN;
        let software = found.into_iter().skip(software_first).take(SOFTWARE_SHOWN).collect();
        let software_notes = detail
            .sections
            .get("software")
            .map(|section| section.notes.iter().map(card::note).collect())
            .unwrap_or_default();
        let firmware_asset_tag = firmware_asset_tag(&detail);
        let summary = detail.summary;
        let own_asset_tag =
            summary.asset_tag.clone().filter(|tag| *tag != firmware_asset_tag).unwrap_or_default();
        let looks_like = detail
            .decisions
            .iter()
            .filter(|one| one.kind == DecisionKind::LooksLike && one.undone_at.is_none())
            .find_map(|one| one.other_device);
        let [own_site, own_department] = by_hand(&summary);
        let (sites, departments) =
            data.units.into_iter().partition(|unit: &Unit| unit.kind == UnitKind::Site);
        let path = format!("/devices/{}", summary.id);
        let page_href = |number: usize| params.with("page", &number.to_string()).href(&path);
        let software_earlier = (at > 1).then(|| page_href(at - 1));
        let software_later = (at < pages).then(|| page_href(at + 1));
        let as_of_day = params.text("as_of").unwrap_or_default();
        let older_href = data.changes_next.map(|cursor| {
            let mut query = vec![("tab", "changes"), ("cursor", &cursor)];
            if !as_of_day.is_empty() {
                query.push(("as_of", &as_of_day));
            }
            link(&path, &query)
        });
        let tabs = TABS.iter().map(|(key, label)| {
            let mut address = Params::default();
            if *key != "overview" {
                address = address.with("tab", key);
            }
            if !as_of_day.is_empty() {
                address = address.with("as_of", &as_of_day);
            }
            let count = (*key == "software").then_some(summary.software_count);
            Tab { key, label, href: address.href(&path), count }
        });
        Self {
            model: model(&summary),
            tab,
            tabs: tabs.collect(),
            as_of: detail.as_of,
            ticket: ticket(&summary, &detail.findings, shell.now, &shell.here),
            as_of_day,
            waive_until: findings::waive_until(shell.now),
            findings: detail.findings,
            show_device: false,
            decisions: detail.decisions,
            looks_like,
            own_asset_tag,
            sites,
            departments,
            own_site,
            own_department,
            firmware_asset_tag,
            notes_text: detail.notes_text,
            first_report_at: detail.first_report_at,
            cards,
            software,
            software_total,
            software_found,
            software_first,
            software_earlier,
            software_later,
            software_filter,
            software_notes,
            people: data.people,
            days: days(data.changes),
            older_href,
            changes_total: data.changes_total,
            raw,
            summary,
            shell,
        }
    }
}

/// The tag that the maker or the shop wrote into the firmware; a person's own stands above it.
fn firmware_asset_tag(detail: &DeviceDetail) -> String {
    let system = detail.sections.get("system").and_then(|section| section.body.as_ref());
    let tag = system.and_then(|body| body.get("asset_tag")?.as_str());
    tag.unwrap_or_default().to_owned()
}

fn model(summary: &DeviceSummary) -> Option<String> {
    match (&summary.manufacturer, &summary.model) {
        (Some(maker), Some(model)) if !model.to_lowercase().starts_with(&maker.to_lowercase()) => {
            Some(format!("{maker} {model}"))
        }
        (None, None) => None,
        (maker, model) => model.clone().or_else(|| maker.clone()),
    }
}

/// The device in some lines of plain text, to paste into a ticket.
fn ticket(summary: &DeviceSummary, findings: &[Finding], now: Timestamp, here: &str) -> String {
    let mut lines = vec![filters::agent_plain(&summary.hostname)];
    let mut line = |label: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(format!("{label}: {}", filters::agent_plain(value)));
        }
    };
    let person = match (&summary.user_full_name, &summary.user) {
        (Some(name), Some(user)) => Some(format!("{name} ({user})")),
        (_, user) => user.clone(),
    };
    line("Person", person.as_deref());
    line("System", Some(&summary.os_name));
    line("Model", model(summary).as_deref());
    line("Serial", summary.serial.as_deref());
    line("Asset tag", summary.asset_tag.as_deref());
    line("Addresses", Some(&summary.addresses.join(", ")));
    let seen = summary
        .last_seen_at
        .map(|at| format!("{} ({})", filters::relative(at, now), filters::absolute(at)));
    line("Reported", seen.as_deref());
    for finding in findings {
        let text = format!("{}: {} ({})", finding.title, finding.value, finding.threshold);
        line("Finding", Some(&text));
    }
    line("Device", here.split('?').next());
    lines.join("\n")
}

fn narrowed(software: Vec<Software>, filter: &str) -> Vec<Software> {
    let words: Vec<String> = filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let fits = |item: &Software| {
        let text = format!(
            "{} {} {}",
            item.name,
            item.version,
            item.publisher.as_deref().unwrap_or_default()
        )
        .to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    software.into_iter().filter(fits).collect()
}

fn days(changes: Vec<Change>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for change in changes {
        let date = change.at.date();
        match days.last_mut().filter(|day| day.date == date) {
            Some(day) => day.changes.push(change),
            None => days.push(Day { date, changes: vec![change] }),
        }
    }
    days
}

fn raw_sections(detail: &DeviceDetail) -> Vec<RawSection> {
    let known = |name: &str| SECTIONS.iter().position(|info| info.name == name);
    let mut sections: Vec<_> = detail.sections.iter().collect();
    sections.sort_by_key(|(name, _)| (known(name).unwrap_or(usize::MAX), (*name).clone()));
    sections
        .into_iter()
        .map(|(name, section)| {
            let json = section
                .body
                .as_ref()
                .and_then(|body| serde_json::to_string_pretty(body).ok())
                .unwrap_or_default();
            RawSection {
                name: name.clone(),
                about: known(name).and_then(|index| SECTIONS.get(index)).map(|info| info.about),
                changed_at: section.changed_at,
                notes: section.notes.iter().map(card::note).collect(),
                lines: json.lines().count(),
                json,
            }
        })
        .collect()
}

/// `GET /devices/{id}`
pub(super) async fn get(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    Path(id): Path<String>,
    visit: Visit,
) -> Page {
    let id: DeviceId = id.parse().map_err(|_| Error::NotFound)?;
    let as_of = visit.as_of(app.clock.now())?;
    let scope = &caller.scope;
    let detail = match view::device::detail(&app, scope, id, as_of).await? {
        Some(detail) => detail,
        None if as_of.is_some() && view::device::detail(&app, scope, id, None).await?.is_some() => {
            return Err(Error::invalid(
                "as_of",
                "nothing is known of this device on that day, because its first report came \
                 later; choose a later day",
            ));
        }
        None => return Err(Error::NotFound),
    };
    let mut data = TabData::default();
    match tab(&visit.params) {
        "software" => {
            let found = view::device::software(&app, scope, id, as_of).await?;
            data.software = found.map(|found| found.items).unwrap_or_default();
        }
        "people" => data.people = view::device::people(&app, scope, id).await?.unwrap_or_default(),
        "changes" => {
            let cursor = visit.params.get("cursor");
            let found =
                view::device::changes(&app, scope, id, as_of, cursor, CHANGES_SHOWN).await?;
            if let Some(found) = found {
                data.changes = found.items;
                data.changes_total = Some(found.total);
                data.changes_next = found.next_cursor;
            }
        }
        "overview" if caller.role.includes(Role::It) => {
            data.units = view::units::list(&app, scope).await?;
        }
        _ => {}
    }
    page(&DevicePage::new(visit.shell(&app, &caller, "devices"), &visit.params, detail, data))
}

/// The day `days` after `now`, for a date field.
pub(super) fn day_after(now: Timestamp, days: i64) -> String {
    now.plus_ms(days * DAY_MS).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn the_head_says_it_in_words() {
        let html = sample::device_page("overview").render().unwrap();
        for part in ["lt-0042", "anna", "Windows 11 Pro 24H2", "12 min ago", "2 findings"] {
            assert!(html.contains(part), "{part}");
        }
        for part in ["Windows 10 22H2", "held against", "Known from", "next"] {
            assert!(html.contains(part), "{part}");
        }
        assert!(html.find("id=\"findings\"").unwrap() < html.find("class=\"tabs").unwrap());
    }

    #[test]
    fn every_tab_draws_its_data() {
        let tab = |name| sample::device_page(name).render().unwrap();
        assert!(tab("hardware").contains("SAMSUNG MZVL2512HCJQ"));
        assert!(tab("hardware").contains("512 GB") && tab("hardware").contains("16 GiB"));
        assert!(tab("software").contains("Mozilla Firefox"));
        assert!(tab("network").contains("8c:8c:aa:12:34:56"));
        assert!(tab("people").contains("Anna Berg"));
        assert!(tab("changes").contains("2026-11-23") && tab("changes").contains("upgraded"));
        assert!(tab("raw").contains("&#34;hostname&#34;") || tab("raw").contains("&quot;hostname"));
    }

    #[test]
    fn a_ticket_has_what_a_colleague_needs() {
        let summary = sample::device("lt-0042");
        let text = ticket(&summary, &sample::findings(), sample::NOW, "/devices/1?tab=raw");
        assert!(
            text.starts_with("lt-0042\nPerson: Anna Berg (anna)\nSystem: Windows 11 Pro 24H2\n")
        );
        assert!(text.contains("Serial: PF3A1B2C") && text.ends_with("Device: /devices/1"));
    }

    #[test]
    fn software_is_narrowed_without_scripts_too() {
        let all = sample::software();
        assert_eq!(narrowed(all.clone(), "FIRE mozilla").len(), 1);
        assert_eq!(narrowed(all.clone(), "").len(), all.len());
    }

    #[test]
    fn who_a_device_is_can_be_decided_by_it() {
        let html = sample::device_page("overview").render().unwrap();
        assert!(html.contains("/asset\"") && html.contains("/undo\""));
        assert!(!html.contains("/merge\""), "it does not wait");
        let mut detail = sample::device_detail();
        let known = detail.summary.id;
        detail.summary.presence = rollcall_shared::api::device::Presence::Pending;
        detail.decisions[0].kind = DecisionKind::LooksLike;
        detail.decisions[0].other_device = Some(known);
        let page = DevicePage::new(sample::shell(), &Params::default(), detail, TabData::default());
        let html = page.render().unwrap();
        assert!(html.contains("/merge\"") && html.contains("as a new device"));
    }

    #[test]
    fn only_it_may_retire() {
        let html = sample::device_page("overview").render().unwrap();
        assert!(html.contains("/retire"));
        let detail = sample::device_detail();
        let page =
            DevicePage::new(sample::helpdesk(), &Params::default(), detail, TabData::default());
        assert!(!page.render().unwrap().contains("/retire"));
    }
}
