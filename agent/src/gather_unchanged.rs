//! A look at a computer that did not change: by the count of what is opened and looked for, and
//! that each kind of change is seen at once all the same.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rollcall_shared::section::{Port, Product, Section, Service};

use crate::gather::{Gathering, Observer};
use crate::gather_again::{STATUS, computer, copy, options, software, wait};
use crate::host::Host;

/// Folders of the databases of packages, of the indexes that tell which updates there are, and of
/// what programs of languages installed.
const PACKAGES: &[&str] = &[
    "/var/lib/dpkg/",
    "/var/lib/rpm/",
    "/usr/lib/sysimage/rpm/",
    "/usr/share/rpm/",
    "/lib/apk/db/",
    "/usr/lib/apk/db/",
    "/var/lib/pacman/",
    "/var/lib/apt/lists/",
    "/var/lib/flatpak/",
    "/var/lib/snapd/",
    "/usr/lib/python3",
    "/usr/local/lib/",
];

/// A server with a package manager, services, ports, databases and a manager, made of several
/// captures.
fn server() -> (tempfile::TempDir, Host) {
    let (folder, host) = computer("update/debian-12");
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    for captures in [
        "service/debian-12",
        "database/debian-12",
        "port/debian-12",
        "management/puppet-server",
        "security/rocky-9-server",
        "container/docker",
        "host/vmware-server",
    ] {
        copy(&fixtures.join(captures), folder.path());
    }
    // The last capture that was copied has the tables; what is tested here is put into them.
    tcp(folder.path(), &[(2024, 1135)]);
    for name in ["tcp6", "udp", "udp6"] {
        fs::write(folder.path().join("proc/net").join(name), "  sl  local_address\n").unwrap();
    }
    process(folder.path(), 1, "systemd", "/usr/lib/systemd/systemd", &[]);
    process(folder.path(), 321, "process_api", "/usr/bin/process_api", &[1135]);
    (folder, host)
}

/// Writes the kernel's table of TCP sockets: number and inode of each.
fn tcp(root: &Path, sockets: &[(u16, u64)]) {
    let mut table = "  sl  local_address rem_address   st\n".to_owned();
    for (port, inode) in sockets {
        let _ = writeln!(
            table,
            "   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {inode} 1"
        );
    }
    fs::create_dir_all(root.join("proc/net")).unwrap();
    fs::write(root.join("proc/net/tcp"), table).unwrap();
}

