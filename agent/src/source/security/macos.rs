//! How a Mac is protected.

use rollcall_shared::Note;
use rollcall_shared::section::security::Protection;
use rollcall_shared::section::{Section, Security};

use super::linux::{ssh, sudoers};
use super::screen_lock;
use crate::host::{Host, HostError};
use crate::io_registry::Entry;
use crate::plist::Value;
use crate::source::processes::Processes;
use crate::source::service::is_switched_on;
use crate::source::text::has_ending;
use crate::source::{Gathered, Platform, Privilege, Program, Source};

/// No file tells whether `FileVault` is on.
pub(crate) const FILE_VAULT: Program = Program {
    path: "/usr/bin/fdesetup",
    why: "whether FileVault is on (`fdesetup status`), which no file tells",
};
/// Since macOS 15 no file tells of the firewall.
const FIREWALL: Program = Program {
    path: "/usr/libexec/ApplicationFirewall/socketfilterfw",
    why: "whether the firewall is on (`socketfilterfw --getglobalstate`), where no file tells it",
};

/// The declaration.
pub const MACOS: Source = Source {
    name: "mac_protection",
    section: "security",
    about: "Firewall, Gatekeeper, XProtect, products against malware by their bundles, system extensions and what runs, system integrity protection from the device tree, FileVault, the screen lock of a profile, SSH where remote login is on, sudo",
    platforms: &[Platform::Macos],
    privilege: Privilege::Administrator,
    programs: &[FILE_VAULT, FIREWALL],
    gather,
};

/// Where macOS up to 14 keeps the state of its firewall.
const FIREWALL_STATE: &str = "/Library/Preferences/com.apple.alf.plist";
/// What a profile of the owner of the computer says, which counts more.
const FIREWALL_BY_PROFILE: &str = "/Library/Managed Preferences/com.apple.security.firewall.plist";
const GATEKEEPER: &[&str] = &[
    "/private/var/db/SystemPolicyConfiguration/SystemPolicy-prefs.plist",
    "/private/var/db/SystemPolicy-prefs.plist",
];
const X_PROTECT: &[&str] = &[
    "/private/var/protected/xprotect/XProtect.bundle",
    "/Library/Apple/System/Library/CoreServices/XProtect.bundle",
    "/System/Library/CoreServices/XProtect.bundle",
];

/// Names of what runs of products, as far as they are known: one that is seen is on.
const PROCESSES: &[(&str, &[&str])] = &[
    ("CrowdStrike Falcon", &["com.crowdstrike.falcon.Agent"]),
    ("Malwarebytes", &["RTProtectionDaemon"]),
    ("Microsoft Defender", &["wdavdaemon", "wdavdaemon_enterprise"]),
    ("SentinelOne", &["sentineld"]),
    ("Wazuh", &["wazuh-agentd"]),
];

/// Products against malware and where each lies. What ends in `.app` tells its version.
const PRODUCTS: &[(&str, &[&str])] = &[
    ("Avast", &["/Applications/Avast.app"]),
    ("Bitdefender", &["/Library/Bitdefender/AVP", "/Applications/Bitdefender"]),
    (
        "Carbon Black Cloud",
        &["/Applications/VMware Carbon Black Cloud", "/Applications/Carbon Black Cloud"],
    ),
    ("ClamXAV", &["/Applications/ClamXAV.app"]),
    ("Cortex XDR", &["/Applications/Cortex XDR.app"]),
    ("CrowdStrike Falcon", &["/Applications/Falcon.app"]),
    (
        "ESET",
        &[
            "/Applications/ESET Endpoint Security.app",
            "/Applications/ESET Endpoint Antivirus.app",
            "/Applications/ESET Cyber Security.app",
        ],
    ),
    ("Elastic Defend", &["/Library/Elastic/Endpoint"]),
    ("Jamf Protect", &["/Applications/JamfProtect.app"]),
    (
        "Kaspersky",
        &[
            "/Applications/Kaspersky Endpoint Security.app",
            "/Library/Application Support/Kaspersky Lab/KAV",
        ],
    ),
    (
        "Malwarebytes",
        &["/Applications/Malwarebytes.app", "/Library/Application Support/Malwarebytes"],
    ),
    ("Microsoft Defender", &["/Applications/Microsoft Defender.app"]),
    ("Norton", &["/Applications/Norton 360.app"]),
    ("Santa", &["/Applications/Santa.app"]),
    (
        "SentinelOne",
        &[
            "/Applications/SentinelOne/SentinelOne Extensions.app",
            "/Library/Sentinel/sentinel-agent.bundle",
        ],
    ),
    ("Sophos", &["/Applications/Sophos/Sophos Endpoint.app", "/Library/Sophos Anti-Virus"]),
    ("Symantec Endpoint Protection", &["/Applications/Symantec Endpoint Protection.app"]),
    (
        "Trellix Endpoint Security",
        &["/Applications/Trellix Endpoint Security for Mac.app", "/usr/local/McAfee"],
    ),
    ("Trend Micro Apex One", &["/Applications/TrendMicroSecurity.app"]),
    ("Wazuh", &["/Library/Ossec"]),
];

