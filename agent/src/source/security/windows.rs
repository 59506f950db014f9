//! How a Windows computer is protected, as far as its registry tells.

use rollcall_shared::section::security::Protection;
use rollcall_shared::section::{Section, Security};
use rollcall_shared::{Note, NoteKind};

use super::screen_lock;
use crate::host::Host;
use crate::registry::Key;
use crate::source::{Gathered, Platform, Privilege, Source};

const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
const FIREWALL: &str =
    r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy";
const FIREWALL_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall";
const DEFENDER: &str = r"HKLM\SOFTWARE\Microsoft\Windows Defender";
const DEFENDER_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender";
const BITLOCKER: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\BitLockerStatus";
/// `Start` of a service that never starts.
const DISABLED: u64 = 4;

/// The kinds of network that the firewall tells apart: their keys in its own settings, and in
/// those of a policy.
const NETWORKS: &[(&str, &str)] = &[
    ("DomainProfile", "DomainProfile"),
    ("StandardProfile", "PrivateProfile"),
    ("PublicProfile", "PublicProfile"),
];

/// Services of products against malware.
const PRODUCTS: &[(&str, &str)] = &[
    ("CSFalconService", "CrowdStrike Falcon"),
    ("SentinelAgent", "SentinelOne"),
    ("Sophos Endpoint Defense Service", "Sophos Endpoint"),
    ("ekrn", "ESET Security"),
    ("cyserver", "Cortex XDR"),
    ("CbDefense", "Carbon Black Cloud"),
    ("EPSecurityService", "Bitdefender"),
    ("SepMasterService", "Symantec Endpoint Protection"),
    ("mfemms", "Trellix Endpoint Security"),
    ("ds_agent", "Trend Micro Deep Security"),
    ("TMBMServer", "Trend Micro Apex One"),
    ("fsulnethoster", "WithSecure Elements"),
    ("AVGSvc", "AVG Antivirus"),
    ("avast! Antivirus", "Avast Antivirus"),
    ("MBAMService", "Malwarebytes"),
];

/// The declaration.
pub const WINDOWS: Source = Source {
    name: "windows_protection",
    section: "security",
    about: "Firewall, Defender and other products against malware, BitLocker of the system drive, and the limit of inactivity, from the registry",
    platforms: &[Platform::Windows],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    let security = Security {
        firewalls: firewall(host).into_iter().collect(),
        malware_protection: malware_protection(host),
        disk_encryption: system_drive_is_encrypted(host),
        screen_lock: screen_lock::of_windows(host),
        ..Security::default()
    };
    if security == Security::default() {
        let why = "the registry tells of no firewall, Defender or BitLocker";
        return Gathered::absent(Note::new(NoteKind::NotFound).with_detail(why));
    }
    Gathered::of(Section::Security(security))
}

/// Whether Windows says that its system drive was unlocked by BitLocker when it started.
pub(crate) fn system_drive_is_encrypted(host: &Host) -> Option<bool> {
    host.registry(BITLOCKER).ok()?.number("BootStatus").map(|status| status == 1)
}

fn service(host: &Host, name: &str) -> Option<Key> {
    host.registry(&format!(r"{SERVICES}\{name}")).ok()
}

fn firewall(host: &Host) -> Option<Protection> {
    let disabled = service(host, "MpsSvc").map(|key| key.number("Start") == Some(DISABLED));
    let switch = |path: String| host.registry(&path).ok()?.number("EnableFirewall");
    // What a policy says counts, whatever was set by hand.
    let networks = NETWORKS.iter().map(|(own, by_policy)| {
        switch(format!(r"{FIREWALL_POLICY}\{by_policy}"))
            .or_else(|| switch(format!(r"{FIREWALL}\{own}")))
    });
    let switches: Option<Vec<u64>> = networks.collect();
    let enabled = match (disabled, switches) {
        (Some(true), _) => Some(false),
        // Open to one kind of network is open.
        (_, Some(switches)) => Some(switches.iter().all(|switch| *switch == 1)),
        (Some(false), None) => None,
        (None, None) => return None,
    };
    Some(Protection { name: "Windows Firewall".to_owned(), enabled, ..Protection::default() })
}

fn malware_protection(host: &Host) -> Vec<Protection> {
    let mut rows: Vec<Protection> = defender(host).into_iter().collect();
    rows.extend(PRODUCTS.iter().filter_map(|(name, product)| {
        let disabled = service(host, name)?.number("Start")? == DISABLED;
        Some(Protection {
            name: (*product).to_owned(),
            // A service that starts may still have its protection switched off.
            enabled: disabled.then_some(false),
            ..Protection::default()
        })
    }));
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn defender(host: &Host) -> Option<Protection> {
    let service = service(host, "WinDefend")?;
    let key = |path: &str| host.registry(path).unwrap_or_default();
    let own = key(DEFENDER);
    let (policy, real_time, real_time_policy) = (
        key(DEFENDER_POLICY),
        key(&format!(r"{DEFENDER}\Real-Time Protection")),
        key(&format!(r"{DEFENDER_POLICY}\Real-Time Protection")),
    );
    let set = |key: &Key, name: &str| key.number(name).is_some_and(|number| number != 0);
    let off = service.number("Start") == Some(DISABLED)
        || [&own, &policy].iter().any(|key| {
            set(key, "DisableAntiSpyware") || set(key, "DisableAntiVirus")
        })
        // Another product watches; this one only looks on.
        || set(&own, "PassiveMode")
        || [&real_time, &real_time_policy]
            .iter()
            .any(|key| set(key, "DisableRealtimeMonitoring"));
    Some(Protection {
        name: "Microsoft Defender".to_owned(),
        version: own.text("InstallLocation").as_deref().and_then(version_of).map(str::to_owned),
        enabled: Some(!off),
        ..Protection::default()
    })
}

/// `4.18.24090.11-0` of `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24090.11-0\`.
fn version_of(folder: &str) -> Option<&str> {
    let last = folder.trim_end_matches('\\').rsplit('\\').next()?;
    last.starts_with(|first: char| first.is_ascii_digit()).then_some(last)
}
