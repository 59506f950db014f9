//! Accounts of people, for administrators: making them, what they may do, closing them.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::account::{Account, Role};

use super::account::ShownSecret;
use super::filters;
use super::once::{self, Fresh};
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::domain::Scope;
use crate::http::auth::{Admin, Caller};
use crate::http::{Error, password};
use crate::secret::Secret;
use crate::store;

/// Letters of a password that is made here.
const PASSWORD_LETTERS: usize = 24;

/// The passwords that were just made.
static SECRETS: Fresh = Fresh::new();

#[derive(Template)]
#[template(path = "accounts.html")]
pub(super) struct AccountsPage {
    shell: Shell,
    accounts: Vec<Row>,
    form: NewAccount,
    secret: Option<ShownSecret>,
    problem: Option<String>,
}

/// One account, and what it sees in words.
pub(super) struct Row {
    pub(super) account: Account,
    pub(super) sees: String,
}

/// The accounts that see nothing more than the caller.
async fn inside(app: &App, caller: &Caller) -> Result<Vec<Row>, Error> {
    let (accounts, scopes) = (app.store.accounts().await?, app.store.scopes().await?);
    let names: Vec<(i64, String)> =
        app.store.units().await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
    let whole = Scope::whole();
    let row = |account: Account| {
        let scope = scopes.get(&account.id).unwrap_or(&whole);
        let sees = store::scope::words(scope, &names);
        caller.scope.includes(scope).then_some(Row { account, sees })
    };
    Ok(accounts.into_iter().filter_map(row).collect())
}

/// The account of this number, if it sees nothing more than the caller: who is limited learns
/// nothing of the others.
pub(super) async fn looked_after(app: &App, caller: &Caller, id: i64) -> Result<Account, Error> {
    let found = app.store.account(id).await?.ok_or(Error::NotFound)?;
    if !caller.scope.includes(&app.store.scope_of(id).await?) {
        return Err(Error::NotFound);
    }
    Ok(found.account)
}

/// The form as it was filled in.
#[derive(Debug, Clone)]
pub(super) struct NewAccount {
    name: String,
    role: String,
    once: String,
}

impl NewAccount {
    pub(super) fn empty() -> Result<Self, Error> {
        Ok(Self {
            name: String::new(),
            role: Role::Helpdesk.as_str().to_owned(),
            once: once::nonce().map_err(Error::internal)?,
        })
    }
}

impl AccountsPage {
    pub(super) fn new(
        shell: Shell,
        accounts: Vec<Row>,
        form: NewAccount,
        secret: Option<ShownSecret>,
        problem: Option<String>,
    ) -> Self {
        Self { shell, accounts, form, secret, problem }
    }

    /// Whether this is the account of whoever looks.
    fn is_own(&self, account: &Account) -> bool {
        self.shell.viewer.as_ref().is_some_and(|viewer| viewer.name == account.name)
    }
}

/// `GET /accounts`
pub(super) async fn get(State(app): State<App>, Admin(caller): Admin, visit: Visit) -> Page {
    let accounts = inside(&app, &caller).await?;
    let shown = visit.params.get("new").and_then(|id| id.parse::<i64>().ok()).and_then(|id| {
        let secret = SECRETS.secret(caller.account, id, app.clock.now())?;
        let label = accounts.iter().find(|row| row.account.id == id)?.account.name.clone();
        Some(ShownSecret { label, text: secret.reveal().to_owned() })
    });
    let shell = visit.shell(&app, &caller, "accounts");
    page(&AccountsPage::new(shell, accounts, NewAccount::empty()?, shown, None))
}

