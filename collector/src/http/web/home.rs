//! The first page: the fleet in numbers, each number a link to exactly those devices.

use askama::Template;
use axum::extract::State;
use rollcall_shared::api::change::Change;

use super::filters;
use super::params::link;
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::http::auth::Helpdesk;
use crate::view;
use crate::view::overview::Overview;

const SYSTEMS_SHOWN: usize = 8;
const CHANGES_SHOWN: usize = 8;
/// Reports whose changes are looked through for the rows shown.
const REPORTS_READ: u32 = 24;

#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomePage {
    pub(super) shell: Shell,
    pub(super) viewer_name: String,
    pub(super) overview: Overview,
    pub(super) changes: Vec<Group>,
    pub(super) systems: Vec<Share>,
    pub(super) other_systems: Vec<Share>,
    pub(super) hours: Vec<Hour>,
}

/// Changes of one part of one device by one report: the first of them, and how many more.
pub(super) struct Group {
    first: Change,
    more: usize,
}

/// One row of a list with a bar.
pub(super) struct Share {
    label: String,
    href: Option<String>,
    count: u64,
    percent: u64,
}

/// One bar of the last day.
pub(super) struct Hour {
    hours_ago: usize,
    count: u64,
    x: usize,
    y: u64,
    height: u64,
}

impl HomePage {
    pub(super) fn new(shell: Shell, overview: Overview, changes: Vec<Change>) -> Self {
        let viewer_name =
            shell.viewer.as_ref().map(|viewer| viewer.name.clone()).unwrap_or_default();
        let mut systems = systems(&overview);
        let other_systems = systems.split_off(systems.len().min(SYSTEMS_SHOWN));
        Self {
            viewer_name,
            systems,
            other_systems,
            hours: hours(&overview.seen_by_hour),
            shell,
            overview,
            changes: groups(changes),
        }
    }
}

/// One report often changes many titles at once: they take one row.
fn groups(changes: Vec<Change>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // How many updates wait changes every day on every device, and the findings tell it.
    for change in changes.into_iter().filter(|change| change.section != "update") {
        let same = |group: &&mut Group| {
            let first = &group.first;
            (first.device_id, first.at, &first.section, first.kind)
                == (change.device_id, change.at, &change.section, change.kind)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.more += 1,
            None => groups.push(Group { first: change, more: 0 }),
        }
    }
    groups.truncate(CHANGES_SHOWN);
    groups
}

/// Operating systems, the most frequent first.
fn systems(overview: &Overview) -> Vec<Share> {
    let most = overview.os.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    overview
        .os
        .iter()
        .map(|(name, count)| Share {
            label: if name.is_empty() { "not told yet".to_owned() } else { name.clone() },
            href: (!name.is_empty())
                .then(|| link("/devices", &[("os", name), ("in_service", "true")])),
            count: *count,
            percent: count * 100 / most,
        })
        .collect()
}

fn hours(counts: &[u64]) -> Vec<Hour> {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let all = counts.len();
    let bar = |(index, count): (usize, &u64)| {
        let height = if *count == 0 { 1 } else { (count * 56 / most).max(2) };
        Hour { hours_ago: all - index, count: *count, x: index * 10 + 1, y: 60 - height, height }
    };
    counts.iter().enumerate().take(24).map(bar).collect()
}

/// `GET /`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let overview = view::overview::overview(&app, &caller.scope).await?;
    let changes = view::changes::of_newest_reports(&app, &caller.scope, REPORTS_READ).await?;
    page(&HomePage::new(visit.shell(&app, &caller, "home"), overview, changes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn every_number_leads_to_its_devices() {
        let html = sample::home().render().unwrap();
        for href in [
            "/devices?presence=stale",
            "/devices?rule=os_end_of_life",
            "/devices?os=Windows%2011%20Pro%2024H2&in_service=true",
        ] {
            assert!(html.contains(&format!("href=\"{}\"", href.replace('&', "&#38;"))), "{href}");
        }
        assert!(html.contains("<th scope=\"row\">24</th>"), "the chart has its numbers beside it");
    }

    #[test]
    fn an_empty_fleet_says_what_to_do() {
        let it = HomePage::new(sample::shell(), Overview::default(), Vec::new()).render().unwrap();
        assert!(it.contains("No device reports yet") && it.contains("Enrol the first device"));
        let helpdesk = HomePage::new(sample::helpdesk(), Overview::default(), Vec::new());
        assert!(!helpdesk.render().unwrap().contains("href=\"/enroll\""));
    }

    #[test]
    fn the_first_device_is_greeted() {
        let newest = vec![sample::device("lt-0001")];
        let overview = Overview { devices: 1, fresh: 1, newest, ..Overview::default() };
        let html = HomePage::new(sample::shell(), overview, Vec::new()).render().unwrap();
        assert!(html.contains("It works.") && html.contains("enrol another computer"));
    }
}
