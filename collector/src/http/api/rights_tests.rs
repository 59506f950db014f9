//! Every route of the collector refuses whoever may not call it.

use rollcall_shared::api::account::Role;
use serde_json::json;

use super::testing::Api;
use crate::http::{Access, routes};

/// A path of this route; whether the thing exists is asked only of those who may ask.
fn example(path: &str) -> String {
    path.split('/')
        .map(
            |part| {
                if part.starts_with('{') { "0199b0d4-0000-7000-8000-000000000001" } else { part }
            },
        )
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn each_route_asks_for_its_right() {
    let api = Api::empty().await;
    let body = json!({});
    for route in routes().iter().filter(|route| route.path.starts_with("/api/")) {
        let (method, path) = (route.method.as_str(), example(route.path));
        let nobody = api.call(method, &path, None, Some(&body)).await;
        if route.access == Access::Public {
            assert_eq!(nobody.status, 200, "{method} {path}");
            continue;
        }
        assert_eq!((nobody.status, nobody.kind()), (401, "unauthorised"), "{method} {path}");
        for &role in Role::ALL {
            let answer = api.call(method, &path, Some(role), Some(&body)).await;
            let what = format!("{method} {path} as {role:?}");
            if route.access.allows(role) {
                assert!(!matches!(answer.status, 401 | 500), "{what}: {}", answer.status);
                assert_ne!(answer.kind(), "forbidden", "{what}");
            } else {
                assert_eq!((answer.status, answer.kind()), (403, "forbidden"), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_credential_counts_for_nothing() {
    let api = Api::empty().await;
    for header in ["Bearer rcl_api_wrong", "Bearer ", "Basic YTpi", "bearer", "Bearer rcl_enr_x"] {
        let answer = api.send("GET", "/api/v1/devices", &[("authorization", header)], None).await;
        assert_eq!(answer.status, 401, "{header}");
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let api = Api::empty().await;
    let answer = api.get(Role::Admin, "/api/v1/nothing").await;
    assert_eq!((answer.status, answer.kind()), (404, "not-found"));
    let answer = api.call("DELETE", "/api/v1/devices", Some(Role::Admin), None).await;
    assert_eq!((answer.status, answer.kind()), (405, "method-not-allowed"));
}

#[tokio::test]
async fn a_body_must_be_json_of_bounded_size() {
    let api = Api::empty().await;
    let bearer = api.bearer(Role::It);
    let path = "/api/v1/enrollment-tokens";
    let form = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let answer = api.send_bytes("POST", path, &form, b"{}".to_vec()).await;
    assert_eq!((answer.status, answer.kind()), (415, "unsupported-media-type"));
    let json = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = api.send_bytes("POST", path, &json, vec![b' '; 2 * 1024 * 1024]).await;
    assert_eq!((answer.status, answer.kind()), (413, "too-large"));
    let answer = api.send_bytes("POST", path, &json, b"{\"label\":".to_vec()).await;
    assert_eq!((answer.status, answer.json["field"].as_str()), (422, Some("body")));
}
