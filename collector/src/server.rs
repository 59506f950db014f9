//! The listener: accepts connections, speaks TLS and HTTP/1.1, and keeps the silent, the slow and
//! the many from using it up. Knows nothing of what is served.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

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
            let mut request: Request = request.map(Body::new);
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

/// A stream whose writes fail when the other side takes nothing for too long.
struct Unstuck<S> {
    stream: S,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Unstuck<S> {
    fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, waiting: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let limit = self.limit;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limit)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unstuck<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Unstuck<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}
