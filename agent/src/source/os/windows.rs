//! What Windows says of itself, from its registry.

use rollcall_shared::section::os::{OsFamily, WindowsRelease};
use rollcall_shared::section::{Os, Section};
use rollcall_shared::{Note, NoteKind, Timestamp};

use crate::host::Host;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const CURRENT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const ENVIRONMENT: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
const TIME_ZONE: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation";
const LANGUAGE: &str = r"HKU\.DEFAULT\Control Panel\International";
/// The first build that its makers call Windows 11; the registry goes on to say 10.
const FIRST_OF_11: u32 = 22_000;

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "current_version",
    section: "os",
    about: r"Build, edition, install date, time zone and language from the registry (Windows NT\CurrentVersion)",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let current = match host.registry(CURRENT) {
        Ok(current) => current,
        Err(error) => return Gathered::absent(error.into()),
    };
    let Some(mut os) = os(&current) else {
        let why = format!("{CURRENT} tells no build");
        return Gathered::absent(Note::new(NoteKind::Failed).with_detail(why));
    };
    let text = |path: &str, name: &str| host.registry(path).ok()?.text(name);
    if let Some(word) = text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE") {
        os.architecture = architecture(&word);
    }
    os.time_zone = text(TIME_ZONE, "TimeZoneKeyName");
    os.locale = text(LANGUAGE, "LocaleName");
    Gathered::of(Section::Os(os))
}

fn os(current: &Key) -> Option<Os> {
    let build: u32 = current
        .text("CurrentBuild")
        .or_else(|| current.text("CurrentBuildNumber"))?
        .parse()
        .ok()?;
    let number = |name: &str| current.number(name).and_then(|number| u32::try_from(number).ok());
    let product_name = current.text("ProductName");
    let display_version = current.text("DisplayVersion").or_else(|| current.text("ReleaseId"));
    let version = match (number("CurrentMajorVersionNumber"), number("CurrentMinorVersionNumber")) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        _ => current.text("CurrentVersion").unwrap_or_default(),
    };
    let installed = current.number("InstallDate").and_then(|date| i64::try_from(date).ok());
    Some(Os {
        family: OsFamily::Windows,
        name: name(product_name.as_deref(), build, display_version.as_deref()),
        architecture: String::new(),
        kernel: Some(format!("{version}.{build}")),
        // 0 until the set-up of an image is done.
        installed_at: installed.filter(|date| *date > 0).map(Timestamp::from_seconds),
        windows: Some(WindowsRelease {
            build,
            revision: number("UBR"),
            edition_id: current.text("EditionID"),
            installation_type: current.text("InstallationType"),
            display_version,
            product_name,
        }),
        ..Os::default()
    })
}

fn name(product: Option<&str>, build: u32, version: Option<&str>) -> String {
    let product = product.unwrap_or("Windows").trim_start_matches("Microsoft ");
    let product = match product.strip_prefix("Windows 10") {
        Some(rest) if build >= FIRST_OF_11 => format!("Windows 11{rest}"),
        _ => product.to_owned(),
    };
    match version {
        Some(version) => format!("{product} {version}"),
        None => product,
    }
}

fn architecture(word: &str) -> String {
    match word {
        "AMD64" => "x86_64".to_owned(),
        "ARM64" => "aarch64".to_owned(),
        "x86" => "i686".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}
