//! What Windows tells of itself through WMI, as plain rows of words.
//!
//! On Windows its service is asked, for named properties alone; in a folder of captures there is
//! one file for each class below `wmi/`, in the form in which the service writes objects as text.
//! Asking starts a process of the system and takes it some tenths of a second, so an answer holds
//! for a while, or until something else says that it became another.

use std::sync::{Arc, Mutex, PoisonError};

use rollcall_shared::{Note, NoteKind, Timestamp};

use crate::host::{Host, HostError};

#[cfg(windows)]
mod live;
mod mof;

pub(crate) use mof::Row;

/// What is asked of one class.
#[derive(Debug)]
pub(crate) struct Question {
    /// E.g. `MSFT_StoragePool`.
    pub(crate) class: &'static str,
    /// Names of the properties that are told; no others are.
    pub(crate) properties: &'static [&'static str],
}

/// All that is asked at once.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// E.g. `root\Microsoft\Windows\Storage`.
    pub(crate) namespace: &'static str,
    /// What it is about, for people, e.g. `storage pools`.
    pub(crate) about: &'static str,
    /// What is asked.
    pub(crate) questions: &'static [Question],
    /// How long an answer holds, in milliseconds.
    pub(crate) holds_ms: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Silence {
    /// This Windows has no such part.
    Absent,
    /// Only an administrator may ask.
    Denied,
    /// Something went wrong; the service's words.
    Failed(String),
    /// It took longer than it may.
    TimedOut,
    /// Nobody can be asked: this is no running Windows.
    Nobody,
}

/// The rows of each question.
pub(crate) type Answer = Result<Vec<Vec<Row>>, Silence>;

/// An answer and for how long it is true.
#[derive(Debug)]
struct Known {
    asked_at: Timestamp,
    stamp: String,
    answer: Arc<Answer>,
}

impl Silence {
    /// What is to be said of it.
    pub(crate) fn note(&self, inquiry: &Inquiry) -> Note {
        let Inquiry { namespace, about, .. } = inquiry;
        let (kind, why) = match self {
            Self::Absent => {
                let why = format!(
                    "WMI knows nothing here of {about}: it has no {namespace}, or not all of it"
                );
                (NoteKind::Unsupported, why)
            }
            Self::Denied => (
                NoteKind::NeedsPrivilege,
                format!("asking WMI for {about} needs administrator rights"),
            ),
            Self::Failed(why) => {
                let why = format!(
                    "WMI does not tell of {about}: {why}; `winmgmt /verifyrepository` says whether it is damaged"
                );
                (NoteKind::Failed, why)
            }
            Self::TimedOut => {
                let why =
                    format!("WMI did not tell in time of {about}; it is asked again next time");
                (NoteKind::TimedOut, why)
            }
            Self::Nobody => {
                (NoteKind::Unsupported, format!("only a running Windows tells of {about}"))
            }
        };
        Note::new(kind).with_detail(why)
    }
}

impl Known {
    fn holds(&self, now: Timestamp, stamp: &str, holds_ms: i64) -> bool {
        // What went wrong for the moment is asked for again, but only once in a look.
        let is_settled = matches!(*self.answer, Ok(_) | Err(Silence::Absent | Silence::Nobody));
        let age = now.since(self.asked_at);
        self.stamp == stamp && (age == 0 || is_settled && (0..holds_ms).contains(&age))
    }
}

impl Host {
    /// The answer to an inquiry: a new one when the stamp is another than it was, or the last one is
    /// too old. The stamp is what tells cheaply that the answer may have become another.
    pub(crate) fn wmi(&self, inquiry: &'static Inquiry, stamp: String) -> Arc<Answer> {
        let known = self.keep(inquiry.namespace, |_| Mutex::new(None::<Known>));
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.look_began_at().unwrap_or_default();
        if let Some(known) = &*known
            && known.holds(now, &stamp, inquiry.holds_ms)
        {
            return Arc::clone(&known.answer);
        }
        let rows = |texts: Vec<String>| {
            let pairs = inquiry.questions.iter().zip(texts);
            pairs.map(|(question, text)| mof::rows(&text, question.properties)).collect()
        };
        let answer = Arc::new(texts(self, inquiry).map(rows));
        *known = Some(Known { asked_at: now, stamp, answer: Arc::clone(&answer) });
        answer
    }
}

