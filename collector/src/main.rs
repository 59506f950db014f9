//! The collector's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rollcall_collector::cli::main())
}
