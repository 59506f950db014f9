//! Connections that say nothing and connections that say little, beside honest devices.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rollcall_agent::clock::Stopwatch;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::handles;
use super::honest::Honest;
use super::place::Place;
use crate::lost::Told;
use crate::lost::figures::{permille, rss_mib};

/// One byte in this time.
const DRIP: Duration = Duration::from_millis(900);
/// Connections that begin in a hundredth of a second: all at once they would fill the queue that the
/// system keeps before the collector sees them.
const TOGETHER: u32 = 10;
/// Whatever is still open then is never closed.
const PATIENCE: Duration = Duration::from_secs(120);
/// Undisturbed check-ins are measured for so long.
const BEFORE: Duration = Duration::from_secs(5);

/// How a connection misbehaves.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Connects and says nothing.
    Silent,
    /// Speaks TLS and says nothing more.
    SilentInside,
    /// The TLS handshake, byte by byte.
    Handshake,
    /// The headers of a request, byte by byte.
    Headers,
    /// The body of a request, byte by byte.
    Body,
}

/// How many of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Crowd {
    /// Connections that say nothing; one in eight after its TLS handshake.
    pub silent: u32,
    /// Connections that say a byte now and then.
    pub dripping: u32,
    /// Honest devices.
    pub honest: u32,
    /// Longest time that a connection may be kept; `None` does not look at it.
    pub closed_within: Option<Duration>,
}

/// An address of this computer for the connection of this number.
fn address(number: u32) -> IpAddr {
    let part = |value: u32| u8::try_from(value % 250 + 1).unwrap_or(1);
    IpAddr::from([127, part(number / 62_500 + 9), part(number / 250), part(number)])
}

