//! A collector that means harm: it enrols agents as the real one does, and then answers whatever a
//! test wants, byte for byte.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rollcall_shared::report::CheckIn;

/// Writes an answer to a check-in, however wrong; it gets the report that was sent.
pub type Attack = fn(&mut TcpStream, &CheckIn) -> std::io::Result<()>;

/// A hostile collector on loopback, over plain HTTP, which agents speak there.
#[derive(Debug)]
pub struct Impostor {
    /// Its address.
    pub address: SocketAddr,
    attack: Arc<Mutex<Attack>>,
    attacked: Arc<AtomicUsize>,
}

impl Impostor {
    /// Starts with this attack.
    pub fn start(attack: Attack) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let attack = Arc::new(Mutex::new(attack));
        let attacked = Arc::new(AtomicUsize::new(0));
        let (now, count) = (Arc::clone(&attack), Arc::clone(&attacked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (now, count) = (Arc::clone(&now), Arc::clone(&count));
                std::thread::spawn(move || answer(stream, &now, &count));
            }
        });
        Self { address, attack, attacked }
    }

    /// The line with which an agent enrols here.
    pub fn join(&self) -> String {
        format!("rcl1:http://{}#rcl_enr_{}", self.address, "a".repeat(43))
    }

    /// From the next check-in on this is done.
    pub fn set(&self, attack: Attack) {
        *self.attack.lock().unwrap_or_else(PoisonError::into_inner) = attack;
    }

    /// Attacks that were begun.
    pub fn attacked(&self) -> usize {
        self.attacked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, attack: &Mutex<Attack>, count: &AtomicUsize) {
    while let Some((path, body)) = request(&mut stream) {
        if path == "/agent/v1/enroll" {
            let json = br#"{"device_id":"019734e0-0000-7000-8000-000000000001","status":"active",
                "settings":{}}"#;
            if ok(&mut stream, json).is_err() {
                return;
            }
            continue;
        }
        let json = zstd::bulk::decompress(&body, 64 << 20).unwrap_or_default();
        let Ok(report) = serde_json::from_slice::<CheckIn>(&json) else { return };
        let attack = *attack.lock().unwrap_or_else(PoisonError::into_inner);
        count.fetch_add(1, Ordering::SeqCst);
        // The agent hangs up in the middle of most.
        if attack(&mut stream, &report).is_err() {
            return;
        }
    }
}

/// Reads one request; `None` when the agent has nothing more to ask.
fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head.split_whitespace().nth(1)?.to_owned(), body))
}

/// Answers well.
pub fn ok(stream: &mut TcpStream, json: &[u8]) -> std::io::Result<()> {
    let length = json.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(json)
}

/// Stores the report, as an honest collector would.
pub fn honest(stream: &mut TcpStream, report: &CheckIn) -> std::io::Result<()> {
    let id = report.report_id;
    let json =
        format!(r#"{{"report_id":"{id}","stored":true,"server_time":"2026-11-25T00:00:00Z"}}"#);
    ok(stream, json.as_bytes())
}
