//! What an answer to a check-in means. Pure: bytes in, a decision out.
//!
//! Only JSON that names our report is the collector's word. Anything else, a captive portal for
//! instance, is a reason to try again later.

use std::time::Duration;

use rollcall_shared::problem::{Problem, kind};
use rollcall_shared::report::CheckInAnswer;
use uuid::Uuid;

use crate::client::Answer;

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The report is durably stored.
    Stored(CheckInAnswer),
    /// The same report is to be sent again with these bodies.
    Want(Vec<String>),
    /// A section's bytes did not give its digest.
    BadSection(Problem),
    /// This report will never be taken.
    Rejected(Problem),
    /// The same key speaks from two computers.
    CloneSuspected,
    /// This device was revoked.
    Revoked,
    /// The signature was not accepted.
    Unauthorised,
    /// Come back later.
    Busy {
        /// HTTP status.
        status: u16,
        /// How long to wait at least.
        retry_after: Option<Duration>,
    },
    /// This is not our collector's answer.
    NotOurs {
        /// HTTP status.
        status: u16,
    },
}

/// Reads the error body, if it is one of ours.
pub fn problem(answer: &Answer) -> Option<Problem> {
    serde_json::from_slice::<Problem>(&answer.body)
        .ok()
        .filter(|problem| problem.status == answer.status)
}

/// Reads the answer to the check-in with this report.
pub fn read(answer: &Answer, report_id: Uuid) -> Reading {
    let status = answer.status;
    if status == 200 {
        return match serde_json::from_slice::<CheckInAnswer>(&answer.body) {
            Ok(ours) if ours.report_id == report_id && (ours.stored || ours.duplicate) => {
                Reading::Stored(ours)
            }
            Ok(ours) if ours.report_id == report_id => Reading::Want(ours.want),
            _ => Reading::NotOurs { status },
        };
    }
    let retry_after = answer.retry_after;
    let problem = problem(answer);
    match (status, problem) {
        (429 | 500..=599, _) => Reading::Busy { status, retry_after },
        (403, Some(problem)) if problem.kind == kind::DEVICE_REVOKED => Reading::Revoked,
        (401, Some(_)) => Reading::Unauthorised,
        (409, Some(problem)) if problem.kind == kind::CLONE_SUSPECTED => Reading::CloneSuspected,
        // Sending it again can never end otherwise, so it must not stand in the way of the rest.
        (409, Some(problem)) if problem.kind == kind::REPORT_CONFLICT => Reading::Rejected(problem),
        (422, Some(problem)) if problem.kind == kind::BAD_SECTION => Reading::BadSection(problem),
        (400 | 413 | 422, Some(problem)) => Reading::Rejected(problem),
        // Whoever refuses the size, a proxy perhaps, will refuse it again.
        (413, None) => Reading::Rejected(Problem {
            type_uri: "about:blank".to_owned(),
            title: "Content Too Large".to_owned(),
            status,
            kind: kind::TOO_LARGE.to_owned(),
            detail: "something between here and the collector refuses so large a report".to_owned(),
            request_id: None,
            field: None,
        }),
        _ => Reading::NotOurs { status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, date: None, body: body.as_bytes().to_vec() }
    }

    fn stored(id: Uuid, stored: bool, duplicate: bool, want: &str) -> String {
        format!(
            r#"{{"report_id":"{id}","stored":{stored},"duplicate":{duplicate},"want":[{want}],"server_time":"2026-11-23T10:15:00Z"}}"#
        )
    }

    fn refusal(status: u16, kind: &str) -> Answer {
        answer(
            status,
            &format!(
                r#"{{"type":"about:blank","title":"","status":{status},"kind":"{kind}","detail":""}}"#
            ),
        )
    }

    #[test]
    fn only_json_that_names_our_report_counts() {
        let is_ours = |body: &str| matches!(read(&answer(200, body), ID), Reading::Stored(_));
        assert!(is_ours(&stored(ID, true, false, "")));
        assert!(is_ours(&stored(ID, false, true, "")));
        assert!(!is_ours(&stored(Uuid::from_u128(8), true, false, "")));
        assert!(!is_ours("<html>Please sign in</html>"));
        assert_eq!(
            read(&answer(200, &stored(ID, false, false, r#""os""#)), ID),
            Reading::Want(vec!["os".to_owned()])
        );
        for status in [204, 301, 302, 400, 401, 403, 404, 409, 422, 511] {
            let reading = read(&answer(status, "<html>"), ID);
            assert!(
                matches!(reading, Reading::NotOurs { .. } | Reading::Busy { .. }),
                "{status}: {reading:?}"
            );
        }
    }

    #[test]
    fn each_refusal_has_its_consequence() {
        let reading = |status, kind| read(&refusal(status, kind), ID);
        assert_eq!(reading(403, kind::DEVICE_REVOKED), Reading::Revoked);
        assert_eq!(reading(403, "other"), Reading::NotOurs { status: 403 });
        assert_eq!(reading(401, kind::UNAUTHORISED), Reading::Unauthorised);
        assert_eq!(reading(409, kind::CLONE_SUSPECTED), Reading::CloneSuspected);
        assert!(matches!(reading(409, kind::REPORT_CONFLICT), Reading::Rejected(_)));
        assert!(matches!(reading(422, kind::BAD_SECTION), Reading::BadSection(_)));
        for status in [400, 413, 422] {
            assert!(matches!(reading(status, "other"), Reading::Rejected(_)));
        }
        for status in [429, 500, 502, 503] {
            assert!(matches!(reading(status, kind::BUSY), Reading::Busy { .. }));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(status: u16, body: Vec<u8>) {
            read(&Answer { status, retry_after: None, date: None, body }, ID);
        }
    }
}
