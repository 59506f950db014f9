//! To whoever sees one half, the fleet is as if the other half did not exist: every answer is the
//! same to the byte.

use std::collections::BTreeSet;

use super::*;
use crate::http::{api, openapi};

/// Answers that speak of the collector itself, or count in places that all share.
const SHARED: &[&str] = &[
    "/api/v1/openapi.json",
    "/api/v1/health",
    // Its cursor holds the number of the newest transaction.
    "/api/v1/changes",
    // They show numbers of the one log.
    "/api/v1/audit",
    "/audit",
    // It shows a new secret each time.
    "/account/second-factor",
];

/// Every question of the API and every page that names nothing or something of this half.
fn questions(half: &Half) -> BTreeSet<String> {
    let document = openapi::document(&api::operations());
    let mut all = BTreeSet::new();
    for route in routes().iter().filter(|route| route.method == "GET") {
        if matches!(route.access, Access::Public | Access::Agent | Access::Whole(_)) {
            continue;
        }
        let path = named(route.path, half, half.receipt, half.api_token);
        let path = path.unwrap_or_else(|| route.path.to_owned());
        if SHARED.contains(&route.path) || path.contains('{') {
            continue;
        }
        let parameters = &document["paths"][route.path]["get"]["parameters"];
        let mut asked = BTreeSet::new();
        for parameter in parameters.as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let values: &[&str] = match name {
                "q" => &["pc", "title", "model", "f", "1"],
                "limit" => &["1", "500"],
                "as_of" => &["2026-10-01T12:00:00Z", "2026-09-22T12:00:00Z"],
                "state" => &["open", "waived", "closed"],
                "rule" => &["missing"],
                "presence" => &["missing", "fresh"],
                "software" => &["everywhere"],
                "sort" => &["last_seen", "findings", "model"],
                "in_service" => &["true"],
                _ => &[],
            };
            asked.extend(values.iter().map(|value| format!("{name}={value}")));
        }
        let joint = if path.contains('?') { '&' } else { '?' };
        if route.path == "/api/v1/search" || route.path == "/search" {
            all.extend(["pc", "f"].map(|q| format!("{path}?q={q}")));
            continue;
        }
        all.extend(asked.iter().map(|pair| format!("{path}{joint}{pair}")));
        all.insert(path);
    }
    for file in ["devices", "software", "findings"] {
        all.insert(format!("/api/v1/exports/{file}.json"));
        all.insert(format!("/api/v1/exports/{file}.csv?as_of=2026-10-01"));
    }
    for tab in ["software", "people", "changes", "raw"] {
        all.insert(format!("/devices/{}?tab={tab}", half.device));
    }
    all
}

#[tokio::test]
async fn the_other_half_of_the_fleet_changes_no_answer() {
    let (both, alone) = (Template::new(true).await, Template::new(false).await);
    assert_eq!((both.own.device, both.own.finding), (alone.own.device, alone.own.finding));
    let (with, without) = (both.world().await, alone.world().await);
    let questions = questions(&both.own);
    assert!(questions.len() > 80, "{}", questions.len());
    for &role in Role::ALL {
        let one = with.session(with.account(role, true).await).await;
        let two = without.session(without.account(role, true).await).await;
        let mut answered = 0;
        for question in &questions {
            let (left, right) = tokio::join!(
                with.ask(&one, "GET", question, &Sent::Nothing),
                without.ask(&two, "GET", question, &Sent::Nothing)
            );
            let comparable = |(status, text): (u16, String)| {
                assert!(!text.contains(MARK), "{question} as {}", role.as_str());
                let text = if status >= 400 {
                    String::new() // It names the request.
                } else if question.contains(".json") {
                    // A receipt names its place in the log, which all share.
                    text.lines().skip(1).collect::<Vec<_>>().join("\n")
                } else {
                    masked(&text)
                };
                (status, text)
            };
            let (left, right) = (comparable(left), comparable(right));
            answered += usize::from(left.0 == 200);
            assert_eq!(left, right, "{question} as {}", role.as_str());
        }
        assert!(answered > 60, "{}: {answered}", role.as_str());
    }
}

/// The same without what is made anew each time.
fn masked(text: &str) -> String {
    let begin = "name=\"once\" value=\"";
    let (mut text, mut from) = (text.to_owned(), 0);
    while let Some(place) = text[from..].find(begin) {
        let start = from + place + begin.len();
        let Some(length) = text[start..].find('"') else { break };
        text.replace_range(start..start + length, "");
        from = start;
    }
    text
}
