//! sqlmap on every parameter that is read from an address.

use std::path::Path;
use std::process::Command;

use super::place::Place;
use super::{ended, tool};
use crate::lost::Told;

/// Pages with their parameters; those of the API come from its document.
const PAGES: &[&str] = &[
    "/devices?q=a&sort=hostname&presence=fresh&class=laptop&site=a&department=a&os=a&software=a",
    "/software?q=a&source=dpkg",
    "/findings?severity=warning&state=open&q=a",
    "/audit?actor=a&action=sign_in&object=a&from=2026-01-01&before=2027-01-01",
    "/search?q=a",
];

/// A value that the parameter takes.
fn example(parameter: &serde_json::Value) -> String {
    let schema = &parameter["schema"];
    let word = schema["enum"].get(0).or_else(|| schema["const"].as_str().map(|_| &schema["const"]));
    match (word.and_then(serde_json::Value::as_str), schema["type"].as_str()) {
        (Some(word), _) => word.to_owned(),
        (None, Some("integer")) => "7".to_owned(),
        (None, Some("boolean")) => "true".to_owned(),
        _ if schema["format"] == "date-time" => "2026-11-23T10:15:00Z".to_owned(),
        _ => "a".to_owned(),
    }
}

/// Every address of the API that is read with parameters.
fn of_the_document() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/openapi.json");
    let text = std::fs::read_to_string(path).expect("the document is committed");
    let document: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        let Some(parameters) = operations["get"]["parameters"].as_array() else { continue };
        let mut path = path.clone();
        let mut query = Vec::new();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            if parameter["in"] == "path" {
                // The star tells where to inject.
                path = path.replace(&format!("{{{name}}}"), &format!("{}*", example(parameter)));
            } else if !matches!(name, "cursor" | "after") {
                query.push(format!("{name}={}", example(parameter)));
            }
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        found.push(format!("{path}{query}"));
    }
    found
}

/// Runs it on all of them; `level` and `risk` as sqlmap counts them.
pub async fn run(level: u8, risk: u8) -> Told {
    let Some(program) = tool("TEST_SQLMAP", &["sqlmap"]) else {
        return Told::without("SQL injection: no sqlmap here");
    };
    let mut told = Told::default();
    let place = Place::start(&[]).await;
    let honest = super::honest::Honest::enroll(place.folder.path(), &place.collector, 5).await;
    drop(honest.during(tokio::time::sleep(std::time::Duration::from_millis(500))).await);
    let token = place.token("admin").await;
    let cookie = format!("__Host-rollcall={}", place.console.session());
    let mut looked_at = 0;
    let all = of_the_document();
    for address in all.iter().map(String::as_str).chain(PAGES.iter().copied()) {
        let who = if address.starts_with("/api/") {
            format!("--headers=Authorization: Bearer {token}")
        } else {
            format!("--cookie={cookie}")
        };
        let mut command = Command::new(&program);
        command
            .args(["--batch", "--flush-session", "--disable-coloring", "--ignore-code=*"])
            .args([
                "--technique=BEUQ",
                "--threads=2",
                "--skip-urlencode",
                "--param-exclude=__Host.*",
            ])
            .args([&format!("--level={level}"), &format!("--risk={risk}"), &who])
            .args(["-u", &format!("{}{address}", place.collector.url)])
            .arg(format!("--output-dir={}", place.folder.path().join("sqlmap").display()));
        match ended(command).await {
            Ok(said) => {
                let text = String::from_utf8_lossy(&said.stdout).into_owned();
                let tested = text.matches("testing if ").count();
                looked_at += tested;
                if text.contains("is vulnerable") || text.contains("sqlmap identified") {
                    told.problems.push(format!("{address}: {text}"));
                }
                if tested == 0 {
                    let last = text.lines().rev().take(4).collect::<Vec<_>>().join(" | ");
                    told.problems.push(format!("{address} was not tested: {last}"));
                }
            }
            Err(error) => told.problems.push(format!("sqlmap did not run: {error}")),
        }
    }
    let errors = place.log().lines().filter(|line| line.contains("ERROR")).count();
    if errors > 0 {
        told.problems.push(format!("the log has {errors} errors"));
    }
    told.say(format!(
        "sqlmap, level {level}, risk {risk}: {} addresses, {looked_at} parameters looked at",
        all.len() + PAGES.len()
    ));
    told.problems.extend(honest.check(&place.console).await);
    told
}
