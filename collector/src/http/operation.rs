//! One table of operations makes the routes and the document that describes them.
//!
//! What an operation takes and which right it needs is read off its handler's signature, so the
//! document cannot say anything else than the code does. What it answers is declared beside it,
//! and the tests hold every answer against the declaration.

use axum::extract::State;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::input::{Body, Path, Query};
use super::routes::{Access, Routes};
use crate::app::App;

/// Makes the schema of one type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a handler's signature says.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The right it asks for; absent: open to everybody.
    pub(super) access: Option<Access>,
    /// The schemas of the variable parts of its path, in order.
    pub(super) path: Vec<Schema>,
    /// The structure of its query, one property a parameter.
    pub(super) query: Option<SchemaOf>,
    /// Its body.
    pub(super) body: Option<SchemaOf>,
}

/// One parameter of a handler, as far as callers see it.
pub trait Part {
    /// Adds what it says.
    fn describe(input: &mut Input);
}

/// A value that can stand in a path.
pub trait PathValue {
    /// The schema of each variable part.
    fn schemas() -> Vec<Schema>;
}

impl Part for State<App> {
    fn describe(_: &mut Input) {}
}

impl<T: JsonSchema> Part for Query<T> {
    fn describe(input: &mut Input) {
        input.query = Some(T::json_schema);
    }
}

impl<T: JsonSchema> Part for Body<T> {
    fn describe(input: &mut Input) {
        input.body = Some(SchemaGenerator::subschema_for::<T>);
    }
}

impl<T: PathValue> Part for Path<T> {
    fn describe(input: &mut Input) {
        input.path = T::schemas();
    }
}

impl PathValue for rollcall_shared::DeviceId {
    fn schemas() -> Vec<Schema> {
        vec![json_schema!({ "type": "string", "format": "uuid" })]
    }
}

impl PathValue for i64 {
    fn schemas() -> Vec<Schema> {
        vec![json_schema!({ "type": "integer", "format": "int64" })]
    }
}

impl PathValue for (rollcall_shared::DeviceId, i64) {
    fn schemas() -> Vec<Schema> {
        [rollcall_shared::DeviceId::schemas(), i64::schemas()].concat()
    }
}

impl PathValue for String {
    fn schemas() -> Vec<Schema> {
        vec![json_schema!({ "type": "string" })]
    }
}

impl PathValue for (String, String) {
    fn schemas() -> Vec<Schema> {
        [String::schemas(), String::schemas()].concat()
    }
}

/// The parameters of a handler, as axum names them.
pub trait Signature {
    /// What they say together.
    fn input() -> Input;
}

macro_rules! signatures {
    ($(($($part:ident),+);)+) => {$(
        impl<Marker, $($part: Part),+> Signature for (Marker, $($part,)+) {
            fn input() -> Input {
                let mut input = Input::default();
                $($part::describe(&mut input);)+
                input
            }
        }
    )+};
}

signatures! {
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
}

/// What an operation answers when all is well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// JSON.
    Json(StatusCode, SchemaOf),
    /// Nothing but the status 204.
    Nothing,
    /// A file of one of these media types.
    File(&'static [&'static str]),
}

/// One operation of the API.
pub struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) input: Input,
    pub(super) answer: Answer,
    pub(super) conflicts: bool,
    handler: MethodRouter<App>,
}

impl Operation {
    /// An operation that only reads.
    pub fn get<H: Handler<T, App>, T: Signature + 'static>(path: &'static str, handler: H) -> Self {
        Self::new::<T>(Method::GET, path, on(MethodFilter::GET, handler))
    }

    /// An operation that makes something or acts.
    pub fn post<H: Handler<T, App>, T: Signature + 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self::new::<T>(Method::POST, path, on(MethodFilter::POST, handler))
    }

    /// An operation that sets something to what the body says.
    pub fn put<H: Handler<T, App>, T: Signature + 'static>(path: &'static str, handler: H) -> Self {
        Self::new::<T>(Method::PUT, path, on(MethodFilter::PUT, handler))
    }

    /// An operation that ends something.
    pub fn delete<H: Handler<T, App>, T: Signature + 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self::new::<T>(Method::DELETE, path, on(MethodFilter::DELETE, handler))
    }

    fn new<T: Signature>(method: Method, path: &'static str, handler: MethodRouter<App>) -> Self {
        Self {
            method,
            path,
            summary: "",
            details: "",
            input: T::input(),
            answer: Answer::Nothing,
            conflicts: false,
            handler,
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// What else a caller should know.
    #[must_use]
    pub fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// It answers 200 with this.
    #[must_use]
    pub fn returns<T: JsonSchema>(mut self) -> Self {
        self.answer = Answer::Json(StatusCode::OK, SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It answers 201 with this.
    #[must_use]
    pub fn creates<T: JsonSchema>(mut self) -> Self {
        self.answer = Answer::Json(StatusCode::CREATED, SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It answers with a file of one of these media types.
    #[must_use]
    pub(super) fn sends(mut self, media_types: &'static [&'static str]) -> Self {
        self.answer = Answer::File(media_types);
        self
    }

    /// The words that can stand in its path.
    #[must_use]
    pub(super) fn words(mut self, words: &[&str]) -> Self {
        self.input.path = vec![json_schema!({ "type": "string", "enum": words })];
        self
    }

    /// It may find things in a state that does not allow it: 409.
    #[must_use]
    pub fn conflicts(mut self) -> Self {
        self.conflicts = true;
        self
    }

    /// Who may call it.
    pub(super) fn access(&self) -> Access {
        self.input.access.unwrap_or(Access::Public)
    }
}

/// The table of operations as routes.
pub fn routes(operations: Vec<Operation>) -> Routes {
    operations.into_iter().fold(Routes::new(), |routes, operation| {
        let access = operation.access();
        routes.add(operation.method, operation.path, access, operation.handler)
    })
}
