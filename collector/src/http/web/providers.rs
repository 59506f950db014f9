//! The list of sign-in providers, and the form that makes another.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollcall_shared::api::account::Role;
use rollcall_shared::api::provider::{GroupRole, ProviderConfig, SignInProvider};

use super::filters;
use super::shell::Shell;
use super::visit::{Fields, Page, Visit, page};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::WholeAdmin;
use crate::http::provider::settings;
use crate::secret::Secret;

#[derive(Template)]
#[template(path = "providers.html")]
pub(super) struct ProvidersPage {
    pub(super) shell: Shell,
    pub(super) providers: Vec<SignInProvider>,
    pub(super) form: ProviderForm,
    pub(super) problem: Option<String>,
}

/// The form as it was filled in, or as it is set.
#[derive(Debug, Clone)]
pub(super) struct ProviderForm {
    pub(super) action: String,
    pub(super) config: ProviderConfig,
    /// One `group = role` a line.
    pub(super) groups: String,
    pub(super) domains: String,
    pub(super) second_factor: String,
    pub(super) has_secret: bool,
}

impl ProviderForm {
    pub(super) fn of(action: &str, config: ProviderConfig, has_secret: bool) -> Self {
        let line = |one: &GroupRole| format!("{} = {}", one.group, one.role.as_str());
        Self {
            action: action.to_owned(),
            groups: config.group_roles.iter().map(line).collect::<Vec<_>>().join("\n"),
            domains: config.email_domains.join(" "),
            second_factor: config.second_factor_values.join(" "),
            config,
            has_secret,
        }
    }

    pub(super) fn empty() -> Self {
        let config = ProviderConfig {
            groups_claim: "groups".to_owned(),
            makes_accounts: true,
            enabled: true,
            ..ProviderConfig::default()
        };
        Self::of("/providers", config, false)
    }

    /// What was sent, the secret apart; and what to mend first.
    pub(super) fn sent(
        action: &str,
        fields: &Fields,
        has_secret: bool,
    ) -> (Self, Option<Secret>, Option<String>) {
        let words = |name: &str| -> Vec<String> {
            let text = fields.text(name);
            text.split([' ', ',', '\n', '\r', '\t'])
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let (mut group_roles, mut problem) = (Vec::new(), None);
        for line in fields.text("groups").lines().map(str::trim).filter(|line| !line.is_empty()) {
            // A group may have an equals sign in its name.
            let parts = line.rsplit_once('=');
            let role = parts.and_then(|(_, word)| Role::from_word(word.trim()));
            match (parts, role) {
                (Some((group, _)), Some(role)) => {
                    group_roles.push(GroupRole { group: group.trim().to_owned(), role });
                }
                _ => {
                    problem.get_or_insert_with(|| {
                        format!(
                            "Mend the line “{line}”: write a group, an equals sign and one of \
                             helpdesk, auditor, it, admin."
                        )
                    });
                }
            }
        }
        let config = ProviderConfig {
            name: fields.text("name"),
            issuer: fields.text("issuer"),
            client_id: fields.text("client_id"),
            scopes: fields.text("scopes"),
            groups_claim: fields.text("groups_claim"),
            group_roles,
            email_domains: words("email_domains"),
            makes_accounts: fields.ticked("makes_accounts"),
            second_factor_values: words("second_factor_values"),
            enabled: fields.ticked("enabled"),
        };
        let mut form = Self::of(action, config, has_secret);
        form.groups = fields.text("groups");
        let secret = Some(fields.exact("client_secret").trim()).filter(|text| !text.is_empty());
        (form, secret.map(Secret::presented), problem)
    }
}

/// What to mend, for people; our own faults stay errors.
pub(super) fn mend(error: Error) -> Result<String, Error> {
    match error {
        Error::Invalid { field, why } => Ok(format!("Mend “{}”: {why}.", field.replace('_', " "))),
        Error::Conflict(why) => Ok(format!("That did not work: {why}.")),
        other => Err(other),
    }
}

/// `GET /providers`
pub(super) async fn get(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    visit: Visit,
) -> Page {
    let providers = settings::list(&app).await?;
    let shell = visit.shell(&app, &caller, "providers");
    page(&ProvidersPage { shell, providers, form: ProviderForm::empty(), problem: None })
}

/// `POST /providers`
pub(super) async fn create(
    State(app): State<App>,
    WholeAdmin(caller): WholeAdmin,
    visit: Visit,
    fields: Fields,
) -> Result<Response, Error> {
    let (form, secret, problem) = ProviderForm::sent("/providers", &fields, false);
    let problem = match problem {
        Some(problem) => problem,
        None => match settings::create(&app, &caller, form.config.clone(), secret).await {
            Ok(made) => return Ok(Redirect::to(&format!("/providers/{}", made.id)).into_response()),
            Err(error) => mend(error)?,
        },
    };
    let providers = settings::list(&app).await?;
    let shell = visit.shell(&app, &caller, "providers");
    let again = page(&ProvidersPage { shell, providers, form, problem: Some(problem) })?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, again).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::web::params::Params;
    use crate::http::web::sample;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Fields(Params(pairs.iter().map(owned).collect()))
    }

    #[test]
    fn groups_are_read_line_by_line_and_the_secret_is_never_shown() {
        let sent = fields(&[
            ("name", "Example"),
            ("groups", "cn=it,dc=x = it\r\n\r\nHelp desk=helpdesk"),
            ("email_domains", "example.org, example.com"),
            ("client_secret", " do-not-show "),
        ]);
        let (form, secret, problem) = ProviderForm::sent("/providers", &sent, false);
        assert_eq!(problem, None);
        assert_eq!(secret.unwrap().reveal(), "do-not-show");
        let roles: Vec<_> =
            form.config.group_roles.iter().map(|one| (one.group.as_str(), one.role)).collect();
        assert_eq!(roles, [("cn=it,dc=x", Role::It), ("Help desk", Role::Helpdesk)]);
        assert_eq!(form.config.email_domains, ["example.org", "example.com"]);
        let shell = sample::shell();
        let page = ProvidersPage { shell, providers: Vec::new(), form, problem: None };
        let html = page.render().unwrap();
        assert!(!html.contains("do-not-show") && html.contains("Help desk=helpdesk"));
        let (_, _, problem) = ProviderForm::sent("/", &fields(&[("groups", "a = king")]), false);
        assert!(problem.unwrap().contains("a = king"));
    }
}
