//! Sites and departments: what there is, and the rules that put devices into them.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::unit::{RuleTest, Unit, UnitKind, UnitPreview, UnitRule, UnitRules};

use super::filters;
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::api::{unit_rules, units};
use crate::http::auth::{Caller, It, WholeIt};
use crate::{issue, view};

const PATH: &str = "/units";

#[derive(Template)]
#[template(path = "units.html")]
pub(super) struct UnitsPage {
    shell: Shell,
    groups: Vec<Group>,
    rules: String,
    preview: Option<UnitPreview>,
    saved: bool,
    problem: Option<String>,
}

/// The sites, or the departments.
struct Group {
    key: &'static str,
    title: &'static str,
    units: Vec<Unit>,
}

impl UnitsPage {
    /// The page with these rules in the form.
    pub(super) fn new(
        shell: Shell,
        units: Vec<Unit>,
        rules: String,
        preview: Option<UnitPreview>,
    ) -> Self {
        let (sites, departments) =
            units.into_iter().partition(|unit: &Unit| unit.kind == UnitKind::Site);
        let groups = vec![
            Group { key: "site", title: "Sites", units: sites },
            Group { key: "department", title: "Departments", units: departments },
        ];
        Self { shell, groups, rules, preview, saved: false, problem: None }
    }
}

/// Rules as the form shows them, one a line: `subnet 10.1.0.0/16 site Berlin`.
pub(super) fn written(rules: &[UnitRule], units: &[Unit]) -> String {
    let line = |rule: &UnitRule| {
        let unit = units.iter().find(|unit| unit.id == rule.unit)?;
        let (test, kind) = (rule.test.as_str(), unit.kind.as_str());
        Some(format!("{test} {} {kind} {}\n", rule.pattern, unit.name))
    };
    rules.iter().filter_map(line).collect()
}

/// The rules that a form asks for, or the line to mend.
fn read(written: &str, units: &[Unit]) -> Result<Vec<UnitRule>, String> {
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(written.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let wrong = |why: &str| format!("Line {number}: {why}.");
        let mut words = line.splitn(4, char::is_whitespace).map(str::trim);
        let test = words.next().and_then(RuleTest::from_word);
        let test = test.ok_or_else(|| wrong("begin with subnet, hostname or directory"))?;
        let pattern = words.next().filter(|pattern| !pattern.is_empty());
        let pattern = pattern.ok_or_else(|| wrong("say what it must be"))?.to_owned();
        let kind = words.next().and_then(UnitKind::from_word);
        let kind = kind.ok_or_else(|| wrong("the third word is site or department"))?;
        let name = words.next().unwrap_or_default();
        let unit = units.iter().find(|unit| unit.kind == kind && unit.name == name);
        let unit = unit.ok_or_else(|| wrong(&format!("there is no {} “{name}”", kind.as_str())))?;
        rules.push(UnitRule { unit: unit.id, test, pattern });
    }
    Ok(rules)
}

async fn shown(app: &App, caller: &Caller, visit: &Visit) -> Result<UnitsPage, Error> {
    let units = view::units::list(app, &caller.scope).await?;
    let rules = if caller.scope.is_whole() {
        written(&app.store.unit_rule_list().await?, &units)
    } else {
        String::new()
    };
    Ok(UnitsPage::new(visit.shell(app, caller, "units"), units, rules, None))
}

/// The page again with what to mend.
fn again(mut shown: UnitsPage, problem: String) -> Result<Response, Error> {
    shown.problem = Some(problem);
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&shown)?).into_response())
}

/// What to mend about a name, or another error.
fn told(error: Error) -> Result<String, Error> {
    match error {
        Error::Conflict(_) => Ok("There is one of this name already.".to_owned()),
        Error::Invalid { why, .. } => Ok(format!("Mend it: {why}.")),
        other => Err(other),
    }
}

/// `GET /units`
pub(super) async fn get(State(app): State<App>, It(caller): It, visit: Visit) -> Page {
    let mut shown = shown(&app, &caller, &visit).await?;
    shown.saved = visit.params.get("saved").is_some();
    page(&shown)
}

