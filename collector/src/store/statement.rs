//! Statements of many rows, cut to fixed sizes so that few texts are prepared and used again.

use sqlx::{Database, QueryBuilder, Transaction};

/// Rows of one statement; the widest has 14 columns, which stays below every limit.
const SIZES: [usize; 3] = [256, 16, 1];

/// The rows in pieces of fixed sizes.
pub(super) fn pieces<T>(mut rows: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    for size in SIZES {
        while rows.len() >= size {
            let (piece, rest) = rows.split_at(size);
            pieces.push(piece);
            rows = rest;
        }
    }
    pieces
}

/// Keys for `IN (…)` in lists of fixed sizes; the last key fills up.
pub(super) fn padded(keys: &[i64]) -> Vec<Vec<i64>> {
    keys.chunks(SIZES[0])
        .map(|chunk| {
            let size = SIZES.iter().rev().copied().find(|size| *size >= chunk.len());
            let mut list = chunk.to_vec();
            if let Some(last) = chunk.last() {
                list.resize(size.unwrap_or(SIZES[0]), *last);
            }
            list
        })
        .collect()
}

/// A builder for the database of this transaction.
pub(super) fn builder<DB: Database>(_: &Transaction<'_, DB>, head: &str) -> QueryBuilder<DB> {
    QueryBuilder::new(head)
}

/// All rows of `$head IN ($keys)`.
macro_rules! select_in {
    ($tx:ident, $row:ty, $head:expr, $keys:expr) => {{
        let mut rows: Vec<$row> = Vec::new();
        for keys in $crate::store::statement::padded($keys) {
            let mut query = $crate::store::statement::builder(&$tx, $head);
            query.push(" IN (");
            let mut list = query.separated(", ");
            for key in keys {
                list.push_bind(key);
            }
            query.push(")");
            rows.extend(query.build_query_as::<$row>().fetch_all(&mut *$tx).await?);
        }
        rows
    }};
}
pub(super) use select_in;

/// `$head VALUES (…), (…) $tail` for all rows.
macro_rules! insert {
    ($tx:ident, $head:expr, $rows:expr, |$binder:ident, $row:ident| $binds:expr, $tail:expr) => {
        for piece in $crate::store::statement::pieces($rows) {
            let mut query = $crate::store::statement::builder(&$tx, $head);
            query.push_values(piece, |mut $binder, $row| {
                $binds;
            });
            query.push($tail);
            query.build().execute(&mut *$tx).await?;
        }
    };
}
pub(super) use insert;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_lists_have_fixed_sizes() {
        let rows: Vec<i64> = (0..290).collect();
        let sizes: Vec<usize> = pieces(&rows).iter().map(|piece| piece.len()).collect();
        assert_eq!(sizes, [256, 16, 16, 1, 1]);
        let lists = padded(&rows);
        assert_eq!(lists.iter().map(Vec::len).collect::<Vec<_>>(), [256, 256]);
        assert_eq!(lists[1][33..36], [289, 289, 289]);
        assert!(padded(&[]).is_empty());
    }
}
