//! Speaking to sign-in providers (OpenID Connect): what they publish of themselves, and what they
//! say of a person. Who that person is here is not known here.
//!
//! `token` and `keys` are pure. Every call goes through `outgoing`.

pub mod keys;
pub mod probe;
pub mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use rollcall_shared::Timestamp;
use rollcall_shared::time::MINUTE_MS;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::client::percent_encode;
use crate::outgoing::{Answer, Call, Outgoing, OutgoingError};
use crate::secret::Secret;
use keys::KeySet;
use token::TokenError;

/// How long what a provider publishes is remembered.
const REMEMBERED_MS: i64 = 10 * MINUTE_MS;
/// Providers that are remembered.
const PROVIDERS: usize = 100;
/// Bytes an answer of a provider has at most.
const LONGEST: usize = 512 * 1024;
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// What a provider publishes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// How it calls itself.
    pub issuer: String,
    /// Where people are sent.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where more is said of a person.
    pub userinfo_endpoint: Option<String>,
    /// How clients may prove themselves; absent: `client_secret_basic`.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// How codes may be bound to us.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// How tokens are signed.
    pub id_token_signing_alg_values_supported: Option<Vec<String>>,
    /// Which flows there are.
    pub response_types_supported: Option<Vec<String>>,
    /// Which scopes there are.
    pub scopes_supported: Option<Vec<String>>,
    /// Whether it names itself when it sends somebody back (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// Why a provider gave nothing usable.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// It could not be asked.
    #[error("its {what} could not be read")]
    Call {
        /// What was asked for.
        what: &'static str,
        /// Why.
        #[source]
        source: OutgoingError,
    },
    /// It refused.
    #[error("its {what} answered HTTP {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// It answered something else.
    #[error("its {what} is not what it should be")]
    Form {
        /// What was asked for.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It calls itself otherwise.
    #[error("it calls itself `{found}`; set the issuer to exactly that if it is the right one")]
    Issuer {
        /// What it says.
        found: String,
    },
    /// It takes no way of proving who we are that we know.
    #[error("it takes neither client_secret_basic nor client_secret_post from clients")]
    ClientProof,
    /// It refused our code.
    #[error("it refused with `{error}`{}", told(description))]
    Refused {
        /// One of the words of RFC 6749.
        error: String,
        /// In words.
        description: String,
    },
    /// What it said is not believed.
    #[error("its ID token is not believed: {0}")]
    Token(#[from] TokenError),
    /// It speaks of two people at once.
    #[error("its user information is about somebody else than its ID token")]
    OtherPerson,
}

fn told(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(": {description}") }
}

/// Text of a provider as it may be repeated: short, without anything odd.
pub fn plain(text: &str) -> String {
    text.chars().filter(|letter| (' '..='~').contains(letter)).take(200).collect()
}

/// What is remembered of providers.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<String, Published>>);

/// What a provider published, and when it was read.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its own description.
    pub metadata: Arc<Metadata>,
    /// Its keys.
    pub keys: Arc<KeySet>,
    at: Timestamp,
}

/// Our side of a provider.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The client id.
    pub id: &'a str,
    /// What it proves itself with; empty for a public client.
    pub secret: &'a Secret,
}

/// What a code became.
#[derive(Deserialize)]
pub struct Tokens {
    /// Says who somebody is.
    pub id_token: String,
    /// Lets us ask for more.
    pub access_token: Option<String>,
}

#[derive(Deserialize, Default)]
struct RawRefusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What an issuer publishes, as it is remembered or as it is now.
pub async fn published(
    outgoing: &Outgoing,
    known: &Known,
    issuer: &str,
    now: Timestamp,
    anew: bool,
) -> Result<Published, OidcError> {
    let lock = || known.0.lock().unwrap_or_else(PoisonError::into_inner);
    let remembered = lock().get(issuer).cloned();
    let fresh = |one: &Published| (0..REMEMBERED_MS).contains(&now.since(one.at));
    if let Some(found) = remembered.filter(|one| !anew && fresh(one)) {
        return Ok(found);
    }
    let metadata = Arc::new(metadata(outgoing, issuer).await?);
    let keys = Arc::new(read_keys(outgoing, &metadata).await?);
    let published = Published { metadata, keys, at: now };
    let mut all = lock();
    if all.len() >= PROVIDERS {
        all.clear();
    }
    all.insert(issuer.to_owned(), published.clone());
    Ok(published)
}

