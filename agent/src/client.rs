//! Signed requests to one collector over one connection: time-outs, limits, no redirects.
//!
//! It knows HTTP, TLS and signatures, and nothing of what is sent. Each step on the way is its
//! own function, because `doctor` walks the same way.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rollcall_shared::Timestamp;
use rollcall_shared::join::address_allowed;
use rollcall_shared::signature::{Covered, Parameters, SEQ_HEADER, SigningKey, content_digest};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::proxy::Proxy;
use crate::reach::ReachError;
use crate::tls::Tls;

/// No answer of a collector is larger.
const ANSWER_LIMIT_BYTES: usize = 1024 * 1024;
const CONTENT: &str = "application/json";
const ENCODING: &str = "zstd";
/// How hard reports are compressed before they are sent.
pub(crate) const COMPRESSION_LEVEL: i32 = 3;

/// How long each step may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeOuts {
    /// Finding the address, connecting, TLS handshake: each.
    pub connect: Duration,
    /// One request until its whole answer is there.
    pub request: Duration,
}

impl Default for TimeOuts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(60) }
    }
}

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Plain HTTP is spoken to loopback only.
    pub tls: bool,
    authority: String,
}

impl Address {
    /// Reads `https://host:port`; nothing may follow.
    pub fn parse(url: &str) -> Result<Self, ReachError> {
        let bad = || ReachError::Address(url.chars().take(200).collect());
        if !address_allowed(url) {
            return Err(bad());
        }
        let uri: Uri = url.parse().map_err(|_| bad())?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(bad());
        }
        let authority = uri.authority().ok_or_else(bad)?;
        let has_port = authority.as_str().len() > authority.host().len();
        if has_port && authority.port_u16().is_none() {
            return Err(bad());
        }
        let tls = uri.scheme_str() == Some("https");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, port, tls, authority: authority.as_str().to_owned() })
    }

    /// A host that is spoken to without TLS before something else: a proxy.
    pub(crate) fn plain(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, tls: false, authority: String::new() }
    }

    /// Finds the IP addresses.
    pub async fn resolve(&self, limit: Duration) -> Result<Vec<SocketAddr>, ReachError> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let dns = |source| ReachError::Dns { host: self.host.clone(), source };
        let found = timeout(limit, tokio::net::lookup_host((self.host.as_str(), self.port)))
            .await
            .map_err(|_| ReachError::TimedOut("resolving the collector's name"))?
            .map_err(dns)?;
        let found: Vec<SocketAddr> = found.collect();
        if found.is_empty() {
            return Err(dns(std::io::ErrorKind::NotFound.into()));
        }
        Ok(found)
    }

    /// Connects to the first address that answers.
    pub async fn connect(
        &self,
        addresses: &[SocketAddr],
        limit: Duration,
    ) -> Result<TcpStream, ReachError> {
        let mut last = ReachError::TimedOut("connecting to the collector");
        for address in addresses {
            match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = ReachError::from_connect(&address.to_string(), error),
                Err(_) => last = ReachError::TimedOut("connecting to the collector"),
            }
        }
        Err(last)
    }

    /// Makes the TLS handshake.
    pub async fn handshake(
        &self,
        stream: TcpStream,
        tls: &Tls,
        limit: Duration,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ReachError> {
        let address = format!("{}:{}", self.host, self.port);
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| ReachError::Address(self.host.clone()))?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&tls.config));
        timeout(limit, connector.connect(name, stream))
            .await
            .map_err(|_| ReachError::TimedOut("the TLS handshake"))?
            .map_err(|error| ReachError::from_handshake(&self.host, &address, error))
    }
}

/// An HTTP answer, not yet believed to be a collector's.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// How long the other side asks to wait.
    pub retry_after: Option<Duration>,
    /// What the other side's clock says.
    pub date: Option<Timestamp>,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
}

/// What is to be signed and sent.
#[derive(Debug)]
pub struct Signed<'a> {
    /// Path, e.g. `/agent/v1/check-in`.
    pub path: &'a str,
    /// The report's number, 0 where there is none.
    pub seq: u64,
    /// Device id, or public key while enrolling.
    pub key_id: &'a str,
    /// The key to sign with.
    pub key: &'a SigningKey,
    /// JSON, not yet compressed.
    pub json: &'a [u8],
    /// The present by this computer's clock.
    pub created: Timestamp,
}

/// Speaks to one collector.
#[derive(Debug)]
pub struct Client {
    address: Address,
    tls: Tls,
    time_outs: TimeOuts,
    proxy: Option<Proxy>,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(address: Address, tls: Tls, time_outs: TimeOuts) -> Self {
        Self { address, tls, time_outs, proxy: None, open: None }
    }

