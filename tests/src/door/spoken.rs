//! testssl.sh at the real listener.

use std::process::Command;

use super::place::Place;
use super::{ended, tool};
use crate::lost::Told;

/// Findings that come with a certificate authority of one's own, at an address that is no name, and
/// that nobody can revoke.
const OF_OUR_OWN_CA: &[&str] = &[
    "cert_chain_of_trust",
    "cert_trust",
    "cert_revocation",
    "cert_caIssuers",
    "cert_subjectAltName",
    "DNS_CAArecord",
    "OCSP_stapling",
    "certificate_transparency",
    "security_headers",
    "overall_grade",
    "grade_cap_reason",
];

/// Runs it; everything of severity LOW and above that is not of the list is a problem.
pub async fn run() -> Told {
    let Some(program) = tool("TEST_TESTSSL", &["testssl", "testssl.sh"]) else {
        return Told::without("TLS: no testssl.sh here");
    };
    let mut told = Told::default();
    let place = Place::start(&[]).await;
    let report = place.folder.path().join("testssl.json");
    let mut command = Command::new(program);
    command
        .args(["--quiet", "--color", "0", "--warnings", "off", "--jsonfile"])
        .arg(&report)
        .arg(&place.collector.url)
        .current_dir(place.folder.path());
    if let Err(error) = ended(command).await {
        return Told::without(format!("TLS: testssl.sh did not run: {error}"));
    }
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap_or_default();
    if rows.is_empty() {
        return Told::without("TLS: testssl.sh left no report");
    }
    let field =
        |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let wanted =
        ["TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "SSLv2", "SSLv3", "HSTS_time", "heartbleed"];
    for row in &rows {
        let (id, severity, finding) =
            (field(row, "id"), field(row, "severity"), field(row, "finding"));
        if wanted.contains(&id.as_str()) {
            told.say(format!("  {id}: {finding}"));
        }
        let bad = matches!(severity.as_str(), "LOW" | "MEDIUM" | "HIGH" | "CRITICAL");
        let expected = OF_OUR_OWN_CA.iter().any(|known| id.starts_with(known));
        if bad && expected {
            told.say(format!("  of our own CA: {id}: {finding}"));
        } else if bad {
            told.problems.push(format!("{severity} {id}: {finding}"));
        }
    }
    told.say(format!("testssl.sh: {} findings looked at", rows.len()));
    told
}
