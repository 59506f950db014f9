//! rpm's own database file `Packages.db`, as SUSE uses it. Reads one package at a time.
//!
//! Little-endian. Pages of slots come first; each slot names the blocks of one package. A package
//! stands between the marks `BlbS` and `BlbE`.

use std::io::{self, Read, Seek, SeekFrom};

use super::{HEADER_LIMIT_BYTES, broken};

const PAGE_BYTES: usize = 4096;
const SLOT_BYTES: usize = 16;
const BLOCK_BYTES: u64 = 16;
const PAGES_LIMIT: u32 = 4096;

fn number_at(bytes: &[u8], offset: usize) -> u32 {
    let four = bytes.get(offset..offset + 4).and_then(|four| four.try_into().ok());
    u32::from_le_bytes(four.unwrap_or_default())
}

/// Calls `on_header` with the header of every package.
pub(super) fn for_each_header(
    mut file: impl Read + Seek,
    on_header: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut page = [0_u8; PAGE_BYTES];
    let mut header = Vec::new();
    let mut pages = 1;
    let mut number = 0;
    while number < pages {
        file.seek(SeekFrom::Start(u64::from(number) * PAGE_BYTES as u64))?;
        file.read_exact(&mut page)?;
        // The file's own header takes the first two slots.
        let own = if number == 0 { 2 } else { 0 };
        if number == 0 {
            if !page.starts_with(b"RpmP") || number_at(&page, 4) != 0 {
                return Err(broken("it does not begin like one of rpm's package files"));
            }
            pages = number_at(&page, 12).min(PAGES_LIMIT);
        }
        for slot in page.chunks_exact(SLOT_BYTES).skip(own) {
            let (index, block) = (number_at(slot, 4), number_at(slot, 8));
            if slot.starts_with(b"Slot") && index != 0 && block != 0 {
                read_blob(&mut file, index, block, &mut header)?;
                on_header(&header);
            }
        }
        number += 1;
    }
    Ok(())
}

fn read_blob(
    file: &mut (impl Read + Seek),
    index: u32,
    block: u32,
    header: &mut Vec<u8>,
) -> io::Result<()> {
    let mut start = [0_u8; 16];
    file.seek(SeekFrom::Start(u64::from(block) * BLOCK_BYTES))?;
    file.read_exact(&mut start)?;
    if !start.starts_with(b"BlbS") || number_at(&start, 4) != index {
        return Err(broken("a package is not where the index says"));
    }
    let length = number_at(&start, 12);
    if length > HEADER_LIMIT_BYTES {
        return Err(broken("a package's header is too large"));
    }
    header.clear();
    file.take(u64::from(length)).read_to_end(header)?;
    if header.len() as u64 != u64::from(length) {
        return Err(broken("the file ends within a package"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_file_makes_it_panic(mut bytes: Vec<u8>, slots: Vec<[u8; 3]>) {
            let _ = for_each_header(io::Cursor::new(&bytes), &mut |_| {});
            bytes.resize(2 * PAGE_BYTES, 7);
            bytes[..8].copy_from_slice(b"RpmP\0\0\0\0");
            bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
            for (slot, [index, block, mark]) in slots.iter().enumerate().take(200) {
                let at = (slot + 2) * SLOT_BYTES;
                bytes[at..at + 16].copy_from_slice(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
                bytes[at + 4] = *index;
                bytes[at + 8] = *block;
                bytes[at + 12] = *mark;
            }
            let _ = for_each_header(io::Cursor::new(&bytes), &mut |_| {});
        }
    }
}
