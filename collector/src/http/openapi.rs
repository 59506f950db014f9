//! The OpenAPI 3.1 document, made from the table of operations and the types they name.
//!
//! Its schemas are JSON Schema 2020-12 as `schemars` writes it. The document is committed beside
//! the crate, so that a change of the API is seen in its review; a test compares the two.

use rollcall_shared::api::account::Role;
use rollcall_shared::problem::Problem;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Answer, Operation};
use super::routes::Access;

/// Whatever can go wrong, as it is named under `components/responses`.
const PROBLEMS: &[(&str, u16, &str)] = &[
    ("Unauthorised", 401, "No valid API token and no session: sign in first."),
    ("Forbidden", 403, "The caller's role is not enough."),
    ("NotFound", 404, "There is no such thing."),
    ("Conflict", 409, "The thing is in a state that does not allow this."),
    ("TooLarge", 413, "The body is larger than the limits allow."),
    ("NotJson", 415, "The body is not sent as `application/json`."),
    ("Invalid", 422, "A parameter or field is wrong or unknown; `field` names it."),
    ("Internal", 500, "Our fault; `request_id` finds it in the collector's log."),
    ("Busy", 503, "Come back after `Retry-After` seconds."),
];

/// What the types and operations give, before it is put together.
struct Parts {
    problem: Schema,
    paths: Map<String, Value>,
    /// Schemas of what is received and of what is sent, by name.
    inputs: Map<String, Value>,
    answers: Map<String, Value>,
}

fn parts(operations: &[Operation]) -> Parts {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut answers = settings().for_serialize().into_generator();
    let mut inputs = settings().for_deserialize().into_generator();
    let problem = answers.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let described = describe(operation, &mut inputs, &mut answers);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.as_str().to_lowercase(), described);
        }
    }
    let (inputs, answers) = (inputs.take_definitions(true), answers.take_definitions(true));
    Parts { problem, paths, inputs, answers }
}

/// The schemas of what is received and of what is sent.
#[cfg(test)]
pub(super) fn schemas(operations: &[Operation]) -> (Map<String, Value>, Map<String, Value>) {
    let parts = parts(operations);
    (parts.inputs, parts.answers)
}

/// The document of these operations.
pub(super) fn document(operations: &[Operation]) -> Value {
    let Parts { problem, paths, inputs, answers } = parts(operations);
    // A type that is sent and received has one name; a test sees to it that it has one schema.
    let mut schemas = inputs;
    schemas.extend(answers);
    let problems: Map<String, Value> = PROBLEMS
        .iter()
        .map(|(name, _, about)| {
            let content = json!({ "application/problem+json": { "schema": problem } });
            ((*name).to_owned(), json!({ "description": about, "content": content }))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollcall",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The devices of a fleet, their hardware and software, what changed and \
                what needs attention. Times are RFC 3339 in UTC. Lists are read page by page: give \
                `next_cursor` back as `cursor` until it is absent. Errors are RFC 9457 problems; \
                compare their `kind`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, `rcl_api_…`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-rollcall",
                    "description": "The session of a person in a browser.",
                },
            },
        },
    })
}

