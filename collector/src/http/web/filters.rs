//! What templates do to values: make agents' text visible and harmless, times relative, numbers
//! readable. All markup made from values is made here, escaped here, and nowhere else.

#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "askama's attribute for filters writes such code"
)]

use std::fmt::{Display, Write as _};

use askama::filters::Safe;
use rollcall_shared::Timestamp;
use rollcall_shared::api::unit::UnitFrom;
use rollcall_shared::time::{DAY_MS, HOUR_MS, MINUTE_MS};

use super::icons;

type Markup = askama::Result<Safe<String>>;

/// Escapes text for HTML content and quoted attributes.
pub(super) fn escape_into(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

/// Letters that would act on their neighbours or not be seen at all.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Text from an agent as markup: apart from its surroundings, with hidden letters made visible.
pub(super) fn agent_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str("<bdi>");
    for letter in text.chars() {
        if is_hidden(letter) {
            let code = u32::from(letter);
            // The pictures of control characters stand in the same order as these.
            let picture = char::from_u32(0x2400 + code).filter(|_| code < 0x20);
            match picture {
                Some(picture) => {
                    let _ =
                        write!(out, "<span class=\"tok\" title=\"U+{code:04X}\">{picture}</span>");
                }
                None => {
                    let _ = write!(out, "<span class=\"tok\">U+{code:04X}</span>");
                }
            }
        } else {
            escape_into(&mut out, letter.encode_utf8(&mut [0; 4]));
        }
    }
    out.push_str("</bdi>");
    out
}

/// The same text without markup, for titles and values of attributes.
pub(super) fn agent_plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            let _ = write!(out, "[U+{:04X}]", u32::from(letter));
        } else {
            out.push(letter);
        }
    }
    out
}

/// How far away a moment is, in words.
pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
    let distance = now.since(at);
    let ahead = distance < -MINUTE_MS;
    let distance = distance.saturating_abs();
    let (count, unit) = match distance {
        d if d < MINUTE_MS => return "just now".to_owned(),
        d if d < HOUR_MS => (d / MINUTE_MS, "min"),
        d if d < 48 * HOUR_MS => (d / HOUR_MS, "h"),
        d if d < 60 * DAY_MS => (d / DAY_MS, "days"),
        d if d < 730 * DAY_MS => (d / (30 * DAY_MS), "months"),
        d => (d / (365 * DAY_MS), "years"),
    };
    if ahead { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
}

/// A moment in full, for people: `2026-11-23 10:15 UTC`.
pub(super) fn absolute(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or(&text), text.get(11..16).unwrap_or_default())
}

