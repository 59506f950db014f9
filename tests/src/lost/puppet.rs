//! The real agent in a process of its own that can be killed, on a computer made of files.
//!
//! The process is the program `lost` itself: it opens the agent's library on another root than the
//! running system, so that the computer can be changed, and does what it reads from its input.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rollcall_agent::host::Host;
use rollcall_agent::spool::Spool;
use rollcall_agent::{Agent, Config, Paths};
use rollcall_shared::join::JoinString;

use super::fleet::MARKER;
use super::ledger::number_of;
use crate::programs::binary;

/// The agent's process: reads commands, says how each ended.
///
/// `enroll JOIN` and `once`; each is answered by one line, `ok` or `error: …`.
#[expect(clippy::print_stdout, reason = "its answers are read by the suite")]
pub async fn serve(state: &Path, root: &Path) -> Result<(), String> {
    let config = Config { connect_timeout_s: 5, request_timeout_s: 30, ..Config::default() };
    let host = Host::at(root);
    let mut agent =
        Agent::open_on(Paths::at(state), config, host).map_err(|error| chain(&error))?;
    println!("ok");
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let result = match line.split_once(' ') {
            Some(("enroll", join)) => {
                let join = join.parse().map_err(|_| "no join string".to_owned())?;
                agent.enroll(&join).await.map(|_| ())
            }
            _ => agent.once().await.map(|_| ()),
        };
        match result {
            Ok(()) => println!("ok"),
            Err(error) => println!("error: {}", chain(&error).replace('\n', " ")),
        }
    }
    Ok(())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    said
}

/// A computer made of files, with an agent whose state is kept beside it.
#[derive(Debug)]
pub struct Puppet {
    /// The agent's state folder.
    pub state: PathBuf,
    root: PathBuf,
    version: u64,
}

/// A running agent process.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Puppet {
    /// A computer with this name; its state folder is `state`.
    pub fn new(root: &Path, state: &Path, hostname: &str) -> Self {
        let puppet = Self { state: state.to_owned(), root: root.to_owned(), version: 0 };
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file of the computer");
        };
        write("etc/hostname", hostname);
        write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=12\n");
        write("var/lib/dpkg/status", "");
        puppet
    }

    /// Changes the computer; gives the state it is in now.
    pub fn change(&mut self) -> u64 {
        self.version += 1;
        let package = |name: &str, version: &str| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
                 Version: {version}\n\n"
            )
        };
        let mut text = package(MARKER, &format!("1.{}", self.version));
        for number in 0..40 {
            text.push_str(&package(&format!("lib{number:03}"), "2.0-1"));
        }
        let path = self.root.join("var/lib/dpkg/status");
        std::fs::write(path, text).expect("the computer changes");
        self.version
    }

    /// The state the computer is in.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Starts its agent, with variables in its environment.
    pub fn start(&self, environment: &[(&str, &OsStr)]) -> Result<Process, String> {
        let mut child = Command::new(binary("lost"))
            .arg("agent")
            .args([&self.state, &self.root])
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Process { child, stdin, stdout })
    }

    /// Enrols in a process of its own.
    pub fn enroll(&self, join: &JoinString) -> Result<(), String> {
        let mut process = self.start(&[])?;
        process.answer()?;
        process.ask(&format!("enroll {join}"))?;
        process.end();
        Ok(())
    }

    /// Looks and delivers in a process of its own.
    pub fn once(&self) -> Result<(), String> {
        let mut process = self.start(&[])?;
        process.answer()?;
        process.ask("once")?;
        process.end();
        Ok(())
    }

    /// The states that reports in the spool tell of; `Err` when one cannot be read.
    pub fn spooled(&self) -> Result<Vec<u64>, String> {
        let folder = self.state.join("spool");
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let spool = Spool::peek(&folder);
        let seqs = spool.seqs().map_err(|error| error.to_string())?;
        let version = |seq: u64| {
            let report = spool.read(seq).map_err(|error| error.to_string())?;
            let report = report.ok_or_else(|| format!("report {seq} in the spool is damaged"))?;
            let software = report.sections.get("software").and_then(|state| state.body.as_ref());
            let rows: serde_json::Value =
                software.and_then(|body| serde_json::from_str(body.get()).ok()).unwrap_or_default();
            let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
            let marker = rows.iter().find(|row| row["name"] == MARKER);
            let version = marker.and_then(|row| number_of(row["version"].as_str()?));
            version.ok_or_else(|| format!("report {seq} in the spool tells of no state"))
        };
        seqs.into_iter().map(version).collect()
    }

    /// How many reports lie among the rejected ones.
    pub fn rejected(&self) -> usize {
        Spool::peek(&self.state.join("spool")).rejected()
    }
}

impl Process {
    /// The answer to the command before; the first says that the state was opened.
    pub fn answer(&mut self) -> Result<(), String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).map_err(|error| error.to_string())?;
        if line.trim_end() == "ok" { Ok(()) } else { Err(line.trim_end().to_owned()) }
    }

    /// Sends a command without waiting for its answer.
    pub fn tell(&mut self, command: &str) {
        // A process that is gone says so by its answer.
        let _ = writeln!(self.stdin, "{command}");
    }

    /// Sends a command and waits for its answer.
    pub fn ask(&mut self, command: &str) -> Result<(), String> {
        self.tell(command);
        self.answer()
    }

    /// Ends it at once; how many answers of `ok` it still gave.
    pub fn kill(mut self) -> usize {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stdout.lines().map_while(Result::ok).filter(|line| line == "ok").count()
    }

    /// Lets it end by itself.
    pub fn end(self) {
        let Self { mut child, stdin, stdout: _ } = self;
        drop(stdin);
        let _ = child.wait();
    }
}
