//! `GET /api/v1/openapi.json`: the description of this API.

use std::sync::OnceLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::http::auth::Helpdesk;
use crate::http::openapi;

/// Made once; a test holds it against the committed one.
static DOCUMENT: OnceLock<String> = OnceLock::new();

/// Sends it.
pub(super) async fn get(_: Helpdesk) -> impl IntoResponse {
    let text = DOCUMENT.get_or_init(|| openapi::document(&super::operations()).to_string());
    ([(CONTENT_TYPE, "application/json")], text.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rollcall_shared::api::account::Role;
    use serde_json::Value;

    use crate::http::api::operations;
    use crate::http::api::testing::Api;
    use crate::http::openapi;

    #[test]
    fn the_committed_document_is_that_of_the_code() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let document = openapi::document(&operations());
        if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
            let mut text = serde_json::to_string_pretty(&document).unwrap();
            text.push('\n');
            std::fs::write(&path, text).unwrap();
        }
        let committed: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(
            committed == document,
            "the API changed: run the tests once with UPDATE_DOCUMENTS=1 and look at the \
             difference in collector/openapi.json"
        );
    }

    #[test]
    fn every_body_refuses_unknown_fields() {
        let document = openapi::document(&operations());
        let mut bodies = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let content = &operation["requestBody"]["content"]["application/json"];
                let Some(mut schema) = content.get("schema") else { continue };
                if let Some(reference) = schema["$ref"].as_str() {
                    schema = document.pointer(reference.trim_start_matches('#')).unwrap();
                }
                let closed = schema["additionalProperties"] == Value::Bool(false);
                assert!(closed, "{method} {path} takes fields that nobody knows");
                bodies += 1;
            }
        }
        assert!(bodies > 5, "{bodies}");
    }

    #[test]
    fn every_operation_is_described_whole() {
        let document = openapi::document(&operations());
        let mut ids = BTreeSet::new();
        for operation in operations() {
            let what = format!("{} {}", operation.method, operation.path);
            assert!(!operation.summary.is_empty(), "{what}");
            assert!(ids.insert(openapi::id(&operation)), "{what}: its id is not unique");
            let open = operation.path == "/api/v1/health";
            assert_eq!(operation.input.access.is_none(), open, "{what}: it states no right");
            let variables = operation.path.matches('{').count();
            assert_eq!(operation.input.path.len(), variables, "{what}: variables of the path");
            let method = operation.method.as_str().to_lowercase();
            let described = &document["paths"][operation.path][method];
            let parameters = described["parameters"].as_array().into_iter().flatten();
            for parameter in parameters {
                let about = parameter["description"].as_str().unwrap_or_default();
                let query = parameter["in"] == "query";
                assert!(!query || !about.is_empty(), "{what}: {parameter} says nothing");
            }
        }
    }

    /// Sends every reference through the document, and every schema through its own grammar.
    #[test]
    fn the_document_holds_together() {
        let document = openapi::document(&operations());
        let mut seen = 0;
        references(&document, &mut |reference| {
            let at = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(at).is_some(), "{reference} leads nowhere");
            seen += 1;
        });
        assert!(seen > 50);
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            assert!(jsonschema::meta::is_valid(schema), "{name}");
        }
    }

    fn references(value: &Value, each: &mut impl FnMut(&str)) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    each(reference);
                }
                fields.values().for_each(|value| references(value, each));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, each)),
            _ => {}
        }
    }

    /// A type that is sent and received would have one name and two schemas.
    #[test]
    fn no_schema_has_two_meanings() {
        let (inputs, answers) = openapi::schemas(&operations());
        for (name, input) in inputs {
            if let Some(answer) = answers.get(&name) {
                assert_eq!(&input, answer, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn is_for_those_who_are_signed_in() {
        let api = Api::empty().await;
        let answer = api.get(Role::Helpdesk, "/api/v1/openapi.json").await;
        assert_eq!(answer.json["openapi"], "3.1.0");
    }
}
