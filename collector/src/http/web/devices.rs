//! The list of devices. Its whole state stands in the address.

use askama::Template;
use axum::extract::State;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page as Rows;
use rollcall_shared::api::account::Role;
use rollcall_shared::api::device::{
    DeviceClass, DeviceFilter, DeviceSort, DeviceSummary, Presence, SupportState,
};
use rollcall_shared::api::finding::Severity;

use super::params::Params;
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use super::{filters, findings};
use crate::app::App;
use crate::http::auth::Helpdesk;
use crate::view;
use crate::view::devices::Facets;

const PATH: &str = "/devices";
const VALUES_SHOWN: usize = 12;

/// Names of filters in the address, with what they are called.
const FILTERS: &[(&str, &str)] = &[
    ("q", "search"),
    ("presence", "presence"),
    ("class", "kind"),
    ("os", "system"),
    ("model", "model"),
    ("manufacturer", "maker"),
    ("site", "site"),
    ("department", "department"),
    ("user", "person"),
    ("rule", "finding"),
    ("severity", "severity"),
    ("in_service", "in service"),
    ("os_support", "support of its system"),
    ("software", "software"),
    ("software_version", "version"),
    ("software_below", "below version"),
    ("software_source", "from"),
    ("as_of", "as of"),
];

/// Values of one column and how many devices have each.
type Counts<'a> = &'a [(String, u64)];

/// Key, label, shown by default, sorted by, numeric.
type ColumnRow = (&'static str, &'static str, bool, Option<DeviceSort>, bool);
const COLUMNS: &[ColumnRow] = &[
    ("hostname", "Name", true, Some(DeviceSort::Hostname), false),
    ("presence", "State", true, None, false),
    ("findings", "Findings", true, Some(DeviceSort::Findings), false),
    ("user", "Person", true, None, false),
    ("os", "System", true, Some(DeviceSort::Os), false),
    ("model", "Model", true, Some(DeviceSort::Model), false),
    ("manufacturer", "Maker", false, None, false),
    ("serial", "Serial", false, None, false),
    ("address", "IP address", false, None, false),
    ("site", "Site", false, None, false),
    ("department", "Department", false, None, false),
    ("asset_tag", "Asset tag", false, None, false),
    ("agent", "Agent", false, None, false),
    ("software", "Titles", false, None, true),
    ("enrolled", "Enrolled", false, None, false),
    ("last_seen", "Reported", true, Some(DeviceSort::LastSeen), false),
];

#[derive(Template)]
#[template(path = "devices.html")]
pub(super) struct DevicesPage {
    shell: Shell,
    page: Rows<DeviceSummary>,
    facets: Vec<Facet>,
    chips: Vec<Chip>,
    quick: Vec<Quick>,
    now_href: String,
    columns: Vec<Column>,
    columns_open: bool,
    hidden: Vec<(String, String)>,
    q: String,
    as_of: Option<Timestamp>,
    as_of_day: String,
    as_of_query: String,
    problem: Option<String>,
    may_export: bool,
    export_href: String,
    first_href: Option<String>,
    next_href: Option<String>,
}

struct Facet {
    label: &'static str,
    values: Vec<FacetValue>,
    more: usize,
    open: bool,
}

struct FacetValue {
    label: String,
    href: String,
    count: u64,
    on: bool,
}

/// A filter that is asked for often.
struct Quick {
    icon: &'static str,
    label: String,
    href: String,
    count: Option<u64>,
    on: bool,
}

struct Chip {
    label: &'static str,
    value: String,
    href: String,
}

struct Column {
    key: &'static str,
    label: &'static str,
    shown: bool,
    numeric: bool,
    sorted: Option<&'static str>,
    sort_href: Option<String>,
}

/// The filter that an address asks for. Words nobody knows do not narrow the list.
pub(super) fn filter(params: &Params, as_of: Option<Timestamp>) -> DeviceFilter {
    DeviceFilter {
        q: params.text("q"),
        presence: params.get("presence").and_then(Presence::from_word),
        class: params.get("class").and_then(DeviceClass::from_word),
        os: params.text("os"),
        model: params.text("model"),
        manufacturer: params.text("manufacturer"),
        site: params.text("site"),
        department: params.text("department"),
        user: params.text("user"),
        rule: params.text("rule"),
        severity: params.get("severity").and_then(Severity::from_word),
        software: params.text("software"),
        in_service: params.get("in_service") == Some("true"),
        os_support: params.get("os_support").and_then(SupportState::from_word),
        software_version: params.text("software_version"),
        software_below: params.text("software_below"),
        software_source: params.text("software_source"),
        sort: params.get("sort").and_then(DeviceSort::from_word),
        descending: params.get("descending") == Some("true"),
        as_of,
        cursor: params.text("cursor"),
        limit: params.get("limit").and_then(|text| text.parse().ok()),
    }
}