    /// The same through a proxy, where there is one.
    #[must_use]
    pub fn through(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// The CA certificate (DER) that was seen and believed while enrolling.
    pub fn seen_ca(&self) -> Option<Vec<u8>> {
        self.tls.seen_ca.get().cloned()
    }

    /// Sends a signed request and waits for the whole answer.
    pub async fn post(&mut self, signed: &Signed<'_>) -> Result<Answer, ReachError> {
        let request = self.request(signed)?;
        self.exchange(request).await
    }

    /// Asks for a page without signing; for `doctor`.
    pub async fn get(&mut self, path: &str) -> Result<Answer, ReachError> {
        let request = self
            .head(Method::GET, path)
            .body(Full::default())
            .map_err(|_| ReachError::Address(path.to_owned()))?;
        self.exchange(request).await
    }

    fn head(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address.authority)
            .header(USER_AGENT, concat!("rollcall-agent/", env!("CARGO_PKG_VERSION")))
    }

    fn request(&self, signed: &Signed<'_>) -> Result<Request<Full<Bytes>>, ReachError> {
        let bad = || ReachError::Address(signed.path.to_owned());
        let body = zstd::bulk::compress(signed.json, COMPRESSION_LEVEL).map_err(|_| bad())?;
        let digest = content_digest(&body);
        let seq = signed.seq.to_string();
        let covered = Covered {
            method: "POST",
            path: signed.path,
            content_type: CONTENT,
            content_encoding: ENCODING,
            content_digest: &digest,
            seq: &seq,
        };
        let parameters = Parameters { created: signed.created, key_id: signed.key_id.to_owned() };
        let (input, signature) = signed.key.sign(&covered, &parameters);
        self.head(Method::POST, signed.path)
            .header(CONTENT_TYPE, CONTENT)
            .header(CONTENT_ENCODING, ENCODING)
            .header("content-digest", &digest)
            .header(SEQ_HEADER, &seq)
            .header("signature-input", input)
            .header("signature", signature)
            .body(Full::new(body.into()))
            .map_err(|_| bad())
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ReachError> {
        let limit = self.time_outs.request;
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
        {
            // A kept connection may have been closed meanwhile. Every request may be repeated.
            match timeout(limit, ask(&mut open, request.clone())).await {
                Ok(Ok(answer)) => {
                    self.open = Some(open);
                    return Ok(answer);
                }
                Ok(Err(ReachError::Broken(_))) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(ReachError::TimedOut("the collector's answer")),
            }
        }
        let mut open = self.connect().await?;
        let answer = timeout(limit, ask(&mut open, request))
            .await
            .map_err(|_| ReachError::TimedOut("the collector's answer"))??;
        self.open = Some(open);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ReachError> {
        let limit = self.time_outs.connect;
        let stream = if let Some(proxy) = &self.proxy {
            proxy.connect(&self.address, limit).await?
        } else {
            let addresses = self.address.resolve(limit).await?;
            self.address.connect(&addresses, limit).await?
        };
        if self.address.tls {
            speak(self.address.handshake(stream, &self.tls, limit).await?).await
        } else {
            speak(stream).await
        }
    }
}

async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, ReachError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (open, connection) = http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ReachError::Broken(Arc::new(error)))?;
    // Ends by itself when `open` is dropped or the other side closes.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection to the collector ended");
        }
    });
    Ok(open)
}

async fn ask(
    open: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, ReachError> {
    let broken = |error| ReachError::Broken(Arc::new(error));
    let response = open.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| {
        // The form with a date needs the other side's clock; ours waits as after any failure.
        value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
    });
    let date = response.headers().get(DATE).and_then(|value| http_date(value.to_str().ok()?));
    let body = match Limited::new(response.into_body(), ANSWER_LIMIT_BYTES).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => {
            return Err(match error.downcast::<hyper::Error>() {
                Ok(error) => broken(*error),
                Err(_) => ReachError::TooLarge,
            });
        }
    };
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ReachError::TooLarge);
    }
    Ok(Answer { status: status.as_u16(), retry_after, date, body })
}

/// Reads `Mon, 23 Nov 2026 10:15:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let rest = text.trim().strip_suffix(" GMT")?.split_once(", ")?.1;
    let moment = jiff::civil::DateTime::strptime("%d %b %Y %H:%M:%S", rest).ok()?;
    let zoned = moment.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_date_of_an_answer() {
        let date = http_date("Mon, 23 Nov 2026 10:15:00 GMT").unwrap();
        assert_eq!(date.to_string(), "2026-11-23T10:15:00Z");
        assert_eq!(http_date("yesterday"), None);
    }

    #[test]
    fn reads_addresses_and_nothing_else() {
        let address = Address::parse("https://[::1]:8443").unwrap();
        assert_eq!((address.host.as_str(), address.port, address.tls), ("::1", 8443, true));
        assert_eq!(Address::parse("https://collector.example").unwrap().port, 443);
        assert!(!Address::parse("http://127.0.0.1:8080").unwrap().tls);
        for bad in [
            "http://10.0.0.1",
            "file:///etc/passwd",
            "https://user@host",
            "https://host/path",
            "https://host?query",
            "https://host:99999",
            "https://ho st",
        ] {
            assert!(matches!(Address::parse(bad), Err(ReachError::Address(_))), "{bad}");
        }
    }
}
