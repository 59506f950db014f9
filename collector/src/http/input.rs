//! What callers send, read strictly: a value that is wrong or unknown is refused by its name.
//!
//! These extractors know nothing of any resource; their types say which fields there are.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, Visitor};
use serde::forward_to_deserialize_any;

use super::Error;
use crate::app::App;

/// The query of an address. Empty values count as absent; unknown and repeated ones are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// A JSON object as the body of a request.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// The variable parts of a path. What cannot be an address leads nowhere: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Error> {
        Self::of(&parts.uri)
    }
}

impl<T: DeserializeOwned> Query<T> {
    /// Reads the query of an address.
    pub fn of(uri: &Uri) -> Result<Self, Error> {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Error::invalid("query", "it is not written as name=value&name=value"))?;
        Ok(Self(read(pairs.0, "query")?))
    }
}

impl<T: DeserializeOwned> Body<T> {
    /// Reads the bytes of a body.
    pub fn of(bytes: &[u8]) -> Result<Self, Error> {
        let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("body", format!("it is no JSON object: {error}")))?;
        Ok(Self(read(fields.into_iter().collect(), "body")?))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = media_type.is_some_and(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(Error::Refused {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                kind: "unsupported-media-type",
                detail: "send the body as JSON with `Content-Type: application/json`".to_owned(),
                field: None,
            });
        }
        let bytes = Bytes::from_request(request, app).await.map_err(|rejection| match rejection
            .status()
        {
            StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
            _ => Error::invalid("body", "it did not arrive whole; send it again"),
        })?;
        Self::of(&bytes)
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let path = axum::extract::Path::from_request_parts(parts, app).await;
        path.map(|path| Self(path.0)).map_err(|_| Error::NotFound)
    }
}

/// Reads named values into a structure. `place` is named when no single field is wrong.
fn read<T: DeserializeOwned, V: Value>(
    fields: Vec<(String, V)>,
    place: &'static str,
) -> Result<T, Error> {
    T::deserialize(Named(fields)).map_err(|wrong| match wrong.field {
        Some(field) => Error::invalid(field, wrong.why),
        None => Error::invalid(place, wrong.why),
    })
}

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
struct Wrong {
    field: Option<String>,
    why: String,
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// As much of a value as an answer repeats.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

impl de::Error for Wrong {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self { field: None, why: why.to_string() }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format!("`{}` is none of {}", short(word), listed(known)))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let why = match known {
            [] => "it is not known here; leave it out".to_owned(),
            known => format!("it is not known here; known are {}", listed(known)),
        };
        Self { field: Some(short(field)), why }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field.to_owned()), why: "it is missing".to_owned() }
    }
}

/// One value, given to whatever its field is.
trait Value {
    fn is_absent(&self) -> bool;
    fn give<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Wrong>;
}

impl Value for String {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn give<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(Text(self))
    }
}

impl Value for serde_json::Value {
    fn is_absent(&self) -> bool {
        false
    }

    fn give<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(self).map_err(de::Error::custom)
    }
}

struct Named<V>(Vec<(String, V)>);

impl<'de, One: Value> de::Deserializer<'de> for Named<One> {
    type Error = Wrong;

    fn deserialize_any<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, Wrong> {
        visitor.visit_map(Fields { rest: self.0.into_iter(), current: None })
    }

    fn deserialize_struct<T: Visitor<'de>>(
        mut self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: T,
    ) -> Result<T::Value, Wrong> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(de::Error::unknown_field(name, known));
            }
            if self.0[..at].iter().any(|(other, _)| other == name) {
                let why = "it is given more than once".to_owned();
                return Err(Wrong { field: Some(name.clone()), why });
            }
        }
        self.0.retain(|(_, value)| !value.is_absent());
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Fields<V> {
    rest: std::vec::IntoIter<(String, V)>,
    current: Option<(String, V)>,
}

impl<'de, V: Value> de::MapAccess<'de> for Fields<V> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Wrong> {
        self.current = self.rest.next();
        let Some((name, _)) = &self.current else { return Ok(None) };
        let name: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let Some((name, value)) = self.current.take() else {
            return Err(de::Error::custom("a value without a name"));
        };
        value.give(seed).map_err(|wrong| Wrong { field: Some(name), why: wrong.why })
    }
}

