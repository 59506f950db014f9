//! Shapes that several answers and questions share.

use rollcall_shared::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::http::Error;

/// A list that is short enough to be sent whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ListOf{T}")]
pub(crate) struct Listed<T> {
    /// Its rows.
    pub(crate) items: Vec<T>,
}

/// One value and how many devices have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Count {
    /// The value, as the filter of the same name takes it.
    pub(crate) value: String,
    /// Devices.
    pub(crate) devices: u64,
}

impl Count {
    /// Pairs as they are counted.
    pub(crate) fn list(pairs: Vec<(String, u64)>) -> Vec<Self> {
        pairs.into_iter().map(|(value, devices)| Self { value, devices }).collect()
    }
}

/// A question about the present or a past moment.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Moment {
    /// As it was then; now when absent.
    pub(crate) as_of: Option<Timestamp>,
}

/// How many of a list: 1 to 500; 50 when nobody says.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, Error> {
    match asked.unwrap_or(50) {
        limit @ 1..=500 => Ok(limit),
        limit => Err(Error::invalid("limit", format!("{limit} is not between 1 and 500"))),
    }
}

/// A text of people, trimmed: no control characters, at most so many characters; `None` if empty.
pub(crate) fn text(
    field: &'static str,
    text: Option<String>,
    longest: usize,
) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > longest {
        return Err(Error::invalid(field, format!("give at most {longest} characters")));
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        return Err(Error::invalid(field, "leave control characters out"));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}
