//! Random questions to the API, made from its own document by schemathesis, as each role.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::{Place, ROLES};
use super::{ended, tool};
use crate::lost::Told;

/// Checks whose premise does not hold here, and why.
const LEFT_OUT: &[(&str, &str)] = &[(
    "positive_data_acceptance",
    "cursors are opaque, and some parameters need another beside them, which no schema can say",
)];

/// Where the program is, when it is.
pub fn schemathesis() -> Option<PathBuf> {
    tool("TEST_SCHEMATHESIS", &["schemathesis", "st"])
}

/// Asks as these roles, so many times for each operation.
pub async fn run(roles: &[&str], examples: u32, devices: u32) -> Told {
    let Some(program) = schemathesis() else {
        return Told::without(
            "random questions to the API: no schemathesis here; `pip install schemathesis`, or name \
             it by TEST_SCHEMATHESIS",
        );
    };
    let mut told = Told::default();
    for role in roles.iter().filter(|role| ROLES.contains(role)) {
        // Each role has a collector of its own: an administrator leaves nothing as it was.
        let place = Place::start(&[]).await;
        let honest =
            super::honest::Honest::enroll(place.folder.path(), &place.collector, devices).await;
        drop(honest.during(tokio::time::sleep(std::time::Duration::from_millis(300))).await);
        let token = place.token(role).await;
        match ask(&program, &place, &token, examples).await {
            Ok((good, lines)) => {
                let counted = lines.iter().find(|line| line.contains(" generated,"));
                told.say(format!("asked as {role}: {}", counted.map_or("nothing", String::as_str)));
                if !good {
                    told.problems.push(format!("as {role}:\n{}", lines.join("\n")));
                }
            }
            Err(error) => told.problems.push(format!("schemathesis did not run: {error}")),
        }
        let log = place.log();
        let broken = log.lines().filter(|line| line.contains("ERROR")).take(3);
        told.problems.extend(broken.map(|line| format!("as {role}, the log has: {line}")));
    }
    for (check, why) in LEFT_OUT {
        told.say(format!("  left out: {check}, since {why}"));
    }
    told
}

/// Whether nothing was found, and what it said.
async fn ask(
    program: &Path,
    place: &Place,
    token: &str,
    examples: u32,
) -> std::io::Result<(bool, Vec<String>)> {
    let folder = place.folder.path();
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, format!("[auth.openapi.token]\nbearer = \"{token}\"\n"))?;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../collector/openapi.json");
    let left_out: Vec<&str> = LEFT_OUT.iter().map(|(check, _)| *check).collect();
    let mut command = Command::new(program);
    command
        .args(["--no-color", "--config-file"])
        .arg(&config)
        .arg("run")
        .arg(document.canonicalize()?)
        .args(["--url", &place.collector.url, "--tls-verify", "false", "--continue-on-failure"])
        .args(["--checks", "all", "--exclude-checks", &left_out.join(",")])
        .args(["--max-examples", &examples.to_string(), "--output-truncate", "false"])
        // It would revoke the token that it asks with.
        .args(["--exclude-operation-id", "delete_api_tokens_id"])
        .current_dir(folder);
    let said = ended(command).await?;
    let text = [said.stdout, said.stderr].concat();
    let lines = String::from_utf8_lossy(&text)
        .lines()
        .map(|line| line.trim_matches('=').trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    Ok((said.status.success(), lines))
}
