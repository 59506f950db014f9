//! An ID token: its signature and what must be true of its claims (OpenID Connect Core 3.1.3.7).
//! Pure: the present and the keys are parameters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use rollcall_shared::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::{Algorithm, KeySet};

/// Bytes a token has at most.
const LONGEST: usize = 64 * 1024;
/// By how much the provider's clock may differ, in seconds.
const LEEWAY_S: i64 = 60;
/// How old a token may be that was asked for a moment ago, in seconds.
const OLDEST_S: i64 = 600;
/// Letters a subject has at most (Core 2).
const SUBJECT_LONGEST: usize = 255;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no signed token.
    #[error("it is no signed token")]
    Form,
    /// It is signed in a way that is not accepted.
    #[error("it is signed with `{0}`, which is not accepted; let the provider use RS256 or ES256")]
    Algorithm(String),
    /// It wants something understood that is not.
    #[error("its header asks for something that is not understood")]
    Critical,
    /// None of the provider's keys is the one it names.
    #[error("it names a key that the provider does not publish")]
    UnknownKey,
    /// The key did not make this signature.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or has another form.
    #[error("its claim `{0}` is missing or has a wrong form")]
    Claim(&'static str),
    /// Somebody else made it.
    #[error("it was made by another issuer than the one that is set")]
    Issuer,
    /// It was made for another client.
    #[error("it was made for another client")]
    Audience,
    /// It answers another question.
    #[error("it belongs to another sign-in")]
    Nonce,
    /// It ended.
    #[error("it has ended; check the clocks of provider and collector")]
    Expired,
    /// It does not count yet, or comes from the future.
    #[error("it does not count yet; check the clocks of provider and collector")]
    Early,
    /// It belongs to another access token.
    #[error("it does not belong to the access token beside it")]
    AccessToken,
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The issuer, letter by letter.
    pub issuer: &'a str,
    /// Our client id.
    pub client_id: &'a str,
    /// What we sent along.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
    /// The present.
    pub now: Timestamp,
}

/// Claims that were believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// Believes a token, or says why not.
pub fn believe(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Claims, TokenError> {
    let (algorithm, claims) = verified(token, keys)?;
    hold(&claims, algorithm, expected)?;
    Ok(Claims(claims))
}

/// The claims of a token whose signature is right.
fn verified(token: &str, keys: &KeySet) -> Result<(Algorithm, Map<String, Value>), TokenError> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { return Err(TokenError::Form) };
    if token.len() > LONGEST {
        return Err(TokenError::Form);
    }
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form);
    let head: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| TokenError::Form)?;
    // Before anything else of the header counts: which algorithm is ours to decide.
    let algorithm = Algorithm::from_word(&head.alg)
        .ok_or_else(|| TokenError::Algorithm(head.alg.chars().take(16).collect()))?;
    if head.crit.is_some() || head.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(TokenError::Critical);
    }
    let key = keys.find(head.kid.as_deref(), algorithm).ok_or(TokenError::UnknownKey)?;
    let message = token.get(..header.len() + 1 + payload.len()).ok_or(TokenError::Form)?;
    if !key.verifies(algorithm, message.as_bytes(), &decoded(signature)?) {
        return Err(TokenError::Signature);
    }
    let claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| TokenError::Form)?;
    Ok((algorithm, claims))
}

fn hold(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    expected: &Expected<'_>,
) -> Result<(), TokenError> {
    let text = |name: &'static str| {
        claims.get(name).and_then(Value::as_str).ok_or(TokenError::Claim(name))
    };
    if text("iss")? != expected.issuer {
        return Err(TokenError::Issuer);
    }
    let subject = text("sub")?;
    if subject.is_empty() || subject.len() > SUBJECT_LONGEST || !subject.is_ascii() {
        return Err(TokenError::Claim("sub"));
    }
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => return Err(TokenError::Claim("aud")),
    };
    if !audience.contains(&expected.client_id) {
        return Err(TokenError::Audience);
    }
    match claims.get("azp") {
        None if audience.len() > 1 => return Err(TokenError::Claim("azp")),
        None => {}
        Some(party) if party.as_str() == Some(expected.client_id) => {}
        Some(_) => return Err(TokenError::Audience),
    }
    let now = expected.now.0.div_euclid(1000);
    let moment = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(TokenError::Claim(name)),
    };
    if moment("exp")?.ok_or(TokenError::Claim("exp"))? <= now - LEEWAY_S {
        return Err(TokenError::Expired);
    }
    let issued = moment("iat")?.ok_or(TokenError::Claim("iat"))?;
    if issued < now - OLDEST_S {
        return Err(TokenError::Expired);
    }
    if issued > now + LEEWAY_S || moment("nbf")?.is_some_and(|from| from > now + LEEWAY_S) {
        return Err(TokenError::Early);
    }
    if text("nonce").map_err(|_| TokenError::Nonce)? != expected.nonce {
        return Err(TokenError::Nonce);
    }
    if claims.contains_key("at_hash") {
        let given = text("at_hash")?;
        let whole = expected.access_token.ok_or(TokenError::AccessToken)?;
        let whole = digest::digest(algorithm.hash(), whole.as_bytes());
        let half = whole.as_ref().get(..whole.as_ref().len() / 2).unwrap_or_default();
        if URL_SAFE_NO_PAD.encode(half) != given {
            return Err(TokenError::AccessToken);
        }
    }
    Ok(())
}

/// A moment in seconds since 1970; some write a fraction.
fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded in the line before")]
    let whole = |number: f64| (number.abs() < 1e15).then_some(number as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

impl Claims {
    /// Also what the provider says of the same person elsewhere; what the token says stays.
    pub fn fill(&mut self, more: Map<String, Value>) {
        for (name, value) in more {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Whether there is such a claim.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A claim that is a text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A claim that is a list of texts, or one.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(all)) => {
                all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The provider's name for the person.
    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// The e-mail address, where the provider says that it verified it.
    pub fn verified_email(&self) -> Option<&str> {
        let verified = match self.0.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            // Some write it as a text.
            Some(Value::String(word)) => word == "true",
            _ => false,
        };
        self.text("email").filter(|_| verified)
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
