//! The one search box: a single hit leads straight to its device.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use rollcall_shared::api::search::SearchAnswer;

use super::filters;
use super::params::link;
use super::shell::Shell;
use super::visit::{Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Helpdesk;
use crate::view;

const HITS_SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "search.html")]
pub(super) struct SearchPage {
    pub(super) shell: Shell,
    pub(super) answer: SearchAnswer,
    /// What a link to a device carries, so that it shows that moment.
    as_of_query: String,
}

impl SearchPage {
    pub(super) fn new(mut shell: Shell, answer: SearchAnswer) -> Self {
        shell.query.clone_from(&answer.query);
        let day = answer.as_of.map(|at| at.to_string());
        let as_of_query = day.map(|at| link("", &[("as_of", &at)])).unwrap_or_default();
        Self { shell, answer, as_of_query }
    }
}

/// Where a search leads without asking further.
fn only_hit(answer: &SearchAnswer) -> Option<String> {
    let [hit] = answer.hits.as_slice() else { return None };
    let as_of = answer.as_of.map(|at| link("", &[("as_of", &at.to_string())]));
    let as_of = as_of.unwrap_or_default();
    (answer.total == 1).then(|| format!("/devices/{}{as_of}", hit.device.id))
}

/// `GET /search?q=`
pub(super) async fn get(
    State(app): State<App>,
    Helpdesk(caller): Helpdesk,
    visit: Visit,
) -> Result<Response, Error> {
    let as_of = visit.as_of(app.clock.now())?;
    let query: String = visit.params.get("q").unwrap_or_default().chars().take(200).collect();
    let answer = if query.is_empty() {
        SearchAnswer { query, hits: Vec::new(), total: 0, as_of }
    } else {
        view::search::search(&app, &caller.scope, &query, HITS_SHOWN, as_of).await?
    };
    if let Some(address) = only_hit(&answer) {
        return Ok(Redirect::to(&address).into_response());
    }
    Ok(page(&SearchPage::new(visit.shell(&app, &caller, ""), answer))?.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn one_hit_leads_to_its_device() {
        let mut answer = sample::search_answer();
        assert_eq!(only_hit(&answer), None);
        answer.hits.truncate(1);
        assert_eq!(only_hit(&answer), None, "there are more than were given");
        answer.total = 1;
        assert!(only_hit(&answer).unwrap().starts_with("/devices/"));
    }

    #[test]
    fn past_values_are_marked_and_nothing_found_helps() {
        let html = SearchPage::new(sample::shell(), sample::search_answer()).render().unwrap();
        assert!(html.contains("formerly</em> hostname"));
        assert!(html.contains("value=\"berg\""), "the box keeps what was asked");
        let nothing = SearchAnswer { query: "zzz".into(), hits: vec![], total: 0, as_of: None };
        let html = SearchPage::new(sample::shell(), nothing).render().unwrap();
        assert!(html.contains("Nothing found") && html.contains("Show all devices"));
    }
}