/// The text of one value in a query.
struct Text(String);

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $number:ty;)+) => {$(
        fn $method<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, Wrong> {
            match self.0.parse::<$number>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(de::Error::custom(format!(
                    "`{}` is not a whole number from {} to {}",
                    short(&self.0), <$number>::MIN, <$number>::MAX,
                ))),
            }
        }
    )+};
}

impl<'de> de::Deserializer<'de> for Text {
    type Error = Wrong;

    fn deserialize_any<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, Wrong> {
        visitor.visit_string(self.0)
    }

    fn deserialize_bool<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, Wrong> {
        match self.0.as_str() {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => {
                let why = format!("`{}` is neither `true` nor `false`", short(other));
                Err(de::Error::custom(why))
            }
        }
    }

    fn deserialize_option<T: Visitor<'de>>(self, visitor: T) -> Result<T::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<T: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: T,
    ) -> Result<T::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<T: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: T,
    ) -> Result<T::Value, Wrong> {
        visitor.visit_enum(self.0.as_str().into_deserializer())
    }

    whole_numbers! {
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i64 visit_i64 i64;
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rollcall_shared::api::account::NewApiToken;
    use rollcall_shared::api::device::{DeviceFilter, DeviceSort, Presence};

    use super::*;

    fn query<T: DeserializeOwned>(text: &str) -> Result<T, String> {
        let uri = format!("/?{text}").parse().unwrap();
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap();
        read(pairs.0, "query").map_err(|error| error.to_string())
    }

    fn body<T: DeserializeOwned>(json: &str) -> Result<T, String> {
        let fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).unwrap();
        read(fields.into_iter().collect(), "body").map_err(|error| error.to_string())
    }

    #[test]
    fn reads_every_kind_of_value() {
        let filter: DeviceFilter = query(
            "presence=stale&limit=7&descending=true&as_of=2026-11-23T10:00:00Z&sort=last_seen\
             &os=Debian%20GNU%2FLinux+12&site=",
        )
        .unwrap();
        let expected = DeviceFilter {
            presence: Some(Presence::Stale),
            limit: Some(7),
            descending: true,
            as_of: Some("2026-11-23T10:00:00Z".parse().unwrap()),
            sort: Some(DeviceSort::LastSeen),
            os: Some("Debian GNU/Linux 12".to_owned()),
            ..DeviceFilter::default()
        };
        assert_eq!(filter, expected);
    }

    #[test]
    fn names_what_is_wrong() {
        let wrong = |text: &str| query::<DeviceFilter>(text).unwrap_err();
        assert_eq!(
            wrong("presence=dead"),
            "`presence`: `dead` is none of `fresh`, `stale`, `missing`, `pending`, `retired`"
        );
        assert_eq!(wrong("limit=-1"), "`limit`: `-1` is not a whole number from 0 to 4294967295");
        assert_eq!(
            wrong("as_of=yesterday"),
            "`as_of`: `yesterday` is not a moment; write it as 2026-11-23T10:15:00Z"
        );
        assert_eq!(wrong("descending=yes"), "`descending`: `yes` is neither `true` nor `false`");
        assert_eq!(wrong("q=a&q=b"), "`q`: it is given more than once");
        assert!(wrong("colour=red").starts_with("`colour`: it is not known here"));
        assert!(wrong("colour=").starts_with("`colour`: it is not known here"));
        let wrong = |text: &str| body::<NewApiToken>(text).unwrap_err();
        assert_eq!(wrong("{}"), "`label`: it is missing");
        assert!(wrong(r#"{"label":"a","colour":1}"#).starts_with("`colour`: it is not known"));
        assert!(wrong(r#"{"label":1}"#).starts_with("`label`: invalid type"));
        assert!(wrong(r#"{"label":"a","role":"king"}"#).starts_with("`role`: unknown variant"));
    }

    proptest! {
        #[test]
        fn no_query_panics(pairs in proptest::collection::vec(any::<(String, String)>(), 0..4)) {
            let _ = read::<DeviceFilter, _>(pairs, "query");
        }
    }
}
