//! Software across the fleet: titles, their versions, and who has them.

use askama::Template;
use axum::extract::State;
use rollcall_shared::api::Page as Rows;
use rollcall_shared::api::software::{
    SoftwareDetail, SoftwareFilter, SoftwareTitle, SoftwareVersion,
};

use super::filters;
use super::params::{Params, link};
use super::shell::Shell;
use super::visit::{Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::view;

const PATH: &str = "/software";

#[derive(Template)]
#[template(path = "software.html")]
pub(super) struct SoftwarePage {
    shell: Shell,
    page: Rows<SoftwareTitle>,
    q: String,
    source: String,
    first_href: Option<String>,
    next_href: Option<String>,
}

impl SoftwarePage {
    pub(super) fn new(shell: Shell, params: &Params, page: Rows<SoftwareTitle>) -> Self {
        Self {
            q: params.text("q").unwrap_or_default(),
            source: params.text("source").unwrap_or_default(),
            first_href: params.get("cursor").map(|_| params.without(&["cursor"]).href(PATH)),
            next_href: page
                .next_cursor
                .as_ref()
                .map(|cursor| params.with("cursor", cursor).href(PATH)),
            shell,
            page,
        }
    }
}

#[derive(Template)]
#[template(path = "software_title.html")]
pub(super) struct TitlePage {
    shell: Shell,
    title: SoftwareDetail,
    versions: Vec<VersionRow>,
}

struct VersionRow {
    href: String,
    percent: u64,
    version: SoftwareVersion,
}

impl TitlePage {
    pub(super) fn new(shell: Shell, mut title: SoftwareDetail) -> Self {
        let most = title.versions.iter().map(|version| version.devices).max().unwrap_or(0).max(1);
        let row = |version: SoftwareVersion| VersionRow {
            href: link(
                "/devices",
                &[
                    ("software", &title.name),
                    ("software_source", &title.source),
                    ("in_service", "true"),
                    ("software_version", &version.version),
                ],
            ),
            percent: version.devices * 100 / most,
            version,
        };
        let versions = std::mem::take(&mut title.versions).into_iter().map(row).collect();
        Self { shell, title, versions }
    }
}

/// `GET /software`
pub(super) async fn get(State(app): State<App>, Helpdesk(caller): Helpdesk, visit: Visit) -> Page {
    let params = &visit.params;
    let filter = SoftwareFilter {
        q: params.text("q"),
        source: params.text("source"),
        cursor: params.text("cursor"),
        limit: Some(100),
    };
    let rows = view::software::titles(&app, &caller.scope, &filter).await?;
    page(&SoftwarePage::new(visit.shell(&app, &caller, "software"), params, rows))
}

/// `GET /software/title?source=&name=`
pub(super) async fn title(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    visit: Visit,
) -> Page {
    let source = visit.params.get("source").ok_or(Error::NotFound)?;
    // A name may begin or end with blanks, so it is taken as it is.
    let name = visit.params.all("name").next().ok_or(Error::NotFound)?;
    let found =
        view::software::detail(&app, &caller.scope, source, name).await?.ok_or(Error::NotFound)?;
    page(&TitlePage::new(visit.shell(&app, &caller, "software"), found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn titles_lead_to_versions_and_devices() {
        let html = SoftwarePage::new(sample::shell(), &Params::default(), sample::titles());
        let html = html.render().unwrap();
        assert!(html.contains("/software/title?source=registry&amp;name=Mozilla%20Firefox"));
        assert!(html.contains("/devices?software=Mozilla%20Firefox"));
        let html = TitlePage::new(sample::shell(), sample::title()).render().unwrap();
        assert!(html.contains(
            "software=Mozilla%20Firefox&#38;software_source=registry&#38;in_service=true\
             &#38;software_version=128.3.0"
        ));
    }

    #[test]
    fn nothing_says_why() {
        let none = Rows { items: Vec::new(), total: 0, next_cursor: None };
        let html = SoftwarePage::new(sample::shell(), &Params::default(), none);
        assert!(html.render().unwrap().contains("No software yet"));
    }
}
