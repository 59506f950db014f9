//! Every secret that a whole run of collector and agent makes, looked for in all that both logged
//! at their most talkative, and in the tables.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use reqwest::header::SET_COOKIE;
use rollcall_collector::totp::TotpSecret;

use super::place::Place;
use crate::console::{Console, NAME, PASSWORD};
use crate::lost::{Told, now};
use crate::programs::binary;

/// A wrong password, which is a right one somewhere else.
const WRONG: &str = "wrong horse battery 42 staple";
/// In the address of a database that is not there.
const OF_DATABASE: &str = "pg-password-7f3a9c";

/// Secrets by what they are.
#[derive(Debug, Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    fn add(&mut self, what: impl Into<String>, secret: impl Into<String>) {
        let (what, secret) = (what.into(), secret.into());
        assert!(secret.len() >= 12, "{what} would be found by chance: {secret}");
        self.0.push((what, secret));
    }

    /// Those that stand in these bytes.
    fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let holds =
            |secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        let found = self.0.iter().filter(|(_, secret)| holds(secret));
        found.map(|(what, _)| format!("{place} holds {what}")).collect()
    }
}

/// Runs everything that makes secrets, and searches.
pub async fn searched() -> Told {
    let mut told = Told::default();
    let mut secrets = Secrets::default();
    let place = Place::start(&["--log-level", "trace", "--log-format", "json"]).await;
    let link = place.collector.setup_link.clone().unwrap_or_default();
    secrets.add("the set-up link", link.rsplit_once("key=").map_or("", |(_, key)| key));
    secrets.add("a password", PASSWORD);
    secrets.add("a wrong password", WRONG);
    secrets.add("the session of the set-up", place.console.session());

    second_factor(&place, &mut secrets).await;
    tokens(&place, &mut secrets).await;
    let mut agent_said = Vec::new();
    agent(&place, &mut secrets, &mut agent_said);
    keys(&place, &mut secrets);
    // A database whose password is refused is told of without it.
    let unreachable = format!("postgres://rollcall:{OF_DATABASE}@127.0.0.1:1/rollcall");
    secrets.add("the password of a database", OF_DATABASE);
    for command in [&["serve", "--log-level", "trace"][..], &["doctor"], &["config"]] {
        let said = rollcall(&place.folder.path().join("other"), command, &unreachable);
        agent_said.extend([said.stdout, said.stderr].concat());
    }
    let exported = place.console.get("/api/v1/audit/audit.json").await.1;
    let data = place.data();
    let log = {
        let Place { collector, console: _, folder: _ } = &place;
        // Asked once more, so that what was under way is in the log.
        drop(Console::sign_in_as(&collector.url, "it.of.tests", "seven green doors it").await);
        place.log()
    };
    told.problems.extend(secrets.found_in("the collector's log", log.as_bytes()));
    told.problems.extend(secrets.found_in("what programs told", &agent_said));
    told.problems.extend(secrets.found_in("the audit log", exported.as_bytes()));
    for file in ["rollcall.db", "rollcall.db-wal"] {
        let bytes = std::fs::read(data.join(file)).unwrap_or_default();
        told.problems.extend(secrets.found_in(&format!("the file {file}"), &bytes));
    }
    // It really was at its most talkative, and each line is an object.
    let broken = log.lines().find(|line| serde_json::from_str::<serde_json::Value>(line).is_err());
    if let Some(line) = broken {
        told.problems.push(format!("a line of the log is no JSON: {line}"));
    }
    for word in ["\"answered\"", "/sign-in/code", "/agent/v1/check-in"] {
        if !log.contains(word) {
            told.problems.push(format!("the log does not tell of {word}; was it talkative?"));
        }
    }
    told.say(format!(
        "{} secrets were looked for in {} lines of the collector, {} of other programs, the audit \
         log and the tables",
        secrets.0.len(),
        log.lines().count(),
        agent_said.split(|byte| *byte == b'\n').count(),
    ));
    told
}

/// What stands between the two in a page.
fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split(before).nth(1).and_then(|rest| rest.split(after).next()).unwrap_or_default()
}

fn cookie(answer: &reqwest::Response) -> String {
    let values = answer.headers().get_all(SET_COOKIE).iter();
    let mut cookies = values.filter_map(|value| value.to_str().ok()?.split(';').next());
    cookies.find_map(|pair| pair.strip_prefix("__Host-rollcall=")).unwrap_or_default().to_owned()
}