/// `POST /units`
pub(super) async fn create(
    State(app): State<App>,
    WholeIt(caller): WholeIt,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let kind = UnitKind::from_word(&fields.text("kind"));
    let kind = kind.ok_or_else(|| Error::invalid("kind", "choose one of the list"))?;
    let made = match issue::unit_name("name", &fields.text("name")) {
        Ok(name) => {
            let made = app.store.create_unit(kind, &name, &caller.by(&app)).await;
            made.map_err(units::taken)
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(Redirect::to(PATH).into_response()),
        Err(error) => again(shown(&app, &caller, &visit).await?, told(error)?),
    }
}

/// `POST /units/{id}/rename`
pub(super) async fn rename(
    State(app): State<App>,
    WholeIt(caller): WholeIt,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    match units::renamed(&app, &caller, id, &fields.text("name")).await {
        Ok(()) => Ok(Redirect::to(PATH).into_response()),
        Err(error) => again(shown(&app, &caller, &visit).await?, told(error)?),
    }
}

/// `POST /units/{id}/delete`
pub(super) async fn delete(
    State(app): State<App>,
    WholeIt(caller): WholeIt,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Redirect, Error> {
    let to = fields.text("move_to");
    let wrong = |_| Error::invalid("move_to", "choose one of the list");
    let to = if to.is_empty() { None } else { Some(to.parse().map_err(wrong)?) };
    units::deleted(&app, &caller, id, to).await?;
    Ok(Redirect::to(PATH))
}

/// `POST /units/rules`: a look at what these rules would change, or setting them.
pub(super) async fn rules(
    State(app): State<App>,
    WholeIt(caller): WholeIt,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let text = fields.exact("rules").to_owned();
    let units = view::units::list(&app, &caller.scope).await?;
    let shell = visit.shell(&app, &caller, "units");
    let asked = match read(&text, &units) {
        Ok(rules) => UnitRules { rules },
        Err(problem) => return again(UnitsPage::new(shell, units, text, None), problem),
    };
    let done = if fields.text("do") == "save" {
        unit_rules::set(&app, &caller, asked).await.map(|_| None)
    } else {
        unit_rules::looked_at(&app, asked).await.map(Some)
    };
    match done {
        Ok(None) => Ok(Redirect::to(&format!("{PATH}?saved=1")).into_response()),
        Ok(preview) => Ok(page(&UnitsPage::new(shell, units, text, preview))?.into_response()),
        Err(Error::Invalid { field, why }) => {
            let problem = format!("{field}: {why}.");
            again(UnitsPage::new(shell, units, text, None), problem)
        }
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn rules_are_read_back_as_they_are_written() {
        let units = sample::units();
        let text = "subnet 10.1.0.0/16 site Berlin\nhostname srv-* department IT and more\n";
        let rules = read(&format!("\n  {text}\n"), &units).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(written(&rules, &units), text);
        for (wrong, told) in [
            ("net 10.0.0.0/8 site Berlin", "Line 1: begin with"),
            ("\nsubnet", "Line 2: say what"),
            ("subnet 10.0.0.0/8 room Berlin", "the third word"),
            ("subnet 10.0.0.0/8 site Rome", "there is no site “Rome”"),
            ("subnet 10.0.0.0/8 department Berlin", "no department “Berlin”"),
        ] {
            assert!(read(wrong, &units).unwrap_err().contains(told), "{wrong}");
        }
    }

    #[test]
    fn what_belongs_to_everybody_is_not_offered_to_the_limited() {
        let html = sample::units_page(sample::shell(), true).render().unwrap();
        assert!(html.contains("/units/1/delete") && html.contains("name=\"do\" value=\"save\""));
        assert!(html.contains("3 devices would go elsewhere") && html.contains("Berlin → Lyon"));
        let html = sample::units_page(sample::helpdesk(), false).render().unwrap();
        assert!(html.contains("Berlin") && !html.contains("<form method=\"post\" action=\"/units"));
        assert!(!html.contains("name=\"rules\""));
    }
}
