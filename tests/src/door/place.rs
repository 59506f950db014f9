//! A collector of its own for a part of the suite, with people and tokens of every role.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::console::Console;
use crate::programs::{Collector, binary, free_address};

/// The roles, lowest first.
pub const ROLES: [&str; 4] = ["helpdesk", "auditor", "it", "admin"];

/// A running collector in a folder that goes with it.
pub struct Place {
    /// The collector.
    pub collector: Collector,
    /// The first administrator.
    pub console: Console,
    /// Where its data and its log are.
    pub folder: tempfile::TempDir,
}

impl Place {
    /// Starts one with these arguments.
    pub async fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the collector");
        let address = free_address();
        let url = format!("https://{address}");
        let data = folder.path().join("data");
        let database = format!("sqlite:{}", data.join("rollcall.db").display());
        let log = std::fs::File::create(folder.path().join("collector.log"));
        let collector = Collector::serve_at(
            address,
            url,
            &data,
            &database,
            arguments,
            true,
            Stdio::from(log.expect("a file for what it logs")),
        );
        let console = Console::set_up(&collector).await;
        Self { collector, console, folder }
    }

    /// Its data folder.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("collector.log")).unwrap_or_default()
    }

    /// Makes an account with this password through the command line.
    pub fn account(&self, name: &str, role: &str, password: &str) {
        account(&self.data(), name, role, password);
    }

    /// The secret of an API token of a new person of this role.
    pub async fn token(&self, role: &str) -> String {
        let (name, password) = (format!("{role}.of.tests"), format!("seven green doors {role}"));
        self.account(&name, role, &password);
        let person = Console::sign_in_as(&self.collector.url, &name, &password).await;
        let asked = serde_json::json!({ "label": "door", "role": role });
        let (status, made) = person.post_json("/api/v1/api-tokens", &asked).await;
        assert!(status.is_success(), "{status}: {made}");
        made["secret"].as_str().expect("the answer carries the secret").to_owned()
    }
}

fn account(data: &Path, name: &str, role: &str, password: &str) {
    use std::io::Write as _;
    let mut child = Command::new(binary("rollcall"))
        .args(["user", "add", name, "--role", role, "--password-stdin", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("rollcall runs");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    writeln!(stdin, "{password}").expect("it reads the password");
    drop(stdin);
    assert!(child.wait().is_ok_and(|status| status.success()), "the account {name} was not made");
}
