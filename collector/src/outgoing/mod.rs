//! The one way out: every call that the collector makes to somebody else goes through here.
//!
//! The name is resolved once, each address is held against what is allowed, and the connection goes
//! to exactly an address that was. TLS unless the configuration says otherwise, no redirects, no
//! proxies from the environment, limits on time, size and number. It knows nothing of what is asked.

pub mod address;
mod allowed;
mod error;
mod target;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use allowed::Allowed;
pub use error::OutgoingError;
pub use target::Target;

use allowed::Barred;

/// A call with its whole answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// One attempt to connect takes no longer, so that another address may be tried.
const CONNECT: Duration = Duration::from_secs(4);
/// Calls at the same time; more are refused.
const AT_ONCE: usize = 32;
/// Addresses of one name that are tried.
const TRIED: usize = 4;

/// Finds the addresses of a name. The system's in the field; tests have their own.
pub trait Names: Send + Sync {
    /// The addresses, with this port.
    fn find<'a>(&'a self, host: &'a str, port: u16) -> Found<'a>;
}

/// What [`Names::find`] gives.
pub type Found<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

struct SystemNames;

impl Names for SystemNames {
    fn find<'a>(&'a self, host: &'a str, port: u16) -> Found<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Makes calls. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing(Arc<Inner>);

struct Inner {
    allowed: Allowed,
    names: Box<dyn Names>,
    roots: Option<RootCertStore>,
    tls: OnceLock<Arc<ClientConfig>>,
    at_once: Semaphore,
    patience: Duration,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("allowed", &self.0.allowed).finish_non_exhaustive()
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new(Allowed::default())
    }
}

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// Method.
    pub method: Method,
    /// Address.
    pub url: &'a str,
    /// Headers besides those that every call has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Body; empty for none.
    pub body: Vec<u8>,
    /// Bytes an answer may have.
    pub longest: usize,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code; never a redirect.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Outgoing {
    /// Calls to the public Internet and to what is allowed besides, believing the certificates that
    /// the operating system does.
    pub fn new(allowed: Allowed) -> Self {
        Self::with(allowed, Box::new(SystemNames), None)
    }

    /// With names and certificates of one's own.
    pub fn with(allowed: Allowed, names: Box<dyn Names>, roots: Option<RootCertStore>) -> Self {
        Self(Arc::new(Inner {
            allowed,
            names,
            roots,
            tls: OnceLock::new(),
            at_once: Semaphore::new(AT_ONCE),
            patience: PATIENCE,
        }))
    }

    #[cfg(test)]
    fn patient_for(self, patience: Duration) -> Self {
        let Inner { allowed, names, roots, tls, at_once, patience: _ } =
            Arc::into_inner(self.0).unwrap();
        Self(Arc::new(Inner { allowed, names, roots, tls, at_once, patience }))
    }

    /// Says beforehand what would stand against calling this address: its form, and TLS. Where it
    /// leads is looked at by each call.
    pub fn check(&self, url: &str) -> Result<Target, OutgoingError> {
        let target = Target::parse(url)?;
        if let Some(address) = target.literal()
            && let Err(barred) = self.0.allowed.permits(&target.host, address, target.tls)
        {
            return Err(target.barred(address, barred));
        }
        if target.literal().is_none() && !target.tls && !self.0.allowed.may_be_plain(&target.host) {
            return Err(OutgoingError::Plain { host: target.host });
        }
        Ok(target)
    }

    /// Makes a call. Every answer that is no redirect counts as one, also a refusal.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, OutgoingError> {
        let target = Target::parse(call.url)?;
        let Ok(_place) = self.0.at_once.try_acquire() else { return Err(OutgoingError::Busy) };
        let host = target.host.clone();
        match timeout(self.0.patience, self.made(target, call)).await {
            Ok(answer) => answer,
            Err(_) => Err(OutgoingError::TimedOut { host, seconds: self.0.patience.as_secs() }),
        }
    }

    async fn made(&self, target: Target, call: Call<'_>) -> Result<Answer, OutgoingError> {
        let addresses = self.checked(&target).await?;
        let stream = connect(&target, &addresses).await?;
        if !target.tls {
            return ask(stream, &target, call).await;
        }
        let tls = |source| OutgoingError::Tls { host: target.host.clone(), source };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| OutgoingError::Address(target.host.clone()))?;
        let connector = tokio_rustls::TlsConnector::from(self.tls().map_err(tls)?);
        let stream = connector.connect(name, stream).await.map_err(tls)?;
        ask(stream, &target, call).await
    }

    /// The addresses that may be connected to, found once.
    async fn checked(&self, target: &Target) -> Result<Vec<SocketAddr>, OutgoingError> {
        let found = match target.literal() {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => self.0.names.find(&target.host, target.port).await.map_err(|source| {
                OutgoingError::Name { host: target.host.clone(), source: Some(source) }
            })?,
        };
        let permits =
            |address: &SocketAddr| self.0.allowed.permits(&target.host, address.ip(), target.tls);
        let mut addresses: Vec<SocketAddr> =
            found.iter().copied().filter(|address| permits(address).is_ok()).collect();
        addresses.truncate(TRIED);
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        Err(match found.iter().find_map(|one| Some((one.ip(), permits(one).err()?))) {
            Some((address, barred)) => {
                let error = target.barred(address, barred);
                tracing::warn!(host = target.host, %address, "an outgoing call was not made");
                error
            }
            None => OutgoingError::Name { host: target.host.clone(), source: None },
        })
    }

    fn tls(&self) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.0.tls.get() {
            return Ok(Arc::clone(config));
        }
        let roots = self.0.roots.clone().unwrap_or_else(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        });
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::clone(self.0.tls.get_or_init(|| Arc::new(config))))
    }
}

async fn connect(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, OutgoingError> {
    let mut last =
        OutgoingError::TimedOut { host: target.host.clone(), seconds: CONNECT.as_secs() };
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) => {
                let host = target.host.clone();
                last = OutgoingError::Connect { host, address: *address, source };
            }
            Err(_) => {}
        }
    }
    Err(last)
}

async fn ask<S>(stream: S, target: &Target, call: Call<'_>) -> Result<Answer, OutgoingError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |source| OutgoingError::Broken { host: target.host.clone(), source };
    let mut request = Request::builder()
        .method(call.method)
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header(USER_AGENT, concat!("rollcall/", env!("CARGO_PKG_VERSION")));
    for (name, value) in call.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::<Bytes>::new(call.body.into()))
        .map_err(|_| OutgoingError::Address(target.host.clone()))?;
    let (mut open, connection) = http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // Ends with `open`, which lives no longer than this call.
    let connection = tokio::spawn(connection);
    let answer = async {
        let response = open.send_request(request).await.map_err(broken)?;
        let status = response.status();
        if status.is_redirection() || status.is_informational() {
            return Err(OutgoingError::Redirect {
                host: target.host.clone(),
                status: status.as_u16(),
            });
        }
        let body = Limited::new(response.into_body(), call.longest).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => broken(*error),
            Err(_) => OutgoingError::TooLarge { host: target.host.clone(), bytes: call.longest },
        })?;
        Ok(Answer { status: status.as_u16(), body: body.to_bytes().to_vec() })
    };
    let answer = answer.await;
    connection.abort();
    answer
}

impl Target {
    fn barred(&self, address: std::net::IpAddr, barred: Barred) -> OutgoingError {
        let host = self.host.clone();
        match barred {
            Barred::Plain => OutgoingError::Plain { host },
            Barred::Network(kind) => OutgoingError::Forbidden { host, address, kind },
        }
    }
}

#[cfg(test)]
mod tests;
