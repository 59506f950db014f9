//! Signing in with a provider: a real collector, a provider on loopback that can lie, and browsers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fantoccini::Locator;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use rollcall_tests::browser::Browser as Chromium;
use rollcall_tests::console::{self, Console};
use rollcall_tests::programs::{Collector, free_address};
use rollcall_tests::provider::{CLIENT_SECRET, Lax, Provider, Signer, now_s};
use rollcall_tests::wire;
use serde_json::{Value, json};

const PROVIDERS: &str = "/api/v1/sign-in-providers";
const SESSION: &str = "__Host-rollcall";

/// A collector that may call loopback, its administrator, and a provider that it knows as 1.
struct Scene {
    collector: Collector,
    console: Console,
    provider: Provider,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let url = format!("https://{address}");
        let data = folder.path().join("data");
        let database = format!("sqlite:{}", folder.path().join("rollcall.db").display());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let arguments =
            ["--public-url", &url, "--allow-outgoing", "http://127.0.0.1", "--log-level", "trace"];
        let collector = Collector::serve_at(
            address,
            url.clone(),
            &data,
            &database,
            &arguments,
            true,
            Stdio::from(log),
        );
        let console = Console::set_up(&collector).await;
        let provider = Provider::start().await;
        provider.person(json!({ "sub": "s-1", "preferred_username": "olga", "groups": ["staff"] }));
        let scene = Self { collector, console, provider, folder };
        assert_eq!(scene.make(&scene.provider.config()).await, 1);
        scene
    }

    /// Makes a provider; its number.
    async fn make(&self, config: &Value) -> i64 {
        let body = json!({ "config": config, "client_secret": CLIENT_SECRET });
        let (status, made) = self.console.call("POST", PROVIDERS, &body).await;
        assert_eq!(status, 201, "{made}");
        made["id"].as_i64().unwrap()
    }

    /// Changes some settings of the provider.
    async fn set(&self, changes: Value) {
        let mut config = self.provider.config();
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let body = json!({ "config": config });
        let (status, said) = self.console.call("PUT", &format!("{PROVIDERS}/1"), &body).await;
        assert_eq!(status, 200, "{said}");
    }

    fn browser(&self) -> Browser {
        Browser {
            url: self.collector.url.clone(),
            cookies: BTreeMap::new(),
            client: wire::client(),
        }
    }

    /// Somebody signs in from the beginning; where it leads, or what is said.
    async fn sign_in(&self) -> (Browser, Came) {
        let mut browser = self.browser();
        let came = browser.sign_in(1).await;
        (browser, came)
    }

    async fn actions(&self) -> Vec<String> {
        let log = self.console.json("/api/v1/audit?limit=500").await;
        let entries = log["items"].as_array().unwrap();
        entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    }
}

/// A browser that keeps cookies and follows nothing by itself.
#[derive(Clone)]
struct Browser {
    url: String,
    cookies: BTreeMap<String, String>,
    client: reqwest::Client,
}

/// What came of an address: where it leads, or the status and the page.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Came {
    To(String),
    Page(u16, String),
}

impl Came {
    fn says(&self, status: u16, words: &str) -> bool {
        matches!(self, Self::Page(found, text) if *found == status && text.contains(words))
    }
}

impl Browser {
    async fn open(&mut self, address: &str) -> Came {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.get(address);
        // Cookies belong to the collector.
        if address.starts_with(&self.url) {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = request.send().await.unwrap();
        for set in answer.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            assert!(set.contains("Secure; HttpOnly; SameSite=Lax"), "{set}");
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let status = answer.status().as_u16();
        match answer.headers().get(LOCATION) {
            Some(place) => Came::To(place.to_str().unwrap().to_owned()),
            None => Came::Page(status, answer.text().await.unwrap()),
        }
    }

    /// Goes to the provider and is sent back; the address with the code, not opened yet.
    async fn away(&mut self, provider: i64) -> String {
        let start = format!("{}/sign-in/with/{provider}?next=%2Fsoftware", self.url);
        let Came::To(there) = self.open(&start).await else { panic!("it does not begin") };
        let Came::To(back) = self.open(&there).await else { panic!("the provider refuses") };
        back
    }

    async fn sign_in(&mut self, provider: i64) -> Came {
        let back = self.away(provider).await;
        self.open(&back).await
    }

    fn is_in(&self) -> bool {
        self.cookies.contains_key(SESSION)
    }

    /// Whether a page for those who are signed in opens.
    async fn sees(&mut self, path: &str) -> bool {
        let address = format!("{}{path}", self.url);
        matches!(self.open(&address).await, Came::Page(200, _))
    }
}

fn changed(address: &str, name: &str, value: Option<&str>) -> String {
    let mut url = url::Url::parse(address).unwrap();
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(found, _)| found != name)
        .map(|(found, value)| (found.into_owned(), value.into_owned()))
        .collect();
    let more = value.map(|value| (name.to_owned(), value.to_owned()));
    url.query_pairs_mut().clear().extend_pairs(pairs.into_iter().chain(more));
    url.to_string()
}