/// The text of the objects of each class.
fn texts(host: &Host, inquiry: &'static Inquiry) -> Result<Vec<String>, Silence> {
    if host.is_live() {
        return cfg_select! {
            windows => live::ask(host, inquiry),
            _ => Err(Silence::Nobody),
        };
    }
    let captured =
        |question: &Question| match host.read_text(&format!("/wmi/{}.mof", question.class)) {
            Ok(text) => match text.trim_end() {
                "absent" => Err(Silence::Absent),
                "denied" => Err(Silence::Denied),
                "timed out" => Err(Silence::TimedOut),
                _ => Ok(text),
            },
            Err(HostError::NotFound { .. }) => Err(Silence::Nobody),
            Err(error) => Err(Silence::Failed(error.to_string())),
        };
    inquiry.questions.iter().map(captured).collect()
}

/// The first object of a text.
#[cfg(test)]
pub(crate) fn row(text: &str, properties: &[&str]) -> Row {
    mof::rows(text, properties).remove(0)
}

#[cfg(test)]
mod tests {
    use rollcall_shared::time::HOUR_MS;

    use super::*;
    use crate::host::Look;

    static INQUIRY: Inquiry = Inquiry {
        namespace: r"root\test",
        about: "things",
        questions: &[Question { class: "Thing", properties: &["Name"] }],
        holds_ms: HOUR_MS,
    };

    #[test]
    fn an_answer_holds_for_a_while_or_until_its_stamp_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| {
            std::fs::create_dir_all(folder.path().join("wmi")).unwrap();
            std::fs::write(folder.path().join("wmi/Thing.mof"), text).unwrap();
        };
        let host = Host::at(folder.path());
        let start = 1_800_000_000_000;
        let ask = |number: u64, minutes: i64, stamp: &str| {
            let began_at = Timestamp(start + minutes * 60_000);
            let host = host.clone().in_look(Look { number, began_at });
            match &*host.wmi(&INQUIRY, stamp.to_owned()) {
                Ok(answers) => Ok(answers[0].len()),
                Err(silence) => Err(silence.clone()),
            }
        };
        let one = "instance of Thing { Name = \"one\"; };\n";
        assert_eq!(ask(1, 0, "a"), Err(Silence::Nobody));
        write(one);
        assert_eq!(ask(2, 15, "b"), Ok(1));
        write(&one.repeat(2));
        assert_eq!(ask(3, 30, "b"), Ok(1), "it is kept");
        assert_eq!(ask(4, 45, "c"), Ok(2), "its stamp is another");
        write(&one.repeat(3));
        assert_eq!(ask(5, 120, "c"), Ok(3), "it is too old");
        write("timed out\n");
        assert_eq!(ask(6, 240, "c"), Err(Silence::TimedOut));
        write(one);
        assert_eq!(ask(6, 240, "c"), Err(Silence::TimedOut), "once in a look is enough");
        assert_eq!(ask(7, 255, "c"), Ok(1), "a failure is not kept");
    }

    #[test]
    fn every_silence_says_what_is_not_known() {
        let failed = Silence::Failed("0x80041013".to_owned());
        for (silence, leaves_open) in [
            (Silence::Absent, false),
            (Silence::Nobody, false),
            (Silence::Denied, true),
            (Silence::TimedOut, true),
            (failed, true),
        ] {
            let note = silence.note(&INQUIRY);
            assert_eq!(note.leaves_open(), leaves_open, "{silence:?}");
            assert!(note.detail.unwrap().contains("things"), "{silence:?}");
        }
    }
}