impl DevicesPage {
    pub(super) fn new(
        shell: Shell,
        params: &Params,
        as_of: Option<Timestamp>,
        page: Rows<DeviceSummary>,
        facets: &Facets,
    ) -> Self {
        let as_of_query = params
            .get("as_of")
            .map(|day| super::params::link("", &[("as_of", day)]))
            .unwrap_or_default();
        let hidden = params.without(&["q", "col", "cursor", "as_of"]).0;
        Self {
            may_export: shell.may(Role::Auditor) || shell.may(Role::It),
            // Exports know the day, not the other filters.
            export_href: format!("/api/v1/exports/devices.csv{as_of_query}"),
            first_href: params.get("cursor").map(|_| params.without(&["cursor"]).href(PATH)),
            next_href: page
                .next_cursor
                .as_ref()
                .map(|cursor| params.with("cursor", cursor).href(PATH)),
            facets: facet_groups(params, facets),
            chips: chips(params),
            quick: quick(params, facets),
            now_href: params.without(&["as_of", "cursor"]).href(PATH),
            columns: columns(params),
            columns_open: false,
            hidden,
            q: params.text("q").unwrap_or_default(),
            as_of,
            as_of_day: as_of.map(Timestamp::date).unwrap_or_default(),
            as_of_query,
            problem: unknown_word(params),
            shell,
            page,
        }
    }
}

fn unknown_word(params: &Params) -> Option<String> {
    let unknown = |name: &str, known: bool| {
        params.get(name).filter(|_| !known).map(|word| {
            format!("“{word}” is not a {name} that Rollcall knows, so it does not narrow the list.")
        })
    };
    let filter = filter(params, None);
    unknown("presence", filter.presence.is_some())
        .or_else(|| unknown("class", filter.class.is_some()))
        .or_else(|| unknown("severity", filter.severity.is_some()))
        .or_else(|| unknown("os_support", filter.os_support.is_some()))
}

fn chips(params: &Params) -> Vec<Chip> {
    let chip = |(name, label): &(&'static str, &'static str)| {
        let value = params.text(name)?;
        let gone: &[&str] = if *name == "software" {
            &["software", "software_version", "software_below", "software_source"]
        } else {
            &[name]
        };
        let href = params.without(gone).without(&["cursor"]).href(PATH);
        let value = match *name {
            "rule" => findings::rule_title(&value),
            "os_support" => filters::spoken(&value),
            "in_service" => "only".to_owned(),
            _ => value,
        };
        Some(Chip { label, value, href })
    };
    FILTERS.iter().filter_map(chip).collect()
}

/// What somebody who opens the list looks for first: what is silent, and what is bad.
fn quick(params: &Params, facets: &Facets) -> Vec<Quick> {
    let entry = |name: &str, word: &'static str, label: String, count: Option<u64>| {
        let on = params.get(name) == Some(word);
        let href = if on {
            params.without(&[name, "cursor"]).href(PATH)
        } else {
            params.with(name, word).href(PATH)
        };
        Quick { icon: word, label, href, count, on }
    };
    let presence = [Presence::Stale, Presence::Missing, Presence::Pending];
    let count_of = |word: &str| facets.presence.iter().find(|(known, _)| known == word);
    let mut found: Vec<Quick> = presence
        .into_iter()
        .filter_map(|value| count_of(value.as_str()).map(|(_, count)| (value, *count)))
        .map(|(value, count)| {
            entry("presence", value.as_str(), value.as_str().to_owned(), Some(count))
        })
        .collect();
    for severity in [Severity::Critical, Severity::Warning] {
        let label = format!("{} findings", severity.as_str());
        found.push(entry("severity", severity.as_str(), label, None));
    }
    found
}

