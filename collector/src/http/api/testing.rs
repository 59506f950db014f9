//! A collector to ask through its routes. Every answer is held against the document.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use rollcall_shared::Timestamp;
use rollcall_shared::api::account::Role;
use rollcall_shared::time::DAY_MS;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::app::{App, Inner};
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::http::api::operations;
use crate::http::auth::API_TOKEN_PREFIX;
use crate::http::client::percent_encode;
use crate::http::{Guard, openapi, router};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::api_token::NewApiTokenRow;
use crate::store::audit::By;
use crate::store::session::NewSession;

/// Devices of the small fleet.
pub(super) const DEVICES: usize = 7;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// A collector with one account and API token of each role.
pub(super) struct Api {
    pub(super) app: App,
    secrets: BTreeMap<Role, String>,
    accounts: BTreeMap<Role, i64>,
    document: Value,
    _folder: tempfile::TempDir,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
    /// Null when it is no JSON.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap_or_default()
    }
}

/// One value inside an address.
pub(super) fn encoded(text: &str) -> String {
    percent_encode(text).replace('/', "%2F")
}

impl Api {
    /// Without devices.
    pub(super) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::testing::sqlite(folder.path()).await;
        Self::over(store, folder, NOW).await
    }

    /// Over these tables, beginning at this moment.
    pub(super) async fn over(store: Store, folder: tempfile::TempDir, now: Timestamp) -> Self {
        let app = App::new(Inner {
            store,
            fleet: Fleet::default(),
            clock: Clock::test(now),
            public_url: "https://rollcall.example".to_owned(),
            ca_digest: None,
            guard: Guard::default(),
            past_being_told: std::sync::Arc::default(),
        });
        let (mut secrets, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        let by = By::new("test", NOW);
        for &role in Role::ALL {
            let name = role.as_str();
            let account = app.store.create_account(name, role, "hash", &by).await.unwrap();
            let secret = Secret::random(API_TOKEN_PREFIX).unwrap();
            let token = NewApiTokenRow {
                digest: secret.digest(),
                label: "test".to_owned(),
                role,
                account: account.id,
                account_name: name.to_owned(),
                created_at: now,
                expires_at: now.plus_ms(100 * DAY_MS),
                read_only: false,
            };
            app.store.create_api_token(&token).await.unwrap();
            secrets.insert(role, secret.reveal().to_owned());
            accounts.insert(role, account.id);
        }
        let document = openapi::document(&operations());
        Self { app, secrets, accounts, document, _folder: folder }
    }

    /// With some demo devices, which have a past, findings and people.
    pub(super) async fn with_devices() -> Self {
        let api = Self::empty().await;
        let count = u64::try_from(DEVICES).unwrap();
        crate::demo::seed(&api.app, count).await.unwrap();
        crate::job::load::load(&api.app).await.unwrap();
        api
    }

    /// The path of one device.
    pub(super) async fn device(&self, number: usize) -> String {
        let devices = self.get(Role::Helpdesk, "/api/v1/devices").await.json;
        format!("/api/v1/devices/{}", devices["items"][number]["id"].as_str().unwrap())
    }

    pub(super) fn bearer(&self, role: Role) -> String {
        format!("Bearer {}", self.secrets[&role])
    }

    /// The cookie of a session.
    pub(super) async fn session(&self, role: Role) -> String {
        let secret = Secret::random("").unwrap();
        let session = NewSession {
            id: secret.digest(),
            account: self.accounts[&role],
            created_at: NOW,
            expires_at: NOW.plus_ms(DAY_MS),
            client: String::new(),
            awaits: None,
        };
        let entry = By::new(role.as_str(), NOW).did("sign_in", "test", "");
        self.app.store.create_session(&session, Some(&entry)).await.unwrap();
        format!("__Host-rollcall={}", secret.reveal())
    }

    /// Makes a site or department and gives its number.
    pub(super) async fn unit(&self, kind: &str, name: &str) -> Value {
        let body = json!({ "kind": kind, "name": name });
        let made = self.call("POST", "/api/v1/units", Some(Role::It), Some(&body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["id"].clone()
    }

    pub(super) async fn get(&self, role: Role, path: &str) -> Answer {
        self.call("GET", path, Some(role), None).await
    }

    /// Reads as helpdesk, with these parameters.
    pub(super) async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Answer {
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encode(value)))
            .collect();
        self.get(Role::Helpdesk, &format!("{path}?{}", query.join("&"))).await
    }

    /// All rows of a list, page by page; `path` has a query already.
    pub(super) async fn walk(&self, role: Role, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(role, &format!("{path}{cursor}")).await.json;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page.get("next_cursor").and_then(Value::as_str) else {
                assert_eq!(page["total"], items.len(), "{path}");
                return items;
            };
            cursor = format!("&cursor={next}");
            assert!(items.len() < 100_000, "{path} has no end");
        }
    }

    pub(super) async fn call(
        &self,
        method: &str,
        path: &str,
        role: Option<Role>,
        body: Option<&Value>,
    ) -> Answer {
        let bearer = role.map(|role| self.bearer(role));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send(method, path, &headers, body).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        if headers.iter().any(|(name, _)| *name == "cookie")
            && !headers.iter().any(|(name, _)| *name == "origin")
        {
            headers.push(("sec-fetch-site", "same-origin"));
        }
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send_bytes(method, path, &headers, body.into_bytes()).await
    }

    pub(super) async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let (status, media_type, text) = self.ask(method, path, headers, body).await;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        self.fits_the_document(method, path, status, &media_type, &json);
        Answer { status, text, json }
    }

    /// Status and text of a GET, not held against the document.
    pub(super) async fn raw(&self, role: Role, path: &str) -> (u16, String) {
        let bearer = self.bearer(role);
        let headers = [("authorization", bearer.as_str())];
        let (status, _, text) = self.ask("GET", path, &headers, Vec::new()).await;
        (status, text)
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, String, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("host", "rollcall.example").body(Body::from(body)).unwrap();
        let response = router(self.app.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let media_type = response.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap());
        let media_type = media_type.unwrap_or_default().to_owned();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, media_type, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn fits_the_document(
        &self,
        method: &str,
        path: &str,
        status: u16,
        media_type: &str,
        json: &Value,
    ) {
        let path = path.split('?').next().unwrap();
        let Some(described) = self.described(path) else { return };
        let what = format!("{method} {path} {status}");
        if status == 405 {
            return;
        }
        let mut answer = &described[method.to_lowercase()]["responses"][status.to_string()];
        if let Some(Value::String(reference)) = answer.get("$ref") {
            answer = self.document.pointer(reference.trim_start_matches('#')).unwrap();
        }
        assert!(answer.is_object(), "{what} is not in the document");
        let Some(content) = answer.get("content") else {
            assert_eq!(status, 204, "{what}");
            return;
        };
        let essence = media_type.split(';').next().unwrap();
        let content = content.get(essence);
        let content = content.unwrap_or_else(|| panic!("{what}: {media_type} is not described"));
        let Some(schema) = content.get("schema") else { return };
        let mut schema = schema.clone();
        let components = self.document["components"].clone();
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("components".to_owned(), components);
        } else {
            schema = json!({});
        }
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:?}");
    }

    /// What the document says of this path.
    fn described(&self, path: &str) -> Option<&Value> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            template.len() == parts.len()
                && template.iter().zip(&parts).all(|(t, part)| t.starts_with('{') || t == part)
        };
        let paths = self.document["paths"].as_object()?;
        // A path without variables goes before one with them.
        paths.get(path).or_else(|| paths.iter().find(|(t, _)| fits(t)).map(|(_, value)| value))
    }
}