fn part(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_with_a_provider_and_get_what_their_groups_may() {
    let scene = Scene::new().await;
    let (mut olga, came) = scene.sign_in().await;
    assert_eq!(came, Came::To("/software".to_owned()));
    assert!(olga.sees("/enroll").await && !olga.sees("/accounts").await, "what `it` may");
    assert!(!olga.cookies.contains_key("__Host-rollcall-start"), "used up");

    // Another role from the next sign-in on; sessions of the old one end.
    scene.provider.person(json!({ "sub": "s-1", "groups": ["desk", "other"] }));
    let (mut again, _) = scene.sign_in().await;
    assert!(!olga.sees("/devices").await, "a new role ends sessions");
    assert!(again.sees("/devices").await && !again.sees("/enroll").await);

    // No group any more: nothing is open, and API tokens end with the account.
    scene.provider.person(json!({ "sub": "s-1", "groups": ["other"] }));
    let (_, came) = scene.sign_in().await;
    assert!(came.says(403, "None of your groups"), "{came:?}");
    assert!(!again.sees("/devices").await);
    let people = scene.console.json(&format!("{PROVIDERS}/1/identities")).await;
    assert!(people["items"][0]["shut_at"].is_string(), "{people}");
    scene.provider.person(json!({ "sub": "s-1", "groups": "staff" }));
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()), "a group again");

    // Groups may be told beside the token, by the same person only.
    scene.provider.person(json!({ "sub": "s-1" }));
    scene.provider.says_elsewhere(json!({ "sub": "s-1", "groups": ["staff"] }));
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()));
    scene.provider.says_elsewhere(json!({ "sub": "s-2", "groups": ["admins"] }));
    assert!(scene.sign_in().await.1.says(502, "cannot be used"));

    // An administrator's second factor: ours, unless the provider says that it asked for one.
    scene.provider.person(json!({ "sub": "s-3", "email": "ada@a.example", "groups": ["admins"] }));
    let led = "/account/second-factor?next=%2Fsoftware";
    assert_eq!(scene.sign_in().await.1, Came::To(led.to_owned()));
    let with = json!({ "sub": "s-3", "groups": ["admins"], "amr": ["pwd", "mfa"] });
    scene.provider.person(with);
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()));

    // A name that is taken is not taken over.
    scene
        .provider
        .person(json!({ "sub": "s-4", "preferred_username": "anna", "groups": ["desk"] }));
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()));
    let page = scene.console.get("/accounts").await.1;
    assert!(page.contains("anna-2") && page.contains("ada@a.example"), "{page}");

    let actions = scene.actions().await;
    for wanted in [
        "sign_in_provider_made",
        "account_made",
        "sign_in",
        "role_set",
        "account_disabled",
        "account_enabled",
        "provider_sign_in_refused",
    ] {
        assert!(actions.iter().any(|action| action == wanted), "{wanted}: {actions:?}");
    }
    // Without the provider, names and passwords open as before.
    drop(scene.provider);
    Console::sign_in(&scene.collector.url).await;
    let log = std::fs::read_to_string(scene.folder.path().join("log")).unwrap();
    assert!(log.contains("rollcall"), "it was told to log everything");
    for secret in [CLIENT_SECRET, "code-", "an-access-token", "eyJ"] {
        assert!(!log.contains(secret), "the log tells `{secret}`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_open_nothing() {
    let scene = Scene::new().await;
    let provider = &scene.provider;
    let refused = async |what: &str| {
        let (browser, came) = scene.sign_in().await;
        assert!(came.says(502, "cannot be used"), "{what}: {came:?}");
        assert!(!browser.is_in(), "{what}");
    };
    provider
        .forge(|_, _, claims| format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(claims.to_string())));
    refused("no signature").await;
    for alg in ["none", "HS256"] {
        provider.forge(move |signer, header, claims| {
            let kid = &header["kid"];
            let head = json!({ "alg": alg, "kid": kid });
            let message = format!("{}.{}", b64(head.to_string()), b64(claims.to_string()));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &signer.public_bytes());
            format!("{message}.{}", b64(ring::hmac::sign(&key, message.as_bytes())))
        });
        refused(alg).await;
    }
    let claim = |name: &'static str, value: Value| {
        provider.forge(move |signer, header, mut claims| {
            claims[name] = value.clone();
            signer.sign(&header, &claims)
        });
    };
    for (name, value) in [
        ("iss", json!("http://127.0.0.1:1")),
        ("iss", json!(format!("{}/", provider.issuer))),
        ("aud", json!("another-client")),
        ("aud", json!(["rollcall", "another-client"])),
        ("azp", json!("another-client")),
        ("nonce", json!("another-nonce")),
        ("nonce", Value::Null),
        ("exp", json!(now_s() - 3600)),
        ("nbf", json!(now_s() + 3600)),
        ("iat", json!(now_s() + 3600)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("at_hash", json!("another-token")),
    ] {
        claim(name, value.clone());
        refused(&format!("{name} {value}")).await;
    }
    let other = Signer::new("first");
    provider.forge(move |_, header, claims| other.sign(&header, &claims));
    refused("another key under the same name").await;
    provider.forge(|signer, mut header, claims| {
        header["kid"] = json!("unknown");
        signer.sign(&header, &claims)
    });
    refused("an unknown key").await;
    provider.forge(|signer, header, claims| {
        let token = signer.sign(&header, &claims);
        let mut claims = claims;
        claims["groups"] = json!(["admins"]);
        let parts: Vec<&str> = token.split('.').collect();
        format!("{}.{}.{}", parts[0], b64(claims.to_string()), parts[2])
    });
    refused("changed claims").await;

    // New keys, and RSA, are believed; the forgeries left nothing behind.
    provider.honest();
    provider.rotate("second");
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()), "rotated keys");
    provider
        .forge(|signer, _, claims| signer.sign(&json!({ "alg": "RS256", "kid": "rsa" }), &claims));
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()), "RSA");
    let people = scene.console.json(&format!("{PROVIDERS}/1/identities")).await;
    assert_eq!(people["items"].as_array().unwrap().len(), 1, "{people}");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_states_of_others_open_nothing() {
    let scene = Scene::new().await;
    let begin_again = "Begin again";

    // The same answer twice, at a provider that takes codes twice and from everybody.
    scene.provider.lax(Lax { replays: true, verifier: true });
    let mut olga = scene.browser();
    let back = olga.away(1).await;
    let before = olga.clone();
    assert_eq!(olga.open(&back).await, Came::To("/software".to_owned()));
    let mut replaying = before;
    let came = replaying.open(&back).await;
    assert!(came.says(403, "used before") && !replaying.is_in(), "{came:?}");
    let came = olga.open(&back).await;
    assert!(came.says(403, begin_again), "the cookie is used up: {came:?}");

    // The state: absent, wrong, of another browser.
    let mut victim = scene.browser();
    let back = victim.away(1).await;
    let mut attacker = scene.browser();
    let theirs = attacker.away(1).await;
    let foreign = changed(&back, "state", Some(&part(&theirs, "state")));
    for wrong in
        [changed(&back, "state", None), changed(&back, "state", Some("x")), foreign, theirs.clone()]
    {
        let mut one = victim.clone();
        let came = one.open(&wrong).await;
        assert!(came.says(403, begin_again) && !one.is_in(), "{wrong}: {came:?}");
    }
    let mut bare = scene.browser();
    assert!(bare.open(&theirs).await.says(403, begin_again), "without a cookie");

    // The attacker's code in the victim's sign-in: the nonce tells, and where the provider keeps
    // its rules, the verifier.
    let injected = changed(&back, "code", Some(&part(&theirs, "code")));
    for lax in [Lax { replays: true, verifier: true }, Lax { replays: true, verifier: false }] {
        scene.provider.lax(lax);
        let mut one = victim.clone();
        let came = one.open(&injected).await;
        assert!(came.says(502, "cannot be used") && !one.is_in(), "{came:?}");
    }
    scene.provider.lax(Lax::default());

    // Another provider answers than the one that was asked.
    let second = Provider::start().await;
    second.person(json!({ "sub": "s-1", "groups": ["staff"] }));
    assert_eq!(scene.make(&second.config()).await, 2);
    let mut mixed = scene.browser();
    let back = mixed.away(1).await;
    for (wrong, status) in [
        (back.replace("/with/1/", "/with/2/"), 403),
        (changed(&back, "iss", Some(&second.issuer)), 403),
        (changed(&back, "iss", None), 403),
    ] {
        let mut one = mixed.clone();
        let came = one.open(&wrong).await;
        assert!(came.says(status, begin_again) && !one.is_in(), "{wrong}: {came:?}");
    }
    let mut one = mixed.clone();
    let no = changed(&changed(&back, "code", None), "error", Some("access_denied"));
    assert!(one.open(&no).await.says(403, "access_denied"));
    // The same person's name at another provider is somebody else.
    assert_eq!(scene.browser().sign_in(2).await, Came::To("/software".to_owned()));
    let people = scene.console.json(&format!("{PROVIDERS}/2/identities")).await;
    assert_ne!(people["items"][0]["account"], "olga");

    // Switched off, it signs nobody in, and out whoever it did.
    let (mut olga, _) = scene.sign_in().await;
    assert!(olga.sees("/devices").await);
    let back = mixed.away(1).await;
    scene.set(json!({ "enabled": false })).await;
    assert!(!olga.sees("/devices").await);
    assert!(matches!(mixed.open(&back).await, Came::Page(404, _)));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_unknown_people_are_held_to_the_settings() {
    let scene = Scene::new().await;
    scene.set(json!({ "email_domains": ["example.org"] })).await;
    let domain = "Your e-mail address is not one";
    for claims in [
        json!({ "email": "a@evil.example", "email_verified": true }),
        json!({ "email": "a@example.org.evil.example", "email_verified": true }),
        json!({ "email": "a@sub.example.org", "email_verified": true }),
        json!({ "email": "example.org", "email_verified": true }),
        json!({ "email": "a@example.org", "email_verified": false }),
        json!({ "email": "a@example.org" }),
        json!({}),
    ] {
        let mut person = json!({ "sub": "s-1", "groups": ["staff"] });
        person.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        scene.provider.person(person);
        scene.provider.says_elsewhere(json!({ "sub": "s-1" }));
        let (browser, came) = scene.sign_in().await;
        assert!(came.says(403, domain) && !browser.is_in(), "{claims}: {came:?}");
    }
    let person = json!({
        "sub": "s-1", "groups": ["staff"], "email": "a@Example.Org", "email_verified": true,
    });
    scene.provider.person(person);
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()));

    // Nobody who is not known, and nobody by an address: an administrator links them.
    scene.set(json!({ "makes_accounts": false })).await;
    scene
        .provider
        .person(json!({ "sub": "s-9", "preferred_username": "olga", "groups": ["staff"] }));
    let came = scene.sign_in().await.1;
    assert!(came.says(403, "s-9"), "{came:?}");
    let link = json!({ "account": "a@example.org", "subject": "s-9" });
    let people = format!("{PROVIDERS}/1/identities");
    assert_eq!(scene.console.call("POST", &people, &link).await.0, 204);
    assert_eq!(scene.sign_in().await.1, Came::To("/software".to_owned()));

    // The last administrator is not taken away by a group.
    let link = json!({ "account": console::NAME, "subject": "s-10" });
    assert_eq!(scene.console.call("POST", &people, &link).await.0, 204);
    scene.provider.person(json!({ "sub": "s-10", "groups": ["desk"] }));
    assert!(scene.sign_in().await.1.says(403, "last administrator"));
    scene.provider.person(json!({ "sub": "s-10", "groups": [] }));
    assert!(scene.sign_in().await.1.says(403, "None of your groups"));
    Console::sign_in(&scene.collector.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_of_the_connection_names_what_is_wrong() {
    let scene = Scene::new().await;
    let tried = async || {
        let path = format!("{PROVIDERS}/1/test");
        let (status, found) = scene.console.call("POST", &path, &json!({})).await;
        assert_eq!(status, 200, "{found}");
        let checks = found["checks"].as_array().unwrap().clone();
        let wrong = checks.into_iter().find(|check| check["right"] == false);
        assert_eq!(found["works"], wrong.is_none());
        wrong.map(|check| format!("{}: {}", check["setting"], check["says"]))
    };
    assert_eq!(tried().await, None);
    let issuer = scene.provider.issuer.clone();
    for (changes, words) in [
        (json!({ "issuer": format!("{issuer}/") }), "it calls itself"),
        (json!({ "issuer": format!("{issuer}/realm") }), "HTTP 404"),
        (json!({ "issuer": "http://127.0.0.1:1" }), "takes no connection"),
        (json!({ "client_id": "another" }), "client id or the client secret is wrong"),
        (json!({ "scopes": "colours" }), "does not know the scope colours"),
        (json!({ "group_roles": [] }), "nobody could sign in"),
    ] {
        scene.set(changes.clone()).await;
        let said = tried().await.unwrap_or_default();
        assert!(said.contains(words), "{changes}: {said}");
    }
    let body = json!({ "config": scene.provider.config(), "client_secret": "wrong" });
    assert_eq!(scene.console.call("PUT", &format!("{PROVIDERS}/1"), &body).await.0, 200);
    assert!(tried().await.unwrap().contains("secret is wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_signs_in_with_a_provider() {
    let Some(browser) = Chromium::start(1280, 900).await else { return };
    let scene = Scene::new().await;
    browser.open(&format!("{}/sign-in?next=%2Fsoftware", scene.collector.url)).await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
    let violations = browser.axe().await;
    assert!(violations.is_empty(), "{violations:#?}");
    let button = Locator::LinkText("Sign in with Example");
    let button = browser.page.find(button).await.unwrap();
    // With the keyboard: the button is a link.
    button.send_keys("\u{E007}").await.unwrap();
    browser.until_at("/software").await;
    browser.until_text(".menu summary", "olga").await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
    browser.close().await;
    assert!(scene.collector.stop());
}
