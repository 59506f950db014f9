//! A bad network between an agent and its collector: a proxy that cuts, stalls, delays, tears and
//! pretends; and an honest HTTP proxy that asks for a password.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rollcall_shared::join::JoinString;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::synthetic::mix;

/// What is wrong with the network now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Both sides are closed after so many bytes from the agent.
    CutUp(u64),
    /// Both sides are closed after so many bytes from the collector.
    CutDown(u64),
    /// After so many bytes from the agent nothing passes any more, and nobody is told.
    StallUp(u64),
    /// After so many bytes from the collector nothing passes any more, and nobody is told.
    StallDown(u64),
    /// What loss and delay leave of a stream: pieces of a few bytes that come late, and of some
    /// connections only a part.
    Torn {
        /// Chooses the pieces.
        seed: u64,
    },
    /// Somebody else answers every connection with a page to sign in at.
    CaptivePortal,
}

/// Stands between agents and a collector.
#[derive(Debug)]
pub struct Network {
    /// Where agents connect to.
    pub address: SocketAddr,
    fault: Arc<Mutex<Fault>>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Network {
    /// In front of the collector at this `https://` address.
    pub async fn before(url: &str) -> Self {
        let to: SocketAddr = url
            .trim_start_matches("https://")
            .trim_end_matches('/')
            .parse()
            .expect("test collectors have addresses");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let fault = Arc::new(Mutex::new(Fault::None));
        let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (now, sent, came) = (Arc::clone(&fault), Arc::clone(&up), Arc::clone(&down));
        let task = tokio::spawn(async move {
            let mut number = 0;
            while let Ok((agent, _)) = listener.accept().await {
                number += 1;
                let fault = *now.lock().unwrap_or_else(PoisonError::into_inner);
                let (sent, came) = (Arc::clone(&sent), Arc::clone(&came));
                tokio::spawn(between(agent, to, fault, number, sent, came));
            }
        });
        Self { address, fault, up, down, task }
    }

    /// The join string of that collector by way of this network.
    pub fn join_string(&self, join: &JoinString) -> JoinString {
        JoinString { url: format!("https://{}", self.address), ..join.clone() }
    }

    /// From the next connection on this is wrong.
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Bytes passed on so far, from agents and to them.
    pub fn passed(&self) -> (u64, u64) {
        (self.up.load(Ordering::SeqCst), self.down.load(Ordering::SeqCst))
    }
}

async fn between(
    mut agent: TcpStream,
    to: SocketAddr,
    fault: Fault,
    number: u64,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
) {
    if fault == Fault::CaptivePortal {
        let mut asked = [0; 4096];
        let _ = agent.read(&mut asked).await;
        let page = "<html><title>Welcome to the hotel</title>Please sign in.</html>";
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{page}",
            page.len()
        );
        let _ = agent.write_all(answer.as_bytes()).await;
        return;
    }
    let Ok(collector) = TcpStream::connect(to).await else { return };
    let _ = (agent.set_nodelay(true), collector.set_nodelay(true));
    let (from_agent, to_agent) = agent.into_split();
    let (from_collector, to_collector) = collector.into_split();
    let (mut above, mut below) = (Limit::None, Limit::None);
    let mut tear = None;
    match fault {
        Fault::None | Fault::CaptivePortal => {}
        Fault::CutUp(bytes) => above = Limit::Cut(bytes),
        Fault::CutDown(bytes) => below = Limit::Cut(bytes),
        Fault::StallUp(bytes) => above = Limit::Stall(bytes),
        Fault::StallDown(bytes) => below = Limit::Stall(bytes),
        Fault::Torn { seed } => {
            tear = Some(mix(seed, number, 1));
            if mix(seed, number, 2).is_multiple_of(2) {
                above = Limit::Cut(mix(seed, number, 3) % 3_000);
            }
        }
    }
    tokio::select! {
        () = pass(from_agent, to_collector, above, tear, &up) => {}
        () = pass(from_collector, to_agent, below, tear, &down) => {}
    }
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    None,
    Cut(u64),
    Stall(u64),
}

/// Passes bytes on until one side ends or the limit is reached. When it returns, both directions
/// are closed.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    limit: Limit,
    tear: Option<u64>,
    count: &AtomicU64,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut passed = 0;
    loop {
        let left = match limit {
            Limit::None => u64::MAX,
            Limit::Cut(bytes) | Limit::Stall(bytes) => bytes - passed,
        };
        if left == 0 {
            if matches!(limit, Limit::Stall(_)) {
                std::future::pending::<()>().await;
            }
            return;
        }
        let piece = tear.map_or(u64::MAX, |seed| 1 + mix(seed, passed, 4) % 200);
        let most = usize::try_from(left.min(piece)).unwrap_or(usize::MAX).min(buffer.len());
        let Ok(read) = from.read(&mut buffer[..most]).await else { return };
        if read == 0 {
            // The other direction may still have something to say.
            let _ = to.shutdown().await;
            std::future::pending::<()>().await;
        }
        if let Some(seed) = tear {
            tokio::time::sleep(Duration::from_millis(mix(seed, passed, 5) % 4)).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        passed += read as u64;
        count.fetch_add(read as u64, Ordering::SeqCst);
    }
}

/// A proxy as companies have them: it lets through whoever knows the password.
#[derive(Debug)]
pub struct ConnectProxy {
    /// Its address.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConnectProxy {
    /// Lets through those who send this as `Proxy-Authorization`.
    pub async fn that_wants(authorization: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            while let Ok((agent, _)) = listener.accept().await {
                tokio::spawn(let_through(agent, authorization, Arc::clone(&seen)));
            }
        });
        Self { address, requests, task }
    }

    /// Everything that it was asked so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn let_through(
    mut agent: TcpStream,
    authorization: &'static str,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = agent.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    if !head.contains(&format!("Proxy-Authorization: {authorization}\r\n")) {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
            Proxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n";
        let _ = agent.write_all(refusal).await;
        return;
    }
    let place = head.split_whitespace().nth(1).unwrap_or_default();
    let Ok(mut collector) = TcpStream::connect(place).await else { return };
    if agent.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
        let _ = tokio::io::copy_bidirectional(&mut agent, &mut collector).await;
    }
}
