//! What the listener speaks, and certificates that change while it runs.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rollcall_shared::time::DAY_MS;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::ca::Authority;
use crate::clock::Clock;
use crate::server::{Limits, Listening, serve};

struct Listener {
    folder: tempfile::TempDir,
    authority: Authority,
    certificate: Arc<Certificate>,
    address: SocketAddr,
}

fn names(first: &str) -> Vec<String> {
    vec![first.to_owned(), "localhost".to_owned()]
}

impl Listener {
    async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    async fn start_with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Clock::system().now();
        let authority = Authority::open(folder.path(), now).unwrap();
        let files = authority.server_files(&names("one.example"), now).unwrap();
        let certificate = Certificate::open(files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = Listening {
            listener,
            tls: Some(certificate.server_config().unwrap()),
            router: Router::new().route("/", get(async || "hello")),
            limits,
            proxies: Vec::new(),
        };
        tokio::spawn(serve(listening, std::future::pending()));
        Self { folder, authority, certificate, address }
    }

    async fn connect(
        &self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(versions, false).await
    }

    /// The same by a client that likes the weakest suite best.
    async fn connect_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        weakest_first: bool,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let path = self.folder.path().join("ca.pem");
        let mut roots = RootCertStore::empty();
        for ca in certificates(&std::fs::read(&path).unwrap(), &path).unwrap() {
            roots.add(ca).unwrap();
        }
        let mut provider = rustls::crypto::ring::default_provider();
        if weakest_first {
            provider.cipher_suites.reverse();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// The names of the certificate that the other side showed.
fn shown(stream: &TlsStream<TcpStream>) -> Vec<String> {
    about(&stream.get_ref().1.peer_certificates().unwrap()[0]).unwrap().names
}

async fn asks(stream: &mut TlsStream<TcpStream>) -> bool {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..count]);
    }
    answer.starts_with(b"HTTP/1.1 200")
}

/// The first message of a client that knows nothing above this version.
fn hello(minor: u8) -> Vec<u8> {
    let ciphers = [0xc0, 0x13, 0xc0, 0x14, 0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x2f, 0x00, 0x35];
    let mut body = vec![3, minor];
    body.extend_from_slice(&[7; 32]);
    body.push(0);
    body.extend_from_slice(&[0, u8::try_from(ciphers.len()).unwrap()]);
    body.extend_from_slice(&ciphers);
    body.extend_from_slice(&[1, 0]);
    let length = u8::try_from(body.len()).unwrap();
    let mut message = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    message.extend_from_slice(&body);
    message
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let listener = Listener::start().await;
    for (version, spoken) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = listener.connect(&[version]).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
        assert!(asks(&mut stream).await);
    }
    // SSL 3.0, TLS 1.0 and 1.1: a fatal alert and the end.
    for minor in [0, 1, 2] {
        let mut stream = TcpStream::connect(listener.address).await.unwrap();
        stream.write_all(&hello(minor)).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!((answer[0], answer[5]), (21, 2), "3.{minor}: a fatal alert, not {answer:?}");
        assert!([40, 70, 109].contains(&answer[6]), "3.{minor}: {answer:?}");
    }
    let mut plain = TcpStream::connect(listener.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("hello"), "nothing in clear");
}

#[tokio::test]
async fn the_collector_chooses_the_suite() {
    let listener = Listener::start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut chosen = Vec::new();
        for weakest_first in [false, true] {
            let stream = listener.connect_with(&[version], weakest_first).await.unwrap();
            chosen.push(stream.get_ref().1.negotiated_cipher_suite().unwrap().suite());
        }
        assert_eq!(chosen[0], chosen[1], "whatever the client likes best");
    }
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let both = &[&rustls::version::TLS13, &rustls::version::TLS12][..];
    let listener = Listener::start().await;
    let mut old = listener.connect(both).await.unwrap();
    assert!(asks(&mut old).await && shown(&old).contains(&"one.example".to_owned()));
    assert!(!listener.certificate.refresh().unwrap(), "nothing changed");

    let now = Clock::system().now();
    let files = listener.authority.server_files(&names("two.example"), now).unwrap();
    assert!(listener.certificate.refresh().unwrap());
    let mut new = listener.connect(both).await.unwrap();
    assert!(asks(&mut new).await && shown(&new).contains(&"two.example".to_owned()));
    assert!(asks(&mut old).await, "who is connected stays");

    // Half of a change, or nonsense: what worked goes on working.
    let key = std::fs::read(&files.key).unwrap();
    for broken in [&b"nonsense"[..], b""] {
        std::fs::write(&files.key, broken).unwrap();
        listener.certificate.refresh().unwrap_err();
        let stream = listener.connect(both).await.unwrap();
        assert!(shown(&stream).contains(&"two.example".to_owned()));
    }
    std::fs::write(&files.key, key).unwrap();
    assert!(listener.certificate.refresh().unwrap(), "looked at again after a failure");
    assert!(listener.certificate.ends_at().unwrap().since(now) > 80 * DAY_MS);
}

#[tokio::test]
async fn who_is_closed_for_its_silence_is_told_that_this_is_the_end() {
    let limits = Limits { headers: Duration::from_millis(300), ..Limits::default() };
    let listener = Listener::start_with(limits).await;
    let mut stream = listener.connect(&[&rustls::version::TLS13]).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    // Without close_notify this is an unexpected end.
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}
