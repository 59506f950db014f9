//! The first contact: a token becomes a device key.

use rollcall_shared::api::enroll::{EnrollAnswer, EnrollRequest, RekeyRequest};
use rollcall_shared::join::JoinString;
use rollcall_shared::problem::kind;
use rollcall_shared::signature::ALGORITHM;

use crate::agent::{Agent, EnrollOutcome};
use crate::answer;
use crate::client::{Answer, Client, Signed};
use crate::error::Error;
use crate::report::{agent_info, hostname};
use crate::state::{Identity, Ledger};
use crate::tls::Trust;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

const ENROLL_PATH: &str = "/agent/v1/enroll";
const REKEY_PATH: &str = "/agent/v1/rekey";

impl Agent {
    /// Enrols this computer. The key is on disk before it is shown to anybody, so that an answer
    /// that got lost is repaired by enrolling again.
    pub async fn enroll(&mut self, join: &JoinString) -> Result<EnrollOutcome, Error> {
        if let Some(identity) = &self.state.identity {
            return Err(Error::AlreadyEnrolled {
                url: identity.url.clone(),
                device_id: identity.device_id,
            });
        }
        let trust = join.ca_digest.map_or(Trust::System, Trust::Digest);
        let mut client = self.connect_to(&join.url, trust)?;
        let key = self.state.key(self.present.as_ref())?;
        let gathering = self.gather().await?;
        let request = EnrollRequest {
            token: join.token.clone(),
            public_key: key.public_key(),
            alg: ALGORITHM.to_owned(),
            hostname: hostname(&gathering),
            hardware_ids: gathering.hardware_ids,
            agent: agent_info(),
        };
        let answer = ask(
            &mut client,
            &join.url,
            &Signed {
                path: ENROLL_PATH,
                seq: 0,
                key_id: &key.public_key(),
                key: &key,
                json: &to_json(&request)?,
                created: self.present.now(),
            },
        )
        .await?;
        let ca_certificate = client.seen_ca().map(|der| BASE64.encode(der));
        self.adopt(
            &answer,
            Identity {
                device_id: answer.device_id,
                url: join.url.clone(),
                ca_digest: ca_certificate.is_some().then_some(join.ca_digest).flatten(),
                ca_certificate,
                public_key: key.public_key(),
                status: answer.status,
                enrolled_at: self.present.now(),
            },
        )?;
        Ok(EnrollOutcome {
            device_id: answer.device_id,
            status: answer.status,
            url: join.url.clone(),
        })
    }

    /// Makes a new key after the collector saw the old one on two computers.
    pub(crate) async fn rekey(&mut self, client: &mut Client) -> Result<Identity, Error> {
        let old = self.state.identity.clone().ok_or(Error::NotEnrolled)?;
        let old_key = self.state.key(self.present.as_ref())?;
        let new_key = self.state.next_key(self.present.as_ref())?;
        let gathering = self.gather().await?;
        let request = RekeyRequest {
            public_key: new_key.public_key(),
            alg: ALGORITHM.to_owned(),
            proof: new_key.rekey_proof(old.device_id),
            hostname: hostname(&gathering),
            hardware_ids: gathering.hardware_ids,
            agent: agent_info(),
        };
        let answer = ask(
            client,
            &old.url,
            &Signed {
                path: REKEY_PATH,
                seq: 0,
                key_id: &old.device_id.to_string(),
                key: &old_key,
                json: &to_json(&request)?,
                created: self.present.now(),
            },
        )
        .await?;
        let identity = Identity {
            device_id: answer.device_id,
            public_key: new_key.public_key(),
            status: answer.status,
            enrolled_at: self.present.now(),
            ..old
        };
        self.adopt(&answer, identity.clone())?;
        self.state.promote_next_key()?;
        Ok(identity)
    }

    /// Writes an accepted identity down; the identity comes last because it is what counts.
    fn adopt(&mut self, answer: &EnrollAnswer, identity: Identity) -> Result<(), Error> {
        // A new device has acknowledged nothing.
        self.state.ledger = Ledger {
            settings: answer.settings.clone().clamped(),
            dropped_reports: self.state.ledger.dropped_reports,
            ..Ledger::default()
        };
        self.state.save_ledger()?;
        if let Some(next) = answer.next_seq {
            self.state.continue_after(next.saturating_sub(1))?;
        }
        self.state.save_identity(identity)?;
        Ok(())
    }
}

fn to_json<T: serde::Serialize>(request: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(request)
        .map_err(|error| Error::Internal(format!("a request could not be written: {error}")))
}

async fn ask(client: &mut Client, url: &str, signed: &Signed<'_>) -> Result<EnrollAnswer, Error> {
    let answer =
        client.post(signed).await.map_err(|source| Error::Reach { url: url.to_owned(), source })?;
    read(&answer, url)
}

/// Reads the answer to an enrolment or rekey.
fn read(answer: &Answer, url: &str) -> Result<EnrollAnswer, Error> {
    let status = answer.status;
    let not_ours = || Error::NotACollector { url: url.to_owned(), status };
    if status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|_| not_ours());
    }
    match (status, answer::problem(answer)) {
        (429 | 500..=599, _) => Err(Error::Busy { status, retry_after: answer.retry_after }),
        (_, Some(problem)) if problem.kind == kind::TOKEN_REFUSED => Err(Error::TokenRefused),
        (_, Some(problem)) if problem.kind == kind::DEVICE_REVOKED => Err(Error::Revoked),
        (401, Some(_)) => Err(Error::Unauthorised),
        (400..=499, Some(problem)) => Err(Error::Refused(printable(&problem.detail))),
        _ => Err(not_ours()),
    }
}

/// A foreign sentence, fit for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}
