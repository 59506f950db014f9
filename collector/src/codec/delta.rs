//! What one report changed in a set, kept to walk back in time: undoing the newest deltas one by
//! one gives every earlier set.

use super::{Damaged, ids, varint};

/// The difference between an older and a newer set; both lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// In the older set only.
    pub removed: Vec<u32>,
    /// In the newer set only.
    pub added: Vec<u32>,
}

impl Delta {
    /// The difference between two sorted sets.
    pub fn between(older: &[u32], newer: &[u32]) -> Self {
        let mut delta = Self::default();
        let (mut old, mut new) = (older.iter().peekable(), newer.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (Some(a), Some(b)) if a == b => {
                    old.next();
                    new.next();
                }
                (Some(a), Some(b)) if a < b => delta.removed.extend(old.next()),
                (_, Some(_)) => delta.added.extend(new.next()),
                (Some(_), None) => delta.removed.extend(old.next()),
                (None, None) => return delta,
            }
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The older set of this newer one.
    pub fn undo(&self, newer: &[u32]) -> Vec<u32> {
        exchange(newer, &self.added, &self.removed)
    }

    /// The newer set of this older one.
    pub fn apply(&self, older: &[u32]) -> Vec<u32> {
        exchange(older, &self.removed, &self.added)
    }

    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 * (self.removed.len() + self.added.len()) + 4);
        varint::push(&mut out, self.removed.len() as u64);
        ids::push(&mut out, &self.removed);
        varint::push(&mut out, self.added.len() as u64);
        ids::push(&mut out, &self.added);
        out
    }

    /// The difference that these bytes hold.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Damaged> {
        let count = varint::take_count(&mut bytes)?;
        let removed = ids::take(&mut bytes, count)?;
        let count = varint::take_count(&mut bytes)?;
        let added = ids::take(&mut bytes, count)?;
        if bytes.is_empty() {
            Ok(Self { removed, added })
        } else {
            Err(Damaged("a delta is longer than it says"))
        }
    }
}

/// The sorted set without some of its ids and with others.
fn exchange(set: &[u32], without: &[u32], with: &[u32]) -> Vec<u32> {
    let mut out = Vec::with_capacity(set.len() + with.len());
    let mut with = with.iter().copied().peekable();
    for &id in set.iter().filter(|id| without.binary_search(id).is_err()) {
        while let Some(new) = with.next_if(|new| *new <= id) {
            if new != id {
                out.push(new);
            }
        }
        out.push(id);
    }
    out.extend(with);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set() -> impl Strategy<Value = BTreeSet<u32>> {
        proptest::collection::btree_set(0u32..500, 0..200)
    }

    proptest! {
        #[test]
        fn undo_takes_back_what_apply_did(older in set(), newer in set()) {
            let (older, newer): (Vec<_>, Vec<_>) =
                (older.into_iter().collect(), newer.into_iter().collect());
            let delta = Delta::between(&older, &newer);
            prop_assert_eq!(&delta.apply(&older), &newer);
            prop_assert_eq!(&delta.undo(&newer), &older);
            prop_assert_eq!(delta.is_empty(), older == newer);
            prop_assert_eq!(Delta::decode(&delta.encode()), Ok(delta));
        }

        #[test]
        fn any_bytes_are_a_delta_or_refused(bytes: Vec<u8>) {
            let _ = Delta::decode(&bytes);
        }
    }
}