/// Extensions of the system that products bring to watch over programs and files: one that the
/// system lets run is on.
const EXTENSIONS: &[(&str, &[&str])] = &[
    ("Carbon Black Cloud", &["com.vmware.carbonblack.cloud.se-agent.extension"]),
    ("Cortex XDR", &["com.paloaltonetworks.traps.securityextension"]),
    ("CrowdStrike Falcon", &["com.crowdstrike.falcon.Agent"]),
    ("ESET", &["com.eset.endpoint"]),
    ("Elastic Defend", &["co.elastic.systemextension"]),
    ("Jamf Protect", &["com.jamf.protect.security-extension"]),
    ("Kaspersky", &["com.kaspersky.kav.sysext"]),
    ("Microsoft Defender", &["com.microsoft.wdav.epsext"]),
    ("Santa", &["com.northpolesec.santa.daemon", "com.google.santa.daemon"]),
    ("Sophos", &["com.sophos.endpoint.scanextension"]),
    (
        "Symantec Endpoint Protection",
        &["com.broadcom.mes.systemextension", "com.symantec.mes.systemextension"],
    ),
    ("Trellix Endpoint Security", &["com.mcafee.CMF.endpointsecurity"]),
    ("Trend Micro Apex One", &["com.trendmicro.icore.es"]),
];
/// What the system notes of its extensions.
const EXTENSIONS_STATE: &str = "/Library/SystemExtensions/db.plist";
/// How the owner of the computer set Defender.
const DEFENDER_BY_PROFILE: &str = "/Library/Managed Preferences/com.microsoft.wdav.plist";

/// Rights that the switches of system integrity protection give: to load any extension of the
/// kernel, to write to the system's files, to look into its processes, and to change its settings.
const ALL_OFF: u64 = 0x67;

fn gather(host: &Host) -> Gathered {
    let mut notes = Vec::new();
    let firewall = firewall_is_on(host).unwrap_or_else(|error| {
        notes.push(error.into());
        None
    });
    let disk_encryption = file_vault_is_on(host).unwrap_or_else(|note| {
        notes.push(note);
        None
    });
    let remote_login = is_switched_on(host, "com.openssh.sshd").unwrap_or_else(|error| {
        notes.push(error.into());
        None
    });
    let mut told = |error: HostError| {
        notes.push(error.into());
        None
    };
    // Every Mac has its files; they say nothing as long as nobody can reach it.
    let ssh = if remote_login == Some(true) { ssh(host).unwrap_or_else(&mut told) } else { None };
    let sudo = sudoers(host);
    let sudo_without_password = match sudo {
        Ok(sudo) => sudo.map(|sudo| sudo.without_password()),
        Err(error) => {
            told(error);
            None
        }
    };
    let security = Security {
        firewalls: vec![named("macOS application firewall", None, firewall)],
        malware_protection: malware_protection(host),
        disk_encryption,
        mandatory_access: integrity(host).map(str::to_owned),
        screen_lock: screen_lock::of_mac(host),
        ssh,
        sudo_without_password,
    };
    Gathered { section: Some(Section::Security(security)), notes }
}

