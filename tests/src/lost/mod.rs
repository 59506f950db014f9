//! The suite that proves "nothing acknowledged is ever lost": what it does to a collector, to its
//! database, to agents and their disks, and how it holds the result against a ledger.
//!
//! Every part gives a [`Told`]. The program `lost` prints it; the ordinary tests run the parts in a
//! short form and fail on its problems.

pub mod cluster;
pub mod commits;
pub mod dump;
pub mod faults;
pub mod figures;
pub mod fleet;
pub mod full;
pub mod gate;
pub mod herd;
pub mod kills;
pub mod kills_of_agent;
pub mod ledger;
pub mod overload;
pub mod postgres;
pub mod puppet;
pub mod restarts;

use rollcall_shared::Timestamp;

/// What a part of the suite has to tell.
#[derive(Debug, Default)]
pub struct Told {
    /// Figures and results, a line each.
    pub lines: Vec<String>,
    /// What broke a promise.
    pub problems: Vec<String>,
    /// What could not be run here, and why.
    pub not_run: Vec<String>,
}

impl Told {
    /// Adds a line.
    pub fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Adds what another part told.
    pub fn add(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.problems.extend(other.problems);
        self.not_run.extend(other.not_run);
    }

    /// A part that cannot be run here.
    pub fn without(why: impl Into<String>) -> Self {
        Self { not_run: vec![why.into()], ..Self::default() }
    }

    /// For tests: fails when a promise was broken, and shows the rest.
    #[expect(clippy::print_stdout, reason = "tests show what they measured and could not run")]
    pub fn assert_sound(&self) {
        for line in &self.lines {
            println!("{line}");
        }
        for line in &self.not_run {
            println!("NOT RUN  {line}");
        }
        let first: Vec<&String> = self.problems.iter().take(10).collect();
        assert!(self.problems.is_empty(), "{} broken: {first:#?}", self.problems.len());
    }
}

/// The present moment, which devices beside a real collector share with it.
#[expect(clippy::disallowed_methods, reason = "devices beside a real collector share its clock")]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = since.map_or(0, |since| since.as_millis());
    Timestamp(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The main table of `rollcall verify`: what it found wrong with these tables.
pub fn verify(data: &std::path::Path, database: Option<&str>) -> Result<(), String> {
    let said = std::process::Command::new(crate::programs::binary("rollcall"))
        .args(["verify", "--data"])
        .arg(data)
        .args(database.iter().flat_map(|url| ["--database", url]))
        .output()
        .map_err(|error| error.to_string())?;
    if said.status.success() {
        return Ok(());
    }
    let out = String::from_utf8_lossy(&said.stdout);
    Err(format!("verify: {out}{}", String::from_utf8_lossy(&said.stderr)))
}
