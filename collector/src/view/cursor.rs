//! Where a page ended: the sort value and key of its last row, opaque to callers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;

/// Longest cursor that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// Rows a page when nobody says.
const DEFAULT_LIMIT: u32 = 50;
/// Most rows a page.
const HIGHEST_LIMIT: u32 = 500;

/// Writes a cursor.
pub fn encode(position: &impl Serialize) -> Option<String> {
    serde_json::to_vec(position).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Reads a cursor that somebody sent.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    let read = |text: &str| {
        if text.len() > LONGEST {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    read(text).ok_or_else(invalid)
}

/// The cursor is damaged or belongs to another list.
pub(super) fn invalid() -> Error {
    Error::Invalid {
        field: "cursor",
        why: "it is not one that this list gave; leave it out to begin at the first page"
            .to_owned(),
    }
}

/// How many rows a page has.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, Error> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=HIGHEST_LIMIT).contains(&limit) {
        return Ok(limit as usize);
    }
    let why = format!("{limit} is not between 1 and {HIGHEST_LIMIT}");
    Err(Error::Invalid { field: "limit", why })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_back_what_it_writes(value in any::<String>(), number in any::<i64>()) {
            prop_assume!(value.len() < 1000);
            let text = encode(&(&value, number)).unwrap();
            prop_assert_eq!(decode::<(String, i64)>(&text).unwrap(), (value, number));
        }

        #[test]
        fn nonsense_is_refused(text in any::<String>()) {
            prop_assert!(decode::<(String, i64)>(&text).is_err());
        }
    }

    #[test]
    fn pages_have_a_limit() {
        assert_eq!(limit(None).unwrap(), 50);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(501)).is_err());
    }
}
