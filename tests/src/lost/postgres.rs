//! A PostgreSQL server of its own, to throw away and to kill.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::programs::free_address;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    /// Options of the server beside where it listens.
    options: String,
    made: std::cell::Cell<u32>,
}

/// The folder of `initdb`, the newest where there are several.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = folders.into_iter().rev().chain(std::env::split_paths(&path));
    all.find(|folder| folder.join("initdb").exists())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

impl Postgres {
    /// Makes and starts one; says why not where there is none.
    pub fn start() -> Result<Self, String> {
        Self::start_with("")
    }

    /// The same with options, as `-c name=value`.
    pub fn start_with(options: &str) -> Result<Self, String> {
        let server = Self::empty(options)?;
        let data = server.data().display().to_string();
        server.run(
            "initdb",
            &["-D", &data, "-U", "rollcall", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
        )?;
        server.start_again()?;
        Ok(server)
    }

    /// A standby that follows this server from now on.
    pub fn standby(&self, options: &str) -> Result<Self, String> {
        let standby = Self::empty(options)?;
        let (data, port) = (standby.data().display().to_string(), self.port.to_string());
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "rollcall"];
        let to = ["-D", &data, "-R", "-X", "stream", "-C", "-S", "standby"];
        standby.run("pg_basebackup", &[&from[..], &to].concat())?;
        standby.start_again()?;
        Ok(standby)
    }

    /// Makes a standby the server that takes writes.
    pub fn promote(&self) -> Result<(), String> {
        self.run("pg_ctl", &["-D", &self.data().display().to_string(), "-w", "promote"])
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn empty(options: &str) -> Result<Self, String> {
        let programs = programs().ok_or("no PostgreSQL server is installed here")?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let (port, made) = (free_address().port(), std::cell::Cell::new(0));
        let server = Self { programs, folder, port, options: options.to_owned(), made };
        let data = server.data();
        std::fs::create_dir(&data).map_err(|error| error.to_string())?;
        if is_root() {
            // PostgreSQL refuses to run as root; its user must come through to its folder.
            let open = Command::new("chmod").arg("711").arg(server.folder.path()).status();
            let private = Command::new("chmod").arg("700").arg(&data).status();
            let given = Command::new("chown").arg("postgres").arg(&data).status();
            let all = [open, private, given];
            if !all.into_iter().all(|done| done.is_ok_and(|done| done.success())) {
                return Err("the user postgres cannot be given a folder".to_owned());
            }
        }
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("pg")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        // A server that goes on holds its outputs, so they are no pipes.
        let said = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
        let file = || said.reopen().map(Stdio::from).map_err(|error| error.to_string());
        let status = command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(file()?)
            .stderr(file()?)
            .status()
            .map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(());
        }
        let said = std::fs::read_to_string(said.path()).unwrap_or_default();
        Err(format!("{}: {status}: {said}", program.display()))
    }

    /// Starts it on the data it has, and waits until it takes connections.
    pub fn start_again(&self) -> Result<(), String> {
        let (data, log) = (self.data(), self.data().join("log"));
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' \
             -c max_connections=100 {}",
            self.port, self.options
        );
        let (data, log) = (data.display().to_string(), log.display().to_string());
        self.run("pg_ctl", &["-D", &data, "-w", "-t", "300", "-l", &log, "-o", &options, "start"])
    }

    /// A new empty database and its address.
    pub fn database(&self) -> String {
        let number = self.made.get() + 1;
        self.made.set(number);
        let (name, port) = (format!("lost{number}"), self.port.to_string());
        self.run("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", "rollcall", &name])
            .expect("a database can be made");
        format!("postgres://rollcall@127.0.0.1:{port}/{name}")
    }

    /// Copies a database into another, empty one by way of a dump in this folder.
    pub fn copy(&self, from: &str, to: &str, folder: &Path) -> Result<(), String> {
        let dump = tempfile::Builder::new().suffix(".dump").tempfile_in(folder);
        let dump = dump.map_err(|error| error.to_string())?;
        if is_root() {
            let opened = Command::new("chmod").arg("711").arg(folder).status();
            let given = Command::new("chown").arg("postgres").arg(dump.path()).status();
            opened.and(given).map_err(|error| error.to_string())?;
        }
        let file = dump.path().display().to_string();
        self.run("pg_dump", &["--format=custom", "--file", &file, from])?;
        self.run("pg_restore", &["--no-owner", "--exit-on-error", "--dbname", to, &file])
    }

    /// Ends the server and every process of it at once, as a power cut would.
    pub fn kill(&self) {
        let Some(server) = postmaster(&self.data()) else { return };
        let mut all = vec![server];
        all.extend(children(server));
        let all: Vec<String> = all.iter().map(u32::to_string).collect();
        let _ = Command::new("kill").arg("-9").args(&all).stderr(Stdio::null()).status();
        let gone = |pid: &String| !Path::new("/proc").join(pid).exists();
        while !all.iter().all(gone) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first line of its lock file names the server's process.
fn postmaster(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

/// Processes that this one started; each of PostgreSQL's leads a group of its own.
fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pid = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        after.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
    };
    processes.filter_map(pid).filter(is_child).collect()
}
