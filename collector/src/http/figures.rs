//! Figures of the doors for Prometheus: how many requests, how they ended, how long they took.
//! Counted in memory from the start on; served on an address of its own, never on that of people.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::app::App;

/// Upper ends of the classes of durations, in seconds.
const SECONDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Who calls, as the labels say it.
const CALLERS: [&str; 3] = ["agent", "program", "person"];
/// How a request ended: 1xx to 5xx.
const STATUSES: usize = 5;

/// Requests of one kind of caller.
#[derive(Debug, Default)]
struct Requests {
    ended: [AtomicU64; STATUSES],
    /// How many took at most so long; the last: any time.
    took: [AtomicU64; SECONDS.len() + 1],
    micros: AtomicU64,
}

/// How sign-ins ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// Somebody was let in.
    Done,
    /// Name, password or code was wrong.
    Refused,
    /// Too many attempts.
    Slowed,
}

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    requests: [Requests; 3],
    sign_ins: [AtomicU64; 3],
}

fn add(counter: &AtomicU64, number: u64) {
    counter.fetch_add(number, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Figures {
    /// Counts an answered request.
    pub(crate) fn request(&self, path: &str, status: u16, took: Duration) {
        let caller = match path {
            path if path.starts_with("/agent/") => 0,
            path if path.starts_with("/api/") => 1,
            _ => 2,
        };
        let Some(requests) = self.requests.get(caller) else { return };
        let class = usize::from(status / 100).clamp(1, STATUSES) - 1;
        add(&requests.ended[class], 1);
        let seconds = took.as_secs_f64();
        let class = SECONDS.iter().position(|end| seconds <= *end).unwrap_or(SECONDS.len());
        add(&requests.took[class], 1);
        add(&requests.micros, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a sign-in.
    pub(crate) fn sign_in(&self, how: SignIn) {
        add(&self.sign_ins[how as usize], 1);
    }

    /// Everything in the text form of Prometheus.
    fn text(&self, out: &mut String) {
        head(out, "rollcall_requests_total", "counter", "Requests answered.");
        for (caller, requests) in CALLERS.iter().zip(&self.requests) {
            for (class, ended) in requests.ended.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "rollcall_requests_total{{caller=\"{caller}\",status=\"{}xx\"}} {}",
                    class + 1,
                    read(ended)
                );
            }
        }
        let name = "rollcall_request_duration_seconds";
        head(out, name, "histogram", "How long answering took.");
        for (caller, requests) in CALLERS.iter().zip(&self.requests) {
            let mut count = 0;
            for (class, took) in requests.took.iter().enumerate() {
                count += read(took);
                let end = SECONDS.get(class).map_or("+Inf".to_owned(), ToString::to_string);
                let labels = format!("caller=\"{caller}\",le=\"{end}\"");
                let _ = writeln!(out, "{name}_bucket{{{labels}}} {count}");
            }
            let seconds = Duration::from_micros(read(&requests.micros)).as_secs_f64();
            let _ = writeln!(out, "{name}_sum{{caller=\"{caller}\"}} {seconds}");
            let _ = writeln!(out, "{name}_count{{caller=\"{caller}\"}} {count}");
        }
        head(out, "rollcall_sign_ins_total", "counter", "Sign-ins, by how they ended.");
        for (how, count) in ["done", "refused", "slowed"].iter().zip(&self.sign_ins) {
            let count = read(count);
            let _ = writeln!(out, "rollcall_sign_ins_total{{how=\"{how}\"}} {count}");
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

fn gauge(out: &mut String, name: &str, about: &str, value: impl std::fmt::Display) {
    head(out, name, "gauge", about);
    let _ = writeln!(out, "{name} {value}");
}

/// What is served on the address for figures.
pub fn router(app: App) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(app)
}

async fn answer(State(app): State<App>) -> impl IntoResponse {
    let mut out = String::with_capacity(4096);
    head(&mut out, "rollcall_build_info", "gauge", "The version that runs.");
    let version = env!("CARGO_PKG_VERSION");
    let database = app.store.backend();
    let _ = writeln!(out, "rollcall_build_info{{version=\"{version}\",database=\"{database}\"}} 1");
    app.guard.figures.text(&mut out);
    let devices = app.fleet.read().keys().len();
    gauge(&mut out, "rollcall_devices", "Devices in memory, retired ones included.", devices);
    let answers = app.store.ping().await.is_ok();
    let writes = answers && app.store.takes_writes();
    let (answers, writes) = (u8::from(answers), u8::from(writes));
    gauge(&mut out, "rollcall_database_answers", "1 while the database answers.", answers);
    gauge(&mut out, "rollcall_takes_writes", "1 while reports can be written.", writes);
    if let Ok(Some(head)) = app.store.audit_head().await {
        gauge(&mut out, "rollcall_audit_entries", "Entries of the audit log.", head.number);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_caller_end_and_time() {
        let figures = Figures::default();
        figures.request("/agent/v1/check-in", 200, Duration::from_millis(3));
        figures.request("/agent/v1/check-in", 401, Duration::from_millis(40));
        figures.request("/devices", 200, Duration::from_secs(9));
        figures.sign_in(SignIn::Slowed);
        let mut text = String::new();
        figures.text(&mut text);
        for line in [
            "rollcall_requests_total{caller=\"agent\",status=\"2xx\"} 1",
            "rollcall_requests_total{caller=\"agent\",status=\"4xx\"} 1",
            "rollcall_request_duration_seconds_bucket{caller=\"agent\",le=\"0.005\"} 1",
            "rollcall_request_duration_seconds_bucket{caller=\"agent\",le=\"0.05\"} 2",
            "rollcall_request_duration_seconds_sum{caller=\"agent\"} 0.043",
            "rollcall_request_duration_seconds_bucket{caller=\"person\",le=\"5\"} 0",
            "rollcall_request_duration_seconds_count{caller=\"person\"} 1",
            "rollcall_sign_ins_total{how=\"slowed\"} 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
    }
}