/// A number with thin spaces between the thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + 8);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A size in binary units, three digits.
pub(super) fn size(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

/// A size of a disk in decimal units, as its maker writes it.
pub(super) fn disk_size(bytes: u64) -> String {
    scaled(bytes, 1000, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A frequency given in MHz.
pub(super) fn frequency(mhz: u32) -> String {
    if mhz >= 1000 {
        format!("{}.{:02} GHz", mhz / 1000, mhz % 1000 / 10)
    } else {
        format!("{mhz} MHz")
    }
}

fn scaled(value: u64, step: u64, units: &[&str]) -> String {
    let mut divisor: u64 = 1;
    let mut unit = 0;
    while unit + 1 < units.len() && value / divisor >= step {
        divisor *= step;
        unit += 1;
    }
    let whole = value / divisor;
    let tenth = u128::from(value % divisor) * 10 / u128::from(divisor);
    match units.get(unit) {
        Some(name) if unit == 0 || whole >= 100 || tenth == 0 => format!("{whole} {name}"),
        Some(name) => format!("{whole}.{tenth} {name}"),
        None => whole.to_string(),
    }
}

/// A word of the wire in a form for people: `re_imaged` is `re imaged`.
pub(super) fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

/// Percent-encodes one value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What can be shown as a moment.
pub(super) trait Moment {
    /// The moment, where there is one.
    fn moment(&self) -> Option<Timestamp>;
}

impl Moment for Timestamp {
    fn moment(&self) -> Option<Timestamp> {
        Some(*self)
    }
}

impl Moment for Option<Timestamp> {
    fn moment(&self) -> Option<Timestamp> {
        *self
    }
}

impl<T: Moment + ?Sized> Moment for &T {
    fn moment(&self) -> Option<Timestamp> {
        (*self).moment()
    }
}

/// How long ago, to the second, for somebody who waits.
pub(super) fn short_ago(at: Timestamp, now: Timestamp) -> String {
    match now.since(at) {
        past @ 0..MINUTE_MS => format!("{} s ago", past / 1000),
        _ => relative(at, now),
    }
}

/// Text from an agent. See [`agent_markup`].
#[askama::filter_fn]
pub(super) fn agent_text(value: impl Display, _: &dyn askama::Values) -> Markup {
    Ok(Safe(agent_markup(&value.to_string())))
}

/// Text from an agent in which backticks mark what is typed: `` `apt upgrade` `` is set as code.
#[askama::filter_fn]
pub(super) fn agent_steps(value: impl Display, _: &dyn askama::Values) -> Markup {
    Ok(Safe(steps_markup(&value.to_string())))
}

fn steps_markup(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // A backtick without its partner is only a letter.
        return agent_markup(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for (index, part) in parts.into_iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        if index.is_multiple_of(2) {
            out.push_str(&agent_markup(part));
        } else {
            let _ = write!(out, "<code>{}</code>", agent_markup(part));
        }
    }
    out
}

/// Text from an agent inside an attribute; escaped by the template as all text is.
#[askama::filter_fn]
pub(super) fn agent_attribute(
    value: impl Display,
    _: &dyn askama::Values,
) -> askama::Result<String> {
    Ok(agent_plain(&value.to_string()))
}

/// Who says where a device belongs.
#[askama::filter_fn]
pub(super) fn whence(
    value: &Option<UnitFrom>,
    _: &dyn askama::Values,
) -> askama::Result<&'static str> {
    Ok(match value {
        None => "",
        Some(UnitFrom::Token) => "by its token",
        Some(UnitFrom::Rule) => "by a rule",
        Some(UnitFrom::Hand) => "by hand",
    })
}

/// A moment relative to now, its full form one look away; `never` where there is none.
#[askama::filter_fn]
pub(super) fn ago(value: impl Moment, _: &dyn askama::Values, now: &Timestamp) -> Markup {
    Ok(Safe(match value.moment() {
        None => "<span class=\"soft\">never</span>".to_owned(),
        Some(at) => format!(
            "<time datetime=\"{at}\" title=\"{}\" data-ago>{}</time>",
            absolute(at),
            relative(at, *now)
        ),
    }))
}

/// A moment relative to now, to the second.
#[askama::filter_fn]
pub(super) fn ago_short(
    value: impl Moment,
    _: &dyn askama::Values,
    now: &Timestamp,
) -> askama::Result<String> {
    Ok(value.moment().map(|at| short_ago(at, *now)).unwrap_or_default())
}

/// The time of the day of a moment.
#[askama::filter_fn]
pub(super) fn clock(value: impl Moment, _: &dyn askama::Values) -> askama::Result<String> {
    let text = value.moment().map(|at| at.to_string()).unwrap_or_default();
    Ok(text.get(11..16).unwrap_or_default().to_owned())
}

/// A size in bytes, for people.
#[askama::filter_fn]
pub(super) fn bytes(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    let text = value.to_string();
    Ok(text.parse().map_or(text, size))
}

/// JSON made by us from what an agent sent: hidden letters made visible, lines kept.
#[askama::filter_fn]
pub(super) fn agent_json(value: impl Display, _: &dyn askama::Values) -> Markup {
    let text = value.to_string();
    let lines: Vec<String> = text.lines().map(agent_markup).collect();
    Ok(Safe(lines.join("\n")))
}

/// A moment in full.
#[askama::filter_fn]
pub(super) fn moment(value: impl Moment, _: &dyn askama::Values) -> Markup {
    Ok(Safe(match value.moment() {
        None => "<span class=\"soft\">never</span>".to_owned(),
        Some(at) => format!("<time datetime=\"{at}\">{}</time>", absolute(at)),
    }))
}

/// Only the day of a moment.
#[askama::filter_fn]
pub(super) fn day(value: impl Moment, _: &dyn askama::Values) -> Markup {
    Ok(Safe(match value.moment() {
        None => "–".to_owned(),
        Some(at) => {
            format!("<time datetime=\"{at}\" title=\"{}\">{}</time>", absolute(at), at.date())
        }
    }))
}

/// A whole number with its thousands apart.
#[askama::filter_fn]
pub(super) fn number(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    let text = value.to_string();
    Ok(text.parse().map_or(text, grouped))
}

/// A word of the wire for people.
#[askama::filter_fn]
pub(super) fn words(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(spoken(&value.to_string()))
}

/// One value of a query in an address.
#[askama::filter_fn]
pub(super) fn param(value: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
    Ok(encoded(&value.to_string()))
}

/// An icon by its name; an unknown name gives a dot.
#[askama::filter_fn]
pub(super) fn icon(value: impl Display, _: &dyn askama::Values) -> Markup {
    Ok(Safe(icons::markup(&value.to_string())))
}

/// A status by icon and word, as a rounded mark.
#[askama::filter_fn]
pub(super) fn mark(value: impl Display, _: &dyn askama::Values) -> Markup {
    let word = value.to_string();
    let mut escaped = String::new();
    escape_into(&mut escaped, &spoken(&word));
    // Only words of our own enums become class names.
    let class =
        if word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') { &word } else { "info" };
    Ok(Safe(format!("<span class=\"mark fill {class}\">{}{escaped}</span>", icons::markup(&word))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_seen_and_does_nothing() {
        let shown = agent_markup("<script>\u{202e}\u{0}\u{7f}'\"&");
        assert_eq!(
            shown,
            "<bdi>&lt;script&gt;<span class=\"tok\">U+202E</span>\
             <span class=\"tok\" title=\"U+0000\">␀</span><span class=\"tok\">U+007F</span>\
             &#39;&quot;&amp;</bdi>"
        );
        assert_eq!(agent_plain("a\u{202e}b"), "a[U+202E]b");
    }

    #[test]
    fn what_is_typed_is_set_as_code() {
        assert_eq!(
            steps_markup("Run `apt <upgrade>`."),
            "<bdi>Run </bdi><code><bdi>apt &lt;upgrade&gt;</bdi></code><bdi>.</bdi>"
        );
        assert_eq!(steps_markup("one ` only"), "<bdi>one ` only</bdi>");
    }

    #[test]
    fn times_sizes_and_numbers_read_well() {
        let now = Timestamp::from_seconds(1_000_000_000);
        assert_eq!(relative(now, now), "just now");
        assert_eq!(relative(now.plus_ms(-12 * MINUTE_MS), now), "12 min ago");
        assert_eq!(relative(now.plus_ms(3 * DAY_MS), now), "in 3 days");
        assert_eq!(relative(Timestamp(i64::MIN), Timestamp(i64::MAX)), "292471208 years ago");
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1536 * 1024 * 1024), "1.5 GiB");
        assert_eq!(size(u64::MAX), "15.9 EiB");
        assert_eq!(disk_size(512_110_190_592), "512 GB");
        assert_eq!(frequency(2700), "2.70 GHz");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(encoded("a b/ü"), "a%20b%2F%C3%BC");
    }
}
