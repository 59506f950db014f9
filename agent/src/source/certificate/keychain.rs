//! The certificates in a keychain file of macOS. Pure: bytes in, bytes out.
//!
//! Such a file holds tables of records; all numbers have the large end first. Certificates lie in
//! theirs as they are. The tables of keys and passwords, which are sealed, are never looked at.

const SIGNATURE: &[u8] = b"kych";
/// The table of certificates (`CSSM_DL_DB_RECORD_X509_CERTIFICATE`).
const CERTIFICATES: usize = 0x8000_1000;
/// Where the head of the file says where its tables begin.
const TABLES_AT: usize = 12;
/// Bytes of the head of a table: seven numbers.
const TABLE_HEAD_BYTES: usize = 28;
/// Bytes of the head of a record: fifteen numbers, the fifth of them the length of the certificate.
const RECORD_HEAD_BYTES: usize = 60;
const LENGTH_AT: usize = 16;
const TABLES_LIMIT: usize = 200;

/// Every certificate of the file; nothing when it is no keychain, or is damaged.
pub(super) fn certificates(file: &[u8], limit: usize) -> Option<Vec<&[u8]>> {
    if !file.starts_with(SIGNATURE) {
        return None;
    }
    let start = number(file, TABLES_AT)?;
    let count = number(file, start.checked_add(4)?)?;
    let tables = (0..count.min(TABLES_LIMIT)).filter_map(|table| {
        let offset = number(file, start.checked_add(8)?.checked_add(table.checked_mul(4)?)?)?;
        file.get(start.checked_add(offset)?..)
    });
    let found = tables.filter(|table| number(table, 4) == Some(CERTIFICATES));
    Some(found.flat_map(|table| records(table, limit)).take(limit).collect())
}

/// Certificates of a table.
fn records(table: &[u8], limit: usize) -> Vec<&[u8]> {
    let count = number(table, 24).unwrap_or(0);
    // Places of records that are no more hold odd numbers or nothing.
    let places =
        (0..count.min(limit)).map_while(|record| number(table, TABLE_HEAD_BYTES + record * 4));
    places
        .filter(|place| *place != 0 && place.is_multiple_of(4))
        .filter_map(|place| {
            let record = table.get(place..)?;
            let length = number(record, LENGTH_AT)?;
            record.get(RECORD_HEAD_BYTES..RECORD_HEAD_BYTES.checked_add(length)?)
        })
        .collect()
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(four.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// A keychain with a table of passwords and one of certificates, where one was deleted.
    fn keychain(certificates: &[&[u8]]) -> Vec<u8> {
        let mut records = Vec::new();
        let count = u32::try_from(certificates.len()).unwrap() + 1;
        let mut places = vec![3];
        for one in certificates {
            places.push(28 + count * 4 + u32::try_from(records.len()).unwrap());
            let mut head = vec![0; 15];
            head[4] = u32::try_from(one.len()).unwrap();
            records.extend(words(&head));
            records.extend(*one);
            records.resize(records.len().next_multiple_of(4), 0);
        }
        let table = [words(&[0, 0x8000_1000, count - 1, 0, 0, 0, count]), words(&places), records];
        let other = words(&[28, 0x8000_0000, 0, 0, 0, 0, 0]);
        let head = [SIGNATURE.to_vec(), words(&[0x10000, 16, 20, 0])].concat();
        let offset = 16 + u32::try_from(other.len()).unwrap();
        [head, words(&[0, 2, 16, offset]), other, table.concat()].concat()
    }

    #[test]
    fn certificates_are_found_among_other_records() {
        let file = keychain(&[b"first", b"second one"]);
        assert_eq!(certificates(&file, 10).unwrap(), [&b"first"[..], b"second one"]);
        assert_eq!(certificates(&file, 2).unwrap(), [&b"first"[..]]);
        assert_eq!(certificates(b"SQLite format 3", 10), None);
        assert_eq!(certificates(&file[..40], 10).unwrap(), Vec::<&[u8]>::new(), "cut off");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, place in 0_usize..200, byte: u8) {
            let _ = certificates(&[SIGNATURE, &bytes].concat(), 10);
            let mut file = keychain(&[b"first", b"second"]);
            if let Some(one) = file.get_mut(place) {
                *one = byte;
            }
            let _ = certificates(&file, 10);
        }
    }
}
