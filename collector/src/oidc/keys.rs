//! Signature algorithms of tokens and the public keys of a provider (RFC 7517, 7518, 8037). Pure.
//!
//! Only signatures by private keys: `none` and the HMAC family have no place in the list, so a
//! token cannot ask for them, and a symmetric key in a provider's set is not even read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

/// Keys of a set that are read.
const KEYS: usize = 50;
/// Bits of the shortest RSA key that is believed.
const SHORTEST_RSA_BITS: usize = 2048;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS#1.
    Rsa(Hash),
    /// RSA, PSS.
    Pss(Hash),
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// The hash in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every word that is understood.
    pub const WORDS: &[(&str, Self)] = &[
        ("RS256", Self::Rsa(Hash::Sha256)),
        ("RS384", Self::Rsa(Hash::Sha384)),
        ("RS512", Self::Rsa(Hash::Sha512)),
        ("PS256", Self::Pss(Hash::Sha256)),
        ("PS384", Self::Pss(Hash::Sha384)),
        ("PS512", Self::Pss(Hash::Sha512)),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    /// Reads the word of a token's header, letter by letter.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, algorithm)| *algorithm)
    }

    /// The hash that `at_hash` is made with.
    pub(super) fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Rsa(Hash::Sha256) | Self::Pss(Hash::Sha256) | Self::Es256 => &digest::SHA256,
            Self::Rsa(Hash::Sha384) | Self::Pss(Hash::Sha384) | Self::Es384 => &digest::SHA384,
            Self::Rsa(Hash::Sha512) | Self::Pss(Hash::Sha512) | Self::EdDsa => &digest::SHA512,
        }
    }
}

/// The public keys of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a key set. Keys that are for something else or of an unknown kind are left out.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let set: RawSet = serde_json::from_slice(json)?;
        Ok(Self(set.keys.into_iter().take(KEYS).filter_map(key).collect()))
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that a token names; a token that names none has the only one that fits.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.fits(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)));
        let first = fitting.next()?;
        (fitting.next().is_none()).then_some(first)
    }
}

impl Key {
    fn fits(&self, algorithm: Algorithm) -> bool {
        let of_kind = matches!(
            (&self.material, algorithm),
            (Material::Rsa { .. }, Algorithm::Rsa(_) | Algorithm::Pss(_))
                | (Material::P256(_), Algorithm::Es256)
                | (Material::P384(_), Algorithm::Es384)
                | (Material::Ed25519(_), Algorithm::EdDsa)
        );
        of_kind
            && self.algorithm.as_deref().is_none_or(|word| {
                Algorithm::from_word(word).is_some_and(|found| found == algorithm)
            })
    }

    /// Whether this key signed the message.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signed: &[u8]) -> bool {
        match (&self.material, algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rsa(_) | Algorithm::Pss(_)) => {
                let parameters = match algorithm {
                    Algorithm::Rsa(Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rsa(Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rsa(Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Pss(Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Pss(Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
                    _ => &signature::RSA_PSS_2048_8192_SHA512,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).is_ok()
            }
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signed)
                    .is_ok()
            }
            (Material::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
                    .verify(message, signed)
                    .is_ok()
            }
            (Material::Ed25519(point), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signed).is_ok()
            }
            _ => false,
        }
    }
}

fn key(value: serde_json::Value) -> Option<Key> {
    let raw: RawKey = serde_json::from_value(value).ok()?;
    if raw.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
    let point = |length: usize| {
        let (x, y) = (bytes(raw.x.clone())?, bytes(raw.y.clone())?);
        (x.len() == length && y.len() == length).then(|| [vec![4], x, y].concat())
    };
    let material = match (raw.kty.as_str(), raw.crv.as_deref()) {
        ("RSA", _) => {
            // Some write the number with leading zeros.
            let n: Vec<u8> = bytes(raw.n)?.into_iter().skip_while(|byte| *byte == 0).collect();
            let e: Vec<u8> = bytes(raw.e)?.into_iter().skip_while(|byte| *byte == 0).collect();
            if n.len() * 8 < SHORTEST_RSA_BITS {
                return None;
            }
            Material::Rsa { n, e }
        }
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => {
            Material::Ed25519(bytes(raw.x).filter(|point| point.len() == 32)?)
        }
        _ => return None,
    };
    Some(Key { id: raw.kid, algorithm: raw.alg, material })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_sign_are_read() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let short = URL_SAFE_NO_PAD.encode([255; 128]);
        let set = format!(
            r#"{{"keys":[
                {{"kty":"oct","k":"{x}"}},
                {{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","use":"enc"}},
                {{"kty":"EC","crv":"P-256","x":"{x}","y":"AA"}},
                {{"kty":"EC","crv":"secp256k1","x":"{x}","y":"{x}"}},
                {{"kty":"RSA","n":"{short}","e":"AQAB"}},
                {{"kty":"OKP","crv":"X25519","x":"{x}"}},
                {{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"a"}},
                {{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"b","alg":"ES256"}},
                7, {{}}
            ]}}"#
        );
        let set = KeySet::parse(set.as_bytes()).unwrap();
        assert_eq!(set.len(), 2);
        assert!(set.find(Some("a"), Algorithm::EdDsa).is_some());
        assert!(set.find(None, Algorithm::EdDsa).is_some(), "only one fits");
        assert!(set.find(Some("b"), Algorithm::EdDsa).is_none(), "it is for another algorithm");
        assert!(set.find(Some("a"), Algorithm::Es256).is_none());
        assert!(KeySet::parse(b"[]").is_err() && KeySet::parse(b"{}").is_err());
    }

    #[test]
    fn no_symmetric_algorithm_has_a_name() {
        for word in ["none", "None", "HS256", "HS512", "rs256", "ES256K", "", "RS256 "] {
            assert_eq!(Algorithm::from_word(word), None, "{word}");
        }
    }
}
