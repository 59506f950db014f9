//! The audit log: who did what, to what, and when.

use askama::Template;
use axum::extract::State;
use rollcall_shared::api::Page as Rows;
use rollcall_shared::api::audit::{AuditFilter, AuditLine};
use rollcall_shared::time::DAY_MS;
use rollcall_shared::{DeviceId, Timestamp};

use super::filters;
use super::params::Params;
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::api::audit;
use crate::http::auth::Auditor;

const PATH: &str = "/audit";

#[derive(Template)]
#[template(path = "audit.html")]
pub(super) struct AuditPage {
    shell: Shell,
    lines: Vec<Line>,
    total: u64,
    actions: Vec<String>,
    params: Params,
    today: String,
    filtered: bool,
    csv_href: String,
    json_href: String,
    first_href: Option<String>,
    next_href: Option<String>,
}

struct Line {
    line: AuditLine,
    /// Where the object is shown.
    href: Option<String>,
}

/// The page of the device that an object names.
fn href(object: &str) -> Option<String> {
    let (_, named) = object.split_once("device ")?;
    let id: DeviceId = named.split(' ').next()?.parse().ok()?;
    Some(format!("/devices/{id}"))
}

/// The start of a day, or of the day after it.
fn day(params: &Params, name: &'static str, after: bool) -> Result<Option<Timestamp>, Error> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let day = Timestamp::from_date(text)
        .ok_or_else(|| Error::invalid(name, "choose the day in the calendar"))?;
    Ok(Some(if after { day.plus_ms(DAY_MS) } else { day }))
}

/// The filter that an address asks for; `until` is the last day shown.
fn filter(params: &Params) -> Result<AuditFilter, Error> {
    Ok(AuditFilter {
        from: day(params, "from", false)?,
        before: day(params, "until", true)?,
        actor: params.text("actor"),
        action: params.text("action"),
        object: params.text("object"),
        cursor: params.text("cursor"),
        limit: Some(100),
    })
}

impl AuditPage {
    pub(super) fn new(
        shell: Shell,
        params: Params,
        found: Rows<AuditLine>,
        actions: Vec<String>,
    ) -> Result<Self, Error> {
        let AuditFilter { from, before, actor, action, object, cursor, limit: _ } =
            filter(&params)?;
        let asked = [
            ("from", from.map(|at| at.to_string())),
            ("before", before.map(|at| at.to_string())),
            ("actor", actor),
            ("action", action),
            ("object", object),
        ];
        let asked: Vec<(String, String)> =
            asked.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let filtered = !asked.is_empty();
        let asked = Params(asked);
        let lines =
            found.items.into_iter().map(|line| Line { href: href(&line.object), line }).collect();
        Ok(Self {
            csv_href: asked.href("/api/v1/audit/audit.csv"),
            json_href: asked.href("/api/v1/audit/audit.json"),
            first_href: cursor.map(|_| params.without(&["cursor"]).href(PATH)),
            next_href: found.next_cursor.map(|cursor| params.with("cursor", &cursor).href(PATH)),
            today: shell.now.date(),
            total: found.total,
            shell,
            lines,
            actions,
            params,
            filtered,
        })
    }

    /// What stands in a field of the filter.
    fn value(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }
}

/// `GET /audit`
pub(super) async fn get(State(app): State<App>, Auditor(caller): Auditor, visit: Visit) -> Page {
    let found = audit::page(&app, &caller, filter(&visit.params)?).await?;
    let actions = app.store.audit_actions(audit::own(&caller).as_deref()).await?;
    let shell = visit.shell(&app, &caller, "audit");
    page(&AuditPage::new(shell, visit.params, found, actions)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    fn html(pairs: &[(&str, &str)], found: Rows<AuditLine>) -> String {
        let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let actions = vec!["device_retired".to_owned(), "sign_in".to_owned()];
        AuditPage::new(sample::shell(), Params(pairs), found, actions).unwrap().render().unwrap()
    }

    #[test]
    fn a_range_stays_in_every_link() {
        let mut found = sample::audit_page();
        found.next_cursor = Some("17".to_owned());
        let html = html(&[("from", "2026-11-01"), ("until", "2026-11-20"), ("actor", "an")], found);
        assert!(
            html.contains("/audit?from=2026-11-01&#38;until=2026-11-20&#38;actor=an&#38;cursor=17")
        );
        assert!(html.contains(
            "audit.csv?from=2026-11-01T00%3A00%3A00Z&#38;before=2026-11-21T00%3A00%3A00Z"
        ));
        assert!(html.contains("href=\"/devices/0197"), "a device is linked");
        assert!(html.contains("device retired"));
    }

    #[test]
    fn nobody_writes_markup_through_it() {
        let found = sample::poisoned(&sample::audit_page(), &["number", "at", "hash"]);
        let html = html(&[("actor", sample::HOSTILE)], found);
        assert!(html.contains("alert(1)") && !html.contains("<script>") && !html.contains("<img"));
    }
}
