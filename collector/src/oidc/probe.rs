//! Trying a provider's settings without a person: as far as can be told, which value is wrong.

use rollcall_shared::api::provider::{ConnectionCheck, ConnectionTest, ProviderConfig};

use super::keys::Algorithm;
use super::{Client, Metadata, OidcError, exchange, metadata, read_keys};
use crate::http::error::chain;
use crate::outgoing::Outgoing;
use crate::secret::Secret;

/// No provider ever gave this code.
const NO_CODE: &str = "rollcall-connection-test";

struct Checks(Vec<ConnectionCheck>);

impl Checks {
    fn add(&mut self, setting: &str, said: Result<String, String>) {
        let right = said.is_ok();
        let says = said.unwrap_or_else(|wrong| wrong);
        self.0.push(ConnectionCheck { setting: setting.to_owned(), right, says });
    }

    fn done(self) -> ConnectionTest {
        ConnectionTest { works: self.0.iter().all(|check| check.right), checks: self.0 }
    }
}

/// Tries the settings against the provider itself.
pub async fn probe(
    outgoing: &Outgoing,
    config: &ProviderConfig,
    secret: &Secret,
    redirect_uri: &str,
) -> ConnectionTest {
    let mut checks = Checks(Vec::new());
    let found = match metadata(outgoing, &config.issuer).await {
        Ok(found) => found,
        Err(error) => {
            checks.add("Issuer", Err(issuer_words(&config.issuer, &error)));
            return checks.done();
        }
    };
    checks.add("Issuer", Ok(format!("{} describes itself.", config.issuer)));
    checks.add("Flow", flow(&found));
    let keys = match read_keys(outgoing, &found).await {
        Ok(keys) if keys.is_empty() => Err(format!(
            "None of the keys at {} can be used; let the provider sign with RS256 or ES256.",
            found.jwks_uri
        )),
        Ok(keys) => Ok(format!("{} keys that sign tokens.", keys.len())),
        Err(error) => Err(sentence(&error)),
    };
    checks.add("Keys", keys);
    checks.add("Scopes", scopes(config, &found));
    let client = Client { id: &config.client_id, secret };
    let asked = exchange(outgoing, &found, client, NO_CODE, NO_CODE, redirect_uri).await;
    checks.add("Client id and secret", client_words(asked.err(), redirect_uri));
    checks.add(
        "Groups",
        if config.group_roles.is_empty() {
            Err("No group gives a role: nobody could sign in. Add a line to the groups.".to_owned())
        } else {
            Ok(format!(
                "{} groups give a role. Which ones a person is in is told by the claim `{}` at \
                 sign-in only.",
                config.group_roles.len(),
                config.groups_claim
            ))
        },
    );
    checks.done()
}

fn sentence(error: &OidcError) -> String {
    let mut words = chain(error);
    if let Some(first) = words.get(..1) {
        words = first.to_uppercase() + words.get(1..).unwrap_or_default();
    }
    format!("{words}.")
}

fn issuer_words(issuer: &str, error: &OidcError) -> String {
    let why = chain(error);
    match error {
        OidcError::Issuer { .. } => format!("The issuer is set to `{issuer}`, but {why}."),
        OidcError::Status { status: 404, .. } => format!(
            "The issuer `{issuer}` has no openid-configuration (HTTP 404): the path of the issuer \
             is wrong, or it is no provider of OpenID Connect."
        ),
        _ => format!("The issuer `{issuer}` could not be used: {why}."),
    }
}

fn flow(found: &Metadata) -> Result<String, String> {
    let lacks = |list: &Option<Vec<String>>, word: &str| {
        list.as_ref().is_some_and(|all| !all.iter().any(|one| one == word))
    };
    if lacks(&found.response_types_supported, "code") {
        return Err("The provider offers no code flow (response type `code`).".to_owned());
    }
    if lacks(&found.code_challenge_methods_supported, "S256") {
        return Err("The provider offers no PKCE with S256.".to_owned());
    }
    if let Some(all) = &found.id_token_signing_alg_values_supported
        && !all.iter().any(|word| Algorithm::from_word(word).is_some())
    {
        let words = super::plain(&all.join(", "));
        return Err(format!("The provider signs with {words} only; let it use RS256 or ES256."));
    }
    Ok("Code flow with PKCE.".to_owned())
}

fn scopes(config: &ProviderConfig, found: &Metadata) -> Result<String, String> {
    let asked = asked_scopes(config);
    let Some(known) = &found.scopes_supported else { return Ok(format!("{asked}.")) };
    let unknown: Vec<&str> =
        asked.split(' ').filter(|scope| !known.iter().any(|one| one == scope)).collect();
    if unknown.is_empty() {
        return Ok(format!("{asked}."));
    }
    Err(format!("The provider does not know the scope {}.", unknown.join(", ")))
}

/// What is asked for.
pub fn asked_scopes(config: &ProviderConfig) -> String {
    let more = config.scopes.split_whitespace();
    ["openid", "profile", "email"].into_iter().chain(more).collect::<Vec<_>>().join(" ")
}

/// A code that nobody gave is refused for its own sake only where the client is right.
fn client_words(error: Option<OidcError>, redirect_uri: &str) -> Result<String, String> {
    match error {
        Some(OidcError::Refused { error, .. }) if error == "invalid_grant" => {
            Ok("The provider knows the client and its secret.".to_owned())
        }
        Some(OidcError::Refused { error, description }) if error == "invalid_client" => Err(
            format!("The client id or the client secret is wrong{}.", super::told(&description)),
        ),
        Some(OidcError::Refused { error, description }) if error == "unauthorized_client" => {
            Err(format!(
                "The provider does not let this client use the code flow{}.",
                super::told(&description)
            ))
        }
        Some(error) => Err(format!(
            "The provider did not say whether the client is right. {} Check the client id, the \
             client secret, and that {redirect_uri} is registered.",
            sentence(&error)
        )),
        None => Err("The provider gives tokens for a code that it never gave: it is not safe to \
                     use."
            .to_owned()),
    }
}
