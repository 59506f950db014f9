//! Writes the manual pages and the shell completions that packages carry, from the command lines of
//! the programs themselves: `rollcall-manual FOLDER`.
//!
//! A program of its own, so that neither the agent nor the collector carries it along.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, Parser};
use clap_complete::Shell;

/// What may be asked.
#[derive(Debug, Parser)]
#[command(name = "rollcall-manual")]
struct Options {
    /// Folder to write into: man/*.1 and completions/
    folder: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let programs = [rollcall_agent::cli::command(), rollcall_collector::cli::command()];
    for program in programs {
        if let Err(error) = write(program, &options.folder) {
            eprintln!("rollcall-manual: {} cannot be written: {error}", options.folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The pages of a program and of its commands, and its completions.
fn write(program: Command, folder: &Path) -> io::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    std::fs::create_dir_all(&man)?;
    std::fs::create_dir_all(&completions)?;
    let name = program.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut program.clone(), name.clone(), &mut text);
        let file = match shell {
            Shell::Zsh => format!("_{name}"),
            Shell::Fish => format!("{name}.fish"),
            _ => name.clone(),
        };
        std::fs::write(completions.join(file), text)?;
    }
    clap_mangen::generate_to(without_help(program), man)
}

/// Without the command `help`, whose pages would say the same once more.
fn without_help(program: Command) -> Command {
    program.mut_subcommands(without_help).disable_help_subcommand(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn every_command_has_a_page_and_no_page_is_without_a_name() {
        let folder = tempfile::tempdir().unwrap();
        write(rollcall_agent::cli::command(), folder.path()).unwrap();
        write(rollcall_collector::cli::command(), folder.path()).unwrap();
        let pages = names(&folder.path().join("man"));
        for page in ["rollcall-agent.1", "rollcall-agent-enroll.1", "rollcall-serve.1"] {
            assert!(pages.contains(&page.into()), "{page} of {pages:?}");
        }
        for page in &pages {
            let text = std::fs::read_to_string(folder.path().join("man").join(page)).unwrap();
            assert!(text.contains(".SH NAME"), "{page:?}");
            assert!(!page.to_string_lossy().contains("help"), "{page:?}");
        }
        assert_eq!(
            names(&folder.path().join("completions")),
            [
                "_rollcall",
                "_rollcall-agent",
                "rollcall",
                "rollcall-agent",
                "rollcall-agent.fish",
                "rollcall.fish"
            ]
        );
    }
}
