//! What one account sees: everything, or the devices of some sites and departments.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_shared::api::account::Account;
use rollcall_shared::api::unit::{Unit, UnitKind};

use super::accounts::{changed, looked_after};
use super::filters;
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::domain::Scope;
use crate::http::Error;
use crate::http::auth::{Admin, Caller};
use crate::view;

#[derive(Template)]
#[template(path = "account_scope.html")]
pub(super) struct ScopePage {
    shell: Shell,
    account: Account,
    groups: Vec<Group>,
    problem: Option<String>,
}

/// The sites, or the departments.
struct Group {
    key: &'static str,
    title: &'static str,
    all: &'static str,
    /// It is limited to those that are chosen.
    limited: bool,
    /// The viewer may give all.
    may_give_all: bool,
    units: Vec<(Unit, bool)>,
}

impl ScopePage {
    /// The form with this scope; `own`: the viewer's.
    pub(super) fn new(
        shell: Shell,
        account: Account,
        units: &[Unit],
        scope: &Scope,
        own: &Scope,
    ) -> Self {
        let group = |key, title, all, kind: UnitKind| {
            let chosen = scope.units(kind);
            let units = units.iter().filter(|unit| unit.kind == kind).cloned();
            let units = units.map(|unit| {
                let on = chosen.is_some_and(|chosen| chosen.contains(&unit.id));
                (unit, on)
            });
            Group {
                key,
                title,
                all,
                limited: chosen.is_some(),
                may_give_all: own.units(kind).is_none(),
                units: units.collect(),
            }
        };
        let groups = vec![
            group("site", "Sites", "All sites, and devices of none", UnitKind::Site),
            group(
                "department",
                "Departments",
                "All departments, and devices of none",
                UnitKind::Department,
            ),
        ];
        Self { shell, account, groups, problem: None }
    }
}

/// The scope that a form asks for.
fn read(fields: &Fields) -> Result<Scope, Error> {
    let of = |kind: &'static str, limit: &str| -> Result<Option<BTreeSet<i64>>, Error> {
        match fields.text(limit).as_str() {
            "all" => Ok(None),
            "some" => {
                let wrong = |_| Error::invalid(kind, "choose of the list");
                let chosen = fields.0.all(kind).map(|text| text.parse::<i64>().map_err(wrong));
                Ok(Some(chosen.collect::<Result<_, _>>()?))
            }
            _ => Err(Error::invalid(kind, "choose all or some")),
        }
    };
    Ok(Scope::of(of("site", "limit_site")?, of("department", "limit_department")?))
}

async fn shown(
    app: &App,
    caller: &Caller,
    visit: &Visit,
    account: Account,
    scope: &Scope,
) -> Result<ScopePage, Error> {
    let units = view::units::list(app, &caller.scope).await?;
    let shell = visit.shell(app, caller, "accounts");
    Ok(ScopePage::new(shell, account, &units, scope, &caller.scope))
}

/// `GET /accounts/{id}/scope`
pub(super) async fn get(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Page {
    let account = looked_after(&app, &caller, id).await?;
    let scope = app.store.scope_of(id).await?;
    page(&shown(&app, &caller, &visit, account, &scope).await?)
}

/// `POST /accounts/{id}/scope`
pub(super) async fn post(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let account = looked_after(&app, &caller, id).await?;
    let scope = read(&fields)?;
    let units = view::units::list(&app, &caller.scope).await?;
    let known = |kind: UnitKind| {
        let chosen = scope.units(kind).into_iter().flatten();
        chosen.copied().all(|id| units.iter().any(|unit| unit.id == id && unit.kind == kind))
    };
    let problem = if !UnitKind::ALL.iter().all(|kind| known(*kind)) {
        Some("Choose sites and departments of the list; one of them may have been deleted.")
    } else if !caller.scope.includes(&scope) {
        Some("Nobody gives more than they see themselves: choose at least one limit of yours.")
    } else {
        None
    };
    if let Some(problem) = problem {
        let mut shown = shown(&app, &caller, &visit, account, &scope).await?;
        shown.problem = Some(problem.to_owned());
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&shown)?).into_response());
    }
    let done = app.store.set_scope(id, &scope, &caller.by(&app)).await;
    changed(&app, &caller, &visit, done).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::params::Params;
    use crate::http::web::sample;

    #[test]
    fn the_form_shows_what_it_reads() {
        let html = sample::scope_page(&Scope::whole()).render().unwrap();
        assert!(html.contains("value=\"all\" checked") && html.contains("Berlin"));
        let scope = Scope::of(Some([1].into()), None);
        let html = sample::scope_page(&scope).render().unwrap();
        assert!(html.contains("name=\"site\" value=\"1\" checked"));
        assert!(!html.contains("name=\"site\" value=\"2\" checked"));
        let sent = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            read(&Fields(Params(pairs.collect())))
        };
        let some = [("limit_site", "some"), ("site", "1"), ("limit_department", "all")];
        assert_eq!(sent(&some).unwrap(), scope);
        let none = [("limit_site", "some"), ("limit_department", "all")];
        assert_eq!(sent(&none).unwrap(), Scope::of(Some([].into()), None));
        // A form that came without its fields opens nothing.
        for broken in [&[][..], &some[..2], &[("limit_site", "every"), some[2]]] {
            assert!(sent(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn who_is_limited_cannot_give_all() {
        let own = Scope::of(Some([1].into()), None);
        let account = sample::accounts().remove(1);
        let page = ScopePage::new(sample::shell(), account, &sample::units(), &own, &own);
        let html = page.render().unwrap();
        assert!(!html.contains("name=\"limit_site\" value=\"all\""));
        assert!(html.contains("name=\"limit_department\" value=\"all\""));
    }
}
