//! Small bodies that unpack to a gibibyte, from a device with a valid key.

use std::io::Write as _;
use std::time::Duration;

use reqwest::StatusCode;
use rollcall_agent::clock::Stopwatch;

use super::honest::Honest;
use super::place::Place;
use crate::lost::Told;
use crate::lost::now;
use crate::wire::WireError;

/// Memory that unpacking may cost for a moment, in MiB.
const GROWTH_MIB: u64 = 32;
/// Sent at the same time.
const AT_ONCE: usize = 8;

/// How large, and how long refusing one may take; `None` does not look at it.
#[derive(Debug, Clone, Copy)]
pub struct Bombs {
    /// Unpacked bytes of each.
    pub bytes: usize,
    /// Longest time until one alone is refused.
    pub refused_within: Option<Duration>,
}

fn packed(encoding: &str, bytes: usize) -> Vec<u8> {
    let zeros = vec![b' '; 1024 * 1024];
    let write = |packer: &mut dyn std::io::Write| {
        for _ in 0..bytes / zeros.len() {
            packer.write_all(&zeros).expect("memory can be written");
        }
    };
    if encoding == "zstd" {
        let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd is there");
        write(&mut packer);
        return packer.finish().expect("memory can be written");
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    write(&mut packer);
    packer.finish().expect("memory can be written")
}

/// Highest resident memory since [`forget_highest`], in MiB.
fn highest_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let row = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    row.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn forget_highest(pid: u32) {
    let clear = std::fs::File::options().write(true).open(format!("/proc/{pid}/clear_refs"));
    let _ = clear.and_then(|mut file| file.write_all(b"5"));
}

/// Sends them, one alone and some at once.
pub async fn run(bombs: Bombs) -> Told {
    let mut told = Told::default();
    let place = Place::start(&[]).await;
    let honest = Honest::enroll(place.folder.path(), &place.collector, 1).await;
    let pid = place.collector.pid();
    // What one ordinary report needs is there before.
    drop(honest.during(tokio::time::sleep(Duration::from_millis(500))).await);
    for encoding in ["zstd", "gzip"] {
        let body = packed(encoding, bombs.bytes);
        forget_highest(pid);
        let before = highest_mib(pid);
        let watch = Stopwatch::start();
        told.problems.extend(thrown(&honest, encoding, &body, 1).await);
        let took = watch.elapsed();
        let one = highest_mib(pid);
        told.problems.extend(thrown(&honest, encoding, &body, 1_000).await);
        let many = futures_at_once(&honest, encoding, &body).await;
        told.problems.extend(many);
        let all = highest_mib(pid);
        told.say(format!(
            "{encoding}: {} KiB that unpack to {} MiB: refused with 413 after {:.0} ms; memory of \
             the collector {before} MiB before, {one} MiB at most, {all} MiB with {AT_ONCE} at once",
            body.len() / 1024,
            bombs.bytes / 1024 / 1024,
            took.as_secs_f64() * 1e3,
        ));
        if all > before + GROWTH_MIB {
            told.problems.push(format!("{encoding}: memory grew from {before} to {all} MiB"));
        }
        if let Some(limit) = bombs.refused_within.filter(|limit| took > *limit) {
            told.problems.push(format!("{encoding}: refused after {took:?}, later than {limit:?}"));
        }
    }
    let ((), seen) = honest.during(tokio::time::sleep(Duration::from_millis(500))).await;
    told.problems.extend(seen.problems);
    told.problems.extend(honest.check(&place.console).await);
    told
}

async fn futures_at_once(honest: &Honest, encoding: &str, body: &[u8]) -> Vec<String> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..AT_ONCE {
        let (wire, device) = (honest.wire(), honest.first().device.clone());
        let (encoding, body) = (encoding.to_owned(), body.to_vec());
        tasks.spawn(
            async move { throw(&wire, &device, &encoding, body, 2_000 + number as u64).await },
        );
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn thrown(honest: &Honest, encoding: &str, body: &[u8], seq: u64) -> Option<String> {
    throw(&honest.wire(), &honest.first().device, encoding, body.to_vec(), seq).await
}

async fn throw(
    wire: &crate::wire::Wire,
    device: &crate::wire::Device,
    encoding: &str,
    body: Vec<u8>,
    seq: u64,
) -> Option<String> {
    let id = device.id.to_string();
    let whose = (&*device.key, id.as_str());
    match wire.signed_as(encoding, "/agent/v1/check-in", whose, seq, body, now()).await {
        Err(WireError::Status { status: StatusCode::PAYLOAD_TOO_LARGE, .. }) => None,
        other => Some(format!("{encoding}: not refused as too large: {other:?}")),
    }
}
