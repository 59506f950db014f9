//! Which pairs of letters stand in a device's values, as 512 bits: whether it is worth to look
//! through its text at all.
//!
//! The texts of a hundred thousand devices lie all over the memory; their signatures lie side by
//! side, and most questions leave a handful of devices.

/// Pairs of neighbouring bytes, each as one of 512 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signature([u64; 8]);

impl Signature {
    /// Of a text in lower case.
    pub(super) fn of(text: &str) -> Self {
        let mut bits = [0; 8];
        for pair in text.as_bytes().windows(2) {
            let number = u16::from_be_bytes([pair[0], pair[1]]).wrapping_mul(0x9E37) >> 7;
            bits[usize::from(number / 64)] |= 1 << (number % 64);
        }
        Self(bits)
    }

    /// Whether a text with this signature can hold one with the other. `false` is certain.
    pub(super) fn may_hold(&self, part: &Self) -> bool {
        self.0.iter().zip(&part.0).all(|(all, part)| all & part == *part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_inside_is_never_ruled_out(a in any::<String>(), b in any::<String>(), c in any::<String>()) {
            let whole = Signature::of(&format!("{a}{b}{c}"));
            prop_assert!(whole.may_hold(&Signature::of(&b)));
        }
    }

    #[test]
    fn what_shares_no_pair_is_ruled_out() {
        assert!(!Signature::of("lt-000042\n10.0.0.42").may_hold(&Signature::of("pf3a1b2c")));
        assert!(Signature::of("").may_hold(&Signature::of("x")), "one letter is no pair");
    }
}
