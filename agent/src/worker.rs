//! Runs jobs that may hang, one after the other on a thread of their own, each under a time limit.
//!
//! A thread that hangs in the kernel cannot be ended. It is left behind and the next job gets another
//! thread. Until it comes back its job is not started again, so that there is never more than one of
//! each left.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crate::clock::Stopwatch;

/// How a job ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended<T> {
    /// With a result.
    Done(T),
    /// By a mistake in it; its words.
    Broken(String),
    /// Not in time, or one of the same name has not come back yet.
    TimedOut,
}

/// What is to be done, under a name that stands for it alone.
pub(crate) struct Job<T> {
    name: &'static str,
    work: Box<dyn FnOnce() -> T + Send>,
}

impl<T> Job<T> {
    pub(crate) fn new(name: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }
}

/// Starts jobs, and remembers those that were left behind.
#[derive(Debug)]
pub(crate) struct Workers {
    limit: Duration,
    /// Whether the job of this name, which was left behind, has come back.
    left: BTreeMap<&'static str, Arc<AtomicBool>>,
}

/// Jobs that one thread works off. It wakes who waits only when it is through with all of them.
struct Batch<T> {
    state: Mutex<State<T>>,
    through: Condvar,
}

struct State<T> {
    /// Each with its place among the results.
    waiting: VecDeque<(usize, Job<T>)>,
    running: Option<Running>,
    ended: Vec<Option<Ended<T>>>,
    /// The thread that works; one of a smaller number was left behind.
    thread: u32,
}

struct Running {
    place: usize,
    name: &'static str,
    watch: Stopwatch,
    back: Arc<AtomicBool>,
}

impl Workers {
    /// With a limit for each job.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, left: BTreeMap::new() }
    }

    /// Runs jobs one after the other and waits for them, for each at most until the limit. How each
    /// ended is told in the order of the jobs.
    pub(crate) fn run_all<T: Send + 'static>(&mut self, jobs: Vec<Job<T>>) -> Vec<Ended<T>> {
        self.left.retain(|_, back| !back.load(Ordering::Acquire));
        let ended = jobs.iter().map(|_| None).collect();
        let may_run = |(_, job): &(usize, Job<T>)| !self.left.contains_key(job.name);
        let waiting = jobs.into_iter().enumerate().filter(may_run).collect();
        let batch = Arc::new(Batch {
            state: Mutex::new(State { waiting, running: None, ended, thread: 0 }),
            through: Condvar::new(),
        });
        let mut broken = start(&batch, 0).err();
        let mut state = batch.lock();
        while broken.is_none() && !(state.waiting.is_empty() && state.running.is_none()) {
            let ran = state.running.as_ref().map(|running| running.watch.elapsed());
            let left = self.limit.saturating_sub(ran.unwrap_or_default());
            if !left.is_zero() {
                let waited = batch.through.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else if let Some(hung) = state.running.take() {
                state.ended[hung.place] = Some(Ended::TimedOut);
                self.left.insert(hung.name, hung.back);
                state.thread += 1;
                broken = start(&batch, state.thread).err();
            }
        }
        let or_else = |ended: Option<Ended<T>>| match (ended, &broken) {
            (Some(ended), _) => ended,
            (None, Some(why)) => Ended::Broken(why.clone()),
            // It was not started.
            (None, None) => Ended::TimedOut,
        };
        state.waiting.clear();
        std::mem::take(&mut state.ended).into_iter().map(or_else).collect()
    }

    /// The same for one job.
    #[cfg(any(windows, test))]
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Ended<T> {
        self.run_all(vec![Job::new(name, work)]).pop().unwrap_or(Ended::TimedOut)
    }
}

fn start<T: Send + 'static>(batch: &Arc<Batch<T>>, thread: u32) -> Result<(), String> {
    let batch = Arc::clone(batch);
    let started = Builder::new().name("look".to_owned()).spawn(move || batch.work_off(thread));
    started.map(drop).map_err(|error| format!("no thread could be started: {error}"))
}

impl<T> Batch<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_off(&self, thread: u32) {
        let mut state = self.lock();
        while state.thread == thread
            && let Some((place, Job { name, work })) = state.waiting.pop_front()
        {
            let back = Arc::new(AtomicBool::new(false));
            let is_back = Arc::clone(&back);
            state.running = Some(Running { place, name, watch: Stopwatch::start(), back });
            drop(state);
            let ended = catch_unwind(AssertUnwindSafe(work));
            is_back.store(true, Ordering::Release);
            state = self.lock();
            // Nobody listens any more to a thread that was left behind.
            if state.thread == thread {
                state.running = None;
                state.ended[place] = Some(
                    ended.map_or_else(|panic| Ended::Broken(words(panic.as_ref())), Ended::Done),
                );
            }
        }
        self.through.notify_one();
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason was given".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_job_that_hangs_is_left_behind_once_and_started_again_when_it_came_back() {
        let mut workers = Workers::new(Duration::from_millis(30));
        let started = Arc::new(AtomicU32::new(0));
        let (release, held) = mpsc::channel::<()>();
        let count = Arc::clone(&started);
        let first = workers.run("mount", move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = held.recv();
        });
        assert_eq!(first, Ended::TimedOut);
        workers.limit = Duration::from_secs(60);
        let count = Arc::clone(&started);
        let again = move || {
            count.fetch_add(1, Ordering::SeqCst);
        };
        assert_eq!(workers.run("mount", again.clone()), Ended::TimedOut);
        assert_eq!(started.load(Ordering::SeqCst), 1, "none is piled upon one that hangs");
        assert_eq!(workers.run("other", || 7), Ended::Done(7));
        release.send(()).unwrap();
        while workers.run("mount", again.clone()) == Ended::TimedOut {
            std::thread::yield_now();
        }
        assert_eq!(started.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_mistake_is_told_in_its_own_words() {
        let mut workers = Workers::new(Duration::from_secs(60));
        let broken = workers.run("job", || -> u8 { panic!("index out of bounds") });
        assert_eq!(broken, Ended::Broken("index out of bounds".to_owned()));
    }

    #[test]
    fn jobs_share_a_thread_until_one_hangs() {
        let mut workers = Workers::new(Duration::from_secs(60));
        let thread = || std::thread::current().id();
        let ended = workers.run_all(vec![
            Job::new("one", thread),
            Job::new("two", || panic!("a mistake")),
            Job::new("three", thread),
        ]);
        assert_eq!(ended[0], ended[2], "a mistake ends no thread");
        assert_eq!(ended[1], Ended::Broken("a mistake".to_owned()));
        // So long that what does nothing ends in time on the busiest computer.
        workers.limit = Duration::from_secs(2);
        let (_release, held) = mpsc::channel::<()>();
        let ended = workers.run_all(vec![
            Job::new("four", move || {
                let _ = held.recv();
                thread()
            }),
            Job::new("five", thread),
            Job::new("six", thread),
        ]);
        assert_eq!(ended[0], Ended::TimedOut);
        assert!(matches!(ended[1], Ended::Done(_)), "one that hangs keeps its thread");
        assert_eq!(ended[1], ended[2]);
        workers.limit = Duration::from_secs(60);
        let next = workers.run_all(vec![Job::new("four", || 4), Job::new("one", || 1)]);
        assert_eq!(next, [Ended::TimedOut, Ended::Done(1)]);
        assert_eq!(workers.run_all(Vec::<Job<()>>::new()), []);
    }
}
