//! Passwords: which are acceptable, and argon2id in a small pool of its own, so that guessing
//! never slows the check-ins down.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

/// Passwords hashed at the same time.
const AT_ONCE: usize = 2;
/// Requests that may wait for their turn; more are sent away.
const QUEUE: usize = 32;
/// Characters a password has at least.
const SHORTEST: usize = 12;
/// Bytes a password has at most: the hash reads all of them.
const LONGEST_BYTES: usize = 1024;

/// Long enough, and still the first that anybody tries. Compared in lower case, letters and
/// digits only.
const REFUSED: &[&str] = &[
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "abcdefghijkl",
    "abcdefghijklm",
    "adminadminadmin",
    "administrator",
    "administrator1",
    "changemechangeme",
    "changemeplease",
    "correcthorsebatterystaple",
    "iloveyouiloveyou",
    "letmeinletmein",
    "passw0rdpassw0rd",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "qwertyqwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertzuiopas",
    "rollcallrollcall",
    "welcomewelcome",
];

/// The pool is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at this moment; try again in a few seconds")]
pub struct Busy;

/// Hashes and verifies, a few at a time.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    queue: Arc<Semaphore>,
    workers: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { queue: Arc::new(Semaphore::new(QUEUE)), workers: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// The hash to store.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Busy> {
        let password = password.to_owned();
        self.run(move || hash_now(&password)).await?.ok_or(Busy)
    }

    /// Whether the password gives this hash. Without a hash the answer is no, after the same time.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, Busy> {
        if password.len() > LONGEST_BYTES {
            return Ok(false);
        }
        let password = password.to_owned();
        self.run(move || {
            let known = hash.is_some();
            verify_now(&password, hash.as_deref().unwrap_or(&NOBODY)) && known
        })
        .await
    }

    /// Keeps everybody who wants a password checked waiting while it is held.
    #[cfg(test)]
    pub(crate) async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(AT_ONCE).unwrap();
        self.workers.clone().acquire_many_owned(all).await.unwrap()
    }

    /// How many wait or are checked.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        QUEUE - self.queue.available_permits()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| Busy)?;
        let worker = self.workers.clone().acquire_owned().await.map_err(|_| Busy)?;
        let (sender, done) = tokio::sync::oneshot::channel();
        // A thread for each, since one that stepped back cannot come forward again.
        let thread = std::thread::Builder::new().name("password".to_owned());
        let started = thread.spawn(move || {
            // Held by the work itself: a caller who goes away does not free a place too early.
            let _held = (place, worker);
            step_back();
            let _ = sender.send(work());
        });
        started.map_err(|_| Busy)?;
        done.await.map_err(|_| Busy)
    }
}

/// Lets everything else of this computer go first: reports and pages take their millisecond while a
/// password takes its fifty.
fn step_back() {
    #[cfg(target_os = "linux")]
    {
        // Of this thread alone, as Linux counts. Where it is refused, hashes compete as before.
        let _ = rustix::process::nice(10);
    }
}

/// The hash that stands in for an unknown name.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody").unwrap_or_default());

/// The hash to store, computed on this thread: for the command line.
pub(crate) fn hash_now(password: &str) -> Option<String> {
    Some(Argon2::default().hash_password(password.as_bytes()).ok()?.to_string())
}

fn verify_now(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Says what is wrong with a new password, and what would be right.
pub fn check_password(password: &str, name: &str) -> Result<(), String> {
    if password.chars().count() < SHORTEST {
        return Err(format!(
            "a password needs at least {SHORTEST} characters; a few unrelated words do well"
        ));
    }
    if password.len() > LONGEST_BYTES {
        return Err(format!("a password may have at most {LONGEST_BYTES} bytes"));
    }
    let plain = plain(password);
    let mut letters = password.chars();
    let first = letters.next();
    let repeated = letters.all(|letter| Some(letter) == first);
    if repeated || REFUSED.contains(&plain.as_str()) {
        return Err("this password is among the first that are tried; choose another".to_owned());
    }
    let name = self::plain(name);
    if name.len() > 2 && plain.replace(&name, "").chars().count() < SHORTEST / 2 {
        return Err("the password is almost your name; choose another".to_owned());
    }
    Ok(())
}

fn plain(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A new sign-in name in its stored form, or what is wrong with it.
pub fn check_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    let allowed = |letter: char| letter.is_alphanumeric() || "._-@+".contains(letter);
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(allowed) {
        return Err(
            "a sign-in name has 1 to 64 letters, digits or any of . _ - @ +, e.g. anna.berg"
                .to_owned(),
        );
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_common_and_telling_passwords_are_refused() {
        for bad in ["short", "Password-1234", "aaaaaaaaaaaaaaaa", "anna.berg-2026"] {
            assert!(check_password(bad, "anna.berg").is_err(), "{bad}");
        }
        assert!(check_password(&"x1".repeat(600), "anna").is_err());
        for good in ["violet harbour tin", "übergrößenträger", "anna likes eleven cakes"] {
            assert_eq!(check_password(good, "anna"), Ok(()), "{good}");
        }
    }

    #[test]
    fn names_are_plain() {
        assert_eq!(check_name(" anna.berg ").unwrap(), "anna.berg");
        for bad in ["", "a b", "x\u{202e}", "a\nb", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    /// Each work waits until another is there: so there are two at once, and never a third.
    #[tokio::test(flavor = "multi_thread")]
    async fn two_hashes_run_at_once_and_few_wait() {
        use std::sync::Barrier;
        use std::sync::atomic::{AtomicUsize, Ordering};

        let passwords = Passwords::default();
        let (both, running, most) = (
            Arc::new(Barrier::new(AT_ONCE)),
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicUsize::new(0)),
        );
        let work = || {
            let (both, running, most) =
                (Arc::clone(&both), Arc::clone(&running), Arc::clone(&most));
            move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                both.wait();
                running.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let all: Vec<_> = (0..QUEUE)
            .map(|_| {
                let (passwords, work) = (passwords.clone(), work());
                tokio::spawn(async move { passwords.run(work).await })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
        let _waiting = passwords.queue.acquire_many(u32::try_from(QUEUE).unwrap()).await.unwrap();
        assert_eq!(passwords.hash("violet harbour tin").await, Err(Busy), "sent away at once");
    }

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::default();
        let hash = passwords.hash("violet harbour tin").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert_eq!(passwords.verify("violet harbour tin", Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify("violet harbour ten", Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify("nobody", None).await, Ok(false));
    }
}
