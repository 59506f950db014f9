//! Runs jobs that may hang, one after the other on a thread of their own, each under a time limit.
//!
//! A thread that hangs in the kernel cannot be ended. It is left behind and the next job gets another
//! thread. Until it comes back its job is not started again, so that there is never more than one of
//! each left.

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::Builder;
use std::time::Duration;

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

type Job = Box<dyn FnOnce() + Send>;

/// The threads that work, and those that were left behind.
#[derive(Debug)]
pub(crate) struct Workers {
    limit: Duration,
    /// Hands jobs to a thread that has nothing to do; it ends when this is dropped.
    idle: Option<SyncSender<Job>>,
    /// Whether the job of this name, which was left behind, has come back.
    left: BTreeMap<&'static str, Arc<AtomicBool>>,
}

impl Workers {
    /// With a limit for each job.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, idle: None, left: BTreeMap::new() }
    }

    /// Runs a job and waits for it, at most until the limit.
    pub(crate) fn run<T: Send + 'static>(
        &mut self,
        name: &'static str,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Ended<T> {
        if self.left.get(name).is_some_and(|back| !back.load(Ordering::Acquire)) {
            return Ended::TimedOut;
        }
        self.left.remove(name);
        let back = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::sync_channel(1);
        let is_back = Arc::clone(&back);
        let job: Job = Box::new(move || {
            let ended = catch_unwind(AssertUnwindSafe(job));
            is_back.store(true, Ordering::Release);
            // Nobody listens any more once the time is over.
            let _ = sender.send(ended);
        });
        let thread = match self.idle.take().map_or_else(start, Ok) {
            Ok(thread) => thread,
            Err(error) => return Ended::Broken(format!("no thread could be started: {error}")),
        };
        if thread.send(job).is_err() {
            return Ended::Broken("the thread is gone".to_owned());
        }
        match receiver.recv_timeout(self.limit) {
            Ok(ended) => {
                self.idle = Some(thread);
                ended.map_or_else(|panic| Ended::Broken(words(panic.as_ref())), Ended::Done)
            }
            Err(RecvTimeoutError::Disconnected) => Ended::Broken("it gave no answer".to_owned()),
            Err(RecvTimeoutError::Timeout) => {
                self.left.insert(name, back);
                Ended::TimedOut
            }
        }
    }

    /// Lets the thread end that has nothing to do.
    pub(crate) fn rest(&mut self) {
        self.idle = None;
    }
}

fn start() -> io::Result<SyncSender<Job>> {
    let (jobs, waiting) = mpsc::sync_channel::<Job>(1);
    Builder::new().name("look".to_owned()).spawn(move || {
        while let Ok(job) = waiting.recv() {
            job();
        }
    })?;
    Ok(jobs)
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
        let Ended::Done(first) = workers.run("one", thread) else { panic!("it ended") };
        assert_eq!(workers.run("two", || -> u8 { panic!("a mistake") }), broken("a mistake"));
        assert_eq!(workers.run("three", thread), Ended::Done(first), "a mistake ends no thread");
        workers.limit = Duration::from_millis(30);
        let (_release, held) = mpsc::channel::<()>();
        let hangs = move || {
            let _ = held.recv();
            thread()
        };
        assert_eq!(workers.run("four", hangs), Ended::TimedOut);
        workers.limit = Duration::from_secs(60);
        assert_ne!(workers.run("five", thread), Ended::Done(first));
    }

    fn broken<T>(why: &str) -> Ended<T> {
        Ended::Broken(why.to_owned())
    }
}
