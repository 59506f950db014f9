//! What belongs to an installation and not to its title, as zstd columns parallel to the ids.

use rollcall_shared::Timestamp;
use rollcall_shared::section::software::SoftwareScope;

use super::{Damaged, varint};

/// Facts about one title on one device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// When it was installed or last upgraded.
    pub installed_at: Option<Timestamp>,
    /// Space it takes.
    pub size_bytes: Option<u64>,
    /// For whom it is installed.
    pub scope: Option<SoftwareScope>,
    /// Where it came from.
    pub origin: Option<String>,
}

/// The bytes of the rows, which stand in the order of the ids.
pub fn encode(rows: &[Extra]) -> Vec<u8> {
    encode_all(rows.iter())
}

/// The same of rows that stand elsewhere.
pub(crate) fn encode_all<'a>(rows: impl ExactSizeIterator<Item = &'a Extra> + Clone) -> Vec<u8> {
    if rows.clone().all(|row| *row == Extra::default()) {
        return Vec::new();
    }
    let mut out = Vec::with_capacity(rows.len() * 8);
    varint::push(&mut out, rows.len() as u64);
    let mut before = 0i64;
    for row in rows.clone() {
        match row.installed_at {
            None => out.push(0),
            Some(Timestamp(at)) => {
                // The zigzag difference to the row before; its sign in a byte of its own, so that
                // every difference of two 64-bit numbers fits.
                out.push(if at >= before { 1 } else { 2 });
                varint::push(&mut out, at.abs_diff(before));
                before = at;
            }
        }
    }
    for row in rows.clone() {
        match row.size_bytes {
            None => out.push(0),
            Some(size) => {
                out.push(1);
                varint::push(&mut out, size);
            }
        }
    }
    push_texts(&mut out, rows.clone().map(|row| row.scope.as_ref().map(scope_word)));
    push_texts(&mut out, rows.map(|row| row.origin.as_deref()));
    super::pack(&out).unwrap_or_default()
}

/// The rows that these bytes hold for `count` ids.
pub fn decode(bytes: &[u8], count: usize) -> Result<Vec<Extra>, Damaged> {
    if bytes.is_empty() {
        return Ok(vec![Extra::default(); count]);
    }
    // A row holds at most two texts of 4 KiB, each written once.
    let capacity = zstd::zstd_safe::get_frame_content_size(bytes)
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size <= (count + 1).saturating_mul(2 * 4096 + 64))
        .ok_or(Damaged("the extra columns do not say their size"))?;
    let unpacked =
        super::unpack(bytes, capacity).ok_or(Damaged("the extra columns cannot be unpacked"))?;
    let mut bytes = unpacked.as_slice();
    if varint::take(&mut bytes)? != count as u64 {
        return Err(Damaged("the extra columns are not as long as the set"));
    }
    let mut rows = vec![Extra::default(); count];
    let mut before = 0i64;
    for row in &mut rows {
        let sign = take_byte(&mut bytes)?;
        if sign != 0 {
            let distance = varint::take(&mut bytes)?;
            before = match sign {
                1 => before.checked_add_unsigned(distance),
                _ => before.checked_sub_unsigned(distance),
            }
            .ok_or(Damaged("an installation time is out of range"))?;
            row.installed_at = Some(Timestamp(before));
        }
    }
    for row in &mut rows {
        if take_byte(&mut bytes)? != 0 {
            row.size_bytes = Some(varint::take(&mut bytes)?);
        }
    }
    for (row, scope) in rows.iter_mut().zip(take_texts(&mut bytes, count)?) {
        row.scope = scope.map(scope_of);
    }
    for (row, origin) in rows.iter_mut().zip(take_texts(&mut bytes, count)?) {
        row.origin = origin.map(str::to_owned);
    }
    Ok(rows)
}

/// A column of few different texts: each text once, then its number a row, 0 for none.
fn push_texts<'a>(out: &mut Vec<u8>, column: impl Iterator<Item = Option<&'a str>>) {
    let mut texts: Vec<&str> = Vec::new();
    let mut numbers = std::collections::HashMap::new();
    let column: Vec<u64> = column
        .map(|text| match text {
            None => 0,
            Some(text) => *numbers.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() as u64
            }),
        })
        .collect();
    varint::push(out, texts.len() as u64);
    for text in texts {
        varint::push(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    for number in column {
        varint::push(out, number);
    }
}

fn take_texts<'a>(bytes: &mut &'a [u8], count: usize) -> Result<Vec<Option<&'a str>>, Damaged> {
    let mut texts = Vec::new();
    for _ in 0..varint::take_count(bytes)? {
        let length = varint::take_count(bytes)?;
        let (text, rest) = bytes.split_at(length);
        *bytes = rest;
        texts.push(std::str::from_utf8(text).map_err(|_| Damaged("an extra text is not text"))?);
    }
    (0..count)
        .map(|_| match varint::take(bytes)? {
            0 => Ok(None),
            number => usize::try_from(number - 1)
                .ok()
                .and_then(|index| texts.get(index).copied())
                .map(Some)
                .ok_or(Damaged("an extra text is missing")),
        })
        .collect()
}

fn take_byte(bytes: &mut &[u8]) -> Result<u8, Damaged> {
    let (&byte, rest) = bytes.split_first().ok_or(Damaged("the extra columns are cut off"))?;
    *bytes = rest;
    Ok(byte)
}

fn scope_word(scope: &SoftwareScope) -> &str {
    match scope {
        SoftwareScope::Machine => "machine",
        SoftwareScope::User => "user",
        SoftwareScope::Other(word) => word,
    }
}

fn scope_of(word: &str) -> SoftwareScope {
    match word {
        "machine" => SoftwareScope::Machine,
        "user" => SoftwareScope::User,
        word => SoftwareScope::Other(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Extra> {
        (any::<Option<i64>>(), any::<Option<u64>>(), any::<Option<bool>>(), "[a-z]{0,3}").prop_map(
            |(at, size_bytes, scope, origin)| Extra {
                installed_at: at.map(|at| Timestamp(at / 2)),
                size_bytes,
                scope: scope.map(|user| scope_of(if user { "user" } else { "kiosk" })),
                origin: (!origin.is_empty()).then_some(origin),
            },
        )
    }

    proptest! {
        #[test]
        fn rows_read_back(rows in proptest::collection::vec(row(), 0..100)) {
            prop_assert_eq!(decode(&encode(&rows), rows.len()), Ok(rows));
        }

        #[test]
        fn any_bytes_are_rows_or_refused(bytes: Vec<u8>, count in 0usize..20) {
            let _ = decode(&bytes, count);
            let packed = zstd::bulk::compress(&bytes, 1).unwrap();
            let _ = decode(&packed, count);
        }
    }
}
