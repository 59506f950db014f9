//! The agent's program; all it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall_agent::cli::main()
}
