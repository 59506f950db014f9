//! People at the doors: second factors, sessions, accounts, and the record of what they do.

use axum::response::IntoResponse as _;

use super::*;
use crate::http::client::percent_encode;
use crate::totp::TotpSecret;

const PAGE_FORM: &str = "application/x-www-form-urlencoded";

/// A browser: sends forms and keeps the cookie.
struct Person<'a> {
    collector: &'a Collector,
    cookie: String,
}

impl<'a> Person<'a> {
    fn new(collector: &'a Collector) -> Self {
        Self { collector, cookie: String::new() }
    }

    /// Where it leads, or the status and the page.
    async fn send(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", percent_encode(value)));
        let form = pairs.collect::<Vec<_>>().join("&");
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("sec-fetch-site", "same-origin")
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, PAGE_FORM)
            .body(Body::from(form))
            .unwrap();
        let answer = self.collector.send(request).await;
        let status = answer.status().as_u16();
        if let Some(set) = answer.headers().get(SET_COOKIE) {
            set.to_str().unwrap().split(';').next().unwrap().clone_into(&mut self.cookie);
        }
        match answer.headers().get(LOCATION) {
            Some(place) => (status, place.to_str().unwrap().to_owned()),
            None => (status, text(answer).await),
        }
    }

    async fn get(&mut self, path: &str) -> (u16, String) {
        self.send("GET", path, &[]).await
    }

    async fn sign_in(&mut self, name: &str, password: &str) -> String {
        let form = [("name", name), ("password", password), ("next", "/devices")];
        self.send("POST", "/sign-in", &form).await.1
    }

    /// Sets a second factor up on the page that was led to; its secret and the recovery codes.
    async fn scan(&mut self, page: &str) -> (TotpSecret, Vec<String>) {
        let (status, shown) = self.get(page).await;
        assert_eq!(status, 200, "{page}");
        let secret = shown.split("name=\"secret\" value=\"").nth(1).unwrap();
        let secret = TotpSecret::from_text(secret.split('"').next().unwrap()).unwrap();
        let actions = shown.split("method=\"post\" action=\"").skip(1);
        let action = actions
            .filter_map(|part| part.split('"').next())
            .find(|action| ["/account/second-factor", "/sign-in/second-factor"].contains(action));
        let action = action.unwrap().to_owned();
        let code = secret.code_at(self.collector.app.clock.now());
        let wrong = if code == "123456" { "654321" } else { "123456" };
        let text = secret.text();
        let (status, said) =
            self.send("POST", &action, &[("secret", &text), ("code", wrong)]).await;
        assert!(status == 422 && said.contains("role=\"alert\"") && said.contains(&text));
        let (status, shown) =
            self.send("POST", &action, &[("secret", &text), ("code", &code)]).await;
        assert_eq!(status, 200, "{shown}");
        let codes = shown.split("<code>").nth(1).unwrap().split("</code>").next().unwrap();
        let codes: Vec<String> = codes.lines().map(|line| line.trim().to_owned()).collect();
        (secret, codes.into_iter().filter(|code| !code.is_empty()).collect())
    }
}

