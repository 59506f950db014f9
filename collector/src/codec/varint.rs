//! Whole numbers in as few bytes as they need: seven bits a byte, the lowest first.

use super::Damaged;

/// Appends a number.
pub(super) fn push(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_seven(value) | 0x80);
        value >>= 7;
    }
    out.push(low_seven(value));
}

fn low_seven(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7f
}

/// Takes a number from the front.
pub(super) fn take(bytes: &mut &[u8]) -> Result<u64, Damaged> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Damaged("a number is cut off"))?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Damaged("a number is too long"))
}

/// Takes a number of things that each need at least one more byte.
pub(super) fn take_count(bytes: &mut &[u8]) -> Result<usize, Damaged> {
    let count = take(bytes)?;
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= bytes.len())
        .ok_or(Damaged("a count is larger than its bytes"))
}
