//! Starts a program of the observed computer and reads what it writes.
//!
//! No shell, no inherited environment, no input; a time limit and a limit on the output, after
//! which the program is ended with everything it started. Which programs may be started is
//! decided by `Host`.

use std::io::{self, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::host::HostError;

/// How long a program may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How much it may write.
const OUTPUT_LIMIT_BYTES: u64 = 4 * 1024 * 1024;
/// How often to look whether it ended, once it closed its output.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The standard output of a program that ended well.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<Vec<u8>, HostError> {
    run_within(program, arguments, TIME_LIMIT)
}

fn run_within(program: &str, arguments: &[&str], limit: Duration) -> Result<Vec<u8>, HostError> {
    let failed = |why: String| HostError::Failed { path: program.to_owned(), why };
    if !std::path::Path::new(program).is_absolute() {
        return Err(failed("it must be named by its absolute path".to_owned()));
    }
    let mut child =
        start(program, arguments).map_err(|error| HostError::from_io(program, &error))?;
    let Some(output) = child.stdout.take() else {
        end(&mut child);
        return Err(failed("its output could not be read".to_owned()));
    };
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = output.take(OUTPUT_LIMIT_BYTES + 1).read_to_end(&mut bytes);
        // Nobody listens any more once the time is over.
        let _ = sender.send(read.map(|_| bytes));
    });
    let Ok(read) = receiver.recv_timeout(limit) else {
        end(&mut child);
        return Err(HostError::TimedOut { path: program.to_owned() });
    };
    let bytes = match read {
        Ok(bytes) if bytes.len() as u64 <= OUTPUT_LIMIT_BYTES => bytes,
        Ok(_) => {
            end(&mut child);
            return Err(failed(format!("it wrote more than {OUTPUT_LIMIT_BYTES} bytes")));
        }
        Err(error) => {
            end(&mut child);
            return Err(failed(error.to_string()));
        }
    };
    let status = ended_within(&mut child, limit).map_err(|error| failed(error.to_string()))?;
    match status {
        Some(status) if status.success() => Ok(bytes),
        Some(status) => Err(failed(format!("it ended with {status}"))),
        None => Err(HostError::TimedOut { path: program.to_owned() }),
    }
}

fn start(program: &str, arguments: &[&str]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    command.spawn()
}

/// Waits for a program that closed its output; one that stays is ended.
fn ended_within(
    child: &mut Child,
    limit: Duration,
) -> io::Result<Option<std::process::ExitStatus>> {
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited >= limit {
            end(child);
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
        waited += LOOK_AGAIN;
    }
}

/// Ends the program and its group, and waits for it so that no zombie is left.
fn end(child: &mut Child) {
    #[cfg(unix)]
    {
        let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // It may have ended by itself in the meantime.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SHELL: &str = "/bin/sh";

    #[test]
    fn gives_the_output_and_hands_on_no_environment() {
        assert_eq!(run("/bin/echo", &["one", "two; $HOME"]).unwrap(), b"one two; $HOME\n");
        let environment = run(SHELL, &["-c", "echo [$HOME$USER$ROLLCALL_TOKEN]"]).unwrap();
        assert_eq!(environment, b"[]\n");
    }

    #[test]
    fn failures_are_told_apart() {
        assert!(run("/nonexistent/program", &[]).unwrap_err().is_not_found());
        assert!(matches!(run("echo", &[]).unwrap_err(), HostError::Failed { .. }));
        let status = run(SHELL, &["-c", "exit 3"]).unwrap_err();
        assert!(status.to_string().contains('3'), "{status}");
    }

    #[test]
    fn a_program_that_stays_is_ended_with_what_it_started() {
        let limit = Duration::from_millis(50);
        let script = "sleep 1000 & echo $!; wait";
        let late = run_within(SHELL, &["-c", script], limit).unwrap_err();
        assert!(matches!(late, HostError::TimedOut { .. }), "{late}");
        let silent = run_within(SHELL, &["-c", "exec >&-; sleep 1000"], limit).unwrap_err();
        assert!(matches!(silent, HostError::TimedOut { .. }), "{silent}");
    }

    #[test]
    fn endless_output_is_cut_off() {
        let error =
            run(SHELL, &["-c", "while :; do echo 0123456789012345678901234567890123456789; done"]);
        assert!(error.unwrap_err().to_string().contains("wrote more than"));
    }
}
