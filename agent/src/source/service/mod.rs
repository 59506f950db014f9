//! Services, from the files that define them: no program is asked. What runs is seen by the
//! control groups of the kernel.
//!
//! A program is told by its path alone: command lines and environments hold passwords.

use rollcall_shared::section::service::ServiceStart;
use rollcall_shared::section::{Section, Service};
use rollcall_shared::{Note, NoteKind};

use super::{Gathered, Platform, Privilege, Source};
use crate::host::Host;
use crate::order;

pub(crate) mod groups;
mod macos;
mod openrc;
pub mod parse;
pub(crate) mod systemd;
mod sysv;
mod windows;

pub use macos::MACOS;
pub(crate) use macos::{daemons, is_switched_on, starts_with_computer};
pub use windows::WINDOWS;
pub(crate) use windows::program;

/// Services.
pub const SOURCE: Source = Source {
    name: "service",
    section: "service",
    about: "Services from unit files of systemd, scripts of OpenRC and System V init; what runs \
            from /sys/fs/cgroup",
    platforms: &[Platform::Linux],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let units = &systemd::units(host).services;
    let mut rows: Vec<Service> = Vec::new();
    if units.is_empty() {
        rows.extend(openrc::services(host).iter().cloned());
    } else {
        let running = groups::running(host);
        if running.is_none() {
            notes.push(
                Note::new(NoteKind::NotFound)
                    .with_detail("systemd is installed but does not run here: no state is known"),
            );
        }
        rows.extend(units.iter().map(|unit| unit.service(running.as_ref())));
    }
    if !rows.iter().any(|row| row.manager.as_deref() == Some("openrc")) {
        let known: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
        rows.extend(sysv::services(host, &known));
    }
    if rows.is_empty() && notes.is_empty() {
        let why = "neither systemd nor OpenRC nor init scripts are here";
        return Gathered::absent(Note::new(NoteKind::NotFound).with_detail(why));
    }
    order::sort(&mut rows, Ord::cmp);
    Gathered { section: Some(Section::Service(rows)), notes }
}

/// Whether a service that is known to start by itself says something by not running.
fn has_state(start: &ServiceStart) -> bool {
    matches!(start, ServiceStart::Automatic | ServiceStart::Manual)
}

#[cfg(test)]
mod tests;
