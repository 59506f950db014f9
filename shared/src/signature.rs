//! Signed requests: HTTP message signatures (RFC 9421) in one fixed profile.
//!
//! Covered are `@method @path content-type content-encoding content-digest rollcall-seq`, so a
//! request is checked completely before a byte of it is unpacked, and through any proxy. The
//! parameters are `created`, `keyid` (the device id, or the public key while enrolling), `alg` and
//! `tag`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::identity::DeviceId;
use crate::time::Timestamp;

/// Marks a signature as made by this profile.
pub const TAG: &str = "rollcall-1";
/// The only algorithm so far.
pub const ALGORITHM: &str = "ed25519";
/// Header that carries the report's sequence number; `0` where there is none.
pub const SEQ_HEADER: &str = "rollcall-seq";

/// What is signed of a request, exactly as it stands in the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Covered<'a> {
    /// HTTP method in capitals.
    pub method: &'a str,
    /// Path without query.
    pub path: &'a str,
    /// Header `content-type`.
    pub content_type: &'a str,
    /// Header `content-encoding`.
    pub content_encoding: &'a str,
    /// Header `content-digest` (RFC 9530).
    pub content_digest: &'a str,
    /// Header `rollcall-seq`.
    pub seq: &'a str,
}

/// The parameters of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// When it was made, by the signer's clock.
    pub created: Timestamp,
    /// Who made it.
    pub key_id: String,
}

/// Why a signature is not accepted. The collector answers all of them alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or not of the profile's form.
    #[error("the signature headers are not of the profile `rollcall-1`")]
    Malformed,
    /// The key is not an Ed25519 public key.
    #[error("the public key is not an Ed25519 key")]
    Key,
    /// The signature is not this key's over these values.
    #[error("the signature does not verify")]
    Mismatch,
}

/// The value of `content-digest` over a body as sent.
pub fn content_digest(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    format!("sha-256=:{}:", BASE64.encode(digest.as_ref()))
}

fn input(parameters: &Parameters) -> String {
    format!(
        "(\"@method\" \"@path\" \"content-type\" \"content-encoding\" \"content-digest\" \
         \"{SEQ_HEADER}\");created={};keyid=\"{}\";alg=\"{ALGORITHM}\";tag=\"{TAG}\"",
        parameters.created.seconds(),
        parameters.key_id
    )
}

fn base(covered: &Covered<'_>, input: &str) -> String {
    let Covered { method, path, content_type, content_encoding, content_digest, seq } = covered;
    format!(
        "\"@method\": {method}\n\"@path\": {path}\n\"content-type\": {content_type}\n\
         \"content-encoding\": {content_encoding}\n\"content-digest\": {content_digest}\n\
         \"{SEQ_HEADER}\": {seq}\n\"@signature-params\": {input}"
    )
}

/// A device's private key.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// From a stored 32 byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, SignatureError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SignatureError::Key)?;
        Ok(Self { pair })
    }

    /// The public key as base64, as enrolment sends it.
    pub fn public_key(&self) -> String {
        BASE64.encode(self.pair.public_key().as_ref())
    }

    /// The headers `signature-input` and `signature` for a request.
    pub fn sign(&self, covered: &Covered<'_>, parameters: &Parameters) -> (String, String) {
        let input = input(parameters);
        let signature = self.pair.sign(base(covered, &input).as_bytes());
        (format!("rc={input}"), format!("rc=:{}:", BASE64.encode(signature.as_ref())))
    }
}

/// What a new key signs to show that it agrees to follow an old one.
fn rekey_statement(device_id: DeviceId, new_public_key: &str) -> String {
    format!("rollcall-rekey-1:{device_id}:{new_public_key}")
}

impl SigningKey {
    /// Shows that this new key follows the one of a device; base64.
    pub fn rekey_proof(&self, device_id: DeviceId) -> String {
        let statement = rekey_statement(device_id, &self.public_key());
        BASE64.encode(self.pair.sign(statement.as_bytes()).as_ref())
    }
}

/// Whether the new key, base64, itself agreed to follow the one of this device.
pub fn verify_rekey_proof(
    device_id: DeviceId,
    new_public_key: &str,
    proof: &str,
) -> Result<(), SignatureError> {
    let public_key = decode_public_key(new_public_key)?;
    let proof = BASE64.decode(proof).map_err(|_| SignatureError::Malformed)?;
    UnparsedPublicKey::new(&ED25519, public_key)
        .verify(rekey_statement(device_id, new_public_key).as_bytes(), &proof)
        .map_err(|_| SignatureError::Mismatch)
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(public {}, private ***)", self.public_key())
    }
}