fn describe(
    operation: &Operation,
    inputs: &mut SchemaGenerator,
    answers: &mut SchemaGenerator,
) -> Value {
    let input = &operation.input;
    let mut described = json!({
        "operationId": id(operation),
        "tags": [segments(operation.path).next().unwrap_or("health")],
        "summary": operation.summary,
        "description": description(operation),
        "responses": responses(operation, answers),
        "security": match operation.access() {
            Access::Public => json!([]),
            _ => json!([{ "token": [] }, { "session": [] }]),
        },
        "x-required-roles": roles(operation.access()),
    });
    let Some(fields) = described.as_object_mut() else { return described };
    let variables = operation.path.split('/').filter_map(|part| part.strip_prefix('{'));
    let mut parameters: Vec<Value> = variables
        .zip(&input.path)
        .map(|(name, schema)| {
            let name = name.trim_end_matches('}');
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if let Some(query) = input.query {
        parameters.extend(query_parameters(&query(inputs)));
    }
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = input.body {
        let content = json!({ "application/json": { "schema": body(inputs) } });
        fields.insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
    }
    described
}

/// Each property of the structure is one parameter.
fn query_parameters(schema: &Schema) -> Vec<Value> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let parameter = |(name, property): (&String, &Value)| {
        let mut property = without_null(property.clone());
        let about = property.as_object_mut().and_then(|fields| fields.remove("description"));
        let required = required.contains(&name.as_str());
        let mut described = json!({
            "name": name,
            "in": "query",
            "description": about.unwrap_or_default(),
            "required": required,
            "schema": property,
        });
        // As forms send what nobody filled in.
        if let Some(fields) = described.as_object_mut().filter(|_| !required) {
            fields.insert("allowEmptyValue".to_owned(), json!(true));
        }
        described
    };
    properties.into_iter().flatten().map(parameter).collect()
}

/// A parameter of a query is there or not; it is never null.
fn without_null(mut schema: Value) -> Value {
    let Some(fields) = schema.as_object_mut() else { return schema };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            fields.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut any)) = fields.remove("anyOf") {
        any.retain(|one| one != &json!({ "type": "null" }));
        if let [Value::Object(only)] = any.as_slice() {
            fields.extend(only.clone());
        } else {
            fields.insert("anyOf".to_owned(), Value::Array(any));
        }
    }
    schema
}

fn responses(operation: &Operation, answers: &mut SchemaGenerator) -> Value {
    let (status, success) = match operation.answer {
        Answer::Json(status, schema) => {
            let content = json!({ "application/json": { "schema": schema(answers) } });
            (status.as_u16(), json!({ "description": "Done.", "content": content }))
        }
        Answer::Nothing => (204, json!({ "description": "Done." })),
        Answer::File(media_types) => {
            let content: Map<String, Value> =
                media_types.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
            (200, json!({ "description": "The file.", "content": content }))
        }
    };
    let mut responses: Map<String, Value> = problems(operation)
        .map(|(name, status)| {
            let reference = format!("#/components/responses/{name}");
            (status.to_string(), json!({ "$ref": reference }))
        })
        .collect();
    responses.insert(status.to_string(), success);
    Value::Object(responses)
}

/// What can go wrong with an operation.
fn problems(operation: &Operation) -> impl Iterator<Item = (&'static str, u16)> {
    let input = &operation.input;
    let signed_in = input.access.is_some();
    PROBLEMS.iter().map(|(name, status, _)| (*name, *status)).filter(
        move |(_, status)| match status {
            401 | 403 | 500 | 503 => signed_in,
            404 => !input.path.is_empty(),
            409 => operation.conflicts,
            413 | 415 => input.body.is_some(),
            422 => input.body.is_some() || input.query.is_some(),
            _ => true,
        },
    )
}

fn roles(access: Access) -> Vec<&'static str> {
    match access {
        Access::Public | Access::Agent => Vec::new(),
        _ => Role::ALL.iter().filter(|role| access.allows(**role)).map(|r| r.as_str()).collect(),
    }
}

fn description(operation: &Operation) -> String {
    let roles = roles(operation.access());
    let right = match roles.as_slice() {
        [] => "Open to everybody.".to_owned(),
        [only] => format!("Needs the role `{only}`."),
        [some @ .., last] => format!("Needs one of the roles `{}` or `{last}`.", some.join("`, `")),
    };
    [operation.details, &right].join(" ").trim().to_owned()
}

fn segments(path: &'static str) -> impl Iterator<Item = &'static str> {
    path.split('/').filter(|part| !part.is_empty() && !matches!(*part, "api" | "v1"))
}

/// A name that no other operation has, made of method and path.
pub(super) fn id(operation: &Operation) -> String {
    let mut name = operation.method.as_str().to_lowercase();
    for part in operation.path.split('/').filter(|part| !part.is_empty() && *part != "api") {
        name.push('_');
        name.extend(part.chars().filter(|c| !matches!(c, '{' | '}')).map(|c| match c {
            '-' | '.' => '_',
            c => c,
        }));
    }
    name.replace("_v1_", "_")
}