async fn again(
    app: &App,
    caller: &Caller,
    visit: &Visit,
    form: NewAccount,
    problem: String,
) -> Result<Response, Error> {
    let accounts = inside(app, caller).await?;
    let shell = visit.shell(app, caller, "accounts");
    let page = page(&AccountsPage::new(shell, accounts, form, None, Some(problem)))?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// A first password and its hash.
async fn new_password(app: &App) -> Result<(Secret, String), Error> {
    let made = Secret::random("").map_err(Error::internal)?;
    let text: String = made.reveal().chars().take(PASSWORD_LETTERS).collect();
    let hash = app.guard.passwords.hash(&text).await;
    let hash = hash.map_err(|_| Error::Busy { retry_after_s: 3 })?;
    Ok((Secret::presented(text), hash))
}

/// `POST /accounts`
pub(super) async fn create(
    State(app): State<App>,
    Admin(caller): Admin,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let form = NewAccount {
        name: fields.text("name"),
        role: fields.text("role"),
        once: fields.text("once"),
    };
    if let Some(id) = SECRETS.made_by(caller.account, &form.once, app.clock.now()) {
        return Ok(shown(id));
    }
    let name = match password::check_name(&form.name) {
        Ok(name) => name,
        Err(why) => {
            return again(&app, &caller, &visit, form, format!("Mend the name: {why}.")).await;
        }
    };
    let Some(role) = Role::from_word(&form.role) else {
        return again(&app, &caller, &visit, form, "Choose a role of the list.".to_owned()).await;
    };
    let (secret, hash) = new_password(&app).await?;
    // Who is limited makes accounts that see the same from their first moment on.
    let (scope, by) = (&caller.scope, caller.by(&app));
    match app.store.create_account_within(&name, role, &hash, scope, &by).await {
        Ok(made) => {
            SECRETS.keep(caller.account, &form.once, made, secret, app.clock.now());
            Ok(shown(made))
        }
        Err(store::Error::Conflict) => {
            let problem = format!("There is an account {name} already.");
            again(&app, &caller, &visit, form, problem).await
        }
        Err(error) => Err(error.into()),
    }
}

fn shown(id: i64) -> Response {
    Redirect::to(&format!("/accounts?new={id}")).into_response()
}

/// Back to the list, or what stands against it.
pub(super) async fn changed(
    app: &App,
    caller: &Caller,
    visit: &Visit,
    done: Result<bool, store::Error>,
) -> Result<Response, Error> {
    match done {
        Ok(true) => Ok(Redirect::to("/accounts").into_response()),
        Ok(false) => Err(Error::NotFound),
        Err(store::Error::Conflict) => {
            let problem = "This is the last administrator of everything who can sign in. Make \
                           another one first.";
            again(app, caller, visit, NewAccount::empty()?, problem.to_owned()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /accounts/{id}/role`
pub(super) async fn role(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let role = Role::from_word(&fields.text("role"));
    let role = role.ok_or_else(|| Error::invalid("role", "choose one of the list"))?;
    looked_after(&app, &caller, id).await?;
    let done = app.store.set_role(id, role, &caller.by(&app)).await;
    changed(&app, &caller, &visit, done).await
}

/// `POST /accounts/{id}/disable`
pub(super) async fn disable(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Result<Response, Error> {
    looked_after(&app, &caller, id).await?;
    let done = app.store.set_disabled(id, true, &caller.by(&app)).await;
    changed(&app, &caller, &visit, done).await
}

/// `POST /accounts/{id}/enable`
pub(super) async fn enable(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    visit: Visit,
) -> Result<Response, Error> {
    looked_after(&app, &caller, id).await?;
    let done = app.store.set_disabled(id, false, &caller.by(&app)).await;
    changed(&app, &caller, &visit, done).await
}

/// `POST /accounts/{id}/reset`: a new password, and no second factor until the next sign-in.
pub(super) async fn reset(
    State(app): State<App>,
    Admin(caller): Admin,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, Error> {
    looked_after(&app, &caller, id).await?;
    let once = fields.text("once");
    if let Some(id) = SECRETS.made_by(caller.account, &once, app.clock.now()) {
        return Ok(shown(id));
    }
    let (secret, hash) = new_password(&app).await?;
    let by = caller.by(&app);
    app.store.turn_off_second_factor(id, &by).await?;
    app.store.set_password(id, &hash, &by).await?;
    SECRETS.keep(caller.account, &once, id, secret, app.clock.now());
    Ok(shown(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::sample;

    #[test]
    fn each_account_has_what_can_be_done_with_it() {
        let form = NewAccount::empty().unwrap();
        let secret = Some(ShownSecret { label: "henk".into(), text: "violet-harbour".into() });
        let page = AccountsPage::new(sample::shell(), sample::account_rows(), form, secret, None);
        let html = page.render().unwrap();
        assert!(html.contains("violet-harbour") && html.contains("not shown again"));
        assert!(html.contains("/accounts/2/disable") && html.contains("/accounts/4/enable"));
        assert!(!html.contains("/accounts/1/disable"), "nobody locks themselves out");
    }
}
