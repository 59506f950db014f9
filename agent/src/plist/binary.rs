//! The form in bytes: objects, a table of where each begins, and a trailer that tells of both.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;

use super::{DATA_LIMIT_BYTES, DEPTH_LIMIT, Left, Value};

/// 2001-01-01T00:00:00Z, from which macOS counts, in milliseconds.
const BEGINNING_MS: i64 = 978_307_200_000;
const TRAILER_BYTES: usize = 32;

struct Objects<'a> {
    bytes: &'a [u8],
    /// Where the table begins.
    table: usize,
    /// Bytes of an entry of the table.
    entry: usize,
    /// Bytes of the number of an object.
    reference: usize,
    count: u64,
}

pub(super) fn read(bytes: &[u8], left: &mut Left) -> Option<Value> {
    let trailer = bytes.get(bytes.len().checked_sub(TRAILER_BYTES)?..)?;
    let objects = Objects {
        bytes,
        table: usize::try_from(number(trailer.get(24..32)?)?).ok()?,
        entry: usize::from(*trailer.get(6)?),
        reference: usize::from(*trailer.get(7)?),
        count: number(trailer.get(8..16)?)?,
    };
    objects.object(number(trailer.get(16..24)?)?, left, DEPTH_LIMIT)
}

/// A number with the large end first.
fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte)))
}

impl Objects<'_> {
    fn object(&self, id: u64, left: &mut Left, depth: usize) -> Option<Value> {
        left.value()?;
        let depth = depth.checked_sub(1)?;
        if id >= self.count || self.entry == 0 || self.reference == 0 {
            return None;
        }
        let place = usize::try_from(id).ok()?.checked_mul(self.entry)?.checked_add(self.table)?;
        let at = number(self.bytes.get(place..place.checked_add(self.entry)?)?)?;
        let at = usize::try_from(at).ok()?;
        let marker = *self.bytes.get(at)?;
        let (kind, low) = (marker >> 4, usize::from(marker & 0x0F));
        let behind = at.checked_add(1)?;
        Some(match kind {
            0x0 => match low {
                8 => Value::Flag(false),
                9 => Value::Flag(true),
                _ => Value::Other,
            },
            0x1 => {
                let length = 1_usize << low.min(4);
                let digits = self.bytes.get(behind..behind.checked_add(length)?)?;
                // Sixteen bytes hold eight of sign.
                let digits = digits.get(length.saturating_sub(8)..)?;
                Value::Number(number(digits)?.cast_signed())
            }
            0x3 => {
                let seconds = self.bytes.get(behind..behind.checked_add(8)?)?;
                let seconds = f64::from_be_bytes(seconds.try_into().ok()?);
                // Two hundred thousand years are enough, and let the number fit.
                if !(-6.3e12..6.3e12).contains(&seconds) {
                    return Some(Value::Other);
                }
                #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
                let ms = (seconds * 1000.0) as i64;
                Value::Moment(Timestamp(BEGINNING_MS + ms))
            }
            0x4 => {
                let (length, from) = self.length(low, behind)?;
                let data = self.bytes.get(from..from.checked_add(length)?)?;
                if length > DATA_LIMIT_BYTES {
                    return Some(Value::Other);
                }
                left.content(length)?;
                Value::Bytes(data.to_vec())
            }
            0x5 => {
                let (length, from) = self.length(low, behind)?;
                left.content(length)?;
                let text = self.bytes.get(from..from.checked_add(length)?)?;
                Value::Text(String::from_utf8_lossy(text).into_owned())
            }
            0x6 => {
                let (length, from) = self.length(low, behind)?;
                left.content(length.checked_mul(2)?)?;
                let text = self.bytes.get(from..from.checked_add(length.checked_mul(2)?)?)?;
                let units = text.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                Value::Text(String::from_utf16_lossy(&units.collect::<Vec<u16>>()))
            }
            0xA => {
                let (length, from) = self.length(low, behind)?;
                let ids = self.references(from, length)?;
                let values = ids.into_iter().map(|id| self.object(id, left, depth));
                Value::List(values.collect::<Option<_>>()?)
            }
            0xD => {
                let (length, from) = self.length(low, behind)?;
                let names = self.references(from, length)?;
                let from = from.checked_add(length.checked_mul(self.reference)?)?;
                let mut values = BTreeMap::new();
                for (name, id) in names.into_iter().zip(self.references(from, length)?) {
                    let Value::Text(name) = self.object(name, left, depth)? else { return None };
                    values.insert(name, self.object(id, left, depth)?);
                }
                Value::Dictionary(values)
            }
            _ => Value::Other,
        })
    }

    /// How many follow, and from where.
    fn length(&self, low: usize, behind: usize) -> Option<(usize, usize)> {
        if low != 0x0F {
            return Some((low, behind));
        }
        let marker = *self.bytes.get(behind)?;
        let bytes = 1_usize << usize::from(marker & 0x0F).min(3);
        let from = behind.checked_add(1)?;
        let length = number(self.bytes.get(from..from.checked_add(bytes)?)?)?;
        Some((usize::try_from(length).ok()?, from.checked_add(bytes)?))
    }

    fn references(&self, from: usize, count: usize) -> Option<Vec<u64>> {
        let bytes = self.bytes.get(from..from.checked_add(count.checked_mul(self.reference)?)?)?;
        bytes.chunks_exact(self.reference).map(number).collect()
    }
}
