//! What is kept from one look to the next: facts that several sources ask for, or that are dear to
//! find out, together with the files that they were found in.
//!
//! Within one look a fact is found out once. In later looks it holds as long as none of its files
//! changed; a fact that the kernel told is asked anew in each look.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rollcall_shared::Timestamp;

use super::Host;
use crate::inputs::Inputs;

/// The look that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Counts the looks of one observer.
    pub(crate) number: u64,
    /// When it began, by this computer's clock.
    pub(crate) began_at: Timestamp,
}

/// All facts by name. Each has a lock of its own, so that a source that hangs while it finds out
/// one of them keeps nobody from the others.
#[derive(Default)]
pub(crate) struct Kept(Mutex<BTreeMap<&'static str, Arc<Mutex<Fact>>>>);

/// One fact.
#[derive(Default)]
struct Fact {
    value: Option<Arc<dyn Any + Send + Sync>>,
    /// The look in which it was known to hold.
    held_in: Option<u64>,
    /// What it was found in.
    inputs: Inputs,
    /// Whether it holds as long as these do not change.
    settled: bool,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(lock(&self.0).keys()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// The same computer in one look of many.
    pub(crate) fn in_look(self, look: Look) -> Self {
        let (events, asked) = (Some(Arc::default()), Some(Arc::default()));
        Self { look: Some(look), events, asked, ..self }
    }

    /// The same computer with nothing known of earlier looks.
    pub(crate) fn without_memory(self) -> Self {
        Self { kept: Arc::default(), owners: Arc::default(), ..self }
    }

    /// A fact under a name that stands for it alone: as it was found before, or else found out now.
    /// Outside of looks nothing is kept.
    pub(crate) fn keep<T: Send + Sync + 'static>(
        &self,
        name: &'static str,
        find_out: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        self.keep_watched(name, false, find_out)
    }

    /// The same for what the kernel tells of devices: it holds as long as none came, went or
    /// changed.
    pub(crate) fn keep_of_devices<T: Send + Sync + 'static>(
        &self,
        name: &'static str,
        find_out: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        self.keep_watched(name, true, find_out)
    }

    /// The same for what cannot change while this computer runs, such as its kernel: it is found out
    /// again when everything is looked at anew. Who uses it depends on none of its files.
    pub(crate) fn keep_while_running<T: Send + Sync + 'static>(
        &self,
        name: &'static str,
        find_out: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        if self.look.is_none() {
            return Arc::new(find_out(self));
        }
        let fact = Arc::clone(lock(&self.kept.0).entry(name).or_default());
        let mut fact = lock(&fact);
        let known = fact.value.clone().and_then(|it| it.downcast::<T>().ok());
        known.unwrap_or_else(|| {
            let value = Arc::new(find_out(&Self { inputs: None, ..self.clone() }));
            if self.meter.over().is_none() {
                fact.value = Some(Arc::clone(&value) as Arc<dyn Any + Send + Sync>);
            }
            value
        })
    }

    fn keep_watched<T: Send + Sync + 'static>(
        &self,
        name: &'static str,
        devices: bool,
        find_out: impl FnOnce(&Self) -> T,
    ) -> Arc<T> {
        let Some(look) = self.look else { return Arc::new(find_out(self)) };
        let fact = Arc::clone(lock(&self.kept.0).entry(name).or_default());
        let mut fact = lock(&fact);
        let holds =
            fact.held_in == Some(look.number) || fact.settled && self.is_unchanged(&fact.inputs);
        let known = fact.value.clone().filter(|_| holds).and_then(|it| it.downcast::<T>().ok());
        if let Some(value) = known {
            fact.held_in = Some(look.number);
            self.watch(|own| own.add_all(&fact.inputs));
            return value;
        }
        *fact = Fact::default();
        let (host, inputs) = self.watched(devices);
        let value = Arc::new(find_out(&host));
        let inputs = std::mem::take(&mut *lock(&inputs));
        self.watch(|own| own.add_all(&inputs));
        // What was cut short by the budget of one source is no fact for others.
        if self.meter.over().is_none() {
            *fact = Fact {
                value: Some(Arc::clone(&value) as Arc<dyn Any + Send + Sync>),
                held_in: Some(look.number),
                settled: inputs.are_settled(look.began_at),
                inputs,
            };
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;

    const LATER: Timestamp = Timestamp(i64::MAX / 2);

    #[test]
    fn a_fact_is_found_out_again_only_when_its_files_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "one").unwrap();
        std::fs::create_dir_all(folder.path().join("proc")).unwrap();
        std::fs::write(folder.path().join("proc/kernel"), "one").unwrap();
        let host = Host::at(folder.path());
        let times = Cell::new(0);
        let ask = |number: u64, path: &'static str| {
            let host = host.clone().in_look(Look { number, began_at: LATER });
            let find_out = |host: &Host| {
                times.set(times.get() + 1);
                host.value(path)
            };
            (*host.keep(path, find_out)).clone()
        };
        for number in [1, 1, 2, 3] {
            assert_eq!(ask(number, "/file").as_deref(), Some("one"));
        }
        assert_eq!(times.get(), 1);
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&file, "two").unwrap();
        assert_eq!(ask(4, "/file").as_deref(), Some("two"));
        times.set(0);
        for number in [5, 5, 6] {
            ask(number, "/proc/kernel");
        }
        assert_eq!(times.get(), 2, "the kernel's word holds for one look");
        let nothing_known =
            host.clone().without_memory().in_look(Look { number: 6, began_at: LATER });
        nothing_known.keep("/file", |_| times.set(9));
        assert_eq!(times.get(), 9);
    }

    #[test]
    fn what_cannot_change_while_the_computer_runs_is_found_out_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc")).unwrap();
        std::fs::write(folder.path().join("proc/kernel"), "one").unwrap();
        let host = Host::at(folder.path());
        let ask = |host: &Host, number: u64| {
            let host = host.clone().in_look(Look { number, began_at: LATER });
            let (watched, inputs) = host.watched(false);
            let told = watched.keep_while_running("kernel", |host| host.value("/proc/kernel"));
            assert!(inputs.lock().unwrap().are_settled(LATER), "no file of it is depended on");
            (*told).clone()
        };
        assert_eq!(ask(&host, 1).as_deref(), Some("one"));
        std::fs::write(folder.path().join("proc/kernel"), "two").unwrap();
        assert_eq!(ask(&host, 2).as_deref(), Some("one"));
        assert_eq!(ask(&host.without_memory(), 3).as_deref(), Some("two"));
    }

    #[test]
    fn who_uses_a_fact_depends_on_its_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "one").unwrap();
        let computer = Host::at(folder.path());
        for number in [1, 2] {
            let host = computer.clone().in_look(Look { number, began_at: LATER });
            // One who asked before has found it out.
            host.keep("fact", |host| host.value("/file"));
            let (watched, inputs) = host.watched(false);
            watched.keep("fact", |host| host.value("/file"));
            let inputs = std::mem::take(&mut *inputs.lock().unwrap());
            assert!(inputs.are_settled(LATER) && host.is_unchanged(&inputs));
            std::thread::sleep(Duration::from_millis(20));
            std::fs::write(folder.path().join("file"), "two").unwrap();
            assert!(!computer.is_unchanged(&inputs), "seen by the next look");
        }
    }
}
