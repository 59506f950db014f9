//! A sign-in provider on loopback for tests: it keeps the rules of OpenID Connect, and breaks
//! whichever it is told to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Form, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair,
};
use serde_json::{Value, json};

/// The client that the provider knows.
pub const CLIENT_ID: &str = "rollcall";
/// That client's secret.
pub const CLIENT_SECRET: &str = "a-secret-of-the-client";

const RSA: &[u8] = include_bytes!("../fixtures/sign_in/rsa/key.pk8");

type Forge = Box<dyn Fn(&Signer, Value, Value) -> String + Send>;
type Pairs = HashMap<String, String>;

/// A provider that runs until it is dropped.
pub struct Provider {
    /// How it calls itself.
    pub issuer: String,
    inner: Arc<Mutex<Inner>>,
    task: tokio::task::JoinHandle<()>,
}

struct Inner {
    issuer: String,
    signer: Signer,
    /// Claims about whoever signs in next, besides those that every token has.
    person: Value,
    user_info: Value,
    forge: Forge,
    codes: HashMap<String, Given>,
    lax: Lax,
}

/// Rules that it does not keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lax {
    /// A code may be used often.
    pub replays: bool,
    /// A code needs no verifier.
    pub verifier: bool,
}

/// What was asked when a code was given.
#[derive(Debug, Clone)]
struct Given {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

/// Signs tokens.
pub struct Signer {
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
    kid: String,
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// With a new key of this name.
    pub fn new(kid: &str) -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
        let ec = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("our key");
        let rsa = RsaKeyPair::from_pkcs8(RSA).expect("the fixture is a key");
        Self { ec, rsa, kid: kid.to_owned() }
    }

    /// The public keys.
    pub fn key_set(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        let rsa: signature::RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig",
              "x": b64(&point[1..33]), "y": b64(&point[33..]) },
            { "kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(&rsa.n), "e": b64(&rsa.e) },
        ] })
    }

    /// The RSA key as whoever confuses it with a secret would use it.
    pub fn public_bytes(&self) -> Vec<u8> {
        self.rsa.public().as_ref().to_vec()
    }

    /// A token as it should be: signed with the elliptic curve or, for `RS256`, with RSA.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let random = SystemRandom::new();
        let signed = if header["alg"] == "RS256" {
            let mut signed = vec![0; self.rsa.public().modulus_len()];
            let padding = &signature::RSA_PKCS1_SHA256;
            self.rsa.sign(padding, &random, message.as_bytes(), &mut signed).expect("it signs");
            signed
        } else {
            self.ec.sign(&random, message.as_bytes()).expect("it signs").as_ref().to_vec()
        };
        format!("{message}.{}", b64(signed))
    }
}

/// The present in seconds, as tokens tell it.
pub fn now_s() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "tokens of a provider carry the real time")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}

impl Provider {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("it is bound"));
        let inner = Arc::new(Mutex::new(Inner {
            issuer: issuer.clone(),
            signer: Signer::new("first"),
            person: json!({}),
            user_info: json!({}),
            forge: Box::new(|signer, header, claims| signer.sign(&header, &claims)),
            codes: HashMap::new(),
            lax: Lax::default(),
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { issuer, inner, task }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who signs in from now on: claims such as `sub`, `email`, `groups`.
    pub fn person(&self, claims: Value) {
        self.inner().person = claims;
    }

    /// What it says of them beside the token.
    pub fn says_elsewhere(&self, claims: Value) {
        self.inner().user_info = claims;
    }

    /// Makes tokens of header and claims in this way from now on.
    pub fn forge(&self, forge: impl Fn(&Signer, Value, Value) -> String + Send + 'static) {
        self.inner().forge = Box::new(forge);
    }

    /// Makes right tokens again.
    pub fn honest(&self) {
        self.forge(|signer, header, claims| signer.sign(&header, &claims));
    }

    /// Which rules it does not keep.
    pub fn lax(&self, lax: Lax) {
        self.inner().lax = lax;
    }

    /// Signs with a new key, and publishes no other.
    pub fn rotate(&self, kid: &str) {
        self.inner().signer = Signer::new(kid);
    }

    /// What a collector sets to use it.
    pub fn config(&self) -> Value {
        json!({
            "name": "Example", "issuer": self.issuer, "client_id": CLIENT_ID,
            "groups_claim": "groups", "enabled": true,
            "makes_accounts": true, "second_factor_values": ["mfa"],
            "group_roles": [
                { "group": "admins", "role": "admin" },
                { "group": "staff", "role": "it" },
                { "group": "desk", "role": "helpdesk" },
            ],
        })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn describe(State(inner): Shared) -> Json<Value> {
    let issuer = lock(&inner).issuer.clone();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "id_token_signing_alg_values_supported": ["ES256", "RS256"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(inner): Shared) -> Json<Value> {
    Json(lock(&inner).signer.key_set())
}

/// Signs the person in without asking, and sends the browser back with a code.
async fn authorize(State(inner): Shared, Query(asked): Query<Pairs>) -> Response {
    let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
    if of("client_id") != CLIENT_ID || of("code_challenge_method") != "S256" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut inner = lock(&inner);
    let code = format!("code-{}", uuid::Uuid::new_v4().simple());
    let given = Given {
        nonce: of("nonce"),
        challenge: of("code_challenge"),
        redirect_uri: of("redirect_uri"),
    };
    let issuer = inner.issuer.clone();
    let mut back = url::Url::parse(&given.redirect_uri).expect("an address to go back to");
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &of("state"))
        .append_pair("iss", &issuer);
    inner.codes.insert(code, given);
    Redirect::to(back.as_str()).into_response()
}

fn refuse(error: &str) -> Response {
    let status = if error == "invalid_client" { 401 } else { 400 };
    let status = StatusCode::from_u16(status).unwrap_or_default();
    (status, Json(json!({ "error": error, "error_description": "as a test would" })))
        .into_response()
}

async fn token(State(inner): Shared, headers: HeaderMap, Form(asked): Form<Pairs>) -> Response {
    let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let pair = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    if headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) != Some(pair.as_str()) {
        return refuse("invalid_client");
    }
    let mut inner = lock(&inner);
    let code = of("code");
    let Some(given) = inner.codes.get(&code).cloned() else { return refuse("invalid_grant") };
    let lax = inner.lax;
    if !lax.replays {
        inner.codes.remove(&code);
    }
    let challenge = b64(digest::digest(&digest::SHA256, of("code_verifier").as_bytes()));
    let bound = lax.verifier || challenge == given.challenge;
    if of("grant_type") != "authorization_code"
        || of("redirect_uri") != given.redirect_uri
        || !bound
    {
        return refuse("invalid_grant");
    }
    let now = now_s();
    let access = "an-access-token";
    let whole = digest::digest(&digest::SHA256, access.as_bytes());
    let mut claims = json!({
        "iss": inner.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300,
        "nonce": given.nonce, "at_hash": b64(&whole.as_ref()[..16]),
    });
    if let (Some(all), Some(person)) = (claims.as_object_mut(), inner.person.as_object()) {
        all.extend(person.clone());
    }
    let header = json!({ "alg": "ES256", "kid": inner.signer.kid });
    let id_token = (inner.forge)(&inner.signer, header, claims);
    Json(json!({ "id_token": id_token, "access_token": access, "token_type": "Bearer" }))
        .into_response()
}

async fn user_info(State(inner): Shared, headers: HeaderMap) -> Response {
    if headers.get(AUTHORIZATION).is_none_or(|value| value != "Bearer an-access-token") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(lock(&inner).user_info.clone()).into_response()
}
