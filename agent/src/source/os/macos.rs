//! What macOS says of itself, from its own property list.

use rollcall_shared::section::os::{MacosRelease, OsFamily};
use rollcall_shared::section::{Os, Section};
use rollcall_shared::{Note, NoteKind};

use super::parse::zone_of_link;
use crate::host::Host;
use crate::plist::Value;
use crate::source::system::model_identifier;
use crate::source::{Gathered, Platform, Privilege, Source};

const VERSION: &str = "/System/Library/CoreServices/SystemVersion.plist";
/// What came beside the system since then.
const RESPONSE: &str = "/System/Cryptexes/OS/System/Library/CoreServices/SystemVersion.plist";
/// What holds before anybody signs in.
const LANGUAGE: &str = "/Library/Preferences/.GlobalPreferences.plist";
/// Written by the set-up assistant when it is done.
const SET_UP: &str = "/private/var/db/.AppleSetupDone";

/// The declaration.
pub const MACOS: Source = Source {
    name: "system_version",
    section: "os",
    about: "Version and build from SystemVersion.plist, install date by the mark of the set-up assistant",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let bytes = match host.read(VERSION) {
        Ok(bytes) => bytes,
        Err(error) => return Gathered::absent(error.into()),
    };
    let Some((name, mut release)) = Value::read(&bytes).and_then(|list| release(&list)) else {
        let why = format!("{VERSION} tells no version");
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    };
    release.model = model_identifier(host);
    // A rapid response to a danger comes beside the system, whose version and build stay.
    let response = host.property_list(RESPONSE).ok();
    let response =
        response.filter(|list| list.text("ProductVersion").as_ref() == Some(&release.version));
    let letter = response.and_then(|list| list.text("ProductVersionExtra"));
    let letter = letter.map(|letter| format!(" {letter}")).unwrap_or_default();
    let name = format!("{name} {}{letter}", release.version);
    Gathered::of(Section::Os(Os {
        family: OsFamily::Macos,
        name,
        architecture: std::env::consts::ARCH.to_owned(),
        installed_at: host.info(SET_UP).ok().map(|info| info.modified_at).filter(|at| at.0 > 0),
        kernel: kernel(host),
        time_zone: host
            .link("/private/etc/localtime")
            .ok()
            .and_then(|target| zone_of_link(&target.to_string_lossy())),
        locale: host.property_list(LANGUAGE).ok().and_then(|list| list.text("AppleLocale")),
        macos: Some(release),
        ..Os::default()
    }))
}

/// The release of the kernel, e.g. `24.1.0`.
fn kernel(host: &Host) -> Option<String> {
    if !host.is_live() {
        return host.captured_call("kernel").map(|text| text.trim().to_owned());
    }
    cfg_select! {
        target_os = "macos" => {
            let kernel = rustix::system::uname();
            kernel.release().to_str().ok().map(str::to_owned)
        }
        _ => None,
    }
}

fn release(list: &Value) -> Option<(String, MacosRelease)> {
    let name = list.text("ProductName").unwrap_or_else(|| "macOS".to_owned());
    let version = list.text("ProductVersion")?;
    Some((name, MacosRelease { version, build: list.text("ProductBuildVersion"), model: None }))
}
