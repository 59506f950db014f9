//! Where a page ended: the sort value and key of its last row, opaque to callers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::domain::Scope;

/// Longest cursor that is looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// Rows a page when nobody says.
const DEFAULT_LIMIT: u32 = 50;
/// Most rows a page.
const HIGHEST_LIMIT: u32 = 500;

/// Writes a cursor of somebody who sees this scope. It holds for nobody else's.
pub fn encode(scope: &Scope, position: &impl Serialize) -> Option<String> {
    let json = serde_json::to_vec(&(scope.mark(), position));
    json.ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// Reads a cursor that somebody sent who sees this scope.
pub fn decode<T: DeserializeOwned>(scope: &Scope, text: &str) -> Result<T, Error> {
    let read = |text: &str| {
        if text.len() > LONGEST {
            return None;
        }
        let (mark, position): (String, T) =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (mark == scope.mark()).then_some(position)
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
            let whole = Scope::whole();
            let text = encode(&whole, &(&value, number)).unwrap();
            prop_assert_eq!(decode::<(String, i64)>(&whole, &text).unwrap(), (value, number));
            let none = Scope::of(Some([].into()), None);
            prop_assert!(decode::<(String, i64)>(&none, &text).is_err(), "another scope's");
        }

        #[test]
        fn nonsense_is_refused(text in any::<String>()) {
            prop_assert!(decode::<(String, i64)>(&Scope::whole(), &text).is_err());
        }
    }

    #[test]
    fn pages_have_a_limit() {
        assert_eq!(limit(None).unwrap(), 50);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(501)).is_err());
    }
}
