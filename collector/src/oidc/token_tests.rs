//! Tokens that are right, and each way of being wrong.

use proptest::prelude::*;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const NOW_S: i64 = 1_795_000_000;
const RSA: &[u8] = include_bytes!("../../../tests/fixtures/sign_in/rsa/key.pk8");

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Signer {
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
    ed: Ed25519KeyPair,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self {
            ec: EcdsaKeyPair::from_pkcs8(algorithm, ec.as_ref(), &random).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(RSA).unwrap(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
        }
    }

    fn keys(&self) -> KeySet {
        KeySet::parse(self.key_text().as_bytes()).unwrap()
    }

    fn key_text(&self) -> String {
        let point = self.ec.public_key().as_ref();
        let rsa: signature::RsaPublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "kid": "ec", "x": b64(&point[1..33]), "y": b64(&point[33..]) },
            { "kty": "RSA", "kid": "rsa", "n": b64(&rsa.n), "e": b64(&rsa.e), "use": "sig" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(self.ed.public_key()) },
        ] })
        .to_string()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let random = SystemRandom::new();
        let rsa = |encoding: &'static dyn signature::RsaEncoding| {
            let mut signed = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(encoding, &random, message.as_bytes(), &mut signed).unwrap();
            signed
        };
        let signed = match header["alg"].as_str().unwrap() {
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            "EdDSA" => self.ed.sign(message.as_bytes()).as_ref().to_vec(),
            _ => self.ec.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", b64(signed))
    }
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://login.example.org",
        client_id: "rollcall",
        nonce: "n-1",
        access_token: Some("access"),
        now: NOW,
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example.org", "aud": "rollcall", "sub": "s-1", "nonce": "n-1",
        "iat": NOW_S, "exp": NOW_S + 300, "groups": ["it"],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn every_accepted_algorithm_is_believed() {
    let signer = Signer::new();
    for (alg, kid) in
        [("ES256", "ec"), ("RS256", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("EdDSA", "ed")]
    {
        for header in [json!({ "alg": alg, "kid": kid }), json!({ "alg": alg, "typ": "JWT" })] {
            let token = signer.sign(&header, &claims());
            let believed = believe(&token, &signer.keys(), &expected()).unwrap();
            assert_eq!((believed.subject(), believed.list("groups")), ("s-1", vec!["it".into()]));
        }
    }
}

#[test]
fn a_header_decides_nothing() {
    let signer = Signer::new();
    let keys = signer.keys();
    let refused = |token: &str| believe(token, &keys, &expected()).unwrap_err();
    let body = b64(claims().to_string());
    for alg in ["none", "None", "NONE", ""] {
        let head = b64(json!({ "alg": alg }).to_string());
        for token in
            [format!("{head}.{body}."), format!("{head}.{body}"), format!("{head}.{body}.AA")]
        {
            let error = refused(&token);
            assert!(matches!(error, TokenError::Algorithm(_) | TokenError::Form), "{error:?}");
        }
    }
    // The public key as the secret of an HMAC, in each form that somebody may have of it.
    let rsa: signature::RsaPublicKeyComponents<Vec<u8>> = signer.rsa.public().into();
    for secret in [
        signer.rsa.public().as_ref().to_vec(),
        rsa.n.clone(),
        b64(&rsa.n).into_bytes(),
        signer.key_text().into_bytes(),
    ] {
        for kid in ["rsa", "ec"] {
            let head = b64(json!({ "alg": "HS256", "kid": kid }).to_string());
            let message = format!("{head}.{body}");
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let token = format!("{message}.{}", b64(hmac::sign(&key, message.as_bytes())));
            assert_eq!(refused(&token), TokenError::Algorithm("HS256".to_owned()));
        }
    }
    let es = |header: Value| refused(&signer.sign(&header, &claims()));
    assert_eq!(es(json!({ "alg": "ES256", "kid": "other" })), TokenError::UnknownKey);
    assert_eq!(es(json!({ "alg": "ES256", "kid": "rsa" })), TokenError::UnknownKey);
    assert_eq!(es(json!({ "alg": "ES256", "crit": ["exp"] })), TokenError::Critical);
    assert_eq!(es(json!({ "alg": "ES256", "typ": "at+jwt" })), TokenError::Critical);
    // A key in the header is nobody's key.
    let own = Signer::new();
    let head = json!({ "alg": "ES256", "kid": "ec", "jwk": own.key_text(), "jku": "https://evil.example" });
    assert_eq!(refused(&own.sign(&head, &claims())), TokenError::Signature);
}

#[test]
fn every_claim_is_held() {
    let signer = Signer::new();
    let held = |claims: &Value| {
        let token = signer.sign(&json!({ "alg": "ES256" }), claims);
        believe(&token, &signer.keys(), &expected()).map(|_| ())
    };
    let many = |azp: Value| {
        let mut claims = with("aud", json!(["other", "rollcall"]));
        if !azp.is_null() {
            claims["azp"] = azp;
        }
        claims
    };
    for (claims, wanted) in [
        (claims(), Ok(())),
        (with("iss", json!("https://login.example.org/")), Err(TokenError::Issuer)),
        (with("iss", json!("https://evil.example")), Err(TokenError::Issuer)),
        (without("iss"), Err(TokenError::Claim("iss"))),
        (without("sub"), Err(TokenError::Claim("sub"))),
        (with("sub", json!("")), Err(TokenError::Claim("sub"))),
        (with("sub", json!(7)), Err(TokenError::Claim("sub"))),
        (with("sub", json!("a".repeat(256))), Err(TokenError::Claim("sub"))),
        (without("aud"), Err(TokenError::Claim("aud"))),
        (with("aud", json!("other")), Err(TokenError::Audience)),
        (with("aud", json!([])), Err(TokenError::Audience)),
        (with("aud", json!(["rollcall"])), Ok(())),
        (many(Value::Null), Err(TokenError::Claim("azp"))),
        (many(json!("other")), Err(TokenError::Audience)),
        (many(json!("rollcall")), Ok(())),
        (with("azp", json!("other")), Err(TokenError::Audience)),
        (with("nonce", json!("n-2")), Err(TokenError::Nonce)),
        (without("nonce"), Err(TokenError::Nonce)),
        (without("exp"), Err(TokenError::Claim("exp"))),
        (with("exp", json!("never")), Err(TokenError::Claim("exp"))),
        (with("exp", json!(NOW_S - 60)), Err(TokenError::Expired)),
        (with("exp", json!(NOW_S - 59)), Ok(())),
        (with("exp", json!(1.8e9)), Ok(())),
        (without("iat"), Err(TokenError::Claim("iat"))),
        (with("iat", json!(NOW_S - 601)), Err(TokenError::Expired)),
        (with("iat", json!(NOW_S + 61)), Err(TokenError::Early)),
        (with("nbf", json!(NOW_S + 60)), Ok(())),
        (with("nbf", json!(NOW_S + 61)), Err(TokenError::Early)),
        (with("nbf", json!(null)), Err(TokenError::Claim("nbf"))),
        (with("at_hash", json!("wrong")), Err(TokenError::AccessToken)),
        (with("at_hash", json!(null)), Err(TokenError::Claim("at_hash"))),
        (
            with("at_hash", json!(b64(&digest::digest(&digest::SHA256, b"access").as_ref()[..16]))),
            Ok(()),
        ),
    ] {
        assert_eq!(held(&claims), wanted, "{claims}");
    }
}

#[test]
fn an_address_counts_only_when_verified() {
    let of = |value: Value| {
        let Value::Object(map) = json!({ "email": "a@example.org", "email_verified": value })
        else {
            panic!()
        };
        Claims(map).verified_email().is_some()
    };
    assert!(of(json!(true)) && of(json!("true")));
    for value in [json!(false), json!("false"), json!("yes"), json!(1), json!(null)] {
        assert!(!of(value.clone()), "{value}");
    }
}

proptest! {
    #[test]
    fn no_text_is_believed_or_panics(text in ".{0,200}", a: Vec<u8>, b: Vec<u8>, c: Vec<u8>) {
        let keys = KeySet::default();
        prop_assert!(believe(&text, &keys, &expected()).is_err());
        let token = format!("{}.{}.{}", b64(a), b64(b), b64(c));
        prop_assert!(believe(&token, &keys, &expected()).is_err());
    }

    #[test]
    fn a_changed_letter_spoils_a_token(place: prop::sample::Index, letter in "[A-Za-z0-9_-]") {
        let signer = Signer::new();
        let token = signer.sign(&json!({ "alg": "EdDSA", "kid": "ed" }), &claims());
        let place = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(place..=place, &letter);
        let same = changed == token;
        let believed = believe(&changed, &signer.keys(), &expected()).is_ok();
        prop_assert_eq!(believed, same, "{}", changed);
    }
}
