//! Calls against servers of these tests, on loopback.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that answers everything with these bytes; how many connections it took.
async fn server(address: &str, answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let bound = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    (bound, count)
}

fn plain(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

/// Names that answer from a list, one entry a question; the last stays.
struct Scripted {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    fn answering(answers: Vec<Vec<SocketAddr>>) -> (Box<dyn Names>, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let names = Self { answers: Mutex::new(answers), asked: Arc::clone(&asked) };
        (Box::new(names), asked)
    }
}

impl Names for Scripted {
    fn find<'a>(&'a self, _: &'a str, _: u16) -> Found<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let found = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(found) })
    }
}

fn allowed(rules: &[&str]) -> Allowed {
    Allowed::parse(&rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn get(url: &str) -> Call<'_> {
    Call { method: Method::GET, url, headers: Vec::new(), body: Vec::new(), longest: 1000 }
}

#[tokio::test]
async fn private_addresses_are_not_called_unless_allowed() {
    let (bound, count) = server("127.0.0.1:0", plain("200 OK", "", "hello")).await;
    let port = bound.port();
    let guarded = Outgoing::default();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433", // 127.0.0.1 as one number, as resolvers of C libraries read it
        "0x7f.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            let refused = guarded.call(get(&url)).await.unwrap_err();
            let expected =
                matches!(refused, OutgoingError::Forbidden { .. } | OutgoingError::Name { .. });
            assert!(expected, "{url}: {refused:?}");
        }
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody connected");
    let url = format!("http://127.0.0.1:{port}/");
    let refused = Outgoing::new(allowed(&["127.0.0.1"])).call(get(&url)).await.unwrap_err();
    assert!(matches!(refused, OutgoingError::Plain { .. }), "{refused:?}");
    let answer = Outgoing::new(allowed(&["http://127.0.0.1"])).call(get(&url)).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let (good, good_count) = server("127.0.0.1:0", plain("200 OK", "", "good")).await;
    let evil = SocketAddr::new("127.0.0.2".parse().unwrap(), good.port());
    let (_, evil_count) = server(&evil.to_string(), plain("200 OK", "", "evil")).await;
    let url = format!("http://rebinding.test:{}/", good.port());
    // Only the first address is allowed. Whoever asked again would connect to the second.
    let (names, asked) = Scripted::answering(vec![vec![good], vec![evil], vec![evil, good]]);
    let outgoing = Outgoing::with(allowed(&["http://127.0.0.1"]), names, None);
    assert_eq!(outgoing.call(get(&url)).await.unwrap().body, b"good");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "resolved once a call");
    let refused = outgoing.call(get(&url)).await.unwrap_err();
    assert!(matches!(refused, OutgoingError::Forbidden { .. }), "{refused:?}");
    assert_eq!(outgoing.call(get(&url)).await.unwrap().body, b"good", "the allowed one of two");
    assert_eq!((good_count.load(Ordering::SeqCst), evil_count.load(Ordering::SeqCst)), (2, 0));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (inner, count) = server("127.0.0.1:0", plain("200 OK", "", "secret")).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let to = format!("location: http://{inner}/\r\n");
        let (door, _) = server("127.0.0.1:0", plain(status, &to, "")).await;
        let outgoing = Outgoing::new(allowed(&["http://127.0.0.1"]));
        let refused = outgoing.call(get(&format!("http://{door}/"))).await.unwrap_err();
        assert!(matches!(refused, OutgoingError::Redirect { .. }), "{refused:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_have_a_size_and_a_time() {
    let outgoing = Outgoing::new(allowed(&["http://127.0.0.1"]));
    let long = "x".repeat(1001);
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunks =
        [endless.clone(), b"3e8\r\n".to_vec(), vec![b'x'; 1000], b"\r\n".to_vec()].concat();
    let chunks = [chunks, b"3e8\r\n".to_vec(), vec![b'x'; 1000], b"\r\n".to_vec()].concat();
    for answer in [plain("200 OK", "", &long), chunks] {
        let (door, _) = server("127.0.0.1:0", answer).await;
        let refused = outgoing.call(get(&format!("http://{door}/"))).await.unwrap_err();
        assert!(matches!(refused, OutgoingError::TooLarge { .. }), "{refused:?}");
    }
    let (door, _) = server("127.0.0.1:0", b"garbage\r\n\r\n".to_vec()).await;
    let refused = outgoing.call(get(&format!("http://{door}/"))).await.unwrap_err();
    assert!(matches!(refused, OutgoingError::Broken { .. }), "{refused:?}");
    // It listens and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let hurried = outgoing.patient_for(Duration::from_millis(50));
    let refused = hurried.call(get(&url)).await.unwrap_err();
    assert!(matches!(refused, OutgoingError::TimedOut { .. }), "{refused:?}");
}

#[tokio::test]
async fn who_answers_must_prove_its_name() {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["idp.test".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bound = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = vec![0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&plain("200 OK", "", "hello")).await;
            });
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(ca_certificate.der().clone()).unwrap();
    let outgoing = |roots| {
        let (names, _) = Scripted::answering(vec![vec![bound]]);
        Outgoing::with(allowed(&["idp.test", "other.test"]), names, roots)
    };
    let url = |host: &str| format!("https://{host}:{}/", bound.port());
    let answer = outgoing(Some(roots.clone())).call(get(&url("idp.test"))).await.unwrap();
    assert_eq!(answer.body, b"hello");
    for (host, roots) in [("other.test", roots), ("idp.test", RootCertStore::empty())] {
        let refused = outgoing(Some(roots)).call(get(&url(host))).await.unwrap_err();
        assert!(matches!(refused, OutgoingError::Tls { .. }), "{host}: {refused:?}");
    }
}

#[test]
fn addresses_are_read_strictly() {
    let target = Target::parse("https://Idp.Example.:8443/a?b=c").unwrap();
    assert_eq!((target.host.as_str(), target.port, target.tls), ("idp.example", 8443, true));
    assert_eq!(target.path, "/a?b=c");
    assert_eq!(Target::parse("https://idp.example?x").unwrap().path, "/?x");
    for bad in [
        "",
        "idp.example",
        "ftp://idp.example/",
        "file:///etc/passwd",
        "https://",
        "https://user@idp.example/",
        "https://idp.example@evil.example/",
        "https://idp.example/#a",
        "https://idp.example:0/",
        "https://idp.example:99999/",
        "https://idp.example/a b",
        "https://idp.example\\@evil.example/",
        "https://idp.example/\r\nx: y",
    ] {
        assert!(matches!(Target::parse(bad), Err(OutgoingError::Address(_))), "{bad:?}");
    }
    assert!(Outgoing::default().check("https://10.0.0.1/").is_err(), "told beforehand");
    assert!(Outgoing::default().check("http://idp.example/").is_err(), "also without TLS");
    assert!(Outgoing::new(allowed(&["http://idp.example"])).check("http://idp.example/").is_ok());
    assert!(Outgoing::default().check("https://idp.example/").is_ok());
}
