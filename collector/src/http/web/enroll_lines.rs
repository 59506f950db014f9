//! What to type to enrol a computer, for each kind of system.
//!
//! The join string holds a token, so no line puts it where other users of the computer see it: it
//! goes through standard input or a file for administrators.

/// A kind of system and what to type there, in order.
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
}

/// One thing to type, and what it does.
pub(super) struct Step {
    pub(super) about: &'static str,
    pub(super) text: String,
}

/// Packages have the version of the collector that was released with them.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the agent lies on Windows, for which there is no installer yet.
const WINDOWS_FOLDER: &str = r"%ProgramFiles%\Rollcall";
const WINDOWS_PROGRAM: &str = r"%ProgramFiles%\Rollcall\rollcall-agent.exe";

/// Every kind of system, the most usual first. The quotes suit the shells: the string has a `#`.
pub(super) fn systems(join: &str) -> Vec<System> {
    let system = |name, steps: Vec<(&'static str, String)>| System {
        name,
        steps: steps.into_iter().map(|(about, text)| Step { about, text }).collect(),
    };
    let enroll = || {
        ("Enrol the computer", format!("printf '%s\\n' '{join}' | sudo rollcall-agent enroll -"))
    };
    let start =
        || ("Report, now and from now on", "sudo systemctl start rollcall-agent".to_owned());
    let install = |text| ("Install the agent", text);
    vec![
        system(
            "Debian, Ubuntu",
            vec![
                install(format!("sudo apt install ./rollcall-agent_{VERSION}-1_amd64.deb")),
                enroll(),
                start(),
            ],
        ),
        system(
            "Red Hat, SUSE and relatives",
            vec![
                install(format!("sudo rpm -U rollcall-agent-{VERSION}-1.x86_64.rpm")),
                enroll(),
                start(),
            ],
        ),
        system(
            "Any Linux with systemd",
            vec![
                install(format!("sudo sh install.sh rollcall-agent-{VERSION}-linux-x86_64.tar.gz")),
                enroll(),
                start(),
            ],
        ),
        system(
            "Windows, at the command prompt of an administrator",
            vec![
                install(format!(
                    "mkdir \"{WINDOWS_FOLDER}\"\ncopy rollcall-agent.exe \"{WINDOWS_FOLDER}\""
                )),
                ("Enrol the computer", format!("echo {join}| \"{WINDOWS_PROGRAM}\" enroll -")),
                (
                    "Report, now and from now on",
                    format!(
                        "sc create RollcallAgent start= auto binPath= \"\\\"{WINDOWS_PROGRAM}\\\" \
                         service\"\nsc start RollcallAgent"
                    ),
                ),
            ],
        ),
        system(
            "Ansible",
            vec![
                (
                    "Tell the token to this shell alone",
                    format!("read -r ROLLCALL_JOIN <<'END' && export ROLLCALL_JOIN\n{join}\nEND"),
                ),
                (
                    "Give it to every computer of the inventory",
                    "ansible-playbook -i inventory rollcall.yml".to_owned(),
                ),
            ],
        ),
        system("cloud-init, images", vec![("Add to the user data", cloud_config(join))]),
    ]
}

/// The agent's package lies where the image's package source is; the agent finds the file at its
/// first start and removes it.
fn cloud_config(join: &str) -> String {
    format!(
        "#cloud-config\nwrite_files: [{{path: /etc/rollcall/join, permissions: '0600', content: \
         '{join}'}}]\npackages: [rollcall-agent]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOIN: &str = "rcl1:https://rollcall.example.org#rcl_enr_secret";

    #[test]
    fn no_line_shows_the_token_to_other_users() {
        for system in systems(JOIN) {
            let lines: Vec<&str> = system.steps.iter().flat_map(|step| step.text.lines()).collect();
            assert!(lines.iter().any(|line| line.contains(JOIN)), "{}", system.name);
            for line in lines.iter().filter(|line| line.contains(JOIN)) {
                // printf and echo are words of the shells themselves.
                let unseen = ["printf ", "rcl1:", "write_files: ", "echo "];
                let line = line.trim_start();
                assert!(unseen.iter().any(|start| line.starts_with(start)), "{line}");
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_shell_hands_the_line_on_as_it_is() {
        for system in systems(JOIN) {
            for step in system.steps.iter().filter(|step| step.text.starts_with("printf")) {
                let text = step.text.replace("sudo rollcall-agent enroll -", "cat");
                let said = std::process::Command::new("sh").args(["-c", &text]).output().unwrap();
                assert_eq!(String::from_utf8(said.stdout).unwrap().trim_end(), JOIN);
            }
        }
    }
}
