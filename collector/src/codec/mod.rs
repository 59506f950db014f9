//! Pure coding of sets, deltas and documents for the tables. Knows neither tables nor sections.

pub mod delta;
pub mod document;
pub mod extra;
pub mod ids;
pub mod packed;
pub mod sanitise;
mod varint;

use std::cell::RefCell;

thread_local! {
    // Making these anew for each small text costs more than the work itself.
    static PACKER: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
        const { RefCell::new(None) };
}

/// Level of what is read often and written once.
const LEVEL: i32 = 3;

/// Bytes as one zstd frame; `None` without memory to do it in.
fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        if packer.is_none() {
            *packer = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        packer.as_mut()?.compress(bytes).ok()
    })
}

/// The bytes of one zstd frame of at most this many.
pub(crate) fn unpack(frame: &[u8], most: usize) -> Option<Vec<u8>> {
    UNPACKER.with_borrow_mut(|unpacker| {
        if unpacker.is_none() {
            *unpacker = zstd::bulk::Decompressor::new().ok();
        }
        unpacker.as_mut()?.decompress(frame, most).ok()
    })
}

/// Stored bytes that do not mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);