/// Decodes a public key from base64; it must be 32 bytes.
pub fn decode_public_key(text: &str) -> Result<[u8; 32], SignatureError> {
    let bytes = BASE64.decode(text).map_err(|_| SignatureError::Key)?;
    bytes.try_into().map_err(|_| SignatureError::Key)
}

/// A signature taken from headers, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Its parameters, not to be believed before [`Signature::verify`].
    pub parameters: Parameters,
    bytes: [u8; 64],
}

impl Signature {
    /// Reads the two headers. Only the profile's own spelling is accepted.
    pub fn parse(input_header: &str, signature_header: &str) -> Result<Self, SignatureError> {
        let bad = SignatureError::Malformed;
        let text = input_header.strip_prefix("rc=").ok_or(bad)?;
        let rest = text.split_once(");created=").ok_or(bad)?.1;
        let (created, rest) = rest.split_once(";keyid=\"").ok_or(bad)?;
        let (key_id, _) = rest.split_once('"').ok_or(bad)?;
        let created: i64 = created.parse().map_err(|_| bad)?;
        let key_ok = (1..=64).contains(&key_id.len())
            && key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+/=_".contains(&b));
        let parameters =
            Parameters { created: Timestamp::from_seconds(created), key_id: key_id.to_owned() };
        if !key_ok || input(&parameters) != text {
            return Err(bad);
        }
        let encoded =
            signature_header.strip_prefix("rc=:").and_then(|s| s.strip_suffix(':')).ok_or(bad)?;
        let bytes = BASE64.decode(encoded).map_err(|_| bad)?;
        Ok(Self { parameters, bytes: bytes.try_into().map_err(|_| bad)? })
    }

    /// Whether this key made this signature over these values.
    pub fn verify(
        &self,
        public_key: &[u8; 32],
        covered: &Covered<'_>,
    ) -> Result<(), SignatureError> {
        let base = base(covered, &input(&self.parameters));
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(base.as_bytes(), &self.bytes)
            .map_err(|_| SignatureError::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVERED: Covered<'static> = Covered {
        method: "POST",
        path: "/agent/v1/check-in",
        content_type: "application/json",
        content_encoding: "zstd",
        content_digest: "sha-256=:abc=:",
        seq: "7",
    };

    fn signed() -> (SigningKey, String, String) {
        let key = SigningKey::from_seed(&[7; 32]).unwrap();
        let parameters = Parameters {
            created: Timestamp::from_seconds(1_795_000_000),
            key_id: "0197-aa".into(),
        };
        let (input, signature) = key.sign(&COVERED, &parameters);
        (key, input, signature)
    }

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let (key, input, signature) = signed();
        let public = decode_public_key(&key.public_key()).unwrap();
        let parsed = Signature::parse(&input, &signature).unwrap();
        assert_eq!(parsed.parameters.key_id, "0197-aa");
        assert_eq!(parsed.verify(&public, &COVERED), Ok(()));
        for changed in [
            Covered { method: "PUT", ..COVERED },
            Covered { path: "/agent/v1/enroll", ..COVERED },
            Covered { content_type: "text/plain", ..COVERED },
            Covered { content_encoding: "gzip", ..COVERED },
            Covered { content_digest: "sha-256=:abd=:", ..COVERED },
            Covered { seq: "8", ..COVERED },
        ] {
            assert_eq!(parsed.verify(&public, &changed), Err(SignatureError::Mismatch));
        }
        let other = SigningKey::from_seed(&[8; 32]).unwrap();
        let other = decode_public_key(&other.public_key()).unwrap();
        assert_eq!(parsed.verify(&other, &COVERED), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_new_key_proves_that_it_follows() {
        let (old, new) = (DeviceId(uuid::Uuid::from_u128(1)), DeviceId(uuid::Uuid::from_u128(2)));
        let key = SigningKey::from_seed(&[9; 32]).unwrap();
        let proof = key.rekey_proof(old);
        assert_eq!(verify_rekey_proof(old, &key.public_key(), &proof), Ok(()));
        let mismatch = Err(SignatureError::Mismatch);
        assert_eq!(verify_rekey_proof(new, &key.public_key(), &proof), mismatch);
    }

    #[test]
    fn refuses_headers_outside_the_profile() {
        let (_, input, signature) = signed();
        for bad in [
            input.replace(" \"@path\"", ""),
            input.replace("rollcall-1", "other"),
            input.replace("ed25519", "none"),
            input.replace("rc=", "x="),
            format!("{input};extra=1"),
            input.replace("created=", "created=+"),
        ] {
            assert_eq!(Signature::parse(&bad, &signature), Err(SignatureError::Malformed), "{bad}");
        }
        assert_eq!(Signature::parse(&input, "rc=:AAAA:"), Err(SignatureError::Malformed));
    }
}
