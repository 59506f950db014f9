//! Speaks the agents' protocol for as many devices as wanted, without files of its own.

use std::sync::Arc;

use reqwest::StatusCode;
use rollcall_shared::api::enroll::{EnrollAnswer, EnrollRequest};
use rollcall_shared::join::JoinString;
use rollcall_shared::report::{AgentInfo, CheckIn, CheckInAnswer};
use rollcall_shared::signature::{
    ALGORITHM, Covered, Parameters, SEQ_HEADER, SigningKey, content_digest,
};
use rollcall_shared::{DeviceId, HardwareIds, Timestamp};

/// An HTTP client that believes any certificate and follows nothing: tests speak to loopback.
pub fn client() -> reqwest::Client {
    builder().build().expect("a client can be built")
}

fn builder() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_mins(1))
}

/// A connection pool to one collector that believes any certificate: tests speak to loopback.
#[derive(Debug, Clone)]
pub struct Wire {
    client: reqwest::Client,
    url: String,
}

/// An answer that was not the hoped one.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The collector said no.
    #[error("{status}: {body}")]
    Status {
        /// Its status.
        status: StatusCode,
        /// What it said.
        body: String,
        /// Seconds after which to come back, if it said so.
        retry_after_s: Option<u64>,
    },
    /// Nothing came back.
    #[error(transparent)]
    Transport(#[from] reqwest::Error),
    /// Something else came back.
    #[error("the answer is not of the protocol: {0}")]
    Form(#[from] serde_json::Error),
}

impl Wire {
    /// To the collector at `url`.
    pub fn new(url: &str) -> Self {
        Self { client: client(), url: url.trim_end_matches('/').to_owned() }
    }

    /// The same from several addresses of this computer, since a collector takes only so many
    /// connections from each. `kept`: whether connections are used again.
    pub fn from_addresses(url: &str, count: u8, kept: bool) -> Vec<Self> {
        let address = |number| std::net::IpAddr::from([127, 0, 0, number]);
        let wire = |number| {
            let mut builder = builder().local_address(address(number));
            if !kept {
                builder = builder.pool_max_idle_per_host(0);
            }
            let client = builder.build().expect("a client can be built");
            Self { client, url: url.trim_end_matches('/').to_owned() }
        };
        (2..count.saturating_add(2)).map(wire).collect()
    }

    /// Sends a signed request as agents do.
    pub async fn signed(
        &self,
        path: &str,
        key: &SigningKey,
        key_id: &str,
        seq: u64,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Vec<u8>, WireError> {
        self.signed_as("zstd", path, (key, key_id), seq, body, now).await
    }

    /// The same with a body that was packed otherwise; `key` and whose it is.
    pub async fn signed_as(
        &self,
        encoding: &str,
        path: &str,
        (key, key_id): (&SigningKey, &str),
        seq: u64,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<Vec<u8>, WireError> {
        let digest = content_digest(&body);
        let seq = seq.to_string();
        let covered = Covered {
            method: "POST",
            path,
            content_type: "application/json",
            content_encoding: encoding,
            content_digest: &digest,
            seq: &seq,
        };
        let parameters = Parameters { created: now, key_id: key_id.to_owned() };
        let (input, signature) = key.sign(&covered, &parameters);
        let answer = self
            .client
            .post(format!("{}{path}", self.url))
            .header("content-type", covered.content_type)
            .header("content-encoding", covered.content_encoding)
            .header("content-digest", &digest)
            .header(SEQ_HEADER, &seq)
            .header("signature-input", input)
            .header("signature", signature)
            .body(body)
            .send()
            .await?;
        let status = answer.status();
        let retry_after_s =
            answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let bytes = answer.bytes().await?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Err(WireError::Status { status, body, retry_after_s })
    }
}

/// One enrolled device, its key in memory.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its key.
    pub key: Arc<SigningKey>,
}

/// JSON, packed as agents pack it.
pub fn pack(value: &impl serde::Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value).expect("wire types serialise");
    zstd::bulk::compress(&json, 3).expect("memory can be packed")
}

impl Device {
    /// Enrols a device with a key made from `seed`.
    pub async fn enroll(
        wire: &Wire,
        join: &JoinString,
        seed: [u8; 32],
        hostname: &str,
        hardware_ids: HardwareIds,
        now: Timestamp,
    ) -> Result<Self, WireError> {
        let key = SigningKey::from_seed(&seed).expect("any seed makes a key");
        let request = EnrollRequest {
            token: join.token.clone(),
            public_key: key.public_key(),
            alg: ALGORITHM.to_owned(),
            hostname: hostname.to_owned(),
            hardware_ids,
            agent: AgentInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                target: "test".to_owned(),
                privileged: false,
            },
        };
        let key_id = key.public_key();
        let answer = wire.signed("/agent/v1/enroll", &key, &key_id, 0, pack(&request), now).await?;
        let answer: EnrollAnswer = serde_json::from_slice(&answer)?;
        Ok(Self { id: answer.device_id, key: Arc::new(key) })
    }

    /// Sends a report as it is.
    pub async fn check_in(
        &self,
        wire: &Wire,
        report: &CheckIn,
        now: Timestamp,
    ) -> Result<CheckInAnswer, WireError> {
        self.send_packed(wire, report.seq, pack(report), now).await
    }

    /// Sends a report that was packed before.
    pub async fn send_packed(
        &self,
        wire: &Wire,
        seq: u64,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<CheckInAnswer, WireError> {
        let id = self.id.to_string();
        let answer = wire.signed("/agent/v1/check-in", &self.key, &id, seq, body, now).await?;
        Ok(serde_json::from_slice(&answer)?)
    }
}