async fn actions(collector: &Collector) -> Vec<String> {
    let newest = collector.app.store.newest_audit_entries(200).await.unwrap();
    newest.into_iter().rev().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn a_code_is_asked_for_counts_once_and_can_be_recovered() {
    let collector = Collector::ready().await;
    let clock = &collector.app.clock;
    let mut anna = Person::new(&collector);
    let led = anna.sign_in("anna", PASSWORD).await;
    assert_eq!(led, "/account/second-factor?next=%2Fdevices", "administrators are asked");
    assert_eq!(anna.get("/devices").await.0, 200, "but not made to at once");
    let (secret, codes) = anna.scan(&led).await;
    assert_eq!(codes.len(), 10);

    let mut again = Person::new(&collector);
    assert_eq!(again.sign_in("anna", PASSWORD).await, "/sign-in/code?next=%2Fdevices");
    assert_eq!(again.get("/devices").await.0, 303, "a password alone opens nothing");
    assert_eq!(again.get("/account/second-factor").await.0, 303);
    assert_eq!(again.get("/sign-in/second-factor").await.1, "/sign-in");
    let waited = again.cookie.clone();
    let code = secret.code_at(clock.now());
    let form = [("code", code.as_str()), ("next", "/devices")];
    assert_eq!(again.send("POST", "/sign-in/code", &form).await.0, 401, "used before");
    clock.advance_ms(30_000);
    let code = secret.code_at(clock.now());
    let form = [("code", code.as_str()), ("next", "/devices")];
    assert_eq!(again.send("POST", "/sign-in/code", &form).await, (303, "/devices".into()));
    assert_eq!(again.get("/devices").await.0, 200);
    assert_ne!(again.cookie, waited, "each step has an id of its own");

    let mut lost = Person::new(&collector);
    lost.sign_in("anna", PASSWORD).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let form = [("code", typed.as_str()), ("next", "//evil.example")];
    assert_eq!(lost.send("POST", "/sign-in/code", &form).await, (303, "/".into()));
    lost.sign_in("anna", PASSWORD).await;
    assert_eq!(lost.send("POST", "/sign-in/code", &form).await.0, 401, "a code for one time");

    let mut guesser = Person::new(&collector);
    clock.advance_ms(31 * MINUTE_MS);
    guesser.sign_in("anna", PASSWORD).await;
    let mut slowed = false;
    for _ in 0..8 {
        slowed |= guesser.send("POST", "/sign-in/code", &[("code", "000000")]).await.0 == 429;
        // The right password does not make up for wrong codes.
        guesser.sign_in("anna", PASSWORD).await;
    }
    assert!(slowed, "codes are guessed as slowly as passwords");
    clock.advance_ms(11 * MINUTE_MS);
    assert_eq!(guesser.get("/sign-in/code").await.1, "/sign-in", "it waits ten minutes");
}

#[tokio::test]
async fn who_has_no_password_proves_it_with_a_code() {
    let collector = Collector::ready().await;
    let app = &collector.app;
    let issuer = "https://login.example.org";
    app.store.make_account_for(issuer, "s1", "Olga", Role::It, &by()).await.unwrap();
    let found = app.store.account_by_name("olga").await.unwrap().unwrap().account;
    let request = Request::builder().uri("/").body(Body::empty()).unwrap();
    let visitor = session::Visitor::new([192, 0, 2, 7].into(), request.headers());
    let cookie = session::begin(app, found.id, &found.name, &visitor, "").await.unwrap();
    let answer = (cookie, "").into_response();
    let mut olga = Person::new(&collector);
    let set = answer.headers().get(SET_COOKIE).unwrap().to_str().unwrap();
    set.split(';').next().unwrap().clone_into(&mut olga.cookie);

    let page = olga.get("/account").await.1;
    assert!(!page.contains("action=\"/account/password\""), "there is no password to change");
    let (secret, codes) = olga.scan("/account/second-factor").await;
    let page = olga.get("/account").await.1;
    assert!(page.contains("A code of your app, or a recovery code"), "{page}");
    let place = "/account/second-factor/codes";
    for wrong in ["!", "", "000000"] {
        let (status, said) = olga.send("POST", place, &[("present", wrong)]).await;
        assert_eq!(status, 422, "`{wrong}`: {said}");
    }
    app.clock.advance_ms(30_000);
    let code = secret.code_at(app.clock.now());
    let (status, new) = olga.send("POST", place, &[("present", &code)]).await;
    assert!(status == 200 && !new.contains(&codes[0]), "{new}");
    assert_eq!(olga.send("POST", place, &[("present", &code)]).await.0, 422, "it counts once");
    let code = new.split("<code>").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let off = olga.send("POST", "/account/second-factor/off", &[("present", &code)]).await;
    assert_eq!(off, (303, "/account?done=second-factor".into()));
}

#[tokio::test]
async fn a_restart_does_not_help_whoever_guesses() {
    let collector = Collector::ready().await;
    for _ in 0..6 {
        assert!(session::sign_in(&collector.app, "anna", "wrong password", HERE).await.is_err());
    }
    // The same tables with fresh memory.
    let restarted = collector.app.with_clock(collector.app.clock.clone());
    session::recall_failures(&restarted).await.unwrap();
    let refused = session::sign_in(&restarted, "anna", PASSWORD, HERE).await;
    assert!(matches!(refused, Err(SignInError::TooMany { .. })), "{refused:?}");
    collector.app.clock.advance_ms(31 * MINUTE_MS);
    let later = collector.app.with_clock(collector.app.clock.clone());
    session::recall_failures(&later).await.unwrap();
    assert!(session::sign_in(&later, "anna", PASSWORD, HERE).await.is_ok());
}

#[tokio::test]
async fn an_administrator_sets_a_second_factor_up_within_a_day() {
    let collector = Collector::ready().await;
    collector.app.clock.advance_ms(24 * HOUR_MS);
    let mut anna = Person::new(&collector);
    let led = anna.sign_in("anna", PASSWORD).await;
    assert_eq!(led, "/sign-in/second-factor?next=%2Fdevices");
    for path in ["/devices", "/account/second-factor", "/api/v1/devices"] {
        assert!(matches!(anna.get(path).await.0, 303 | 401), "{path}");
    }
    anna.scan(&led).await;
    assert_eq!(anna.get("/devices").await.0, 200);
    let off = anna.send("POST", "/account/second-factor/off", &[("present", PASSWORD)]).await;
    assert_eq!(off.0, 422, "administrators keep it");
    // Whoever runs the collector lets a person in again who lost everything.
    let id = collector.app.store.account_by_name("anna").await.unwrap().unwrap().account.id;
    let now = By::new("command line", collector.app.clock.now());
    collector.app.store.turn_off_second_factor(id, &now).await.unwrap();
    assert_eq!(anna.get("/devices").await.0, 303, "sessions end with it");
    assert!(anna.sign_in("anna", PASSWORD).await.starts_with("/account/second-factor"));
}

#[tokio::test]
async fn people_change_their_password_and_end_their_sessions() {
    let collector = Collector::ready().await;
    let hash = crate::http::password::hash_now(PASSWORD).unwrap();
    collector.app.store.create_account("henk", Role::Helpdesk, &hash, &by()).await.unwrap();
    let (mut here, mut there) = (Person::new(&collector), Person::new(&collector));
    assert_eq!(here.sign_in("henk", PASSWORD).await, "/devices");
    there.sign_in("henk", PASSWORD).await;
    let shown = here.get("/account").await.1;
    assert_eq!(shown.matches("Firefox on Linux").count(), 2);
    let new = "seven green doors";
    let form =
        |present, password, again| [("present", present), ("password", password), ("again", again)];
    for (fields, said) in [
        (form("wrong password", new, new), "not your present password"),
        (form(PASSWORD, new, PASSWORD), "differ"),
        (form(PASSWORD, "short", "short"), "at least 12"),
    ] {
        let (status, page) = here.send("POST", "/account/password", &fields).await;
        assert!(status == 422 && page.contains(said), "{said}");
    }
    let done = here.send("POST", "/account/password", &form(PASSWORD, new, new)).await;
    assert_eq!(done, (303, "/account?done=password".into()));
    assert_eq!(here.get("/account").await.0, 200);
    assert_eq!(there.get("/account").await.0, 303, "every other session ended");
    there.sign_in("henk", new).await;
    assert_eq!(there.send("POST", "/account/sessions/end", &[]).await.1, "/sign-in");
    assert_eq!(here.get("/account").await.0, 303, "everywhere");
}

#[tokio::test]
async fn pages_are_for_people() {
    let collector = Collector::ready().await;
    let token = collector.api_token(Role::Admin).await;
    for (method, path) in [("GET", "/account"), ("POST", "/account/tokens"), ("GET", "/audit")] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from("label=more&role=admin&days=365"))
            .unwrap();
        let answer = collector.send(request).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{method} {path}");
    }
}

