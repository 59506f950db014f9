//! The listener: accepts connections, speaks TLS and HTTP/1.1, and keeps the silent, the slow and
//! the many from using it up. Knows nothing of what is served.

mod body;
mod stream;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use self::body::Timed;
use self::stream::Unstuck;
use crate::http::client::Peer;

/// How long and how many.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address; configured proxies are not counted.
    pub connections_per_address: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there, or from the last answer, to the end of a request's headers.
    pub headers: Duration,
    /// A request's whole body may take so long to arrive.
    pub body: Duration,
    /// Nothing could be written for so long.
    pub write: Duration,
    /// What is being answered when the collector stops may take so long.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(15),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(10),
        }
    }
}

/// One listener and all that it needs.
pub struct Listening {
    /// Where connections come from.
    pub listener: TcpListener,
    /// TLS; without it a proxy in front must speak it.
    pub tls: Option<Arc<ServerConfig>>,
    /// What is served.
    pub router: Router,
    /// How long and how many.
    pub limits: Limits,
    /// Addresses that speak for many others.
    pub proxies: Vec<IpAddr>,
}

/// Serves until `stop` is ready, then finishes what is being answered.
pub async fn serve(listening: Listening, stop: impl Future<Output = ()>) {
    let Listening { listener, tls, router, limits, proxies } = listening;
    let all = Arc::new(Semaphore::new(limits.connections));
    let crowd = Arc::new(Crowd { proxies, ..Crowd::default() });
    let graceful = GracefulShutdown::new();
    let acceptor = tls.map(TlsAcceptor::from);
    let mut stop = std::pin::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener) => accepted,
        };
        // Whoever comes when all places are taken is closed at once: waiting helps nobody.
        let Ok(place) = Arc::clone(&all).try_acquire_owned() else { continue };
        let Some(seat) = crowd.enter(peer.ip().to_canonical(), limits.connections_per_address)
        else {
            continue;
        };
        let connection = Connection {
            peer,
            router: router.clone(),
            limits: limits.clone(),
            watcher: graceful.watcher(),
            _place: (place, seat),
        };
        tokio::spawn(connection.run(stream, acceptor.clone()));
    }
    drop(listener);
    if timeout(limits.stop, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were still being answered when the collector stopped");
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // Out of file handles, most likely: existing connections must end first.
                tracing::warn!(error.message = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Connection {
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    watcher: Watcher,
    _place: (OwnedSemaphorePermit, Seat),
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        match acceptor {
            None => self.speak(stream).await,
            Some(acceptor) => match timeout(self.limits.handshake, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(stream).await,
                Ok(Err(error)) => tracing::debug!(
                    client.address = %self.peer.ip(), error.message = %error,
                    "a TLS handshake failed"
                ),
                Err(_) => tracing::debug!(
                    client.address = %self.peer.ip(), "a TLS handshake took too long"
                ),
            },
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let Self { peer, router, limits, watcher, _place } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let until = Instant::now() + limits.body;
            let mut request: Request = Timed::wrap(request, until).map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.headers)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(Unstuck::new(stream, limits.write)), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(
                client.address = %peer.ip(), error.message = %error, "a connection ended early"
            );
        }
    }
}

/// How many connections each address has.
#[derive(Default)]
struct Crowd {
    counts: Mutex<HashMap<IpAddr, usize>>,
    proxies: Vec<IpAddr>,
}

/// One connection's place in the crowd; leaving gives it back.
struct Seat(Option<(Arc<Crowd>, IpAddr)>);

impl Crowd {
    fn enter(self: &Arc<Self>, address: IpAddr, limit: usize) -> Option<Seat> {
        if self.proxies.contains(&address) {
            return Some(Seat(None));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Seat(Some((Arc::clone(self), address))))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some((crowd, address)) = &self.0 else { return };
        let mut counts = crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    struct Running {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        ended: tokio::task::JoinHandle<()>,
    }

    async fn running(limits: Limits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/echo", post(async |body: Bytes| body))
            .route("/refused", post(async || axum::http::StatusCode::FORBIDDEN))
            .route(
                "/slow",
                get(async || {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    "done"
                }),
            );
        let (stop, stopped) = oneshot::channel::<()>();
        let listening = Listening { listener, tls: None, router, limits, proxies: Vec::new() };
        let ended = tokio::spawn(serve(listening, async {
            let _ = stopped.await;
        }));
        Running { address, stop: Some(stop), ended }
    }

    /// Sends these bytes and reads until the other side closes.
    async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn tiny() -> Limits {
        Limits {
            connections_per_address: 3,
            headers: Duration::from_millis(100),
            body: Duration::from_millis(100),
            ..Limits::default()
        }
    }

    #[tokio::test]
    async fn the_silent_and_the_slow_are_closed() {
        let running = running(tiny()).await;
        // Each returns only because the collector closes the connection.
        assert!(!exchange(running.address, b"").await.contains("hello"));
        assert!(
            !exchange(running.address, b"GET / HTTP/1.1\r\nhost: x\r\n").await.contains("hello")
        );
        let half = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
        assert!(!exchange(running.address, half).await.contains("200 OK"));
        let kept = exchange(running.address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(kept.contains("hello"), "answered, then closed for its silence: {kept}");
    }

    #[tokio::test]
    async fn who_is_refused_reads_the_refusal_and_not_a_broken_connection() {
        let running = running(Limits::default()).await;
        let body = vec![b'x'; 512 * 1024];
        let head =
            format!("POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        for _ in 0..2 {
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            let mut answer = vec![0; 512];
            let read = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
            assert!(answer.contains("403 Forbidden"), "{answer}");
        }
    }

    #[tokio::test]
    async fn one_address_has_so_many_connections() {
        let limits = Limits { headers: Duration::from_secs(60), ..tiny() };
        let running = running(limits).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).await.unwrap();
            held.push(stream);
        }
        assert_eq!(exchange(running.address, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await, "");
        held.clear();
        // The places come back when the collector notices; until then it says nothing.
        loop {
            let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            if exchange(running.address, request).await.contains("hello") {
                break;
            }
        }
    }

    #[tokio::test]
    async fn what_is_being_answered_is_finished_before_the_end() {
        let mut running = running(Limits::default()).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // Another connection answered: the first is being worked on by now.
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        assert!(exchange(running.address, request).await.contains("hello"));
        running.stop.take().unwrap().send(()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        running.ended.await.unwrap();
        assert!(TcpStream::connect(running.address).await.is_err(), "the port is free");
    }
}