fn facet_groups(params: &Params, facets: &Facets) -> Vec<Facet> {
    let groups: [(&'static str, &'static str, Counts<'_>); 8] = [
        ("presence", "State", &facets.presence),
        ("rule", "Finding", &facets.rule),
        ("class", "Kind", &facets.class),
        ("os", "System", &facets.os),
        ("os_support", "Support of the system", &facets.os_support),
        ("model", "Model", &facets.model),
        ("site", "Site", &facets.site),
        ("department", "Department", &facets.department),
    ];
    let group = |(index, (name, label, counts)): (usize, (_, _, Counts<'_>))| {
        let current = params.get(name);
        let named = || counts.iter().filter(|(value, _)| !value.is_empty());
        let value = |(value, count): &(String, u64)| {
            let on = current == Some(value.as_str());
            let href = if on {
                params.without(&[name, "cursor"]).href(PATH)
            } else {
                params.with(name, value).href(PATH)
            };
            let label = match name {
                "rule" => findings::rule_title(value),
                "class" | "presence" | "os_support" => filters::spoken(value),
                _ => value.clone(),
            };
            FacetValue { label, href, count: *count, on }
        };
        Facet {
            label,
            values: named().take(VALUES_SHOWN).map(value).collect(),
            more: named().count().saturating_sub(VALUES_SHOWN),
            open: index < 4 || current.is_some(),
        }
    };
    let all = groups.into_iter().enumerate().map(group);
    all.filter(|facet| !facet.values.is_empty()).collect()
}

fn columns(params: &Params) -> Vec<Column> {
    let chosen: Vec<&str> = params.all("col").collect();
    let sort = params.get("sort").and_then(DeviceSort::from_word).unwrap_or(DeviceSort::Hostname);
    let descending = params.get("descending") == Some("true");
    let column = |(key, label, default, sorts, numeric): &ColumnRow| {
        let sorted = sorts.filter(|by| *by == sort);
        let address = |by: DeviceSort| {
            // The column in use turns around; the others begin where it is interesting.
            let down = if by == sort {
                !descending
            } else {
                matches!(by, DeviceSort::LastSeen | DeviceSort::Findings)
            };
            let sorted = params.without(&["descending"]).with("sort", by.as_str());
            if down { sorted.with("descending", "true").href(PATH) } else { sorted.href(PATH) }
        };
        Column {
            key,
            label,
            // Without its name a row could not be opened.
            shown: *key == "hostname"
                || if chosen.is_empty() { *default } else { chosen.contains(key) },
            numeric: *numeric,
            sorted: sorted.map(|_| if descending { "descending" } else { "ascending" }),
            sort_href: sorts.map(address),
        }
    };
    COLUMNS.iter().map(column).collect()
}

/// `GET /devices`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let as_of = visit.as_of(app.clock.now())?;
    let filter = filter(&visit.params, as_of);
    let rows = view::devices::list(&app, &caller.scope, &filter).await?;
    let facets = view::devices::facets(&app, &caller.scope, &filter).await?;
    let shell = visit.shell(&app, &caller, "devices");
    page(&DevicesPage::new(shell, &visit.params, as_of, rows, &facets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_address_is_the_state() {
        let given = params(&[("os", "Debian 12"), ("sort", "os"), ("descending", "true")]);
        let filter = filter(&given, None);
        assert_eq!(filter.os.as_deref(), Some("Debian 12"));
        assert_eq!((filter.sort, filter.descending), (Some(DeviceSort::Os), true));
        let html = sample::devices(&given).render().unwrap();
        assert!(html.contains(
            "/devices?os=Debian%2012&#38;sort=os&#38;descending=true&#38;presence=fresh"
        ));
        assert!(html.contains("aria-sort=\"descending\""));
        assert!(html.contains("href=\"/devices?os=Debian%2012&#38;sort=os\""), "it turns around");
        assert!(html.contains("/api/v1/exports/devices.csv"));
    }

    #[test]
    fn columns_are_chosen_and_the_name_stays() {
        let html = sample::devices(&params(&[("col", "serial")])).render().unwrap();
        assert!(html.contains(">Serial</th>") && html.contains("PF3A1B2C"));
        assert!(!html.contains(">Reported</a>"), "not asked for");
        assert!(html.contains("lt-0042"));
    }

    #[test]
    fn a_wrong_word_is_said_and_the_list_still_comes() {
        let html = sample::devices(&params(&[("presence", "asleep")])).render().unwrap();
        assert!(html.contains("“asleep” is not a presence"));
        assert!(html.contains("lt-0042"));
    }
}