async fn second_factor(place: &Place, secrets: &mut Secrets) {
    let page = place.console.get("/account/second-factor").await.1;
    let text = between(&page, "name=\"secret\" value=\"", "\"");
    let secret = TotpSecret::from_text(text).expect("the page carries a secret");
    secrets.add("a second factor", secret.text());
    secrets.add("a second factor without spaces", secret.text().replace(' ', ""));
    let code = secret.code_at(now());
    let form = [("secret", text), ("code", code.as_str()), ("next", "/")];
    let shown = place.console.post("/account/second-factor", &form).await;
    let shown = shown.text().await.expect("a page has a text");
    let of_code = |word: &&str| word.len() == 19 && word.matches('-').count() == 3;
    let codes: Vec<&str> = shown
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
        .filter(of_code)
        .collect();
    assert!(codes.len() >= 10, "recovery codes are shown once: {shown}");
    for code in &codes {
        secrets.add("a recovery code", *code);
        secrets.add("a recovery code without dashes", code.replace('-', ""));
    }
    // By a recovery code, after a wrong password and a wrong code.
    let url = &place.collector.url;
    let wrong = [("name", NAME), ("password", WRONG), ("next", "/")];
    assert_eq!(place.console.post("/sign-in", &wrong).await.status(), 401);
    let again = Console::sign_in(url).await;
    secrets.add("a session that waits", again.session());
    let refused = again.post("/sign-in/code", &[("code", "000000"), ("next", "/")]).await;
    assert_eq!(refused.status(), 401);
    let let_in = again.post("/sign-in/code", &[("code", codes[0]), ("next", "/")]).await;
    assert_eq!(let_in.status(), 303);
    secrets.add("a session after a code", cookie(&let_in));
}

async fn tokens(place: &Place, secrets: &mut Secrets) {
    secrets.add("another password", "seven green doors it");
    let token = place.token("it").await;
    let client = crate::wire::client();
    let url = &place.collector.url;
    for request in [
        client.get(format!("{url}/api/v1/devices")).bearer_auth(&token),
        // Where it does not belong.
        client.get(format!("{url}/api/v1/devices?token={token}")),
        client.get(format!("{url}/devices?q={token}")),
        client.get(format!("{url}/api/v1/devices")).header("x-token", &token),
        client.post(format!("{url}/api/v1/policy/preview")).bearer_auth(&token).body(token.clone()),
    ] {
        let _ = request.send().await.expect("the collector answers").bytes().await;
    }
    secrets.add("an API token", token);
    let asked = serde_json::json!({ "label": "room", "uses_allowed": 0 });
    let (status, made) = place.console.post_json("/api/v1/enrollment-tokens", &asked).await;
    assert!(status.is_success(), "{made}");
    let join = made["join_string"].as_str().expect("a join string is shown once");
    secrets.add("an enrolment token", join.rsplit('#').next().unwrap_or_default());
}

/// An agent that enrols, reports, and is refused, telling all it can.
fn agent(place: &Place, secrets: &mut Secrets, said: &mut Vec<u8>) {
    let state = place.folder.path().join("agent");
    let join = place.collector.join_string();
    secrets.add("the enrolment token of the agent", &join.token);
    let join = join.to_string();
    let wrong = join.replace(&join[join.len() - 8..], "wrongwro");
    let mut run = |arguments: &[&str]| {
        let told = Command::new(binary("rollcall-agent"))
            .args(arguments)
            .env("ROLLCALL_STATE", &state)
            .env("ROLLCALL_LOG", "trace")
            .stdin(Stdio::null())
            .output()
            .expect("rollcall-agent runs");
        let good = told.status.success();
        said.extend([told.stdout, told.stderr].concat());
        good
    };
    assert!(!run(&["enroll", &wrong]), "a wrong token is refused");
    assert!(run(&["enroll", &join]));
    assert!(run(&["once"]) && run(&["once"]));
    run(&["doctor"]);
    run(&["config"]);
    let mut files = Vec::new();
    walk(&state, &mut files);
    let key = files.iter().find(|path| path.to_string_lossy().contains("key"));
    let key = std::fs::read(key.expect("the agent has a key")).expect("its owner may read it");
    let text = String::from_utf8_lossy(&key);
    let lines = text.lines().filter(|line| line.len() >= 32 && !line.contains(' '));
    for line in lines {
        secrets.add("the agent's key", line.trim_matches(['"', ',']));
    }
}

fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Private keys in the data folder, line by line.
fn keys(place: &Place, secrets: &mut Secrets) {
    for file in ["ca-key.pem", "server-key.pem", "secret.key"] {
        let text = std::fs::read_to_string(place.data().join(file)).expect("the key is there");
        for line in text.lines().filter(|line| !line.starts_with("-----")) {
            let line = line.rsplit(':').next().unwrap_or(line);
            if line.len() >= 20 {
                secrets.add(format!("a line of {file}"), line);
            }
        }
    }
}

fn rollcall(data: &Path, arguments: &[&str], database: &str) -> Output {
    Command::new(binary("rollcall"))
        .args(arguments)
        .args(["--database", database, "--data"])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .expect("rollcall runs")
}
