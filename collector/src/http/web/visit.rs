//! What a handler needs of a request besides the right: the query, the cookies, the address.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Html;
use rollcall_shared::Timestamp;
use rollcall_shared::time::DAY_MS;

use super::params::Params;
use super::shell::{Shell, Viewer};
use crate::app::App;
use crate::http::Error;
use crate::http::auth::Caller;

/// A finished page.
pub(super) type Page = Result<Html<String>, Error>;

/// Fills a template.
pub(super) fn page(template: &impl askama::Template) -> Page {
    template.render().map(Html).map_err(Error::internal)
}

/// Somebody opening a page.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// The query.
    pub(super) params: Params,
    headers: HeaderMap,
    here: String,
}

impl Visit {
    /// The frame of the page for this caller.
    pub(super) fn shell(&self, app: &App, caller: &Caller, section: &'static str) -> Shell {
        let viewer = Viewer {
            name: caller.name.clone(),
            role: caller.role,
            limited: !caller.scope.is_whole(),
        };
        Shell::new(viewer, &self.headers, &self.here, app.clock.now()).at(section)
    }

    /// The frame of a page for nobody in particular.
    pub(super) fn signed_out(&self, app: &App) -> Shell {
        Shell::signed_out(&self.headers, &self.here, app.clock.now())
    }

    /// The past moment asked for by `as_of`: a day, meaning its end, or a full moment. Days that
    /// are not over mean the present.
    pub(super) fn as_of(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let Some(text) = self.params.get("as_of") else { return Ok(None) };
        let moment = match Timestamp::from_date(text) {
            Some(start) => start.plus_ms(DAY_MS - 1),
            None => text.parse().map_err(|_| {
                Error::invalid("as_of", "write the day as 2026-11-23, or choose it in the calendar")
            })?,
        };
        Ok(Some(moment).filter(|moment| *moment < now))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let here = parts.uri.path_and_query().map_or("/", |both| both.as_str()).to_owned();
        let params = read(parts.uri.query().unwrap_or_default().as_bytes());
        Ok(Self { params, headers: parts.headers.clone(), here })
    }
}

/// The fields of a form that was sent.
#[derive(Debug, Clone)]
pub(super) struct Fields(pub(super) Params);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let body = Bytes::from_request(request, state).await.map_err(|_| Error::TooLarge)?;
        Ok(Self(read(&body)))
    }
}

impl Fields {
    /// A field, trimmed; empty when it was not sent.
    pub(super) fn text(&self, name: &str) -> String {
        self.0.get(name).unwrap_or_default().to_owned()
    }

    /// A field exactly as typed, for passwords.
    pub(super) fn exact(&self, name: &'static str) -> &str {
        self.0.all(name).next().unwrap_or_default()
    }

    /// Whether a box was ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}

/// Reads names and values as browsers send them in queries and forms.
fn read(bytes: &[u8]) -> Params {
    let text = |part: &[u8]| -> String {
        let mut out = Vec::with_capacity(part.len());
        let mut rest = part;
        while let Some((first, tail)) = rest.split_first() {
            let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
            let code = hex.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
            match (first, code.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
                (b'%', Some(byte)) => {
                    out.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                    continue;
                }
                (b'+', _) => out.push(b' '),
                (other, _) => out.push(*other),
            }
            rest = tail;
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let pairs = bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(200);
    Params(
        pairs
            .map(|pair| {
                let mut parts = pair.splitn(2, |byte| *byte == b'=');
                let name = text(parts.next().unwrap_or_default());
                (name, text(parts.next().unwrap_or_default()))
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_browsers_send() {
        let params = read(b"q=a+b%26c&col=os&col=user&empty=&%zz=%f");
        assert_eq!(params.get("q"), Some("a b&c"));
        assert_eq!(params.all("col").collect::<Vec<_>>(), ["os", "user"]);
        assert_eq!(params.get("empty"), None);
        assert_eq!(params.get("%zz"), Some("%f"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec((".{1,8}", ".{1,8}"), 0..5)) {
            let params = Params(pairs);
            prop_assert_eq!(read(params.query().as_bytes()), params);
        }

        #[test]
        fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
