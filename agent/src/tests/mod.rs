//! The agent against a collector in the same process, over real HTTPS on loopback.

mod check_in;
mod collector;
mod doctor;
mod enroll;
mod faults;
mod join_file;
mod trust;

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use ring::rand::{SecureRandom as _, SystemRandom};
use rollcall_shared::Timestamp;
use rollcall_shared::section::{Section, Software, System};

use crate::agent::{Agent, Look, Parts};
use crate::config::Config;
use crate::disk::Disk;
use crate::error::Error;
use crate::gather::{Found, Gathering, Options};
use crate::now::Present;
use crate::paths::Paths;

/// A clock that moves one second each time it is asked.
#[derive(Debug, Default)]
struct TestPresent(AtomicI64);

impl Present for TestPresent {
    fn now(&self) -> Timestamp {
        Timestamp(1_795_000_000_000 + self.0.fetch_add(1000, Ordering::SeqCst))
    }

    fn random(&self, bytes: &mut [u8]) -> bool {
        SystemRandom::new().fill(bytes).is_ok()
    }
}

/// The computer that the tests look at: its host name and its software, which tests change.
#[derive(Clone)]
struct Computer(Arc<Mutex<String>>, Arc<Mutex<Vec<Software>>>);

impl Computer {
    fn new() -> Self {
        Self(Arc::new(Mutex::new("lt-0042".to_owned())), Arc::default())
    }

    fn rename(&self, name: &str) {
        *self.0.lock().unwrap() = name.to_owned();
    }

    /// Titles of this version beside many that stay.
    fn install(&self, version: &str) {
        let title = |name: String, version: &str| Software {
            source: "dpkg".into(),
            name,
            version: version.into(),
            ..Software::default()
        };
        let mut list: Vec<_> = (0..40).map(|one| title(format!("still-{one}"), "1")).collect();
        list.push(title("bash".into(), version));
        *self.1.lock().unwrap() = list;
    }

    fn look(&self) -> Look {
        let (name, software) = (Arc::clone(&self.0), Arc::clone(&self.1));
        Arc::new(move |options: &Options| {
            let mut gathering = Gathering::default();
            let system = System { hostname: name.lock().unwrap().clone(), ..System::default() };
            let software = software.lock().unwrap().clone();
            for section in
                [Section::System(system), Section::Cpu(Vec::new()), Section::Software(software)]
            {
                if !options.sections_off.iter().any(|off| off == section.name()) {
                    let found = Found::new(Some(section.clone()), Vec::new());
                    gathering.sections.insert(section.name(), found);
                }
            }
            gathering
        })
    }
}

fn open(folder: &Path, computer: &Computer) -> Agent {
    open_with(folder, computer, Disk::default()).unwrap()
}

fn open_with(folder: &Path, computer: &Computer, disk: Disk) -> Result<Agent, Error> {
    let parts = Parts { disk, present: Arc::new(TestPresent::default()), look: computer.look() };
    let config = Config { connect_timeout_s: 5, request_timeout_s: 5, ..Config::default() };
    Agent::open_with(Paths::at(folder.join("state")), config, parts)
}
