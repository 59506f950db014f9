//! Sorting rows of any kind. The work is done once for all kinds, on their places: a sort written
//! out for each kind of row takes a tenth of the whole program.

use std::cmp::Ordering;

/// Sorts rows; equal ones keep their order.
pub(crate) fn sort<T>(rows: &mut Vec<T>, by: impl Fn(&T, &T) -> Ordering) {
    let places = places(rows.len(), &|a, b| match (rows.get(a), rows.get(b)) {
        (Some(a), Some(b)) => by(a, b),
        _ => Ordering::Equal,
    });
    let mut taken: Vec<Option<T>> = std::mem::take(rows).into_iter().map(Some).collect();
    rows.extend(places.into_iter().filter_map(|place| taken.get_mut(place)?.take()));
}

fn places(count: usize, by: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| by(*a, *b));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_sorts_as_the_standard_library_does(rows: Vec<(u8, String)>) {
            let (mut ours, mut theirs) = (rows.clone(), rows);
            sort(&mut ours, |a, b| a.0.cmp(&b.0));
            theirs.sort_by_key(|row| row.0);
            prop_assert_eq!(ours, theirs);
        }
    }
}
