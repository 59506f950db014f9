//! No path comes from input: whatever is sent wherever, no file is read.

use std::collections::BTreeSet;

use super::*;
use crate::http::client::percent_encode;

/// What lies where only a collector that reads named files would find it.
const CANARY: &str = "canary-5f1d-of-a-file-nobody-may-read";
/// The beginning of a file that every Unix has.
const PASSWD: &str = "root:x:0:0:";

/// Ways to name a file.
fn names(canary: &std::path::Path) -> Vec<String> {
    let absolute = canary.display().to_string();
    let relative = format!("{}{absolute}", "../".repeat(12));
    vec![
        format!("file://{absolute}"),
        format!("{}etc/passwd", "../".repeat(12)),
        format!("..././..././..././{absolute}"),
        format!("{absolute}\0.csv"),
        relative.replace('/', "\\"),
        relative.replace("../", "..%2f"),
        "canary.txt".to_owned(),
        "./canary.txt".to_owned(),
        relative,
        absolute,
        "/etc/passwd".to_owned(),
    ]
}

/// Names of parameters and properties anywhere in a document.
fn collect(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            if let Some(serde_json::Value::String(name)) = map.get("name") {
                found.insert(name.clone());
            }
            if let Some(serde_json::Value::Object(properties)) = map.get("properties") {
                found.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| collect(value, found));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|one| collect(one, found)),
        _ => {}
    }
}

/// Every name that a form, a query or a JSON body has anywhere.
fn fields() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(path).unwrap();
            let named = text.split(" name=\"").skip(1).filter_map(|rest| rest.split('"').next());
            found.extend(named.filter(|name| !name.contains('{')).map(str::to_owned));
        }
    }
    collect(&super::super::openapi::document(&super::super::api::operations()), &mut found);
    assert!(found.len() > 60 && found.contains("next") && found.contains("as_of"), "{found:?}");
    found
}

/// The path of a route with this in one of its variable parts.
fn with_part(path: &str, which: usize, value: &str) -> String {
    let mut variable = 0;
    let parts = path.split('/').map(|part| {
        if !part.starts_with('{') {
            return part.to_owned();
        }
        variable += 1;
        if variable - 1 == which {
            percent_encode(value).replace('/', "%2F")
        } else {
            "1".to_owned()
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

struct Walk {
    collector: Collector,
    bearer: String,
    account: i64,
    cookie: String,
}

impl Walk {
    async fn send(&self, method: &axum::http::Method, uri: &str, body: (&str, String)) {
        let Ok(uri) = uri.parse::<axum::http::Uri>() else { return };
        let what = format!("{method} {uri}");
        let mut request = Request::builder().method(method.clone()).uri(uri.clone());
        request = if uri.path().starts_with("/api/") {
            request.header("authorization", &self.bearer)
        } else {
            request.header(COOKIE, &self.cookie).header("sec-fetch-site", "same-origin")
        };
        let request = request.header(CONTENT_TYPE, body.0).body(Body::from(body.1)).unwrap();
        let answer = self.collector.send(request).await;
        let signed_out =
            answer.headers().get_all(SET_COOKIE).iter().any(|cookie| {
                cookie.to_str().is_ok_and(|text| text.starts_with("__Host-rollcall=;"))
            });
        if signed_out {
            self.collector.session_of(self.account, &self.cookie).await;
        }
        assert!(!answer.status().is_server_error(), "{what}: {}", answer.status());
        let text = text(answer).await;
        assert!(!text.contains(CANARY) && !text.contains(PASSWD), "{what} gave a file");
    }
}

#[tokio::test]
async fn no_route_and_no_parameter_names_a_file() {
    let collector = Collector::ready().await;
    // Beside the tables, where a relative name would be looked for.
    let canary = collector.folder.path().join("canary.txt");
    std::fs::write(&canary, CANARY).unwrap();
    let bearer = format!("Bearer {}", collector.api_token(Role::Admin).await);
    let (cookie, account) = collector.session(Role::Admin).await;
    let walk = Walk { collector, bearer, account, cookie };
    let (names, fields) = (names(&canary), fields());
    let mut walked = 0;
    for route in routes().iter() {
        let filled = filled(route.path);
        let variables = route.path.matches('{').count();
        for name in &names {
            for which in 0..variables {
                let path = with_part(route.path, which, name);
                walk.send(&route.method, &path, ("application/json", "{}".to_owned())).await;
                walked += 1;
            }
            // All fields at once, as a query, as a form and as JSON.
            let pairs: Vec<String> = fields
                .iter()
                .map(|field| format!("{}={}", percent_encode(field), percent_encode(name)))
                .collect();
            let form = ("application/x-www-form-urlencoded", pairs.join("&"));
            let query = format!("{filled}?{}", pairs.join("&"));
            let object: serde_json::Map<String, serde_json::Value> = fields
                .iter()
                .map(|field| (field.clone(), serde_json::Value::from(name.as_str())))
                .collect();
            let json = ("application/json", serde_json::Value::from(object).to_string());
            walk.send(&route.method, &query, form).await;
            walk.send(&route.method, &filled, json).await;
            walked += 2;
        }
    }
    // One field alone gets past those who refuse unknown ones.
    for route in routes().iter() {
        let filled = filled(route.path);
        for field in &fields {
            let name = &names[walked % names.len()];
            let pair = format!("{}={}", percent_encode(field), percent_encode(name));
            let body = if route.path.starts_with("/api/") {
                ("application/json", serde_json::json!({ field.as_str(): name }).to_string())
            } else {
                ("application/x-www-form-urlencoded", pair.clone())
            };
            let uri = if route.method == axum::http::Method::GET {
                format!("{filled}?{pair}")
            } else {
                filled.clone()
            };
            walk.send(&route.method, &uri, body).await;
            walked += 1;
        }
    }
    assert!(walked > 5_000, "{walked}");
    // It was let in all the time.
    for (name, value) in [("authorization", &walk.bearer), (COOKIE.as_str(), &walk.cookie)] {
        let request = Request::get("/api/v1/devices").header(name, value).body(Body::empty());
        let answer = walk.collector.send(request.unwrap()).await;
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
    }
}
