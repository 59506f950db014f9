//! A section's text as zstd, and its past as small patches against the newer text.
//!
//! A patch is the older text compressed with the newer one as dictionary. The empty text stands
//! for "there is none" and its coding is empty, too.

use rollcall_shared::report::limits;

use super::Damaged;

/// Level of a present document: read often, written once.
const PRESENT_LEVEL: i32 = 3;
/// Level of a patch: searches longer, since it is kept for years.
const PATCH_LEVEL: i32 = 12;
/// Above this size of text a patch is made at the quick level.
const LARGE_BYTES: usize = 256 * 1024;

/// The bytes of a text.
pub fn compress(text: &str) -> Vec<u8> {
    pack(text, "", PRESENT_LEVEL)
}

/// The text of these bytes.
pub fn decompress(bytes: &[u8]) -> Result<String, Damaged> {
    unpack(bytes, "")
}

/// What leads from the newer text back to the older one.
pub fn patch(newer: &str, older: &str) -> Vec<u8> {
    let large = newer.len().max(older.len()) > LARGE_BYTES;
    pack(older, newer, if large { PRESENT_LEVEL } else { PATCH_LEVEL })
}

/// The older text of this newer one.
pub fn undo(newer: &str, patch: &[u8]) -> Result<String, Damaged> {
    unpack(patch, newer)
}

fn pack(text: &str, dictionary: &str, level: i32) -> Vec<u8> {
    if text.is_empty() {
        return Vec::new();
    }
    let packed = if dictionary.is_empty() && level == PRESENT_LEVEL {
        super::pack(text.as_bytes())
    } else {
        zstd::bulk::Compressor::with_dictionary(level, dictionary.as_bytes())
            .and_then(|mut compressor| compressor.compress(text.as_bytes()))
            .ok()
    };
    packed.unwrap_or_else(|| stored(text))
}

/// A zstd frame of raw blocks: what is left when there is no memory to compress in.
fn stored(text: &str) -> Vec<u8> {
    const BLOCK: usize = 128 * 1024;
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000];
    out.extend((text.len() as u64).to_le_bytes());
    let blocks = text.len().div_ceil(BLOCK);
    for (index, block) in text.as_bytes().chunks(BLOCK).enumerate() {
        let header = block.len() << 3 | usize::from(index + 1 == blocks);
        out.extend(&header.to_le_bytes()[..3]);
        out.extend(block);
    }
    out
}

fn unpack(bytes: &[u8], dictionary: &str) -> Result<String, Damaged> {
    if bytes.is_empty() {
        return Ok(String::new());
    }
    let size = zstd::zstd_safe::get_frame_content_size(bytes)
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size <= 2 * limits::DECOMPRESSED_BYTES)
        .ok_or(Damaged("a document does not say its size"))?;
    let text = if dictionary.is_empty() {
        super::unpack(bytes, size)
    } else {
        zstd::bulk::Decompressor::with_dictionary(dictionary.as_bytes())
            .and_then(|mut decompressor| decompressor.decompress(bytes, size))
            .ok()
    };
    let text = text.ok_or(Damaged("a document cannot be unpacked"))?;
    String::from_utf8(text).map_err(|_| Damaged("a document is not text"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_small_change_of_a_document_is_a_small_patch() {
        let row = |n: u32| format!(r#"{{"name":"eth{n}","up":true}}"#);
        let older = (0..200).map(row).collect::<Vec<_>>().join(",");
        let newer = older.replace("eth77", "wlan77");
        let patch = patch(&newer, &older);
        assert!(patch.len() < 60, "{}", patch.len());
        assert_eq!(undo(&newer, &patch), Ok(older));
    }

    #[test]
    fn a_large_document_and_a_stored_one_read_back() {
        let numbers: Vec<String> = (0..300_000).map(|n: u32| n.to_string()).collect();
        let older = numbers.join(",");
        let newer = format!("[{older}]");
        assert_eq!(undo(&newer, &patch(&newer, &older)), Ok(older.clone()));
        assert_eq!(decompress(&stored(&older)), Ok(older));
    }

    proptest! {
        #[test]
        fn undo_takes_back_what_a_change_did(older: String, newer: String) {
            prop_assert_eq!(decompress(&compress(&newer)), Ok(newer.clone()));
            prop_assert_eq!(undo(&newer, &patch(&newer, &older)), Ok(older));
        }

        #[test]
        fn any_bytes_are_a_text_or_refused(bytes: Vec<u8>, newer: String) {
            let _ = decompress(&bytes);
            let _ = undo(&newer, &bytes);
        }
    }
}