fn process(root: &Path, id: u32, name: &str, program: &str, sockets: &[u64]) {
    let folder = root.join(format!("proc/{id}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("fd")).unwrap();
    fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
    symlink(program, folder.join("exe")).unwrap();
    for (at, inode) in sockets.iter().enumerate() {
        symlink(format!("socket:[{inode}]"), folder.join(format!("fd/{}", at + 3))).unwrap();
    }
}

fn ports(gathering: &Gathering) -> Vec<Port> {
    match gathering.sections["port"].section.as_deref() {
        Some(Section::Port(rows)) => rows.clone(),
        other => panic!("no ports: {other:?}"),
    }
}

/// Name of the process at a port.
fn holder(gathering: &Gathering, port: u16) -> Option<String> {
    ports(gathering).into_iter().find(|row| row.port == port)?.process
}

fn product(gathering: &Gathering, section: &str, name: &str) -> Option<Product> {
    match gathering.sections[section].section.as_deref() {
        Some(Section::Database(rows) | Section::RemoteAccess(rows)) => {
            rows.iter().find(|row| row.name == name).cloned()
        }
        other => panic!("no products: {other:?}"),
    }
}

fn service(gathering: &Gathering, name: &str) -> Option<Service> {
    match gathering.sections["service"].section.as_deref() {
        Some(Section::Service(rows)) => rows.iter().find(|row| row.name == name).cloned(),
        other => panic!("no services: {other:?}"),
    }
}

/// Folders of open files of processes that were looked into.
fn walked(host: &Host) -> Vec<String> {
    let paths = host.take_looked_for().into_iter();
    paths.filter(|path| path.starts_with("/proc/") && path.ends_with("/fd")).collect()
}

#[test]
fn no_package_database_is_opened_on_an_unchanged_computer() {
    for captures in [
        "update/debian-12",
        "database/rocky-9",
        "software/rocky-9",
        "software/centos-7",
        "software/opensuse-tumbleweed",
        "software/alpine-3.20",
        "software/arch",
        "software/debian-12-languages",
        "software/fedora-41-snap",
        "software/fedora-41-flatpak",
    ] {
        let (_folder, host) = computer(captures);
        let mut observer = Observer::new(host.clone());
        let of_packages = |paths: Vec<String>| {
            let is_one = |path: &String| PACKAGES.iter().any(|place| path.starts_with(place));
            paths.into_iter().filter(is_one).collect::<Vec<String>>()
        };
        observer.look(&options());
        assert!(!of_packages(host.take_opened()).is_empty(), "{captures} has none");
        observer.look(&options());
        assert_eq!(of_packages(host.take_opened()), Vec::<String>::new(), "{captures}");
    }
}

#[test]
fn an_unchanged_server_is_hardly_looked_at() {
    let (_folder, host) = server();
    let mut observer = Observer::new(host.clone());
    let first = observer.look(&options());
    let (opened, looked_for) = (host.take_opened(), host.take_looked_for());
    assert!(opened.len() > 200 && looked_for.len() > 600, "{} {}", opened.len(), looked_for.len());
    let second = observer.look(&options());
    for (name, found) in &second.sections {
        assert_eq!(found.section, first.sections[name].section, "{name}");
        assert_eq!(found.notes, first.sections[name].notes, "{name}");
    }
    let (opened, looked_for) = (host.take_opened(), host.take_looked_for());
    // What the kernel tells beside its devices, and a few small files; the captures have no count
    // of events, so that devices are asked again here.
    let of_kernel = |path: &&String| path.starts_with("/proc/") || path.starts_with("/sys/");
    let files: Vec<&String> = opened.iter().filter(|path| !of_kernel(path)).collect();
    assert!(files.len() <= 40, "{} files: {files:#?}", files.len());
    assert!(!looked_for.iter().any(|path| path.ends_with("/fd")), "open files were walked");
    let names = opened.iter().filter(|path| path.ends_with("/comm")).count();
    assert!(names <= fs::read_dir(host.root().join("proc")).unwrap().count() + 2, "{names} names");
}

#[test]
fn a_new_socket_and_a_new_holder_are_seen_at_once() {
    let (folder, host) = server();
    let root = folder.path();
    let mut observer = Observer::new(host.clone());
    assert_eq!(holder(&observer.look(&options()), 2024).as_deref(), Some("process_api"));
    host.take_looked_for();

    // A process that holds nothing: it alone is looked into.
    process(root, 400, "sleep", "/usr/bin/sleep", &[]);
    observer.look(&options());
    assert_eq!(walked(&host), ["/proc/400/fd"]);

    // A process that was there opens a socket.
    process(root, 321, "process_api", "/usr/bin/process_api", &[1135, 4711]);
    tcp(root, &[(2024, 1135), (8080, 4711)]);
    assert_eq!(holder(&observer.look(&options()), 8080).as_deref(), Some("process_api"));
    assert!(walked(&host).contains(&"/proc/321/fd".to_owned()));

    // systemd waits for a service until it is needed; then the service has the socket.
    process(root, 1, "systemd", "/usr/lib/systemd/systemd", &[5000]);
    tcp(root, &[(2024, 1135), (8080, 4711), (22, 5000)]);
    assert_eq!(holder(&observer.look(&options()), 22).as_deref(), Some("systemd"));
    process(root, 500, "sshd", "/usr/sbin/sshd", &[5000]);
    assert_eq!(holder(&observer.look(&options()), 22).as_deref(), Some("sshd"));
    fs::remove_dir_all(root.join("proc/500")).unwrap();
    assert_eq!(holder(&observer.look(&options()), 22).as_deref(), Some("systemd"));

    // One number, another program: the name tells.
    process(root, 321, "other", "/usr/bin/other", &[1135, 4711]);
    assert_eq!(holder(&observer.look(&options()), 2024).as_deref(), Some("other"));
    tcp(root, &[(8080, 4711)]);
    assert_eq!(ports(&observer.look(&options())).len(), 1, "it waits no longer");
}

#[test]
fn a_database_that_is_started_is_seen_at_once_with_its_port() {
    let (folder, host) = server();
    let mut observer = Observer::new(host);
    let redis = |gathering: &Gathering| product(gathering, "database", "Redis").unwrap();
    let before = redis(&observer.look(&options()));
    process(folder.path(), 321, "process_api", "/usr/bin/process_api", &[1135]);
    process(folder.path(), 601, "redis-server", "/usr/bin/redis-server", &[6000]);
    tcp(folder.path(), &[(2024, 1135), (6379, 6000)]);
    let after = redis(&observer.look(&options()));
    assert_ne!(before.ports, after.ports);
    assert_eq!((after.running, after.ports), (Some(true), vec![6379]));
    fs::remove_dir_all(folder.path().join("proc/601")).unwrap();
    tcp(folder.path(), &[(2024, 1135)]);
    let stopped = redis(&observer.look(&options()));
    assert_eq!(stopped.ports, Vec::<u16>::new());
}

#[test]
fn an_installed_package_is_seen_at_once_by_all_who_know_it() {
    let (folder, host) = server();
    let mut observer = Observer::new(host);
    let before = observer.look(&options());
    assert_eq!(product(&before, "database", "Memcached"), None);
    assert_eq!(product(&before, "remote_access", "AnyDesk"), None);
    wait();
    let path = folder.path().join(STATUS);
    let mut status = fs::read_to_string(&path).unwrap();
    for (name, version) in [("memcached", "1.6.18-1"), ("anydesk", "6.3.2")] {
        let _ =
            writeln!(status, "\nPackage: {name}\nStatus: install ok installed\nVersion: {version}");
    }
    fs::write(&path, status).unwrap();
    let after = observer.look(&options());
    assert!(software(&after).contains(&"memcached".to_owned()));
    let memcached = product(&after, "database", "Memcached").unwrap();
    assert_eq!(memcached.version.as_deref(), Some("1.6.18-1"));
    let anydesk = product(&after, "remote_access", "AnyDesk").unwrap();
    assert_eq!((anydesk.version.as_deref(), anydesk.path), (Some("6.3.2"), None));
    wait();
    // Its program alone is a sign as well.
    fs::write(folder.path().join("usr/bin/anydesk"), "").unwrap();
    let with_program = product(&observer.look(&options()), "remote_access", "AnyDesk").unwrap();
    assert_eq!(with_program.path.as_deref(), Some("/usr/bin/anydesk"));
}

#[test]
fn a_unit_that_comes_changes_starts_or_is_switched_on_is_seen_at_once() {
    let (folder, host) = server();
    let place = folder.path().join("etc/systemd/system");
    let mut observer = Observer::new(host);
    let mut look = || service(&observer.look(&options()), "newcomer.service");
    assert_eq!(look(), None);
    wait();
    let unit = "[Unit]\nDescription=One\n[Service]\nExecStart=/opt/newcomer\n[Install]\nWantedBy=multi-user.target\n";
    fs::write(place.join("newcomer.service"), unit).unwrap();
    let first = look().unwrap();
    assert_eq!(first.description.as_deref(), Some("One"));
    wait();
    fs::write(place.join("newcomer.service"), unit.replace("One", "Two")).unwrap();
    assert_eq!(look().unwrap().description.as_deref(), Some("Two"), "written over");
    wait();
    fs::create_dir_all(place.join("newcomer.service.d")).unwrap();
    fs::write(place.join("newcomer.service.d/account.conf"), "[Service]\nUser=web\n").unwrap();
    assert_eq!(look().unwrap().account.as_deref(), Some("web"), "added to");
    wait();
    let wants = place.join("multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("../newcomer.service", wants.join("newcomer.service")).unwrap();
    let wanted = look().unwrap();
    assert_ne!(wanted.start, first.start, "switched on");
    let group = folder.path().join("sys/fs/cgroup/system.slice/newcomer.service");
    fs::create_dir_all(&group).unwrap();
    assert_ne!(look().unwrap().state, wanted.state, "it runs");
    fs::remove_dir(&group).unwrap();
    assert_eq!(look().unwrap().state, wanted.state, "it runs no more");
}

#[test]
fn a_manager_and_a_protection_are_followed_by_file_and_by_process() {
    let (folder, host) = server();
    let mut observer = Observer::new(host);
    let told = |gathering: &Gathering, section: &str| {
        let json = gathering.sections[section].section.as_ref().unwrap().to_json().unwrap();
        json.get().to_owned()
    };
    let before = observer.look(&options());
    for section in ["management", "security"] {
        assert_eq!(told(&observer.look(&options()), section), told(&before, section));
    }
    process(folder.path(), 700, "clamd", "/usr/sbin/clamd", &[]);
    let started = told(&observer.look(&options()), "security");
    assert!(started.contains("ClamAV") && !told(&before, "security").contains("ClamAV"));
    wait();
    fs::write(folder.path().join("etc/ssh/sshd_config"), "PermitRootLogin yes\n").unwrap();
    let ssh = told(&observer.look(&options()), "security");
    assert_ne!(ssh, started, "another setting of SSH");
    wait();
    fs::create_dir_all(folder.path().join("etc/salt")).unwrap();
    fs::write(folder.path().join("etc/salt/minion"), "master: salt.example\n").unwrap();
    let salt = told(&observer.look(&options()), "management");
    assert!(salt.contains("salt.example"), "{salt}");
    process(folder.path(), 701, "salt-minion", "/usr/bin/salt-minion", &[]);
    assert_ne!(told(&observer.look(&options()), "management"), salt, "it runs");
}

#[test]
fn a_full_look_knows_nothing_of_those_before() {
    let (_folder, host) = server();
    let mut observer = Observer::new(host.clone());
    observer.look(&options());
    let first = host.take_opened().len();
    observer.look(&options());
    host.take_opened();
    host.take_looked_for();
    observer.look(&crate::gather::Options { full: true, ..options() });
    assert_eq!(host.take_opened().len(), first);
    assert!(!walked(&host).is_empty());
}
