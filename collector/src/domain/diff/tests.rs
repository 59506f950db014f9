//! Changes as people read them.

use proptest::prelude::*;

use super::*;

fn show(section: &str, before: &Value, after: &Value) -> Vec<String> {
    changes(section, Some(&before.to_string()), &after.to_string())
        .into_iter()
        .map(|change| {
            format!(
                "{} {}: {} -> {}",
                change.kind.as_str(),
                change.subject,
                change.before.as_deref().unwrap_or("-"),
                change.after.as_deref().unwrap_or("-")
            )
        })
        .collect()
}

use serde_json::json;

#[test]
fn a_first_state_is_no_change() {
    assert_eq!(changes("os", None, r#"{"family":"linux","name":"x","architecture":"y"}"#), []);
}

#[test]
fn names_and_parts_of_a_system() {
    let before = json!({"hostname": "lt-1", "board": {"model": "X"}, "serial": "A"});
    let after = json!({"hostname": "lt-2", "board": {"model": "Y"}, "serial": "A", "model": "M"});
    assert_eq!(
        show("system", &before, &after),
        ["changed hostname: lt-1 -> lt-2", "changed model: - -> M", "changed main board: X -> Y"]
    );
}

#[test]
fn rows_of_lists_by_what_tells_them_apart() {
    let ssh = json!({"name": "ssh.service", "start": "automatic", "state": "running"});
    let stopped = json!({"name": "ssh.service", "start": "automatic", "state": "stopped",
        "description": "changed"});
    let cron = json!({"name": "cron.service", "start": "manual"});
    assert_eq!(
        show("service", &json!([ssh]), &json!([cron, stopped])),
        [
            "changed service ssh.service, state: running -> stopped",
            "added service cron.service: - -> manual"
        ]
    );
    let port =
        |process: &str| json!({"port": 22, "protocol": "tcp", "address": "::", "process": process});
    assert_eq!(
        show("port", &json!([port("sshd")]), &json!([port("dropbear")])),
        ["changed port 22 tcp ::, process: sshd -> dropbear"]
    );
    assert_eq!(
        show("port", &json!([port("sshd")]), &json!([])),
        ["removed port 22 tcp ::: sshd -> -"]
    );
    let stick = |port: &str| json!({"id": "0781:5581", "serial": "4C", "port": port});
    assert_eq!(show("usb", &json!([stick("1-1")]), &json!([stick("1-2")])), Vec::<String>::new());
    let database = |ports: Value| json!({"name": "Redis", "ports": ports});
    assert_eq!(
        show("database", &json!([database(json!([]))]), &json!([database(json!([6379]))])),
        ["changed database Redis, ports: - -> 6379"]
    );
    // What cannot be read as rows is still compared.
    assert_eq!(show("port", &json!("a"), &json!("b")), ["changed value: a -> b"]);
}

#[test]
fn memory_modules_by_locator() {
    let module = |locator: &str, gib: u64, serial: &str| json!({"locator": locator, "size_bytes": gib << 30, "serial": serial});
    let memory = |total: u64, modules: Value| json!({"total_bytes": total, "swap_bytes": 0, "modules": modules});
    let before =
        memory(16_000_000_000, json!([module("DIMM 0", 8, "A"), module("DIMM 1", 8, "B")]));
    let removed = memory(8_000_000_000, json!([module("DIMM 0", 8, "A")]));
    assert_eq!(
        show("memory", &before, &removed),
        ["changed memory: 15 GiB -> 7 GiB", "removed module DIMM 1: 8 GiB -> -"]
    );
    let swapped =
        memory(15_990_000_000, json!([module("DIMM 0", 8, "A"), module("DIMM 1", 8, "C")]));
    assert_eq!(show("memory", &before, &swapped), ["changed module DIMM 1: 8 GiB, B -> 8 GiB, C"]);
}

#[test]
fn disks_keep_their_identity_when_names_move() {
    let disk = |name: &str, serial: &str, firmware: &str| json!({"name": name, "serial": serial, "firmware": firmware, "size_bytes": 512_000_000_000_u64, "removable": false});
    let before = json!([disk("sda", "S1", "1")]);
    let after = json!([disk("sda", "S2", "1"), disk("sdb", "S1", "2")]);
    assert_eq!(
        show("storage", &before, &after),
        ["changed disk S1, firmware: 1 -> 2", "added disk S2: - -> sda (512.0 GB, S2)"]
    );
}

#[test]
fn signing_in_is_not_a_change() {
    let users = |at: &str, admin: bool, members: Value| {
        json!({
            "accounts": [{"name": "anna", "id": "1000", "administrator": admin, "last_sign_in_at": at}],
            "groups": [{"name": "sudo", "id": "27", "members": members}]
        })
    };
    let before = users("2026-11-01T08:00:00Z", false, json!(["ben"]));
    let signed_in = users("2026-11-02T08:00:00Z", false, json!(["ben"]));
    assert_eq!(show("user", &before, &signed_in), [""; 0]);
    let promoted = users("2026-11-02T08:00:00Z", true, json!(["anna", "ben"]));
    assert_eq!(
        show("user", &before, &promoted),
        ["changed account anna, administrator: no -> yes", "added group sudo, member anna: - -> -"]
    );
}

#[test]
fn networks_by_interface() {
    let network = |address: &str, gateway: &str| {
        json!({
            "interfaces": [{"name": "eth0", "virtual_interface": false, "up": true, "addresses": [address]}],
            "default_routes": [{"gateway": gateway, "interface": "eth0"}]
        })
    };
    assert_eq!(
        show("network", &network("10.0.0.2/24", "10.0.0.1"), &network("10.0.1.2/24", "10.0.1.1")),
        [
            "changed interface eth0, addresses: 10.0.0.2/24 -> 10.0.1.2/24",
            "changed default route: 10.0.0.1 by eth0 -> 10.0.1.1 by eth0"
        ]
    );
}

#[test]
fn an_upgraded_system_says_so_once() {
    let os = |name: &str, version: &str, kernel: &str| {
        json!({"family": "linux", "name": name, "architecture": "x86_64", "kernel": kernel,
               "release": {"ID": "debian", "VERSION_ID": version, "PRETTY_NAME": name}})
    };
    assert_eq!(
        show("os", &os("Debian 12", "12", "6.1"), &os("Debian 13", "13", "6.12")),
        [
            "changed operating system: Debian 12 -> Debian 13",
            "changed version: 12 -> 13",
            "changed kernel: 6.1 -> 6.12"
        ]
    );
    let windows = |revision: u32| {
        json!({"family": "windows", "name": "Windows 11", "architecture": "x86_64",
               "windows": {"build": 26100, "revision": revision}})
    };
    assert_eq!(
        show("os", &windows(4349), &windows(4652)),
        ["changed build: 26100.4349 -> 26100.4652"]
    );
}

fn title(source: &str, name: &str, version: &str) -> Value {
    json!({"source": source, "name": name, "version": version, "architecture": "amd64"})
}

#[test]
fn software_goes_up_and_down_by_its_own_rules() {
    let before = json!([
        title("dpkg", "bash", "5.2-1"),
        title("dpkg", "curl", "8.0"),
        title("dpkg", "gone", "1"),
        title("dpkg", "openssl", "3.0.15-1~deb12u1"),
        title("flatpak", "word", "stable"),
    ]);
    let after = json!([
        title("dpkg", "bash", "5.2-1"),
        title("dpkg", "curl", "8.0~rc1"),
        title("dpkg", "new", "1"),
        title("dpkg", "openssl", "3.0.15-1"),
        title("flatpak", "word", "beta"),
    ]);
    assert_eq!(
        show("software", &before, &after),
        [
            "downgraded curl: 8.0 -> 8.0~rc1",
            "removed gone: 1 -> -",
            "added new: - -> 1",
            "upgraded openssl: 3.0.15-1~deb12u1 -> 3.0.15-1",
            "changed word: stable -> beta"
        ]
    );
}

#[test]
fn several_versions_side_by_side_are_paired_from_the_newest() {
    let before = json!([title("rpm", "kernel", "6.1-1"), title("rpm", "kernel", "6.2-1")]);
    let after = json!([title("rpm", "kernel", "6.2-1"), title("rpm", "kernel", "6.3-1")]);
    assert_eq!(show("software", &before, &after), ["upgraded kernel: 6.1-1 -> 6.3-1"]);
    let more = json!([
        title("rpm", "kernel", "6.1-1"),
        title("rpm", "kernel", "6.2-1"),
        title("rpm", "kernel", "6.3-1")
    ]);
    assert_eq!(show("software", &before, &more), ["added kernel: - -> 6.3-1"]);
}

#[test]
fn waiting_updates_are_counted_not_named() {
    let update =
        |name: &str, security: bool| json!({"name": name, "available": "2", "security": security});
    let section =
        |pending: Value| json!({"manager": "apt", "pending": pending, "security_known": true});
    let before = section(json!([update("curl", false), update("openssl", true)]));
    let after =
        section(json!([update("openssl", true), update("vim", false), update("zsh", true)]));
    assert_eq!(
        show("update", &before, &after),
        ["changed updates waiting: 2, 1 for security -> 3, 2 for security"]
    );
    let other = section(json!([update("openssl", true), update("less", false)]));
    assert!(show("update", &before, &other).is_empty());
    let unread = json!({"manager": "apt", "pending_unknown": true, "security_known": true});
    assert_eq!(
        show("update", &before, &unread),
        ["changed updates waiting: 2, 1 for security -> unknown"]
    );
}

#[test]
fn sections_that_this_version_does_not_know() {
    let before = json!({"printers": [{"name": "P1", "ink": 3}, {"name": "P2", "ink": 1}], "n": 1});
    let after =
        json!({"printers": [{"name": "P1", "ink": 2}, {"name": "P3", "ink": 1}], "m": true});
    assert_eq!(
        show("printer", &before, &after),
        [
            "removed n: 1 -> -",
            "changed printers.P1.ink: 3 -> 2",
            "removed printers.P2: {\"ink\":1,\"name\":\"P2\"} -> -",
            "added printers.P3: - -> {\"ink\":1,\"name\":\"P3\"}",
            "added m: - -> yes",
        ]
    );
    assert_eq!(
        show("tags", &json!(["a", "b"]), &json!(["b", "c"])),
        ["removed entry: a -> -", "added entry: - -> c"]
    );
}

#[test]
fn a_known_section_in_a_new_form_is_compared_by_key() {
    let (before, after) = (json!({"hostname": 1}), json!({"hostname": 2}));
    assert_eq!(show("system", &before, &after), ["changed hostname: 1 -> 2"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("name|id|[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_titles() -> impl Strategy<Value = Vec<Software>> {
    let one =
        ("dpkg|rpm|snap", "[ab]", "[0-9]\\.[0-9]|latest").prop_map(|(source, name, version)| {
            Software { source, name, version, ..Software::default() }
        });
    proptest::collection::vec(one, 0..8)
}

proptest! {
    #[test]
    fn a_state_does_not_differ_from_itself(value in any_json()) {
        let text = value.to_string();
        let spaced = format!(" {text}");
        for info in section::SECTIONS.iter().map(|info| info.name).chain(["other"]) {
            prop_assert_eq!(changes(info, Some(&spaced), &text), []);
        }
    }

    #[test]
    fn nothing_panics(section in "[a-z]{2,8}", before in any::<String>(), after in any_json()) {
        changes(&section, Some(&before), &after.to_string());
        changes(&section, Some(&after.to_string()), &before);
    }

    #[test]
    fn software_changes_are_the_same_from_lists_and_from_what_moved(
        before in any_titles(), after in any_titles()
    ) {
        prop_assert_eq!(software(&before, &before), []);
        let (mut went, mut came) = (before.clone(), after.clone());
        went.retain(|title| match came.iter().position(|other| other == title) {
            Some(place) => { came.remove(place); false }
            None => true,
        });
        prop_assert_eq!(software(&before, &after), software(&went, &came));
    }
}
