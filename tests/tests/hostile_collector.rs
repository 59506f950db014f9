//! What a collector that means harm can do to the real agent: nothing but not be told.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollcall_agent::spool::Spool;
use rollcall_tests::impostor::{Attack, Impostor, honest, ok};
use rollcall_tests::programs::{agent, binary};

/// More than this the agent never holds.
const RSS_LIMIT_KIB: u64 = 64 * 1024;

/// Somebody whom the agent has no business with: counts who comes.
static BYSTANDER: OnceLock<String> = OnceLock::new();
static VISITS: AtomicUsize = AtomicUsize::new(0);

fn bystander() -> &'static str {
    BYSTANDER.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                VISITS.fetch_add(1, Ordering::SeqCst);
            }
        });
        address
    })
}

type Told = std::io::Result<()>;

fn redirect(stream: &mut TcpStream, status: u16, to: &str) -> Told {
    write!(stream, "HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

/// Sends the same piece until the other side hangs up, at most 10 GB.
fn endless(stream: &mut TcpStream, piece: &[u8]) -> Told {
    for _ in 0..(10_u64 << 30) / piece.len() as u64 {
        stream.write_all(piece)?;
    }
    Ok(())
}

const ATTACKS: &[(&str, Attack)] = &[
    ("garbage", |stream, _| stream.write_all(&[0xff; 4096])),
    ("a page", |stream, _| ok(stream, b"<html>Welcome</html>")),
    ("half an answer", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"report")?;
        Err(std::io::ErrorKind::Other.into())
    }),
    ("a body of 10 GB", |stream, _| {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 10_u64 << 30)?;
        endless(stream, &[b' '; 64 * 1024])
    }),
    ("a body without end", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend([b'['; 0x10000]);
        chunk.extend(b"\r\n");
        endless(stream, &chunk)
    }),
    ("headers without end", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        endless(stream, format!("x-more: {}\r\n", "m".repeat(4000)).as_bytes())
    }),
    ("one header without end", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-more: ")?;
        endless(stream, &[b'm'; 64 * 1024])
    }),
    ("a first line without end", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 ")?;
        endless(stream, &[b'O'; 64 * 1024])
    }),
    ("a promise without end", |stream, _| endless(stream, b"HTTP/1.1 100 Continue\r\n\r\n")),
    ("chunk sizes without end", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;")?;
        endless(stream, &[b'x'; 64 * 1024])
    }),
    ("a bomb", |stream, _| {
        let bomb = zstd::bulk::compress(&vec![b'['; 512 << 20], 3).unwrap();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        )?;
        stream.write_all(&bomb)
    }),
    ("a deep nesting", |stream, _| ok(stream, &[b'['; 900_000])),
    ("a redirect to another port", |stream, _| {
        redirect(stream, 302, &format!("http://{}/agent/v1/check-in", bystander()))
    }),
    ("a redirect that keeps the method", |stream, _| {
        redirect(stream, 307, &format!("http://{}/agent/v1/check-in", bystander()))
    }),
    ("a redirect for ever", |stream, _| {
        redirect(stream, 308, &format!("https://{}/", bystander()))
    }),
    ("a redirect to a file", |stream, _| redirect(stream, 301, "file:///etc/shadow")),
    ("a change of the protocol", |stream, _| {
        stream.write_all(b"HTTP/1.1 101 Switching\r\nupgrade: rpc\r\nconnection: upgrade\r\n\r\n")
    }),
    ("another place for later", |stream, _| {
        let place = bystander();
        write!(
            stream,
            "HTTP/1.1 503 Later\r\nalt-svc: h2=\"{place}\"\r\nretry-after: 99999999999999999999\r\n\
             link: <http://{place}/x>; rel=preload\r\ncontent-length: 0\r\n\r\n"
        )
    }),
    ("an answer for another report", |stream, _| {
        ok(
            stream,
            br#"{"report_id":"019734e0-0000-7000-8000-00000000beef","stored":true,
                "server_time":"2026-11-25T00:00:00Z"}"#,
        )
    }),
    ("a wish for files", |stream, report| {
        let id = report.report_id;
        let names: Vec<String> = (0..5_000).map(|n| format!("\"../../etc/shadow{n}\"")).collect();
        let want = names.join(",");
        ok(
            stream,
            format!(
                r#"{{"report_id":"{id}","stored":false,"want":["/etc/shadow",{want}],
                "server_time":"2026-11-25T00:00:00Z",
                "settings":{{"sections_off":["/etc/passwd"],"run":"/bin/sh","url":"http://{}"}}}}"#,
                bystander()
            )
            .as_bytes(),
        )
    }),
    ("an error for all time", |stream, _| {
        let text = "x".repeat(500_000);
        let body = format!(r#"{{"type":"about:blank","status":500,"detail":"{text}"}}"#);
        write!(
            stream,
            "HTTP/1.1 500 No\r\ncontent-type: application/problem+json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }),
    ("an answer drop by drop", |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }),
    ("silence", |stream, _| {
        use std::io::Read as _;
        // Until the agent hangs up.
        stream.read_exact(&mut [0]).and(Err(std::io::ErrorKind::Other.into()))
    }),
];

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Service {
    fn start(state: &Path) -> Self {
        let child = Command::new(binary("rollcall-agent"))
            .arg("run")
            .env("ROLLCALL_STATE", state)
            .env("ROLLCALL_REQUEST_TIMEOUT_S", "3")
            .env("ROLLCALL_CONNECT_TIMEOUT_S", "3")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Waits for the end of the first check-in; gives what the status says of it.
    fn after_check_in(&mut self, state: &Path) -> serde_json::Value {
        let path = state.join("status.json");
        loop {
            assert!(self.0.try_wait().unwrap().is_none(), "the agent ended");
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Ok(status) = serde_json::from_str::<serde_json::Value>(&text)
                && !status["next_at"].is_null()
            {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap()
    }

    fn peak_rss_kib(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Inodes of its sockets.
    fn sockets(&self) -> BTreeSet<String> {
        let folder = format!("/proc/{}/fd", self.0.id());
        let links = std::fs::read_dir(folder).unwrap();
        links
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .filter_map(|link| {
                Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
            })
            .collect()
    }

    /// Lines of the kernel's tables that tell of a socket of this process at which others can come
    /// in: waiting TCP, any UDP or raw one, and named local ones.
    fn doors(&self) -> Vec<String> {
        const LISTENING: &str = "0A";
        let mine = self.sockets();
        let mut doors = Vec::new();
        for (table, inode) in
            [("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("raw", 9), ("raw6", 9), ("unix", 6)]
        {
            let text = std::fs::read_to_string(format!("/proc/{}/net/{table}", self.0.id()));
            for line in text.unwrap_or_default().lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let is_mine = fields.get(inode).is_some_and(|inode| mine.contains(*inode));
                let open = match table {
                    "tcp" | "tcp6" => fields.get(3) == Some(&LISTENING),
                    // A name after the number.
                    "unix" => fields.len() > 7,
                    _ => true,
                };
                if is_mine && open {
                    doors.push(format!("{table}: {line}"));
                }
            }
        }
        doors
    }
}

fn enrolled(state: &Path, impostor: &Impostor) {
    let said = agent(state, ["enroll", &impostor.join()]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn a_hostile_collector_gets_nothing_and_costs_no_memory() {
    let mut peaks = Vec::new();
    for (name, attack) in ATTACKS {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let impostor = Impostor::start(*attack);
        enrolled(&state, &impostor);
        std::fs::remove_file(state.join("status.json")).unwrap();
        let mut service = Service::start(&state);
        let status = service.after_check_in(&state);
        assert!(impostor.attacked() > 0, "{name}: it was not tried");
        assert!(status["last_error"].is_string(), "{name}: {status}");
        assert!(status["last_stored"].is_null(), "{name}: {status}");
        assert_eq!(service.doors(), Vec::<String>::new(), "{name}");
        let peak = service.peak_rss_kib();
        assert!(peak < RSS_LIMIT_KIB, "{name}: {peak} KiB");
        peaks.push(peak);
        drop(service);
        // What it was not told is kept, and told to an honest one.
        assert_eq!(Spool::peek(&state.join("spool")).seqs().unwrap().len(), 1, "{name}");
        impostor.set(honest);
        let said = agent(&state, ["once"]);
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        assert_eq!(Spool::peek(&state.join("spool")).seqs().unwrap().len(), 0, "{name}");
    }
    assert_eq!(VISITS.load(Ordering::SeqCst), 0, "the agent went elsewhere");
    println!("largest memory under attack: {} KiB", peaks.iter().max().unwrap());
}

/// Files that were opened and addresses that were connected to.
fn traced(state: &Path) -> Option<BTreeSet<String>> {
    let log = state.with_extension("trace");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=open,openat,openat2,connect,execve", "-o"])
        .arg(&log)
        .arg(binary("rollcall-agent"))
        .args(["once"])
        .env("ROLLCALL_STATE", state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.ok()?;
    let text = std::fs::read_to_string(log).ok()?;
    let place = |line: &str| {
        let quoted = line.split('"').nth(1);
        let port = line.contains("connect(").then(|| line.split("htons(").nth(1));
        let port = port.flatten().and_then(|rest| rest.split(')').next());
        port.or(quoted).map(str::to_owned)
    };
    Some(text.lines().filter_map(place).collect())
}

#[test]
fn no_answer_makes_the_agent_read_or_start_anything_else() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("NOT RUN  what the agent opens: there is no strace here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, attack: Attack| {
        let state = folder.path().join(name);
        let impostor = Impostor::start(attack);
        enrolled(&state, &impostor);
        let own = [state.to_str().unwrap().to_owned(), impostor.address.port().to_string()];
        let seen = traced(&state).unwrap();
        assert!(seen.contains(&own[1]), "it connected to its collector: {seen:?}");
        // Processes come and go meanwhile, and their files with them.
        let counts = |place: &String| {
            !place.starts_with(&own[0]) && *place != own[1] && !place.starts_with("/proc/")
        };
        seen.into_iter().filter(counts).collect::<BTreeSet<String>>()
    };
    let usual = run("honest", honest);
    assert!(usual.len() > 20, "{usual:?}");
    for wanted in ["a wish for files", "a redirect to a file", "a redirect that keeps the method"] {
        let attack = ATTACKS.iter().find(|(name, _)| *name == wanted).unwrap().1;
        let seen = run(&wanted.replace(' ', "-"), attack);
        let more: Vec<&String> = seen.difference(&usual).collect();
        assert!(more.is_empty(), "{wanted}: {more:?}");
    }
}

#[test]
fn the_running_agent_listens_on_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let impostor = Impostor::start(honest);
    enrolled(&state, &impostor);
    std::fs::remove_file(state.join("status.json")).unwrap();
    let mut service = Service::start(&state);
    let mut doors = BTreeSet::new();
    // While it looks, while it tells, and while it waits.
    while service.proc("comm").is_empty() || !state.join("status.json").exists() {
        doors.extend(service.doors());
        std::thread::sleep(Duration::from_millis(2));
    }
    let status = service.after_check_in(&state);
    assert!(status["last_stored"].is_object(), "{status}");
    doors.extend(service.doors());
    assert_eq!(doors, BTreeSet::new());
}
