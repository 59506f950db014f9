//! The suite that attacks the collector's door as it stands in the field: the real program, over
//! TLS, from many addresses. What each part shows stands in `door/README.md`.
//!
//! Every part gives a [`Told`](crate::lost::Told). The program `door` prints it; the ordinary tests
//! run the parts in a short form and fail on its problems.

pub mod asked;
pub mod bombs;
pub mod crowd;
pub mod guesses;
pub mod handles;
pub mod honest;
pub mod injected;
pub mod place;
pub mod secrets;
pub mod spoken;

use std::process::{Command, Output};

/// Finds an outside tool: the path in this variable, or the name in the usual places.
fn tool(variable: &str, names: &[&str]) -> Option<std::path::PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let found =
        |name: &&str| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    names.iter().find_map(found)
}

/// Runs a tool beside the collector, without keeping other tasks waiting.
async fn ended(mut command: Command) -> std::io::Result<Output> {
    command.stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await.map_err(std::io::Error::other)?
}
