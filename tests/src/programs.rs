//! The real binaries as processes: a collector on a free port, agents with a state of their own.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use rollcall_shared::join::JoinString;

/// A built binary of this workspace, built anew when its sources changed.
pub fn binary(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
        // What a test runner says of the test's package would look like a change to the build
        // scripts of some crates, and everything that stands on them would be built anew.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(name);
            }
        }
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        assert!(status.success(), "the binaries build");
        // target/debug/deps/<this test> or target/debug/<this program>
        let this = std::env::current_exe().expect("this program has a path");
        let folder = this.parent().expect("it lies in a folder");
        let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
        folder.expect("deps lies in a folder").to_path_buf()
    });
    folder.join(name)
}

/// A library made of C to be loaded before the C library of a program (`LD_PRELOAD`); says why not
/// where it cannot be made.
pub fn preloaded(folder: &Path, name: &str, source: &str) -> Result<PathBuf, String> {
    let (text, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&text, source).map_err(|error| error.to_string())?;
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &text])
        .arg("-ldl")
        .output()
        .map_err(|error| format!("no C compiler here: {error}"))?;
    if built.status.success() {
        return Ok(library);
    }
    Err(format!("the C compiler failed: {}", String::from_utf8_lossy(&built.stderr)))
}

/// An address of this computer at which nobody listens now.
pub fn free_address() -> SocketAddr {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("it has an address")
}

/// A running `rollcall up`.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    /// Its address.
    pub url: String,
    /// The one-time link that makes the first administrator, on the first start.
    pub setup_link: Option<String>,
    data: PathBuf,
    database: Option<String>,
}

impl Collector {
    /// Starts it on a free port with its data in `data`, and waits until it says its address.
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::try_start(data, arguments).unwrap_or_else(|said| panic!("it did not start: {said}"))
    }

    /// The same; gives what it said when it did not start.
    pub fn try_start(data: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::try_start_with(data, arguments, &[])
    }

    /// The same with variables in its environment.
    pub fn try_start_with(
        data: &Path,
        arguments: &[&str],
        environment: &[(&str, &OsStr)],
    ) -> Result<Self, String> {
        let mut child = Command::new(binary("rollcall"))
            .envs(environment.iter().copied())
            .args(["up", "--data"])
            .arg(data)
            .args(if arguments.contains(&"--listen") {
                &[][..]
            } else {
                &["--listen", "127.0.0.1:0"]
            })
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let (mut url, mut setup_link) = (None, None);
        for line in lines.by_ref() {
            let line = line.map_err(|error| error.to_string())?;
            for word in line.split_whitespace().filter(|word| word.starts_with("https://")) {
                if word.contains("/set-up") {
                    setup_link = Some(word.to_owned());
                } else {
                    url.get_or_insert_with(|| word.trim_end_matches('/').to_owned());
                }
            }
            if line.contains("Ctrl-C") {
                break;
            }
        }
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let Some(url) = url else {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            let status = child.wait().map_err(|error| error.to_string())?;
            return Err(format!("{status}: {said}"));
        };
        // What it says later must not fill the pipes.
        std::thread::spawn(move || lines.for_each(drop));
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Ok(Self { child, url, setup_link, data: data.to_path_buf(), database: None })
    }

    /// Starts `rollcall serve` on a free port with its tables in `database`; `fresh`: nobody has
    /// set it up yet, so that it prints a link.
    pub fn serve(data: &Path, database: &str, fresh: bool) -> Self {
        Self::serve_telling(data, database, fresh, Stdio::inherit())
    }

    /// The same; what it logs goes to `log`.
    pub fn serve_telling(data: &Path, database: &str, fresh: bool, log: Stdio) -> Self {
        let address = free_address();
        let url = format!("https://{address}");
        let arguments = ["--public-url", url.as_str()];
        Self::serve_at(address, url.clone(), data, database, &arguments, fresh, log)
    }

    /// Starts `rollcall serve` at an address, which is asked for at `url`.
    pub fn serve_at(
        address: SocketAddr,
        url: String,
        data: &Path,
        database: &str,
        arguments: &[&str],
        fresh: bool,
        log: Stdio,
    ) -> Self {
        let level: &[&str] =
            if arguments.contains(&"--log-level") { &[] } else { &["--log-level", "warn"] };
        let mut rollcall = Command::new(binary("rollcall"));
        rollcall
            .args(["serve", "--listen", &address.to_string()])
            .args(level)
            .args(arguments)
            .args(["--database", database, "--data"])
            .arg(data)
            .stderr(log);
        let database = Some(database.to_owned());
        Self::waited_for(rollcall, address, url, data, database, fresh)
    }

    /// Starts a fresh collector with its tables in the folder `data` by a command of the caller's,
    /// which must make it listen at `address`.
    pub fn spawned(command: Command, address: SocketAddr, data: &Path) -> Self {
        Self::waited_for(command, address, format!("https://{address}"), data, None, true)
    }

    fn waited_for(
        mut command: Command,
        address: SocketAddr,
        url: String,
        data: &Path,
        database: Option<String>,
        fresh: bool,
    ) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("rollcall runs");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let link = |line: &String| line.contains("/set-up?");
        let setup_link = fresh.then(|| lines.by_ref().map_while(Result::ok).find(link)).flatten();
        std::thread::spawn(move || lines.for_each(drop));
        while std::net::TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("a child can be looked at");
            assert!(ended.is_none(), "it did not start: {ended:?}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self { child, url, setup_link, data: data.to_path_buf(), database }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes an enrolment token for any number of devices and gives its join string.
    pub fn join_string(&self) -> JoinString {
        let made = Command::new(binary("rollcall"))
            .args(["token", "create", "--label", "test", "--uses", "0", "--data"])
            .arg(&self.data)
            .args(self.database.iter().flat_map(|url| ["--database", url]))
            .output()
            .expect("rollcall runs");
        let said = String::from_utf8_lossy(&made.stdout);
        let line = said.split_whitespace().find(|word| word.starts_with("rcl1:"));
        let line = line.unwrap_or_else(|| {
            panic!("no join string: {said}{}", String::from_utf8_lossy(&made.stderr))
        });
        line.parse().expect("a join string can be read back")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Starts it and ends it at once after so long, wherever it is by then.
    pub fn start_and_kill(data: &Path, database: Option<&str>, after: std::time::Duration) {
        let mut rollcall = Command::new(binary("rollcall"));
        match database {
            None => rollcall.args(["up", "--no-self", "--listen", "127.0.0.1:0"]),
            Some(url) => rollcall.args(["serve", "--listen", "127.0.0.1:0", "--database", url]),
        };
        rollcall.arg("--data").arg(data).stdin(Stdio::null());
        let mut child =
            rollcall.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rollcall runs");
        std::thread::sleep(after);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop and waits for it; whether it ended well.
    pub fn stop(mut self) -> bool {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the agent with its state in `state` to its end.
pub fn agent<S: AsRef<OsStr>>(state: &Path, arguments: impl IntoIterator<Item = S>) -> Output {
    Command::new(binary("rollcall-agent"))
        .args(arguments)
        .env("ROLLCALL_STATE", state)
        .stdin(Stdio::null())
        .output()
        .expect("rollcall-agent runs")
}
