//! Findings: how many by rule, the list, and what a person may accept for a time.

use askama::Template;
use axum::extract::State;
use rollcall_shared::Timestamp;
use rollcall_shared::api::Page as Rows;
use rollcall_shared::api::finding::{Finding, FindingFilter, FindingState, RuleCount, Severity};

use super::device::day_after;
use super::filters;
use super::params::{Params, link};
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::domain::finding::Rule;
use crate::http::auth::Helpdesk;
use crate::view;

const PATH: &str = "/findings";
const WAIVED_DAYS: i64 = 90;

#[derive(Template)]
#[template(path = "findings.html")]
pub(super) struct FindingsPage {
    shell: Shell,
    as_of: Option<Timestamp>,
    now_href: String,
    page: Rows<Finding>,
    show_device: bool,
    waive_until: String,
    state: &'static str,
    rule_title: Option<String>,
    devices_href: String,
    states: Vec<Choice>,
    severities: Vec<Choice>,
    rules: Vec<Choice>,
    hidden: Vec<(String, String)>,
    q: String,
    filtered: bool,
    first_href: Option<String>,
    next_href: Option<String>,
}

struct Choice {
    label: String,
    href: String,
    on: bool,
    devices: Option<(u64, String)>,
}

/// Until when a waiver lasts unless somebody says otherwise.
pub(super) fn waive_until(now: Timestamp) -> String {
    day_after(now, WAIVED_DAYS)
}

/// What a rule is called; an unknown one by its word.
pub(super) fn rule_title(rule: &str) -> String {
    Rule::from_word(rule).map_or_else(|| filters::spoken(rule), |rule| rule.title().to_owned())
}

/// The filter that an address asks for.
fn filter(params: &Params, as_of: Option<Timestamp>) -> FindingFilter {
    FindingFilter {
        rule: params.text("rule"),
        severity: params.get("severity").and_then(Severity::from_word),
        state: params.get("state").and_then(FindingState::from_word),
        q: params.text("q"),
        as_of,
        cursor: params.text("cursor"),
        limit: None,
    }
}

impl FindingsPage {
    pub(super) fn new(
        shell: Shell,
        params: &Params,
        as_of: Option<Timestamp>,
        page: Rows<Finding>,
        counts: Vec<RuleCount>,
    ) -> Self {
        let filter = filter(params, None);
        let state = filter.state.unwrap_or(FindingState::Open);
        let choice = |name: &str, word: &str, label: String, on: bool| Choice {
            href: if on {
                params.without(&[name, "cursor"]).href(PATH)
            } else {
                params.with(name, word).href(PATH)
            },
            label,
            on,
            devices: None,
        };
        let word = |name: &str, word: &str, on: bool| choice(name, word, word.to_owned(), on);
        let rule_title = filter.rule.as_deref().map(rule_title);
        let devices_href = match &filter.rule {
            Some(rule) => link("/devices", &[("rule", rule)]),
            None => link("/devices", &[("sort", "findings"), ("descending", "true")]),
        };
        let is_on = |count: &RuleCount| filter.rule.as_ref() == Some(&count.rule);
        Self {
            show_device: true,
            waive_until: waive_until(shell.now),
            state: state.as_str(),
            states: FindingState::ALL
                .iter()
                .map(|value| word("state", value.as_str(), *value == state))
                .collect(),
            severities: Severity::ALL
                .iter()
                .map(|value| word("severity", value.as_str(), filter.severity == Some(*value)))
                .collect(),
            rules: counts
                .into_iter()
                .map(|count| {
                    let on = is_on(&count);
                    let href = link("/devices", &[("rule", &count.rule)]);
                    let mut choice = choice("rule", &count.rule, count.title, on);
                    choice.devices = Some((count.open, href));
                    choice
                })
                .collect(),
            rule_title,
            devices_href,
            hidden: params.without(&["q", "cursor"]).0,
            q: filter.q.unwrap_or_default(),
            filtered: ["rule", "severity", "state", "q", "as_of"]
                .iter()
                .any(|name| params.get(name).is_some()),
            first_href: params.get("cursor").map(|_| params.without(&["cursor"]).href(PATH)),
            next_href: page
                .next_cursor
                .as_ref()
                .map(|cursor| params.with("cursor", cursor).href(PATH)),
            as_of,
            now_href: params.without(&["as_of", "cursor"]).href(PATH),
            shell,
            page,
        }
    }
}

/// `GET /findings`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let as_of = visit.as_of(app.clock.now())?;
    let rows = view::findings::list(&app, &caller.scope, &filter(&visit.params, as_of)).await?;
    let counts = view::findings::counts(&app, &caller.scope).await?;
    let shell = visit.shell(&app, &caller, "findings");
    page(&FindingsPage::new(shell, &visit.params, as_of, rows, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    fn html(shell: Shell, pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let (rows, counts) = (sample::findings_page(), sample::rule_counts());
        FindingsPage::new(shell, &Params(pairs), None, rows, counts).render().unwrap()
    }

    #[test]
    fn each_finding_says_why_and_what_to_do() {
        let html = html(sample::shell(), &[]);
        for part in [
            "Operating system is past its end of life",
            "Windows 10 22H2",
            "supported until 2025-10-14",
            "endoflife.date facts",
            "Upgrade to a supported system",
            "2026-08-22",
            "/waive",
        ] {
            assert!(html.contains(part), "{part}");
        }
    }

    #[test]
    fn filters_stay_together_and_helpdesk_cannot_waive() {
        let html = html(sample::helpdesk(), &[("severity", "critical")]);
        assert!(html.contains("/findings?severity=critical&#38;rule=volume_full"));
        assert!(html.contains("name=\"severity\" value=\"critical\""), "the form keeps them");
        assert!(!html.contains("/waive"));
    }
}
