//! What stands around every request of an agent, checked before a byte of it is unpacked: size,
//! digest, signature. Then unpacking under a limit, then JSON.

use std::io::{self, Read};
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
/// Unpacked bodies above this are held in memory by few at a time.
const HEAVY_BYTES: usize = 1024 * 1024;
/// So few.
static HEAVY: Semaphore = Semaphore::const_new(4);
/// The largest zstd window accepted, as a power of two: what the levels up to 19 use. It bounds
/// the memory of unpacking.
const ZSTD_WINDOW_LOG: u32 = 23;

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
            let unpacked = unpack(&encoding, &body, ASIDE_BYTES.min(limit));
            if let Ok(unpacked) = unpacked {
                return parse(&unpacked);
            }
        }
        // Counted before it is held: what is too large costs time, never memory.
        let aside =
            move || unpacked_size(&encoding, &body, limit).map(|size| (encoding, body, size));
        let (encoding, body, size) =
            tokio::task::spawn_blocking(aside).await.map_err(Error::internal)??;
        let heavy = match size {
            HEAVY_BYTES.. => Some(HEAVY.acquire().await.map_err(Error::internal)?),
            _ => None,
        };
        let parsed =
            tokio::task::spawn_blocking(move || parse(&unpack(&encoding, &body, size)?)).await;
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

/// How many bytes a body holds, found without holding them; more than `limit` is refused.
fn unpacked_size(encoding: &str, body: &[u8], limit: usize) -> Result<usize, Error> {
    let damaged = |_: io::Error| bad_request(format!("the body is not valid {encoding}"));
    match encoding {
        "zstd" => match said_size(body) {
            // Not believed, but small enough to be held.
            Some(size) if size <= HEAVY_BYTES.min(limit) => Ok(size),
            _ => count_up_to(zstd_reader(body).map_err(damaged)?, limit, damaged),
        },
        "gzip" => count_up_to(flate2::bufread::GzDecoder::new(body), limit, damaged),
        _ if body.len() > limit => Err(Error::TooLarge),
        _ => Ok(body.len()),
    }
}

fn zstd_reader(body: &[u8]) -> io::Result<zstd::stream::read::Decoder<'_, &[u8]>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn count_up_to(
    mut reader: impl Read,
    limit: usize,
    damaged: impl FnOnce(io::Error) -> Error,
) -> Result<usize, Error> {
    let mut chunk = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(size),
            Ok(count) if size + count > limit => return Err(Error::TooLarge),
            Ok(count) => size += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

fn unpack(encoding: &str, body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let damaged = |_: io::Error| bad_request(format!("the body is not valid {encoding}"));
    match encoding {
        "zstd" => match said_size(body) {
            // Unpacked at once, with a context that is at hand.
            Some(size) if size <= HEAVY_BYTES.min(limit) => crate::codec::unpack(body, size)
                .ok_or_else(|| bad_request(format!("the body is not valid {encoding}"))),
            _ => read_up_to(zstd_reader(body).map_err(damaged)?, limit, damaged),
        },
        "gzip" => read_up_to(flate2::bufread::GzDecoder::new(body), limit, damaged),
        "identity" if body.len() <= limit => Ok(body.to_vec()),
        "identity" => Err(Error::TooLarge),
        _ => Err(Error::Refused {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            kind: "bad-request",
            detail: "the content encoding must be zstd, gzip or identity".to_owned(),
            field: None,
        }),
    }
}

/// How many bytes one zstd frame says it holds, if these bytes are one that says so.
fn said_size(body: &[u8]) -> Option<usize> {
    let whole = zstd::zstd_safe::find_frame_compressed_size(body).ok()?;
    let size = zstd::zstd_safe::get_frame_content_size(body).ok().flatten()?;
    usize::try_from(size).ok().filter(|_| whole == body.len())
}

/// Stops at the limit: what does not fit is never unpacked.
fn read_up_to(
    reader: impl Read,
    limit: usize,
    damaged: impl FnOnce(io::Error) -> Error,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(limit.min(HEAVY_BYTES));
    let mut reader = reader.take(limit as u64 + 1);
    let mut chunk = [0; 8 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(out),
            Ok(count) if out.len() + count > limit => return Err(Error::TooLarge),
            Ok(count) => out.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|error| bad_request(format!("the body is not valid: {error}")))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// A bomb of zeros, packed in small steps.
    fn bomb<W: io::Write>(mut packer: W, bytes: usize) -> W {
        let zeros = vec![0; 64 * 1024];
        for _ in 0..bytes / zeros.len() {
            packer.write_all(&zeros).unwrap();
        }
        packer
    }

    const GIBIBYTE: usize = 1024 * 1024 * 1024;

    #[test]
    fn bombs_are_refused_at_the_limit() {
        let zstd = bomb(zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap(), GIBIBYTE);
        let zstd = zstd.finish().unwrap();
        assert!(zstd.len() < REPORT.wire_bytes);
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let gzip = bomb(gzip, GIBIBYTE / 4).finish().unwrap();
        for (encoding, body) in [("zstd", zstd), ("gzip", gzip)] {
            let refused = unpack(encoding, &body, limits::DECOMPRESSED_BYTES);
            assert!(matches!(refused, Err(Error::TooLarge)), "{encoding}");
            let counted = unpacked_size(encoding, &body, limits::DECOMPRESSED_BYTES);
            assert!(matches!(counted, Err(Error::TooLarge)), "{encoding}");
        }
    }

    #[test]
    fn a_window_that_needs_much_memory_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[7; 1000]).unwrap();
        encoder.flush().unwrap();
        let body = encoder.finish().unwrap();
        assert!(unpack("zstd", &body, 10_000).is_err());
    }

    #[test]
    fn what_agents_send_is_unpacked() {
        let text = b"{\"a\":1}".repeat(1000);
        let zstd = zstd::bulk::compress(&text, 3).unwrap();
        assert_eq!(unpacked_size("zstd", &zstd, text.len()).unwrap(), text.len());
        assert_eq!(unpack("zstd", &zstd, text.len()).unwrap(), text);
        assert!(matches!(unpack("zstd", &zstd, text.len() - 1), Err(Error::TooLarge)));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        assert_eq!(unpack("gzip", &gzip.finish().unwrap(), text.len()).unwrap(), text);
        assert_eq!(unpack("identity", &text, text.len()).unwrap(), text);
        assert!(unpack("br", &text, text.len()).is_err());
        assert!(unpack("zstd", b"nonsense", 10).is_err());
        assert!(unpack("zstd", &zstd[..zstd.len() - 3], text.len()).is_err(), "cut");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(body: Vec<u8>) {
            let _ = unpack("zstd", &body, 1000);
            let _ = unpacked_size("zstd", &body, 1000);
            let _ = unpacked_size("gzip", &body, 1000);
            let _ = unpack("gzip", &body, 1000);
        }
    }
}
