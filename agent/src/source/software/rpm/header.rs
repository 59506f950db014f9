//! The header of one installed RPM package, as the database keeps it. Knows bytes, no files.
//!
//! Layout, all numbers big-endian: count of index entries, size of the data, then the entries
//! (tag, type, offset, count), then the data.

use rollcall_shared::Timestamp;
use rollcall_shared::section::Software;

use crate::source::text::some;

const ENTRY_BYTES: usize = 16;
/// Far above what the largest packages need.
const ENTRIES_LIMIT: usize = 64 * 1024;

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const INSTALL_TIME: u32 = 1008;
const SIZE: u32 = 1009;
const VENDOR: u32 = 1011;
const ARCHITECTURE: u32 = 1022;
const SOURCE_RPM: u32 = 1044;
const LONG_SIZE: u32 = 5009;

const TYPE_INT32: u32 = 4;
const TYPE_INT64: u32 = 5;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_TRANSLATED: u32 = 9;

/// The number at `offset`, of four bytes, big-endian.
fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

fn size_at(bytes: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(number_at(bytes, offset)?).ok()
}

/// Text up to its NUL.
fn text_at(data: &[u8], kind: u32, offset: usize) -> Option<String> {
    if !matches!(kind, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_TRANSLATED) {
        return None;
    }
    let rest = data.get(offset..)?;
    let end = memchr::memchr(0, rest)?;
    rest.get(..end).and_then(some)
}

fn integer_at(data: &[u8], kind: u32, offset: usize) -> Option<u64> {
    match kind {
        TYPE_INT32 => number_at(data, offset).map(u64::from),
        TYPE_INT64 => {
            let eight = data.get(offset..offset.checked_add(8)?)?;
            Some(u64::from_be_bytes(eight.try_into().ok()?))
        }
        _ => None,
    }
}

/// Reads a header; `None` when it is broken or speaks of a signing key and not of software.
pub(crate) fn parse(bytes: &[u8]) -> Option<Software> {
    let entries = size_at(bytes, 0)?;
    if entries > ENTRIES_LIMIT {
        return None;
    }
    let data_start = 8 + entries * ENTRY_BYTES;
    let data_end = data_start.checked_add(size_at(bytes, 4)?)?;
    let index = bytes.get(8..data_start)?;
    let data = bytes.get(data_start..data_end)?;

    let mut row = Software { source: "rpm".to_owned(), ..Software::default() };
    let (mut version, mut release, mut epoch, mut source) = (None, None, None, None);
    for entry in index.chunks_exact(ENTRY_BYTES) {
        let tag = number_at(entry, 0)?;
        let kind = number_at(entry, 4)?;
        let offset = size_at(entry, 8)?;
        match tag {
            NAME => row.name = text_at(data, kind, offset)?,
            VERSION => version = text_at(data, kind, offset),
            RELEASE => release = text_at(data, kind, offset),
            EPOCH => epoch = integer_at(data, kind, offset),
            VENDOR => row.publisher = text_at(data, kind, offset),
            ARCHITECTURE => row.architecture = text_at(data, kind, offset),
            SOURCE_RPM => source = text_at(data, kind, offset),
            SIZE if row.size_bytes.is_none() => row.size_bytes = integer_at(data, kind, offset),
            LONG_SIZE => row.size_bytes = integer_at(data, kind, offset).or(row.size_bytes),
            INSTALL_TIME => {
                row.installed_at = integer_at(data, kind, offset)
                    .and_then(|seconds| i64::try_from(seconds).ok())
                    .filter(|seconds| *seconds > 0)
                    .map(Timestamp::from_seconds);
            }
            _ => {}
        }
    }
    if row.name.is_empty() || row.name == "gpg-pubkey" {
        return None;
    }
    let own = format!("{}-{}", version?, release?);
    if let Some((name, version)) = source.as_deref().and_then(source_parts) {
        row.source_package = Some(name.to_owned());
        row.source_version = (version != own).then(|| version.to_owned());
    }
    row.version = match epoch {
        Some(epoch) if epoch > 0 => format!("{epoch}:{own}"),
        _ => own,
    };
    Some(row)
}

/// `bash` and `5.1.8-6.el9` of `bash-5.1.8-6.el9.src.rpm`.
fn source_parts(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let release = stem.rfind('-')?;
    let version = stem.get(..release)?.rfind('-')?;
    Some((stem.get(..version)?, stem.get(version + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_source_package_is_taken_apart_from_its_end() {
        let parts = source_parts("python-urllib3-1.26.5-6.el9.src.rpm");
        assert_eq!(parts, Some(("python-urllib3", "1.26.5-6.el9")));
        assert_eq!(source_parts("(none)"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(mut bytes: Vec<u8>, entries in 0_u8..4, tag in 1000_u32..1010) {
            parse(&bytes);
            if bytes.len() > 16 {
                bytes[..8].copy_from_slice(&[0, 0, 0, entries, 0, 0, 0, 4]);
                bytes[8..12].copy_from_slice(&tag.to_be_bytes());
                parse(&bytes);
            }
        }
    }
}
