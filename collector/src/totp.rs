//! Codes of a second factor that change every 30 seconds (RFC 6238 over RFC 4226), as every
//! authenticator app makes them: HMAC-SHA-1, six digits. Pure: the time is a parameter.

use std::fmt;

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use rollcall_shared::Timestamp;
use rollcall_shared::time::SECOND_MS;

use crate::http::client::percent_encode;
use crate::secret::NoRandomness;

/// How long a code lasts.
const STEP_MS: i64 = 30 * SECOND_MS;
/// Codes of so many steps before and after are accepted: clocks differ, and people type slowly.
const STEPS_AROUND: i64 = 1;
/// Bytes of a secret, as RFC 4226 recommends.
const LENGTH: usize = 20;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What the app and the collector share.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A new one.
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = vec![0; LENGTH];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(bytes))
    }

    /// A stored one.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The one that a person types, in any case and with any spaces; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        unbase32(text).filter(|bytes| bytes.len() == LENGTH).map(Self)
    }

    /// To store.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// To type, in groups of four.
    pub fn text(&self) -> String {
        grouped(&base32(&self.0), ' ')
    }

    /// The address that a QR code carries.
    pub fn address(&self, account: &str) -> String {
        let account = percent_encode(account).replace('/', "%2F");
        format!("otpauth://totp/Rollcall:{account}?secret={}&issuer=Rollcall", base32(&self.0))
    }

    /// The step whose code this is, when it is one of now and later than the last that was used: a
    /// code that was looked over a shoulder is no use.
    pub fn step_of(&self, code: &str, now: Timestamp, last: Option<i64>) -> Option<i64> {
        let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
        let present = now.0.div_euclid(STEP_MS);
        let mut found = None;
        // Always all of them, so that the time tells nothing.
        for step in present - STEPS_AROUND..=present + STEPS_AROUND {
            let right = same(self.code(step).as_bytes(), code.as_bytes());
            if right && last.is_none_or(|last| step > last) {
                found = Some(step);
            }
        }
        found
    }

    /// The code at a moment.
    pub fn code_at(&self, at: Timestamp) -> String {
        self.code(at.0.div_euclid(STEP_MS))
    }

    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag.last().copied().unwrap_or_default() & 15);
        let mut word = [0; 4];
        word.copy_from_slice(tag.get(at..at + 4).unwrap_or(&[0; 4]));
        format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(***)")
    }
}

/// A new recovery code: 80 random bits, in groups of four letters.
pub fn recovery_code() -> Result<String, NoRandomness> {
    let mut bytes = [0; 10];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(grouped(&base32(&bytes).to_lowercase(), '-'))
}

/// A recovery code as its hash is made of it, whatever case and dashes a person types.
pub fn plain_recovery_code(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn grouped(text: &str, between: char) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for (place, letter) in text.chars().enumerate() {
        if place > 0 && place % 4 == 0 {
            out.push(between);
        }
        out.push(letter);
    }
    out
}

fn base32(bytes: &[u8]) -> String {
    let (mut out, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    out
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
        let value = ALPHABET.iter().position(|known| *known == letter.to_ascii_uppercase())?;
        held = held << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 255).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the rows of SHA-1; six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = TotpSecret(b"12345678901234567890".to_vec());
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let now = Timestamp::from_seconds(seconds);
            assert_eq!(secret.code_at(now), code);
            let step = seconds / 30;
            let typed = format!("{} {}", &code[..3], &code[3..]);
            assert_eq!(secret.step_of(&typed, now, None), Some(step));
            assert_eq!(secret.step_of(code, now.plus_ms(STEP_MS), Some(step - 1)), Some(step));
            assert_eq!(secret.step_of(code, now, Some(step)), None, "used before");
            assert_eq!(secret.step_of(code, now.plus_ms(2 * STEP_MS), None), None, "too late");
            assert_eq!(secret.step_of("", now, None), None);
        }
    }

    #[test]
    fn secrets_are_typed_and_scanned() {
        let secret = TotpSecret(b"12345678901234567890".to_vec());
        assert_eq!(secret.text(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(TotpSecret::from_text(&secret.text().to_lowercase()), Some(secret.clone()));
        assert_eq!(TotpSecret::from_text("GEZD"), None);
        assert_eq!(TotpSecret::from_text("1"), None);
        let address = secret.address("anna@example.org");
        assert!(address.starts_with("otpauth://totp/Rollcall:anna%40example.org?secret=GEZDGNBV"));
        assert_eq!(format!("{secret:?}"), "TotpSecret(***)");
        let code = recovery_code().unwrap();
        assert_eq!((code.len(), plain_recovery_code(&code.to_uppercase()).len()), (19, 16));
    }
}