#[tokio::test]
async fn accounts_are_made_changed_and_closed() {
    let collector = Collector::ready().await;
    let mut anna = Person::new(&collector);
    anna.sign_in("anna", PASSWORD).await;
    let form = [("name", "Olga"), ("role", "auditor"), ("once", "one")];
    let (status, place) = anna.send("POST", "/accounts", &form).await;
    assert_eq!(status, 303);
    assert_eq!(anna.send("POST", "/accounts", &form).await.1, place, "sent twice, made once");
    let shown = anna.get(&place).await.1;
    let password =
        shown.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut olga = Person::new(&collector);
    assert_eq!(olga.sign_in("olga", &password).await, "/devices");
    assert_eq!(olga.get("/audit").await.0, 200);
    assert_eq!(olga.get("/accounts").await.0, 403);
    let id = place.rsplit('=').next().unwrap().to_owned();
    let role = format!("/accounts/{id}/role");
    assert_eq!(anna.send("POST", &role, &[("role", "helpdesk")]).await.1, "/accounts");
    assert_eq!(olga.get("/devices").await.0, 303, "a new role ends sessions");
    olga.sign_in("olga", &password).await;
    assert_eq!(olga.get("/audit").await.0, 403);
    assert_eq!(anna.send("POST", &format!("/accounts/{id}/disable"), &[]).await.1, "/accounts");
    assert_eq!(olga.get("/devices").await.0, 303);
    assert!(olga.sign_in("olga", &password).await.contains("not right"));
    assert_eq!(anna.send("POST", &format!("/accounts/{id}/enable"), &[]).await.1, "/accounts");
    let place = anna.send("POST", &format!("/accounts/{id}/reset"), &[("once", "two")]).await.1;
    assert!(anna.get(&place).await.1.contains("not shown again"));
    assert!(olga.sign_in("olga", &password).await.contains("not right"), "it has a new one");
    for (path, status) in
        [("/accounts/1/disable", 422), ("/accounts/99/disable", 404), ("/accounts/99/reset", 404)]
    {
        assert_eq!(anna.send("POST", path, &[("once", "x")]).await.0, status, "{path}");
    }
    let last = anna.send("POST", "/accounts/1/role", &[("role", "it")]).await;
    assert!(last.0 == 422 && last.1.contains("last administrator"));
}