/// What an issuer says of itself now.
pub async fn metadata(outgoing: &Outgoing, issuer: &str) -> Result<Metadata, OidcError> {
    let what = "description (openid-configuration)";
    let url = format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'));
    let found: Metadata = json(what, &get(outgoing, what, &url, None).await?)?;
    if found.issuer != issuer {
        return Err(OidcError::Issuer { found: plain(&found.issuer) });
    }
    // People are sent there by their browser: no place that we would not call ourselves.
    outgoing
        .check(&found.authorization_endpoint)
        .map_err(|source| OidcError::Call { what: "sign-in page", source })?;
    Ok(found)
}

/// A provider's keys of this moment.
pub async fn read_keys(outgoing: &Outgoing, metadata: &Metadata) -> Result<KeySet, OidcError> {
    let what = "keys (jwks_uri)";
    let answer = get(outgoing, what, &metadata.jwks_uri, None).await?;
    KeySet::parse(&answer.body).map_err(|source| OidcError::Form { what, source })
}

/// Makes tokens of a code.
pub async fn exchange(
    outgoing: &Outgoing,
    metadata: &Metadata,
    client: Client<'_>,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
) -> Result<Tokens, OidcError> {
    let what = "token endpoint";
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
        ("client_id", client.id),
    ];
    let mut headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (ACCEPT, HeaderValue::from_static("application/json")),
    ];
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
    let takes = |method: &str| {
        methods.map_or(method == "client_secret_basic", |all| all.iter().any(|one| one == method))
    };
    if client.secret.reveal().is_empty() {
        // A public client has nothing but the verifier.
    } else if takes("client_secret_basic") {
        let pair = [client.id, client.secret.reveal()].map(percent_encode).join(":");
        headers.push((AUTHORIZATION, sensitive(&format!("Basic {}", STANDARD.encode(pair)))?));
    } else if takes("client_secret_post") {
        form.push(("client_secret", client.secret.reveal()));
    } else {
        return Err(OidcError::ClientProof);
    }
    let form: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    let call = Call {
        method: Method::POST,
        url: &metadata.token_endpoint,
        headers,
        body: form.join("&").into_bytes(),
        longest: LONGEST,
    };
    let answer = outgoing.call(call).await.map_err(|source| OidcError::Call { what, source })?;
    if answer.status != 200 {
        let refusal: RawRefusal = serde_json::from_slice(&answer.body).unwrap_or_default();
        return Err(match plain(&refusal.error) {
            error if error.is_empty() => OidcError::Status { what, status: answer.status },
            error => OidcError::Refused { error, description: plain(&refusal.error_description) },
        });
    }
    json(what, &answer)
}

/// What a provider says of the person whose access token this is; it must be the same person.
pub async fn user_info(
    outgoing: &Outgoing,
    url: &str,
    access_token: &str,
    subject: &str,
) -> Result<Map<String, Value>, OidcError> {
    let what = "user information";
    let answer = get(outgoing, what, url, Some(access_token)).await?;
    let found: Map<String, Value> = json(what, &answer)?;
    if found.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(OidcError::OtherPerson);
    }
    Ok(found)
}

fn sensitive(text: &str) -> Result<HeaderValue, OidcError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| OidcError::ClientProof)?;
    value.set_sensitive(true);
    Ok(value)
}

async fn get(
    outgoing: &Outgoing,
    what: &'static str,
    url: &str,
    access_token: Option<&str>,
) -> Result<Answer, OidcError> {
    let mut headers: Vec<(HeaderName, HeaderValue)> =
        vec![(ACCEPT, HeaderValue::from_static("application/json"))];
    if let Some(token) = access_token {
        headers.push((AUTHORIZATION, sensitive(&format!("Bearer {token}"))?));
    }
    let call = Call { method: Method::GET, url, headers, body: Vec::new(), longest: LONGEST };
    let answer = outgoing.call(call).await.map_err(|source| OidcError::Call { what, source })?;
    if answer.status == 200 {
        Ok(answer)
    } else {
        Err(OidcError::Status { what, status: answer.status })
    }
}

fn json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    answer: &Answer,
) -> Result<T, OidcError> {
    serde_json::from_slice(&answer.body).map_err(|source| OidcError::Form { what, source })
}
