//! Updates of Windows that wait, as its update service knew them after its own last search.
//!
//! Only what the service keeps is asked for: nobody searches on the network for it. Asking takes
//! the service some seconds, so an answer holds for some hours or until an update was installed.

use std::sync::{Mutex, PoisonError};

use rollcall_shared::Timestamp;
use rollcall_shared::section::update::PendingUpdate;
use rollcall_shared::time::HOUR_MS;

use crate::host::Host;
use crate::source::text::clip;

/// How long an answer holds.
const HOLDS_MS: i64 = 6 * HOUR_MS;
/// Updates that are told at most.
pub(super) const UPDATES_LIMIT: usize = 2_000;

/// An update as the service tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Raw {
    /// In the language of the system.
    pub(super) title: String,
    /// Numbers of articles, without `KB`.
    pub(super) articles: Vec<String>,
    /// `Critical`, `Important`, `Moderate`, `Low`, or nothing.
    pub(super) severity: String,
    /// Numbers of the categories it is in.
    pub(super) categories: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Silence {
    /// The service is not there or does not answer; its words.
    Failed(String),
    /// It took longer than it may.
    TimedOut,
    /// Nobody can be asked: this is no running Windows.
    Nobody,
}

type Answer = Result<Vec<PendingUpdate>, Silence>;

/// An answer and for how long it is true.
#[derive(Debug, Clone)]
struct Known {
    asked_at: Timestamp,
    /// When the last update was installed at that time.
    last_installed_at: Option<Timestamp>,
    answer: Answer,
}

/// Kinds of updates by the numbers of their categories, which are the same in every language.
const KINDS: &[(&str, &str)] = &[
    (SECURITY, "Security Updates"),
    ("e6cf1350-c01b-414d-a61f-263d14d133b4", "Critical Updates"),
    (SIGNATURES, "Definition Updates"),
    ("ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0", "Drivers"),
    ("b54e7d24-7add-428f-8b75-90a396fa584f", "Feature Packs"),
    ("68c5b0a3-d1a6-4553-ae49-01d3a7827828", "Service Packs"),
    ("3689bdc8-b205-4af4-8d4a-a63924c5e9d5", "Upgrades"),
    ("28bc880e-0592-4cbf-8f95-c79b17911d5f", "Update Rollups"),
    ("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83", "Updates"),
    ("b4832bd8-e735-4761-8daf-37f882276dab", "Tools"),
];
const SECURITY: &str = "0fa1201d-4330-4fa8-8ae9-b877473b6441";
/// New ones come several times a day, and install themselves.
const SIGNATURES: &str = "e0789628-ce08-4437-be74-2495b842f43b";

/// The updates that wait.
pub(super) fn pending(host: &Host, last_installed_at: Option<Timestamp>) -> Answer {
    let known = host.keep("updates that wait", |_| Mutex::new(None::<Known>));
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let now = host.look_began_at().unwrap_or_default();
    if let Some(known) = &*known
        && (0..HOLDS_MS).contains(&now.since(known.asked_at))
        && known.last_installed_at == last_installed_at
    {
        return known.answer.clone();
    }
    let answer = ask(host).map(meant);
    // What went wrong for the moment is asked for again.
    *known =
        answer.is_ok().then(|| Known { asked_at: now, last_installed_at, answer: answer.clone() });
    answer
}

fn meant(raw: Vec<Raw>) -> Vec<PendingUpdate> {
    let rows = raw.into_iter().take(UPDATES_LIMIT);
    rows.filter_map(|update| one(&update)).collect()
}

