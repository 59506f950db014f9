//! The answer to a commit is lost: PostgreSQL has stored what the collector was not told of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Told;
use super::fleet::Patience;
use super::kills::{Place, begin, finish};
use super::postgres::Postgres;
use crate::wire::Wire;

/// Titles of each device.
const TITLES: u32 = 20;

/// Passes the messages of PostgreSQL on, and keeps the answer to some commits for itself.
#[derive(Debug, Default)]
struct Thief {
    /// The next answer to a commit is kept back, and its connection ends.
    armed: AtomicBool,
    taken: AtomicU64,
}

impl Thief {
    /// Listens in front of the server at `url`; gives the address to use instead.
    async fn before(self: &Arc<Self>, url: &str) -> String {
        let (scheme, rest) = url.split_once('@').expect("an address with a user");
        let (address, name) = rest.split_once('/').expect("an address with a database");
        let target: SocketAddr = address.parse().expect("an address with a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let near = listener.local_addr().expect("it has an address");
        let thief = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&thief).pass(stream, target));
            }
        });
        format!("{scheme}@{near}/{name}")
    }

    async fn pass(self: Arc<Self>, mut near: TcpStream, target: SocketAddr) {
        let Ok(mut far) = TcpStream::connect(target).await else { return };
        let (mut asked, mut said) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            tokio::select! {
                count = near.read(&mut asked) => {
                    let Ok(count @ 1..) = count else { return };
                    let asked = &asked[..count];
                    let commits = asked.windows(6).any(|word| word == b"COMMIT");
                    if far.write_all(asked).await.is_err() {
                        return;
                    }
                    if commits && self.armed.swap(false, Ordering::SeqCst) {
                        // The answer comes after the commit is durable.
                        let _ = far.read(&mut said).await;
                        self.taken.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
                count = far.read(&mut said) => {
                    let Ok(count @ 1..) = count else { return };
                    if near.write_all(&said[..count]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Keeps so many answers to commits back, under load.
pub async fn lost_answers(times: u64, server: &Postgres) -> Told {
    let mut told = Told::default();
    let folder = tempfile::tempdir().expect("a folder for the collector");
    let mut place = Place::new(folder.path(), Some(server));
    let thief = Arc::new(Thief::default());
    let behind = place.database.take().expect("it has a database");
    place.database = Some(thief.before(&behind).await);
    let (collector, console, fleet, _) = begin(folder.path(), &place, 4, TITLES).await;
    let running = fleet.start(&[Wire::new(&collector.url)], Patience::FOREVER);
    for _ in 0..times {
        let enough = fleet.counts.acknowledged() + 8;
        while fleet.counts.acknowledged() < enough && !running.has_ended() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        thief.armed.store(true, Ordering::SeqCst);
        while thief.armed.load(Ordering::SeqCst) && !running.has_ended() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    told.problems.extend(running.stop().await);
    finish(&mut told, collector, &console, &fleet, &place).await;
    told.say(format!(
        "answers to commits of PostgreSQL lost   {:>4} times, {:>6} reports acknowledged",
        thief.taken.load(Ordering::SeqCst),
        fleet.ledger.len(),
    ));
    told
}