fn named(name: &str, version: Option<String>, enabled: Option<bool>) -> Protection {
    Protection { name: name.to_owned(), version, enabled, ..Protection::default() }
}

fn firewall_is_on(host: &Host) -> Result<Option<bool>, HostError> {
    if let Ok(profile) = host.property_list(FIREWALL_BY_PROFILE)
        && let Some(on) = profile.flag("EnableFirewall")
    {
        return Ok(Some(on));
    }
    match host.property_list(FIREWALL_STATE) {
        Ok(list) => return Ok(list.flag("globalstate")),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    let told = host.run(FIREWALL.path, &["--getglobalstate"])?;
    Ok(firewall_state(&String::from_utf8_lossy(&told)))
}

/// `Firewall is enabled. (State = 1)`
fn firewall_state(told: &str) -> Option<bool> {
    let (_, rest) = told.split_once("State = ")?;
    match rest.trim_start().chars().next()? {
        '0' => Some(false),
        '1' | '2' => Some(true),
        _ => None,
    }
}

/// Whether `FileVault` guards the data of the system that runs.
pub(crate) fn file_vault_is_on(host: &Host) -> Result<Option<bool>, Note> {
    let told = host.keep("FileVault", |host| {
        let told = host.run(FILE_VAULT.path, &["status"]).map_err(Note::from)?;
        Ok(file_vault_state(&String::from_utf8_lossy(&told)))
    });
    (*told).clone()
}

/// `FileVault is On.`; `FileVault is Off.` may stand there while the data are being encrypted.
fn file_vault_state(told: &str) -> Option<bool> {
    told.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("FileVault is ")?;
        if rest.starts_with("On") {
            Some(true)
        } else if rest.starts_with("Off") {
            Some(false)
        } else {
            None
        }
    })
}

fn malware_protection(host: &Host) -> Vec<Protection> {
    let list = |path: &str| host.property_list(path).ok();
    let bundle = |path: &str| list(&format!("{path}/Contents/Info.plist"));
    let version = |list: Value| list.text("CFBundleShortVersionString");
    let gatekeeper =
        GATEKEEPER.iter().find_map(|path| list(path)).and_then(|list| list.text("enabled"));
    let mut found = Vec::new();
    found.push(named("Gatekeeper", None, gatekeeper.map(|word| word == "yes")));
    if let Some(list) = X_PROTECT.iter().find_map(|path| bundle(path)) {
        found.push(named("XProtect", version(list), None));
    }
    let processes = Processes::of(host);
    let extensions = list(EXTENSIONS_STATE).unwrap_or(Value::Other);
    let only_looks_on = list(DEFENDER_BY_PROFILE).is_some_and(|list| only_looks_on(&list));
    for (name, places) in PRODUCTS {
        let of_product = |table: &[(&str, &'static [&'static str])]| {
            table.iter().find(|(product, _)| product == name).map(|(_, names)| *names)
        };
        let extension = of_product(EXTENSIONS).and_then(|ids| extension(&extensions, ids));
        let place = places.iter().find(|place| host.exists(place));
        if place.is_none() && extension.is_none() {
            continue;
        }
        let app = place.filter(|place| has_ending(place, "app"));
        let runs = of_product(PROCESSES).and_then(|names| processes.run(names));
        let (allowed, of_extension) = extension.unwrap_or_default();
        let on = if *name == "Microsoft Defender" && only_looks_on {
            Some(false)
        } else {
            // One whose extension may not run sees nothing, whatever else of it runs.
            allowed.or(runs.filter(|runs| *runs))
        };
        let version = app.and_then(|app| bundle(app)).and_then(version).or(of_extension);
        found.push(named(name, version, on));
    }
    found
}

/// Whether the system lets one of these extensions run, with its version; nothing where it has none
/// of them. Versions before lie beside until the next start.
fn extension(known: &Value, ids: &[&str]) -> Option<(Option<bool>, Option<String>)> {
    let state = |entry: &&Value| match entry.text("state").as_deref() {
        Some("activated_enabled") => Some(true),
        Some("activated_disabled" | "activated_waiting_for_user") => Some(false),
        _ => None,
    };
    let is_one = |entry: &&Value| entry.text("identifier").is_some_and(|id| ids.contains(&&*id));
    let found = known.list("extensions").iter().filter(is_one);
    let best = found.filter(|entry| state(entry).is_some()).max_by_key(state)?;
    let version = best.get("bundleVersion");
    let version = version.and_then(|version| version.text("CFBundleShortVersionString"));
    Some((state(&best), version))
}

