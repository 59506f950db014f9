//! Where a Linux system shows how it is protected.

use rollcall_shared::Note;
use rollcall_shared::section::security::{Protection, ScreenLock, Ssh};
use rollcall_shared::section::{Section, Security};

use super::parse::{self, SshLine};
use super::screen_lock;
use super::sudoers::{self, Line, Sudoers};
use crate::host::{Host, HostError};
use crate::source::Gathered;
use crate::source::processes::Processes;
use crate::source::text::matches_pattern;

/// How deep configuration files may include one another.
const DEPTH_LIMIT: usize = 8;
const FILES_LIMIT: usize = 200;

/// A product against malware: its name, where it lives, and what its processes are called (the
/// kernel cuts names after 15 letters).
struct Product(&'static str, &'static [&'static str], &'static [&'static str]);

const PRODUCTS: &[Product] = &[
    Product("Bitdefender", &["/opt/bitdefender-security-tools"], &["bdsecd", "epagd"]),
    Product("ClamAV", &["/usr/sbin/clamd", "/usr/bin/clamscan"], &["clamd"]),
    Product("CrowdStrike Falcon", &["/opt/CrowdStrike"], &["falcon-sensor", "falcon-sensor-b"]),
    Product("ESET", &["/opt/eset"], &["oaeventd", "odfeeder", "sciond"]),
    Product("Kaspersky", &["/opt/kaspersky/kesl"], &["kesl"]),
    Product("Microsoft Defender", &["/opt/microsoft/mdatp"], &["wdavdaemon"]),
    Product("SentinelOne", &["/opt/sentinelone"], &["s1-agent", "s1-orchestrator"]),
    Product("Sophos", &["/opt/sophos-spl", "/opt/sophos-av"], &["sophos_watchdog", "savd"]),
    Product("Trend Micro", &["/opt/ds_agent"], &["ds_agent"]),
    Product("Wazuh", &["/var/ossec"], &["wazuh-agentd", "ossec-agentd"]),
];

/// What the files say, which holds as long as none of them changes.
struct Told {
    /// Firewalls, and the names of processes that tell of those whose files do not.
    firewalls: Vec<(Protection, &'static [&'static str])>,
    /// Which of the products lie here.
    products: Vec<bool>,
    ssh: Option<Ssh>,
    sudo_without_password: Option<bool>,
    screen_lock: Option<ScreenLock>,
    notes: Vec<Note>,
}

pub(super) fn gather(host: &Host) -> Gathered {
    let processes = Processes::of(host);
    let told = host.keep("protection", files);
    let firewall = |(found, names): &(Protection, &[&str])| Protection {
        enabled: found.enabled.or_else(|| processes.run(names).filter(|_| !names.is_empty())),
        ..found.clone()
    };
    let security = Security {
        firewalls: told.firewalls.iter().map(firewall).collect(),
        malware_protection: malware_protection(&told.products, &processes),
        disk_encryption: disk_encryption(host),
        mandatory_access: mandatory_access(host),
        screen_lock: told.screen_lock.clone(),
        ssh: told.ssh.clone(),
        sudo_without_password: told.sudo_without_password,
    };
    Gathered { section: Some(Section::Security(security)), notes: told.notes.clone() }
}

fn files(host: &Host) -> Told {
    let mut notes = Vec::new();
    let here = |Product(_, places, _): &Product| places.iter().any(|path| host.exists(path));
    Told {
        firewalls: firewalls(host),
        products: PRODUCTS.iter().map(here).collect(),
        ssh: ssh(host).unwrap_or_else(|error| {
            notes.push(error.into());
            None
        }),
        sudo_without_password: sudoers(host)
            .unwrap_or_else(|error| {
                notes.push(error.into());
                None
            })
            .map(|found| found.without_password()),
        screen_lock: screen_lock::of_linux(host),
        notes,
    }
}

/// Whether systemd starts a service with the system.
fn starts(host: &Host, service: &str) -> bool {
    ["multi-user", "sysinit", "basic", "network-pre"]
        .iter()
        .any(|target| host.exists(&format!("/etc/systemd/system/{target}.target.wants/{service}")))
}

fn firewalls(host: &Host) -> Vec<(Protection, &'static [&'static str])> {
    let found = |name: &str, enabled| {
        let firewall = Protection { name: name.to_owned(), enabled, ..Protection::default() };
        let names: &[&str] = if name == "firewalld" { &["firewalld"] } else { &[] };
        (firewall, names)
    };
    let known = |on: bool| on.then_some(true);
    let mut firewalls = Vec::new();
    if host.exists("/usr/sbin/firewalld") || host.exists("/usr/bin/firewalld") {
        firewalls.push(found("firewalld", known(starts(host, "firewalld.service"))));
    }
    let rules = ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6", "/etc/sysconfig/iptables"];
    if rules.iter().any(|path| host.exists(path)) {
        let on = starts(host, "netfilter-persistent.service") || starts(host, "iptables.service");
        firewalls.push(found("iptables", known(on)));
    }
    if host.exists("/etc/nftables.conf") || host.exists("/etc/sysconfig/nftables.conf") {
        firewalls.push(found("nftables", known(starts(host, "nftables.service"))));
    }
    if let Ok(text) = host.read_text("/etc/ufw/ufw.conf") {
        firewalls.push(found("ufw", Some(parse::ufw_enabled(&text))));
    }
    firewalls
}

fn malware_protection(here: &[bool], processes: &Processes) -> Vec<Protection> {
    let there = PRODUCTS
        .iter()
        .zip(here)
        .filter(|(Product(_, _, names), here)| **here || processes.run(names) == Some(true));
    there
        .map(|(Product(name, _, names), _)| Protection {
            name: (*name).to_owned(),
            enabled: processes.run(names),
            ..Protection::default()
        })
        .collect()
}

/// Whether the root file system lies on an encrypted device; unknown where it lies on none, as in
/// a container.
fn disk_encryption(host: &Host) -> Option<bool> {
    let device = host.keep_while_running("device of the root", |host| {
        parse::root_device(&host.read_text("/proc/self/mountinfo").ok()?)
    });
    *host.keep_of_devices("encryption of the root", |host| {
        let (number, source) = device.as_ref().as_ref()?;
        root_is_encrypted(host, number, source)
    })
}

fn root_is_encrypted(host: &Host, number: &str, source: &str) -> Option<bool> {
    let mut folder = format!("/sys/dev/block/{number}");
    if !host.exists(&folder) {
        let target = host.link(source).ok();
        let name =
            target.as_deref().unwrap_or(source.strip_prefix("/dev/")?.as_ref()).file_name()?;
        folder = format!("/sys/class/block/{}", name.to_string_lossy());
    }
    host.exists(&folder).then(|| is_encrypted(host, &folder, DEPTH_LIMIT))
}

fn is_encrypted(host: &Host, folder: &str, layers: usize) -> bool {
    let own = host.value(&format!("{folder}/dm/uuid"));
    if own.is_some_and(|uuid| uuid.starts_with("CRYPT-")) {
        return true;
    }
    let Some(layers) = layers.checked_sub(1) else { return false };
    let below = host.list(&format!("{folder}/slaves")).unwrap_or_default();
    below.iter().any(|name| is_encrypted(host, &format!("/sys/class/block/{name}"), layers))
}

fn mandatory_access(host: &Host) -> Option<String> {
    let mode = match host.value("/sys/fs/selinux/enforce").as_deref() {
        Some("1") => "selinux enforcing",
        Some(_) => "selinux permissive",
        None => match host.value("/sys/module/apparmor/parameters/enabled").as_deref() {
            Some("Y") => "apparmor",
            Some(_) => "none",
            None => {
                let modules = host.value("/sys/kernel/security/lsm")?;
                let named = |name: &str| modules.split(',').any(|module| module == name);
                if named("apparmor") || named("selinux") {
                    return None;
                }
                "none"
            }
        },
    };
    Some(mode.to_owned())
}

pub(super) fn ssh(host: &Host) -> Result<Option<Ssh>, HostError> {
    if !host.exists("/etc/ssh/sshd_config") {
        return Ok(None);
    }
    let mut lines = Vec::new();
    let mut files = 0;
    ssh_file(host, "/etc/ssh/sshd_config", DEPTH_LIMIT, &mut files, &mut lines)?;
    Ok(Some(parse::ssh(&lines)))
}

fn ssh_file(
    host: &Host,
    path: &str,
    depth: usize,
    files: &mut usize,
    lines: &mut Vec<SshLine>,
) -> Result<(), HostError> {
    let Some(depth) = depth.checked_sub(1).filter(|_| *files < FILES_LIMIT) else { return Ok(()) };
    *files += 1;
    for line in parse::ssh_lines(&host.read_text(path)?) {
        let SshLine::Include(patterns) = line else {
            lines.push(line);
            continue;
        };
        for pattern in patterns {
            let pattern =
                if pattern.starts_with('/') { pattern } else { format!("/etc/ssh/{pattern}") };
            let Some((folder, file)) = pattern.rsplit_once('/') else { continue };
            for name in host.list(folder).unwrap_or_default() {
                if matches_pattern(file, &name) {
                    ssh_file(host, &format!("{folder}/{name}"), depth, files, lines)?;
                }
            }
        }
    }
    Ok(())
}

/// What sudo's files say; nothing where there is no sudo.
pub(crate) fn sudoers(host: &Host) -> Result<Option<Sudoers>, HostError> {
    // Some systems keep the maker's file apart, and `/etc` for changes.
    for path in ["/etc/sudoers", "/usr/etc/sudoers"] {
        if host.exists(path) {
            let mut found = Sudoers::default();
            let mut files = 0;
            sudoers_file(host, path, DEPTH_LIMIT, &mut files, &mut found)?;
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn sudoers_file(
    host: &Host,
    path: &str,
    depth: usize,
    files: &mut usize,
    found: &mut Sudoers,
) -> Result<(), HostError> {
    let Some(depth) = depth.checked_sub(1).filter(|_| *files < FILES_LIMIT) else { return Ok(()) };
    *files += 1;
    let text = match host.read_text(path) {
        Err(error) if error.is_not_found() => return Ok(()),
        other => other?,
    };
    let whole = |included: &str| {
        let included = if included.starts_with('/') {
            included.to_owned()
        } else {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{included}")
        };
        let name = || host.value("/proc/sys/kernel/hostname").unwrap_or_default();
        if included.contains("%h") {
            included.replace("%h", name().split('.').next().unwrap_or_default())
        } else {
            included
        }
    };
    for line in sudoers::lines(&text) {
        match line {
            Line::Include(included) => {
                sudoers_file(host, &whole(&included), depth, files, found)?;
            }
            Line::IncludeFolder(folder) => {
                let folder = whole(&folder);
                let names = host.list(&folder).or_else(|error| match error {
                    HostError::NotFound { .. } => Ok(Vec::new()),
                    other => Err(other),
                })?;
                // sudo passes over names with a dot and backups.
                for name in names.iter().filter(|name| !name.contains('.') && !name.ends_with('~'))
                {
                    sudoers_file(host, &format!("{folder}/{name}"), depth, files, found)?;
                }
            }
            Line::Other(line) => found.add(&line),
        }
    }
    Ok(())
}