fn one(update: &Raw) -> Option<PendingUpdate> {
    let is_in = |kind: &str| update.categories.iter().any(|one| one.eq_ignore_ascii_case(kind));
    if is_in(SIGNATURES) {
        return None;
    }
    let mut articles: Vec<String> =
        update.articles.iter().map(|number| format!("KB{}", number.trim())).collect();
    articles.sort_unstable();
    let name = if articles.is_empty() { update.title.clone() } else { articles.join(", ") };
    let name = clip(name.as_bytes());
    let kind = KINDS.iter().find(|(number, _)| is_in(number));
    (!name.is_empty()).then(|| PendingUpdate {
        name,
        security: is_in(SECURITY) || !update.severity.trim().is_empty(),
        origin: kind.map(|(_, name)| (*name).to_owned()),
        ..PendingUpdate::default()
    })
}

fn ask(host: &Host) -> Result<Vec<Raw>, Silence> {
    if host.is_live() {
        return cfg_select! {
            windows => super::search::ask(),
            _ => Err(Silence::Nobody),
        };
    }
    let captured = host.captured_call("updates_that_wait").ok_or(Silence::Nobody)?;
    let mut found = Vec::new();
    for line in captured.lines() {
        // Title, articles, severity and categories.
        let fields: Vec<&str> = line.split('\t').collect();
        let list =
            |text: &str| text.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect();
        match fields.as_slice() {
            ["timed out"] => return Err(Silence::TimedOut),
            ["failure", why] => return Err(Silence::Failed((*why).to_owned())),
            [title, articles, severity, categories] => found.push(Raw {
                title: (*title).to_owned(),
                articles: list(articles),
                severity: (*severity).to_owned(),
                categories: list(categories),
            }),
            _ => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Look;

    #[test]
    fn an_answer_holds_for_some_hours_or_until_an_update_was_installed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("call/updates_that_wait.txt");
        std::fs::create_dir(folder.path().join("call")).unwrap();
        std::fs::write(&file, "One\t1\tCritical\t\n").unwrap();
        let host = Host::at(folder.path());
        let ask = |number: u64, at_ms: i64, installed: i64| {
            let look = Look { number, began_at: Timestamp(at_ms) };
            let found = pending(&host.clone().in_look(look), Some(Timestamp(installed)));
            found.map(|rows| rows.len())
        };
        let start = 1_800_000_000_000;
        assert_eq!(ask(1, start, 1), Ok(1));
        std::fs::write(&file, "One\t1\tCritical\t\nTwo\t2\t\t\n").unwrap();
        assert_eq!(ask(2, start + HOUR_MS, 1), Ok(1), "it is kept");
        assert_eq!(ask(3, start + HOUR_MS, 2), Ok(2), "one was installed");
        std::fs::write(&file, "failure\tE_FAIL\n").unwrap();
        assert_eq!(ask(4, start + 2 * HOUR_MS, 2), Ok(2));
        let failed = Err(Silence::Failed("E_FAIL".to_owned()));
        assert_eq!(ask(5, start + 9 * HOUR_MS, 2), failed);
        std::fs::write(&file, "timed out\n").unwrap();
        assert_eq!(ask(6, start + 9 * HOUR_MS, 2), Err(Silence::TimedOut));
        std::fs::write(&file, "").unwrap();
        assert_eq!(ask(6, start + 9 * HOUR_MS, 2), Ok(0), "a failure is not kept");
    }

    #[test]
    fn an_update_is_told_by_its_article_and_its_kind() {
        let raw = Raw {
            title: "2024-11 Cumulative Update for Windows 11 (KB5046617)".to_owned(),
            articles: vec!["5046617".to_owned()],
            severity: String::new(),
            categories: vec![SECURITY.to_uppercase()],
        };
        let told = one(&raw).unwrap();
        assert_eq!((told.name.as_str(), told.security), ("KB5046617", true));
        assert_eq!(told.origin.as_deref(), Some("Security Updates"));
        let signatures = Raw { categories: vec![SIGNATURES.to_owned()], ..raw.clone() };
        assert_eq!(one(&signatures), None);
        let driver = Raw { articles: Vec::new(), categories: Vec::new(), ..raw };
        let told = one(&driver).unwrap();
        assert_eq!((told.name, told.security, told.origin), (driver.title, false, None));
        assert_eq!(one(&Raw::default()), None);
    }
}
