//! Where a Linux system keeps what it says of itself.

use rollcall_shared::section::os::OsFamily;
use rollcall_shared::section::{Os, Section};
use rollcall_shared::{Note, NoteKind, Timestamp};

use super::parse;
use crate::host::Host;
use crate::source::Gathered;

/// Each of these is written once, by the installer or when the file system is made.
const TRACES: &[&str] = &[
    "/var/log/installer",
    "/var/log/installer/syslog",
    "/var/log/anaconda",
    "/var/log/anaconda/anaconda.log",
    "/var/log/YaST2/y2start.log",
    "/lost+found",
];

pub(super) fn gather(host: &Host) -> Gathered {
    let files = host.keep("files of the system", files);
    let os = Os {
        architecture: host.keep_while_running("architecture", architecture).as_ref().clone(),
        kernel: running_kernel(host),
        installed_at: *host.keep_while_running("installation", installed_at),
        ..files.0.clone()
    };
    Gathered { section: Some(Section::Os(os)), notes: files.1.clone() }
}

/// The release of the kernel that runs.
pub(crate) fn running_kernel(host: &Host) -> Option<String> {
    let read = |host: &Host| host.value("/proc/sys/kernel/osrelease");
    host.keep_while_running("kernel", read).as_ref().clone()
}

/// What the files say, which holds as long as none of them changes.
fn files(host: &Host) -> (Os, Vec<Note>) {
    let mut notes = Vec::new();
    let release = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(|path| {
        let text = host.read_text(path).map_err(|error| {
            if !error.is_not_found() {
                notes.push(error.into());
            }
        });
        text.ok().map(|text| parse::release(&text))
    });
    if release.is_none() && notes.is_empty() {
        notes.push(Note::new(NoteKind::NotFound).with_detail("there is no /etc/os-release"));
    }
    let release = release.unwrap_or_default();
    let ubuntu_pro = (release.get("ID").is_some_and(|id| id == "ubuntu"))
        .then(|| host.read_text("/var/lib/ubuntu-advantage/status.json").ok())
        .flatten()
        .and_then(|json| parse::ubuntu_pro(&json));
    let os = Os {
        family: OsFamily::Linux,
        name: parse::name(&release),
        time_zone: time_zone(host),
        locale: ["/etc/locale.conf", "/etc/default/locale", "/etc/sysconfig/i18n"]
            .iter()
            .find_map(|path| parse::locale(&host.read_text(path).ok()?)),
        ubuntu_pro,
        release,
        ..Os::default()
    };
    (os, notes)
}

/// Of the kernel, not of this program: a 32-bit agent on a 64-bit system must say `x86_64`.
fn architecture(host: &Host) -> String {
    host.value("/proc/sys/kernel/arch").or_else(|| of_kernel(host)).unwrap_or_else(|| {
        if host.is_live() { std::env::consts::ARCH.to_owned() } else { String::new() }
    })
}

cfg_select! {
    target_os = "linux" => {
        fn of_kernel(host: &Host) -> Option<String> {
            let kernel = host.is_live().then(rustix::system::uname)?;
            kernel.machine().to_str().ok().map(str::to_owned)
        }
    }
    _ => {
        fn of_kernel(_: &Host) -> Option<String> {
            None
        }
    }
}

fn installed_at(host: &Host) -> Option<Timestamp> {
    // The birth of the root file system, where the system can say it: an image in a container or a
    // cloned disk was born elsewhere and earlier, which is still the best that is known.
    let top = host.is_live().then(|| std::fs::metadata("/"));
    let born = top.and_then(|data| data.ok()?.created().ok()).and_then(|at| {
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Timestamp(i64::try_from(since.as_millis()).ok()?))
    });
    let traces = TRACES.iter().filter_map(|path| Some(host.info(path).ok()?.modified_at));
    parse::installed_at(traces).or_else(|| parse::installed_at(born))
}

fn time_zone(host: &Host) -> Option<String> {
    host.link("/etc/localtime")
        .ok()
        .and_then(|target| parse::zone_of_link(&target.to_string_lossy()))
        .or_else(|| host.value("/etc/timezone"))
}
