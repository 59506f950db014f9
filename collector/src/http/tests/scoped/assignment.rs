//! Fields that nobody asked for: refused by the API, without effect in forms.

use super::*;
use crate::http::{api, openapi};

/// Names of columns and of fields of other bodies.
const EXTRAS: &[(&str, &str)] = &[
    ("role", "admin"),
    ("scope", "everything"),
    ("limited", "false"),
    ("limit_site", "all"),
    ("limit_department", "all"),
    ("by_site", "false"),
    ("units", "1"),
    ("id", "1"),
    ("account", "1"),
    ("owner", "whole-admin"),
    ("name", "whole-admin"),
    ("created_by", "whole-admin"),
    ("actor", "whole-admin"),
    ("password_hash", "none"),
    ("totp_secret", "x"),
    ("disabled_at", ""),
    ("site_from", "rule"),
    ("token_site", "1"),
    ("pending", "false"),
    ("uses", "0"),
    ("digest", "x"),
    ("read_only", "false"),
    ("allows_reenrollment", "true"),
    ("move_to", "1"),
];

#[tokio::test]
async fn no_body_takes_a_field_of_something_else() {
    let template = Template::new(true).await;
    let world = template.world().await;
    let cookie = world.session(world.account(Role::Admin, false).await).await;
    let document = openapi::document(&api::operations());
    let mut tried = 0;
    for route in routes().iter().filter(|route| route.path.starts_with("/api/")) {
        let method = route.method.to_string();
        let described = &document["paths"][route.path][method.to_lowercase()];
        let mut schema = &described["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            schema = document.pointer(reference.trim_start_matches('#')).unwrap();
        }
        let path = named(route.path, &template.own, 1, 1);
        let path = path.unwrap_or_else(|| route.path.to_owned());
        let Sent::Json(body) = sent(&method, route.path, &template.own) else { panic!("{path}") };
        for (name, value) in EXTRAS {
            if schema["properties"].get(name).is_some() {
                continue;
            }
            let mut body = body.clone();
            body[name] = json!(value);
            let (status, text) = world.ask(&cookie, &method, &path, &Sent::Json(body)).await;
            let told: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((status, &told["field"]), (422, &json!(name)), "{method} {path}: {text}");
            tried += 1;
        }
        // Inside of what it holds neither.
        if schema["properties"].get("rules").is_some() {
            for (name, value) in EXTRAS {
                let mut rule = json!({ "unit": 1, "test": "hostname", "pattern": "a" });
                rule[name] = json!(value);
                let body = json!({ "rules": [rule] });
                let (status, text) = world.ask(&cookie, &method, &path, &Sent::Json(body)).await;
                assert_eq!(status, 422, "{method} {path} {name}: {text}");
                tried += 1;
            }
        }
    }
    assert!(tried > 250, "{tried}");
}

#[tokio::test]
async fn no_form_changes_what_its_sender_may() {
    let template = Template::new(true).await;
    let mut world = template.world().await;
    for route in routes().iter().filter(|route| route.method == "POST") {
        let page = !route.path.starts_with("/api/") && !route.path.starts_with("/agent/");
        if !page || matches!(route.access, Access::Public) {
            continue;
        }
        let path = named(route.path, &template.own, 1, 1);
        let path = path.unwrap_or_else(|| route.path.to_owned());
        let Sent::Form(pairs) = sent("POST", route.path, &template.own) else { panic!("{path}") };
        let more = EXTRAS.iter().filter(|(name, _)| !pairs.iter().any(|(known, _)| known == name));
        let more = more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let form = Sent::Form(pairs.iter().cloned().chain(more).collect());
        for role in Role::ALL.iter().filter(|role| route.access.allows(**role)) {
            let account = world.account(*role, true).await;
            let before = rights(&world).await;
            let cookie = world.session(account).await;
            let (status, _) = world.ask(&cookie, "POST", &path, &form).await;
            assert!(status < 500, "{path}: {status}");
            let after = rights(&world).await;
            for (name, had) in &before {
                let has = after.iter().find(|(known, _)| known == name).map(|(_, has)| has);
                let asked_for =
                    matches!(route.path, "/accounts/{id}/role" | "/accounts/{id}/scope");
                if !(asked_for && name == "person-here") {
                    assert_eq!(has, Some(had), "{path} as {}: {name}", role.as_str());
                }
            }
            // Who came new sees no more than the one who made them.
            let own = world.app.store.scope_of(account).await.unwrap();
            let scopes = world.app.store.scopes().await.unwrap();
            for one in world.app.store.accounts().await.unwrap() {
                if !before.iter().any(|(name, _)| *name == one.name) {
                    assert!(own.includes(&scopes[&one.id]), "{path}: {}", one.name);
                }
            }
            if after != before || (200..400).contains(&status) {
                world = template.world().await;
            }
        }
    }
}

/// Role and scope of every account.
async fn rights(world: &World) -> Vec<(String, (Role, String))> {
    let scopes = world.app.store.scopes().await.unwrap();
    let accounts = world.app.store.accounts().await.unwrap();
    let mark = |id: &i64| scopes.get(id).map(Scope::mark).unwrap_or_default();
    accounts.into_iter().map(|one| (one.name, (one.role, mark(&one.id)))).collect()
}