/// Whether Defender is set to watch beside another product, or to look only when it is asked.
fn only_looks_on(profile: &Value) -> bool {
    let Some(engine) = profile.get("antivirusEngine") else { return false };
    match engine.text("enforcementLevel") {
        Some(level) => level != "real_time",
        None => {
            engine.flag("enableRealTimeProtection") == Some(false)
                || engine.flag("passiveMode") == Some(true)
        }
    }
}

/// System integrity protection. Chips of Apple have their switches in the policy of the system that
/// was started, other Macs in a variable of the firmware; where there are none, nothing is off.
fn integrity(host: &Host) -> Option<&'static str> {
    let state = |switches: u64| match switches {
        0 => "system integrity protection",
        all if all & ALL_OFF == ALL_OFF => "none",
        _ => "system integrity protection, partly off",
    };
    if let Ok(policy) = host.device_tree("chosen/asmb") {
        return Some(state(policy.number("lp-sip0").unwrap_or(0)));
    }
    let of_apple = |chosen: Entry| chosen.text("system-firmware-version").is_some();
    if host.device_tree("chosen").is_ok_and(of_apple) {
        return None;
    }
    let options = host.device_tree("options").ok()?;
    Some(state(options.number("csr-active-config").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_that_may_not_run_protect_nothing() {
        let list = |states: &[&str]| {
            let entry = |state: &&str| {
                format!(
                    "<dict><key>identifier</key><string>x</string><key>state</key>\
                     <string>{state}</string></dict>"
                )
            };
            let entries: String = states.iter().map(entry).collect();
            let text = format!(
                "<plist><dict><key>extensions</key><array>{entries}</array></dict></plist>"
            );
            extension(&Value::read(text.as_bytes()).unwrap(), &["x"]).map(|(on, _)| on)
        };
        assert_eq!(list(&[]), None);
        assert_eq!(list(&["terminated_waiting_to_uninstall_on_reboot"]), None, "it was removed");
        assert_eq!(list(&["activated_waiting_for_user"]), Some(Some(false)));
        assert_eq!(list(&["activated_enabled", "activated_waiting_for_user"]), Some(Some(true)));
    }

    #[test]
    fn defender_may_only_look_on() {
        let set = |keys: &str| {
            let text = format!(
                "<plist><dict><key>antivirusEngine</key><dict>{keys}</dict></dict></plist>"
            );
            only_looks_on(&Value::read(text.as_bytes()).unwrap())
        };
        let level = |word: &str| format!("<key>enforcementLevel</key><string>{word}</string>");
        assert!(set(&level("passive")) && set(&level("on_demand")) && !set(&level("real_time")));
        assert!(set("<key>passiveMode</key><true/>") && !set("<key>passiveMode</key><false/>"));
        assert!(!only_looks_on(&Value::Other));
    }

    #[test]
    fn the_tables_speak_of_the_same_products() {
        for (name, _) in EXTENSIONS.iter().chain(PROCESSES) {
            assert!(PRODUCTS.iter().any(|(product, _)| product == name), "{name}");
        }
    }

    #[test]
    fn what_programs_say_of_firewall_and_encryption() {
        assert_eq!(firewall_state("Firewall is enabled. (State = 1) \n"), Some(true));
        assert_eq!(firewall_state("Firewall is blocking all. (State = 2)"), Some(true));
        assert_eq!(firewall_state("Firewall is disabled. (State = 0)"), Some(false));
        assert_eq!(firewall_state(""), None);
        assert_eq!(file_vault_state("FileVault is On.\n"), Some(true));
        let rest = "FileVault is Off.\nEncryption in progress: Percent completed = 12.34";
        assert_eq!(file_vault_state(rest), Some(false));
        assert_eq!(file_vault_state("nonsense"), None);
    }
}
