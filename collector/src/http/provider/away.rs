//! Somebody who was sent to a provider: all that is known of it stands in a cookie of that browser.
//!
//! State, nonce and verifier are made from the cookie's secret, each for its purpose, for this
//! provider and this moment. So nothing is stored for whoever only begins, one browser cannot use
//! what another began, and none of the three tells the others.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hmac};
use rollcall_shared::Timestamp;
use rollcall_shared::api::provider::ProviderConfig;
use rollcall_shared::time::MINUTE_MS;

use crate::http::client::percent_encode;
use crate::oidc::Metadata;
use crate::oidc::probe::asked_scopes;
use crate::secret::{NoRandomness, Secret};

const COOKIE_NAME: &str = "__Host-rollcall-start";
/// How long somebody may be away.
const LASTS_MS: i64 = 10 * MINUTE_MS;
/// Letters of where somebody wanted to go.
const NEXT_LONGEST: usize = 500;

/// Somebody who was sent to a provider.
#[derive(Debug, Clone)]
pub struct Away {
    /// Which provider.
    pub provider: i64,
    /// Where they wanted to go.
    pub next: String,
    at: Timestamp,
    secret: Secret,
}

/// The cookie of a sign-in that was begun, or the one that removes it.
#[derive(Debug, Clone)]
pub struct StartCookie(Option<Secret>);

impl StartCookie {
    /// Removes the cookie.
    pub fn none() -> Self {
        Self(None)
    }
}

impl IntoResponseParts for StartCookie {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Self::Error> {
        let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
        let text = match &self.0 {
            Some(value) => {
                let seconds = LASTS_MS / 1000;
                format!("{COOKIE_NAME}={}; {attributes}; Max-Age={seconds}", value.reveal())
            }
            None => format!("{COOKIE_NAME}=; {attributes}; Max-Age=0"),
        };
        if let Ok(mut value) = HeaderValue::from_str(&text) {
            value.set_sensitive(true);
            parts.headers_mut().append(SET_COOKIE, value);
        }
        Ok(parts)
    }
}

impl Away {
    /// Somebody who goes now.
    pub fn new(provider: i64, now: Timestamp, next: &str) -> Result<Self, NoRandomness> {
        let next = if next.len() <= NEXT_LONGEST { next } else { "/" };
        Ok(Self { provider, next: next.to_owned(), at: now, secret: Secret::random("")? })
    }

    /// Who comes with these headers.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let value = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))?;
        let parts: Vec<&str> = value.split('.').collect();
        let [provider, at, secret, next] = parts[..] else { return None };
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        // Less is no secret of ours.
        let secret = Some(secret).filter(|secret| secret.len() >= 43)?;
        Some(Self {
            provider: provider.parse().ok()?,
            next,
            at: Timestamp(at.parse().ok()?),
            secret: Secret::presented(secret),
        })
    }

    /// The cookie to keep it in.
    pub fn cookie(&self) -> StartCookie {
        let Self { provider, next, at, secret } = self;
        let next = URL_SAFE_NO_PAD.encode(next);
        let value = format!("{provider}.{}.{}.{next}", at.0, secret.reveal());
        StartCookie(Some(Secret::presented(value)))
    }

    /// Whether it is not too long ago.
    pub fn lasts(&self, now: Timestamp) -> bool {
        (-MINUTE_MS..LASTS_MS).contains(&now.since(self.at))
    }

    /// Whether this is the state that was given along.
    pub fn is_state(&self, state: &str) -> bool {
        let given = URL_SAFE_NO_PAD.decode(state).unwrap_or_default();
        hmac::verify(&self.key(), self.purpose("state").as_bytes(), &given).is_ok()
    }

    /// What the token must carry.
    pub fn nonce(&self) -> String {
        self.made("nonce")
    }

    /// What proves to the provider that the code is ours (PKCE).
    pub fn verifier(&self) -> String {
        self.made("verifier")
    }

    /// Where the browser is sent.
    pub fn address(
        &self,
        metadata: &Metadata,
        config: &ProviderConfig,
        redirect_uri: &str,
    ) -> String {
        let challenge = digest::digest(&digest::SHA256, self.verifier().as_bytes());
        let second_factor = config.second_factor_values.join(" ");
        let pairs = [
            ("response_type", "code"),
            ("client_id", &config.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", &asked_scopes(config)),
            ("state", &self.made("state")),
            ("nonce", &self.nonce()),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(challenge)),
            ("code_challenge_method", "S256"),
        ];
        let mut query: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        if !second_factor.is_empty() {
            query.push(format!("acr_values={}", percent_encode(&second_factor)));
        }
        let mark = if metadata.authorization_endpoint.contains('?') { '&' } else { '?' };
        format!("{}{mark}{}", metadata.authorization_endpoint, query.join("&"))
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.secret.reveal().as_bytes())
    }

    fn purpose(&self, what: &str) -> String {
        format!("{what}|{}|{}", self.provider, self.at.0)
    }

    fn made(&self, what: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key(), self.purpose(what).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn carried(away: &Away) -> HeaderMap {
        let value = away.cookie().0.unwrap();
        let mut headers = HeaderMap::new();
        let text = format!("a=b; {COOKIE_NAME}={}; c=d", value.reveal());
        headers.insert(COOKIE, text.parse().unwrap());
        headers
    }

    #[test]
    fn what_was_begun_is_known_again_and_only_there() {
        let away = Away::new(7, NOW, "/devices?q=a").unwrap();
        let again = Away::of(&carried(&away)).unwrap();
        assert_eq!((again.provider, again.next.as_str()), (7, "/devices?q=a"));
        assert_eq!((again.nonce(), again.verifier()), (away.nonce(), away.verifier()));
        assert!(again.is_state(&away.made("state")));
        let other = Away::new(7, NOW, "/").unwrap();
        let moved = Away { provider: 8, ..away.clone() };
        let later = Away { at: NOW.plus_ms(1), ..away.clone() };
        for other in [other, moved, later] {
            assert!(!other.is_state(&away.made("state")));
            assert_ne!(other.nonce(), away.nonce());
        }
        for wrong in ["", "x", &away.nonce(), &away.verifier()] {
            assert!(!away.is_state(wrong));
        }
        assert!(away.lasts(NOW.plus_ms(LASTS_MS - 1)) && !away.lasts(NOW.plus_ms(LASTS_MS)));
        assert!(!away.lasts(NOW.plus_ms(-2 * MINUTE_MS)));
        let far = "/".repeat(NEXT_LONGEST + 1);
        assert_eq!(Away::new(7, NOW, &far).unwrap().next, "/");
        for wrong in
            ["7.1.short.Lw", "7.1", "", "x.1.0123456789012345678901234567890123456789012.Lw"]
        {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("{COOKIE_NAME}={wrong}").parse().unwrap());
            assert!(Away::of(&headers).is_none(), "{wrong}");
        }
    }
}
