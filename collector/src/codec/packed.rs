//! Unpacks what agents send, zstd or gzip, within a limit: what is too large costs time, never
//! memory.

use std::io::{self, Read};

/// Unpacked bodies above this are held in memory by few at a time.
pub const HEAVY_BYTES: usize = 1024 * 1024;
/// The largest zstd window accepted, as a power of two: what the levels up to 19 use. It bounds
/// the memory of unpacking.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Why a body is not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// It holds more than the limit.
    #[error("the request is larger than the limits allow")]
    TooLarge,
    /// It is not what its encoding says.
    #[error("the body is not valid {0}")]
    Damaged(String),
    /// Nobody packs like that here.
    #[error("the content encoding must be zstd, gzip or identity")]
    Unknown,
}

/// How many bytes a body holds, found without holding them; more than `limit` is refused.
pub fn size(encoding: &str, body: &[u8], limit: usize) -> Result<usize, Unpackable> {
    let damaged = |_: io::Error| Unpackable::Damaged(encoding.to_owned());
    match encoding {
        "zstd" => match said_size(body) {
            // Not believed, but small enough to be held.
            Some(size) if size <= HEAVY_BYTES.min(limit) => Ok(size),
            _ => count_up_to(zstd_reader(body).map_err(damaged)?, limit, damaged),
        },
        "gzip" => count_up_to(flate2::bufread::GzDecoder::new(body), limit, damaged),
        _ if body.len() > limit => Err(Unpackable::TooLarge),
        _ => Ok(body.len()),
    }
}

fn zstd_reader(body: &[u8]) -> io::Result<zstd::stream::read::Decoder<'_, &[u8]>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn count_up_to(
    mut reader: impl Read,
    limit: usize,
    damaged: impl FnOnce(io::Error) -> Unpackable,
) -> Result<usize, Unpackable> {
    let mut chunk = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(size),
            Ok(count) if size + count > limit => return Err(Unpackable::TooLarge),
            Ok(count) => size += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

/// Unpacks a body of at most `limit` bytes.
pub fn unpack(encoding: &str, body: &[u8], limit: usize) -> Result<Vec<u8>, Unpackable> {
    let damaged = |_: io::Error| Unpackable::Damaged(encoding.to_owned());
    match encoding {
        "zstd" => match said_size(body) {
            // Unpacked at once, with a context that is at hand.
            Some(size) if size <= HEAVY_BYTES.min(limit) => {
                super::unpack(body, size).ok_or_else(|| Unpackable::Damaged(encoding.to_owned()))
            }
            _ => read_up_to(zstd_reader(body).map_err(damaged)?, limit, damaged),
        },
        "gzip" => read_up_to(flate2::bufread::GzDecoder::new(body), limit, damaged),
        "identity" if body.len() <= limit => Ok(body.to_vec()),
        "identity" => Err(Unpackable::TooLarge),
        _ => Err(Unpackable::Unknown),
    }
}

/// How many bytes one zstd frame says it holds, if these bytes are one that says so.
fn said_size(body: &[u8]) -> Option<usize> {
    let whole = zstd::zstd_safe::find_frame_compressed_size(body).ok()?;
    let size = zstd::zstd_safe::get_frame_content_size(body).ok().flatten()?;
    usize::try_from(size).ok().filter(|_| whole == body.len())
}

/// Stops at the limit: what does not fit is never unpacked.
fn read_up_to(
    reader: impl Read,
    limit: usize,
    damaged: impl FnOnce(io::Error) -> Unpackable,
) -> Result<Vec<u8>, Unpackable> {
    let mut out = Vec::with_capacity(limit.min(HEAVY_BYTES));
    let mut reader = reader.take(limit as u64 + 1);
    let mut chunk = [0; 8 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(out),
            Ok(count) if out.len() + count > limit => return Err(Unpackable::TooLarge),
            Ok(count) => out.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use rollcall_shared::report::limits;

    use super::*;

    /// A bomb of zeros, packed in small steps.
    fn bomb<W: io::Write>(mut packer: W, bytes: usize) -> W {
        let zeros = vec![0; 64 * 1024];
        for _ in 0..bytes / zeros.len() {
            packer.write_all(&zeros).unwrap();
        }
        packer
    }

    const GIBIBYTE: usize = 1024 * 1024 * 1024;

    #[test]
    fn bombs_are_refused_at_the_limit() {
        let zstd = bomb(zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap(), GIBIBYTE);
        let zstd = zstd.finish().unwrap();
        assert!(zstd.len() < limits::COMPRESSED_BYTES as usize);
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let gzip = bomb(gzip, GIBIBYTE / 4).finish().unwrap();
        for (encoding, body) in [("zstd", zstd), ("gzip", gzip)] {
            let refused = unpack(encoding, &body, limits::DECOMPRESSED_BYTES);
            assert!(matches!(refused, Err(Unpackable::TooLarge)), "{encoding}");
            let counted = size(encoding, &body, limits::DECOMPRESSED_BYTES);
            assert!(matches!(counted, Err(Unpackable::TooLarge)), "{encoding}");
        }
    }

    #[test]
    fn a_window_that_needs_much_memory_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&[7; 1000]).unwrap();
        encoder.flush().unwrap();
        let body = encoder.finish().unwrap();
        assert!(unpack("zstd", &body, 10_000).is_err());
    }

    #[test]
    fn what_agents_send_is_unpacked() {
        let text = b"{\"a\":1}".repeat(1000);
        let zstd = zstd::bulk::compress(&text, 3).unwrap();
        assert_eq!(size("zstd", &zstd, text.len()).unwrap(), text.len());
        assert_eq!(unpack("zstd", &zstd, text.len()).unwrap(), text);
        assert!(matches!(unpack("zstd", &zstd, text.len() - 1), Err(Unpackable::TooLarge)));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text).unwrap();
        assert_eq!(unpack("gzip", &gzip.finish().unwrap(), text.len()).unwrap(), text);
        assert_eq!(unpack("identity", &text, text.len()).unwrap(), text);
        assert!(unpack("br", &text, text.len()).is_err());
        assert!(unpack("zstd", b"nonsense", 10).is_err());
        assert!(unpack("zstd", &zstd[..zstd.len() - 3], text.len()).is_err(), "cut");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(body: Vec<u8>) {
            let _ = unpack("zstd", &body, 1000);
            let _ = size("zstd", &body, 1000);
            let _ = size("gzip", &body, 1000);
            let _ = unpack("gzip", &body, 1000);
        }
    }
}
