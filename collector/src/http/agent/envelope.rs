//! What stands around every request of an agent, checked before a byte of it is unpacked: size,
//! digest, signature. Then unpacking under a limit, then JSON.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Bytes;
use rollcall_shared::problem::kind;
use rollcall_shared::report::limits;
use rollcall_shared::signature::{Covered, SEQ_HEADER, Signature, content_digest};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::codec::packed::{self, Unpackable};
use crate::http::Error;

/// How large a request may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// As sent.
    wire_bytes: usize,
    /// Unpacked.
    unpacked_bytes: usize,
}

/// A report.
pub(super) const REPORT: Size = Size {
    wire_bytes: limits::COMPRESSED_BYTES as usize,
    unpacked_bytes: limits::DECOMPRESSED_BYTES,
};
/// A request for a key: whoever sends one need not be known yet.
pub(super) const KEY_REQUEST: Size = Size { wire_bytes: 32 * 1024, unpacked_bytes: 64 * 1024 };

/// A whole body may take this long to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// Larger bodies are unpacked and parsed beside the threads that serve everybody. A list of some
/// thousand titles is smaller: its millisecond is less than moving it between threads costs others.
const ASIDE_BYTES: usize = 512 * 1024;
/// So few.
static HEAVY: Semaphore = Semaphore::const_new(4);

/// A request as it arrived, with a signature that is not verified yet.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Who claims to speak: a device id, or the public key while enrolling.
    pub(super) key_id: String,
    /// Header `rollcall-seq`.
    pub(super) seq: u64,
    signature: Signature,
    method: String,
    path: String,
    content_type: String,
    encoding: String,
    digest: String,
    seq_text: String,
    body: Bytes,
    unpacked_bytes: usize,
}

/// The one refusal for everything about signatures: never told what was wrong.
pub(super) fn refused() -> Error {
    Error::Refused {
        status: StatusCode::UNAUTHORIZED,
        kind: kind::UNAUTHORISED,
        detail: "the request's signature was not accepted; run `rollcall-agent doctor` on the \
                 device"
            .to_owned(),
        field: None,
    }
}

fn bad_request(detail: impl Into<String>) -> Error {
    Error::Refused {
        status: StatusCode::BAD_REQUEST,
        kind: "bad-request",
        detail: detail.into(),
        field: None,
    }
}

impl Envelope {
    /// Takes a request in: headers first, so that what is refused anyway is not read. `admit` looks
    /// at who claims to speak, before a byte of the body is held.
    pub(super) async fn take<T>(
        request: Request,
        size: Size,
        admit: impl AsyncFnOnce(&str) -> Result<T, Error>,
    ) -> Result<(Self, T), Error> {
        let (parts, body) = request.into_parts();
        let headers = &parts.headers;
        let seq_text = one(headers, SEQ_HEADER)?;
        let seq = seq_text.parse().map_err(|_| refused())?;
        if seq_text != u64::to_string(&seq) {
            return Err(refused());
        }
        let (input, signature) = (one(headers, "signature-input")?, one(headers, "signature")?);
        let signature = Signature::parse(&input, &signature).map_err(|_| refused())?;
        let content_type = one(headers, CONTENT_TYPE.as_str())?;
        let encoding = one(headers, CONTENT_ENCODING.as_str())?;
        let digest = one(headers, "content-digest")?;
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > size.wire_bytes) {
            return Err(Error::TooLarge);
        }
        let admitted = match admit(&signature.parameters.key_id).await {
            // Sent again soon, over the same connection if its body is out of the way.
            Err(busy @ Error::Busy { .. }) => {
                discard(body, size.wire_bytes).await;
                return Err(busy);
            }
            admitted => admitted?,
        };
        let body = collect(body, size.wire_bytes).await?;
        if content_digest(&body) != digest {
            return Err(refused());
        }
        let envelope = Self {
            key_id: signature.parameters.key_id.clone(),
            seq,
            signature,
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            content_type,
            encoding,
            digest,
            seq_text,
            body,
            unpacked_bytes: size.unpacked_bytes,
        };
        Ok((envelope, admitted))
    }

    /// Whether this key made the signature.
    pub(super) fn verify(&self, public_key: &[u8; 32]) -> Result<(), Error> {
        let covered = Covered {
            method: &self.method,
            path: &self.path,
            content_type: &self.content_type,
            content_encoding: &self.encoding,
            content_digest: &self.digest,
            seq: &self.seq_text,
        };
        self.signature.verify(public_key, &covered).map_err(|_| refused())
    }

    /// Unpacks and parses what was signed. Only after [`Envelope::verify`].
    pub(super) async fn open<T: DeserializeOwned + Send + 'static>(self) -> Result<T, Error> {
        if self.content_type != "application/json" {
            return Err(bad_request("the content type must be application/json"));
        }
        let (encoding, body, limit) = (self.encoding, self.body, self.unpacked_bytes);
        if body.len() <= ASIDE_BYTES / 8 {
            // Even a bomb of this size ends at the limit; a small body cannot take long.
            let unpacked = packed::unpack(&encoding, &body, ASIDE_BYTES.min(limit));
            if let Ok(unpacked) = unpacked {
                return parse(&unpacked);
            }
        }
        // Counted before it is held: what is too large costs time, never memory.
        let aside =
            move || packed::size(&encoding, &body, limit).map(|size| (encoding, body, size));
        let counted = tokio::task::spawn_blocking(aside).await.map_err(Error::internal)?;
        let (encoding, body, size) = counted.map_err(|error| packed_wrong(&error))?;
        let heavy = match size {
            packed::HEAVY_BYTES.. => Some(HEAVY.acquire().await.map_err(Error::internal)?),
            _ => None,
        };
        let unpack_and_parse = move || {
            let unpacked = packed::unpack(&encoding, &body, size);
            parse(&unpacked.map_err(|error| packed_wrong(&error))?)
        };
        let parsed = tokio::task::spawn_blocking(unpack_and_parse).await;
        drop(heavy);
        parsed.map_err(Error::internal)?
    }
}

async fn collect(body: Body, bytes: usize) -> Result<Bytes, Error> {
    let limited = Limited::new(body, bytes);
    let collected =
        tokio::time::timeout(BODY_TIME, limited.collect()).await.map_err(|_| Error::Refused {
            status: StatusCode::REQUEST_TIMEOUT,
            kind: "too-slow",
            detail: "the request took too long to arrive; send it again".to_owned(),
            field: None,
        })?;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Err(_) => Err(bad_request("the request ended early; send it again")),
    }
}

/// Lets a body of up to so many bytes pass without holding it.
async fn discard(body: Body, bytes: usize) {
    let mut limited = Limited::new(body, bytes);
    let all = async { while let Some(Ok(_)) = limited.frame().await {} };
    let _ = tokio::time::timeout(BODY_TIME, all).await;
}

/// A header that stands there once.
fn one(headers: &HeaderMap, name: &str) -> Result<String, Error> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map(str::to_owned).map_err(|_| refused()),
        _ => Err(refused()),
    }
}

/// What a body that cannot be unpacked is answered.
fn packed_wrong(error: &Unpackable) -> Error {
    match error {
        Unpackable::TooLarge => Error::TooLarge,
        Unpackable::Damaged(_) => bad_request(error.to_string()),
        Unpackable::Unknown => Error::Refused {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            kind: "bad-request",
            detail: error.to_string(),
            field: None,
        },
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|error| bad_request(format!("the body is not valid: {error}")))
}
