//! The Berkeley DB hash file `Packages` of older systems. Reads one package at a time.
//!
//! Only what an rpm database needs: every hash page is visited in the order of the file and every
//! second item (the value) taken, from the page itself or from its chain of overflow pages.

use std::io::{self, Read, Seek, SeekFrom};

use super::{HEADER_LIMIT_BYTES, broken};

const MAGIC_HASH: u32 = 0x0006_1561;
const PAGE_HEADER_BYTES: usize = 26;
const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH_META: u8 = 8;
const PAGE_HASH: u8 = 13;
const ITEM_INLINE: u8 = 1;
const ITEM_OVERFLOW: u8 = 3;

/// The file with its page size and byte order.
struct Pages<F> {
    file: F,
    size: usize,
    big_endian: bool,
    last: u32,
}

impl<F: Read + Seek> Pages<F> {
    fn open(mut file: F) -> io::Result<Self> {
        let mut start = [0_u8; 72];
        file.read_exact(&mut start)?;
        let mut pages = Self { file, size: 0, big_endian: false, last: 0 };
        if pages.number(&start, 12) != MAGIC_HASH {
            pages.big_endian = true;
        }
        let size = pages.number(&start, 20);
        if pages.number(&start, 12) != MAGIC_HASH || start.get(25) != Some(&PAGE_HASH_META) {
            return Err(broken("it is not a Berkeley DB hash file"));
        }
        if start.get(24) != Some(&0) {
            return Err(broken("it is encrypted"));
        }
        if !(512..=65_536).contains(&size) || !size.is_power_of_two() {
            return Err(broken("its page size makes no sense"));
        }
        pages.size = size as usize;
        pages.last = pages.number(&start, 32);
        Ok(pages)
    }

    fn number(&self, bytes: &[u8], offset: usize) -> u32 {
        let four = bytes.get(offset..offset + 4).and_then(|four| four.try_into().ok());
        let four: [u8; 4] = four.unwrap_or_default();
        if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    }

    fn short(&self, bytes: &[u8], offset: usize) -> usize {
        let two = bytes.get(offset..offset + 2).and_then(|two| two.try_into().ok());
        let two: [u8; 2] = two.unwrap_or_default();
        usize::from(if self.big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    fn read(&mut self, number: u32, page: &mut Vec<u8>) -> io::Result<()> {
        page.resize(self.size, 0);
        self.file.seek(SeekFrom::Start(u64::from(number) * self.size as u64))?;
        self.file.read_exact(page)
    }

    /// Follows a chain of overflow pages until `length` bytes are together.
    fn read_chain(
        &mut self,
        first: u32,
        length: u32,
        page: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> io::Result<()> {
        if length > HEADER_LIMIT_BYTES {
            return Err(broken("a package's header is too large"));
        }
        value.clear();
        let mut number = first;
        while value.len() < length as usize {
            if number == 0 || number > self.last {
                return Err(broken("a package's header ends too early"));
            }
            self.read(number, page)?;
            let used = self.short(page, 22);
            if page.get(25) != Some(&PAGE_OVERFLOW) || used == 0 {
                return Err(broken("a package's header continues on a page of another kind"));
            }
            let end = PAGE_HEADER_BYTES + used;
            let part = page.get(PAGE_HEADER_BYTES..end);
            value.extend_from_slice(part.ok_or_else(|| broken("a page is overfull"))?);
            number = self.number(page, 16);
        }
        value.truncate(length as usize);
        Ok(())
    }
}

/// Calls `on_header` with every value of the file that may be a header.
pub(super) fn for_each_header(
    file: impl Read + Seek,
    on_header: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut pages = Pages::open(file)?;
    let (mut page, mut other, mut value) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=pages.last {
        pages.read(number, &mut page)?;
        if !matches!(page.get(25), Some(&(PAGE_HASH | PAGE_HASH_UNSORTED))) {
            continue;
        }
        let items = pages.short(&page, 20);
        // Keys and values take turns; items grow from the end of the page towards its start.
        for item in (1..items).step_by(2) {
            let place = PAGE_HEADER_BYTES + item * 2;
            let start = pages.short(&page, place);
            let end = pages.short(&page, place - 2);
            match page.get(start) {
                Some(&ITEM_INLINE) => {
                    if let Some(inline) = page.get(start + 1..end) {
                        on_header(inline);
                    }
                }
                Some(&ITEM_OVERFLOW) => {
                    let first = pages.number(&page, start + 4);
                    let length = pages.number(&page, start + 8);
                    pages.read_chain(first, length, &mut other, &mut value)?;
                    on_header(&value);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_file_makes_it_panic(mut bytes: Vec<u8>, last: u8, kinds: Vec<u8>) {
            let _ = for_each_header(io::Cursor::new(&bytes), &mut |_| {});
            bytes.resize(512 * (kinds.len() + 1), 3);
            bytes[12..16].copy_from_slice(&MAGIC_HASH.to_le_bytes());
            bytes[20..24].copy_from_slice(&512_u32.to_le_bytes());
            bytes[24] = 0;
            bytes[25] = PAGE_HASH_META;
            bytes[32..36].copy_from_slice(&u32::from(last).to_le_bytes());
            for (page, kind) in kinds.iter().enumerate() {
                bytes[512 * (page + 1) + 25] = if kind % 2 == 0 { PAGE_HASH } else { PAGE_OVERFLOW };
                bytes[512 * (page + 1) + 16..][..4].copy_from_slice(&[*kind, 0, 0, 0]);
            }
            let _ = for_each_header(io::Cursor::new(&bytes), &mut |_| {});
        }
    }
}
