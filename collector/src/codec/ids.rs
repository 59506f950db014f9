//! A sorted set of ids as the gaps between them: about one byte an id.

use super::{Damaged, varint};

/// The bytes of a sorted set without doubles.
pub fn encode(ids: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ids.len() + 8);
    push(&mut out, ids);
    out
}

/// The set that these bytes hold.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<u32>, Damaged> {
    let mut ids = Vec::with_capacity(bytes.len());
    let mut next = 0u64;
    while !bytes.is_empty() {
        take_one(&mut bytes, &mut next, &mut ids)?;
    }
    Ok(ids)
}

/// A set that is kept for long and looked at seldom: a quarter of the bytes of its numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedSet(Box<[u8]>);

impl PackedSet {
    /// Packs a sorted set without doubles.
    pub fn of(ids: &[u32]) -> Self {
        Self(encode(ids).into())
    }

    /// What [`encode`] gave, checked.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Damaged> {
        decode(&bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The set.
    pub fn ids(&self) -> Vec<u32> {
        // Whatever is inside was encoded or checked.
        decode(&self.0).unwrap_or_default()
    }
}

/// Appends the gaps of a set.
pub(super) fn push(out: &mut Vec<u8>, ids: &[u32]) {
    let mut next = 0u32;
    for &id in ids {
        debug_assert!(id >= next, "ids must be sorted, without doubles");
        varint::push(out, u64::from(id.wrapping_sub(next)));
        next = id.wrapping_add(1);
    }
}

/// Takes `count` ids from the front.
pub(super) fn take(bytes: &mut &[u8], count: usize) -> Result<Vec<u32>, Damaged> {
    let mut ids = Vec::with_capacity(count);
    let mut next = 0u64;
    for _ in 0..count {
        take_one(bytes, &mut next, &mut ids)?;
    }
    Ok(ids)
}

fn take_one(bytes: &mut &[u8], next: &mut u64, ids: &mut Vec<u32>) -> Result<(), Damaged> {
    let id = varint::take(bytes)?
        .checked_add(*next)
        .and_then(|id| u32::try_from(id).ok())
        .ok_or(Damaged("an id is too large"))?;
    ids.push(id);
    *next = u64::from(id) + 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_take_one_byte_each() {
        let ids: Vec<u32> = (1000..2500).collect();
        assert_eq!(encode(&ids).len(), 1501);
        assert_eq!(decode(&encode(&[0, u32::MAX])), Ok(vec![0, u32::MAX]));
    }

    proptest! {
        #[test]
        fn a_set_reads_back(ids in proptest::collection::btree_set(any::<u32>(), 0..300)) {
            let ids: Vec<u32> = ids.into_iter().collect();
            prop_assert_eq!(PackedSet::of(&ids).ids(), ids.clone());
            prop_assert_eq!(decode(&encode(&ids)), Ok(ids));
        }

        #[test]
        fn any_bytes_are_a_sorted_set_or_refused(bytes: Vec<u8>) {
            if let Ok(ids) = decode(&bytes) {
                prop_assert!(ids.is_sorted_by(|a, b| a < b));
            }
        }
    }
}