#[tokio::test]
async fn every_change_is_written_into_the_audit_log() {
    let collector = Collector::new().await;
    let link = setup::new_link(&collector.app).await.unwrap();
    let key = link.split_once("key=").unwrap().1.to_owned();
    let mut anna = Person::new(&collector);
    let form =
        [("key", key.as_str()), ("name", "anna"), ("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(anna.send("POST", "/set-up", &form).await.1, "/account/second-factor?next=%2F");
    anna.sign_in("anna", "wrong password").await;
    let (secret, _) = anna.scan("/account/second-factor").await;
    let codes = anna.send("POST", "/account/second-factor/codes", &[("present", PASSWORD)]).await;
    assert_eq!(codes.0, 200);
    let form = [("name", "olga"), ("role", "auditor"), ("once", "one")];
    let id = anna.send("POST", "/accounts", &form).await.1.rsplit('=').next().unwrap().to_owned();
    for (what, fields) in [
        ("role", &[("role", "it")][..]),
        ("disable", &[]),
        ("enable", &[]),
        ("reset", &[("once", "two")]),
    ] {
        let place = anna.send("POST", &format!("/accounts/{id}/{what}"), fields).await;
        assert_eq!(place.0, 303, "{what}: {}", place.1);
    }
    let form = [("label", "export"), ("role", "it"), ("days", "9"), ("once", "t")];
    anna.send("POST", "/account/tokens", &form).await;
    anna.send("POST", "/account/tokens/1/revoke", &[]).await;
    let form = [("label", "Room 12"), ("days", "7"), ("uses", "3"), ("once", "e")];
    anna.send("POST", "/enroll", &form).await;
    anna.send("POST", "/enroll/1/revoke", &[]).await;
    anna.send(
        "POST",
        "/account/password",
        &[("present", PASSWORD), ("password", "seven green doors"), ("again", "seven green doors")],
    )
    .await;
    anna.send("POST", "/sign-out", &[]).await;
    anna.sign_in("anna", "seven green doors").await;
    collector.app.clock.advance_ms(30_000);
    let code = secret.code_at(collector.app.clock.now());
    anna.send("POST", "/sign-in/code", &[("code", &code)]).await;
    anna.send("POST", "/account/sessions/end", &[]).await;
    let expected = [
        "set_up_link_made",
        "account_made",
        "sign_in",
        "sign_in_refused",
        "second_factor_on",
        "recovery_codes_made",
        "account_made",
        "role_set",
        "account_disabled",
        "account_enabled",
        "second_factor_off",
        "password_set",
        "api_token_made",
        "api_token_revoked",
        "enrollment_token_made",
        "enrollment_token_revoked",
        "password_set",
        "sign_in",
        "sign_out",
        "sign_in",
        "sessions_ended",
    ];
    assert_eq!(actions(&collector).await, expected);
    let (count, broken) = collector.app.store.verify_audit().await.unwrap();
    assert_eq!((count, broken), (expected.len() as u64, Vec::new()));
    for entry in collector.app.store.newest_audit_entries(200).await.unwrap() {
        let text = format!("{entry:?}");
        for secret in [PASSWORD, "wrong password", "seven green doors", &key, &secret.text()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_token_that_only_reads_changes_nothing() {
    let collector = Collector::ready().await;
    let account = collector.app.store.account_by_name("anna").await.unwrap().unwrap().account;
    let caller = Caller {
        name: account.name,
        role: account.role,
        account: account.id,
        by: Credential::ApiToken(0),
        scope: Scope::whole(),
    };
    let new = NewApiToken { label: "watch".into(), read_only: true, ..NewApiToken::default() };
    let secret = issue::api_token(&collector.app, &caller, new).await.unwrap().secret;
    let status = async |method: &str, path: &str| {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {secret}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from("{}"))
            .unwrap();
        collector.send(request).await.status().as_u16()
    };
    assert_eq!(status("GET", "/api/v1/policy").await, 200);
    assert_eq!(status("PUT", "/api/v1/policy").await, 403);
    assert_eq!(status("DELETE", "/api/v1/api-tokens/1").await, 403);
}