/// Lets the crowd in, and looks how the honest fare.
pub async fn run(crowd: Crowd) -> Told {
    let wanted = u64::from(crowd.silent + crowd.dripping + crowd.honest * 4) + 200;
    if let Err(why) = handles::enough(wanted) {
        return Told::without(format!("the crowd at the door: {why}"));
    }
    let mut told = Told::default();
    let place = Place::start(&[]).await;
    let honest = Honest::enroll(place.folder.path(), &place.collector, crowd.honest).await;
    let ((), mut before) = honest.during(tokio::time::sleep(BEFORE)).await;
    let memory = rss_mib(place.collector.pid());
    let url = place.collector.url.trim_start_matches("https://");
    let door: SocketAddr = url.parse().expect("the collector's address");
    let tls = trusting(&place);

    let ways = (0..crowd.silent)
        .map(|number| if number % 8 == 7 { Way::SilentInside } else { Way::Silent })
        .chain((0..crowd.dripping).map(|number| match number % 3 {
            0 => Way::Handshake,
            1 => Way::Headers,
            _ => Way::Body,
        }));
    let pid = place.collector.pid();
    let all = async {
        let mut tasks = Vec::new();
        for (way, number) in ways.zip(0..) {
            let one = misbehave(way, address(number), door, tls.clone());
            tasks.push((way, tokio::spawn(tokio::time::timeout(PATIENCE, one))));
            if number % TOGETHER == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let most = rss_mib(pid);
        let mut kept = Vec::new();
        for (way, task) in tasks {
            let ended = task.await.map_err(|error| error.to_string());
            let never = |_| Err(format!("still open after {PATIENCE:?}"));
            kept.push((way, ended.and_then(|in_time| in_time.unwrap_or_else(never))));
        }
        (most, kept)
    };
    let ((most, kept), mut during) = honest.during(all).await;
    told.say(format!(
        "{} silent and {} dripping connections, each from an address of its own, beside {} devices",
        crowd.silent, crowd.dripping, crowd.honest
    ));
    told.say(format!("  devices before: {}", before.words()));
    told.say(format!("  devices beside them: {}", during.words()));
    told.problems.append(&mut before.problems);
    told.problems.append(&mut during.problems);
    let mut longest = Duration::ZERO;
    for (name, fits) in [
        ("silent", (|way| matches!(way, Way::Silent)) as fn(Way) -> bool),
        ("silent after TLS", |way| matches!(way, Way::SilentInside)),
        ("dripping a handshake", |way| matches!(way, Way::Handshake)),
        ("dripping headers", |way| matches!(way, Way::Headers)),
        ("dripping a body", |way| matches!(way, Way::Body)),
    ] {
        let of_kind: Vec<_> = kept.iter().filter(|(way, _)| fits(*way)).collect();
        let mut times: Vec<Duration> =
            of_kind.iter().filter_map(|(_, kept)| kept.as_ref().ok().copied()).collect();
        let failed = of_kind.iter().filter_map(|(_, kept)| kept.as_ref().err());
        told.problems.extend(failed.take(3).map(|why| format!("{name}: {why}")));
        let (median, most) = (permille(&mut times, 500), permille(&mut times, 1000));
        longest = longest.max(most);
        told.say(format!(
            "  {} {name}: closed after {:.1} s (median), {:.1} s at most",
            times.len(),
            median.as_secs_f64(),
            most.as_secs_f64()
        ));
    }
    if let Some(limit) = crowd.closed_within.filter(|limit| longest > *limit) {
        told.problems.push(format!("a connection was kept {longest:?}, longer than {limit:?}"));
    }
    told.say(format!("  memory of the collector {memory} MiB before, {most} MiB with all of them"));
    told.problems.extend(honest.check(&place.console).await);
    if !place.collector.stop() {
        told.problems.push("the collector did not end well".to_owned());
    }
    told
}

fn trusting(place: &Place) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(place.data().join("ca.pem")).expect("the collector has a CA");
    let ca = CertificateDer::from_pem_slice(&pem).expect("a certificate in PEM form");
    roots.add(ca).expect("a CA can be trusted");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Misbehaves until the other side ends it; how long that took.
async fn misbehave(
    way: Way,
    from: IpAddr,
    door: SocketAddr,
    tls: TlsConnector,
) -> Result<Duration, String> {
    let socket = TcpSocket::new_v4().map_err(|error| error.to_string())?;
    socket.bind(SocketAddr::new(from, 0)).map_err(|error| format!("binding {from}: {error}"))?;
    let watch = Stopwatch::start();
    let stream = socket.connect(door).await.map_err(|error| format!("connecting: {error}"))?;
    match way {
        Way::Silent => wait(stream).await,
        Way::Handshake => drip(stream, &[&[22, 3, 1, 2, 0][..], &[1; 507]].concat()).await,
        Way::SilentInside => wait(inside(tls, stream).await?).await,
        Way::Headers => {
            let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-slow: {}", "a".repeat(500));
            drip(inside(tls, stream).await?, request.as_bytes()).await;
        }
        Way::Body => {
            let mut stream = inside(tls, stream).await?;
            let head = "POST /sign-in HTTP/1.1\r\nhost: x\r\nsec-fetch-site: same-origin\r\n\
                        content-type: application/x-www-form-urlencoded\r\ncontent-length: 900\r\n\r\n";
            stream.write_all(head.as_bytes()).await.map_err(|error| error.to_string())?;
            drip(stream, &[b'a'; 900]).await;
        }
    }
    Ok(watch.elapsed())
}

async fn inside(
    tls: TlsConnector,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let name = ServerName::try_from("127.0.0.1").map_err(|error| error.to_string())?;
    tls.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
}

/// Reads until the end, whatever comes.
async fn wait(mut stream: impl AsyncRead + Unpin) {
    let mut chunk = [0; 1024];
    while stream.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
}

/// Writes byte by byte until the other side has enough or all is said; then waits.
async fn drip(stream: impl AsyncRead + AsyncWrite, bytes: &[u8]) {
    let (reading, mut writing) = tokio::io::split(stream);
    let drops = async {
        for byte in bytes {
            if writing.write_all(&[*byte]).await.is_err() || writing.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(DRIP).await;
        }
        std::future::pending::<()>().await;
    };
    let mut reading = std::pin::pin!(reading);
    tokio::select! {
        () = wait(&mut reading) => {}
        () = drops => {}
    }
}
