//! Lists as files: which, in which form, as of which day. The files come from the API.

use askama::Template;
use axum::extract::State;

use super::filters;
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::http::auth::Reader;

#[derive(Template)]
#[template(path = "exports.html")]
pub(super) struct ExportsPage {
    shell: Shell,
    lists: &'static [List],
    today: String,
}

struct List {
    key: &'static str,
    title: &'static str,
    about: &'static str,
}

const LISTS: &[List] = &[
    List {
        key: "devices",
        title: "Devices",
        about: "One row for each device: name, person, system, model, serial, when it reported.",
    },
    List {
        key: "software",
        title: "Software",
        about: "One row for each title and version on each device.",
    },
    List {
        key: "findings",
        title: "Findings",
        about: "One row for each finding: rule, device, value, threshold, since when, source.",
    },
];

impl ExportsPage {
    pub(super) fn new(shell: Shell) -> Self {
        Self { today: shell.now.date(), shell, lists: LISTS }
    }
}

/// `GET /exports`
pub(super) async fn get(State(app): State<App>, Reader(caller): Reader, visit: Visit) -> Page {
    page(&ExportsPage::new(visit.shell(&app, &caller, "exports")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn each_list_has_form_and_day() {
        let html = ExportsPage::new(sample::shell()).render().unwrap();
        for list in LISTS {
            assert!(html.contains(&format!("action=\"/api/v1/exports/{}.csv\"", list.key)));
            assert!(html.contains(&format!("id=\"as-of-{}\"", list.key)));
        }
    }
}
