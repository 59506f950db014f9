//! What lists show of odd and ordinary computers.

use rollcall_shared::report::Session;
use rollcall_shared::section::network::Route;
use rollcall_shared::section::os::{MacosRelease, WindowsRelease};
use rollcall_shared::section::system::Virtualization;

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "the fields it fills are optional")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn classes_come_from_the_chassis_then_from_the_system() {
    let class = |chassis: Option<Chassis>| {
        class_of(&System { chassis, ..System::default() }, &Os::default())
    };
    assert_eq!(class(Some(Chassis::Convertible)), DeviceClass::Laptop);
    assert_eq!(class(Some(Chassis::AllInOne)), DeviceClass::Desktop);
    assert_eq!(class(Some(Chassis::VirtualMachine)), DeviceClass::Server);
    assert_eq!(class(Some(Chassis::Container)), DeviceClass::Other);
    assert_eq!(class(None), DeviceClass::Other);
    let guest = System {
        virtualization: Some(Virtualization { kind: "kvm".to_owned(), role: None }),
        ..System::default()
    };
    assert_eq!(class_of(&guest, &Os::default()), DeviceClass::Server);
    let server = Os {
        windows: Some(WindowsRelease {
            installation_type: some("Server Core"),
            ..WindowsRelease::default()
        }),
        ..Os::default()
    };
    let tower = System { chassis: Some(Chassis::Desktop), ..System::default() };
    assert_eq!(class_of(&tower, &server), DeviceClass::Server);
    let book = Os {
        family: OsFamily::Macos,
        macos: Some(MacosRelease { model: some("MacBookPro18,3"), ..MacosRelease::default() }),
        ..Os::default()
    };
    assert_eq!(class_of(&System::default(), &book), DeviceClass::Laptop);
}

#[test]
fn systems_are_grouped_without_code_names() {
    let linux = |pairs: &[(&str, &str)]| {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        os_display(&Os {
            name: "raw".to_owned(),
            release: pairs.iter().map(own).collect(),
            ..Os::default()
        })
    };
    let debian = [("NAME", "Debian GNU/Linux"), ("PRETTY_NAME", "Debian GNU/Linux trixie/sid")];
    assert_eq!(linux(&debian), "Debian GNU/Linux trixie/sid");
    assert_eq!(linux(&[("NAME", "Ubuntu"), ("VERSION_ID", "24.04")]), "Ubuntu 24.04");
    assert_eq!(linux(&[]), "raw");
    let windows = |build, product: &str| {
        os_display(&Os {
            family: OsFamily::Windows,
            windows: Some(WindowsRelease {
                build,
                display_version: some("23H2"),
                product_name: some(product),
                ..WindowsRelease::default()
            }),
            ..Os::default()
        })
    };
    assert_eq!(windows(22631, "Windows 10 Pro"), "Windows 11 Pro 23H2");
    assert_eq!(windows(19045, "Windows 10 Pro"), "Windows 10 Pro 23H2");
}

#[test]
fn lenovo_writes_the_model_into_the_family() {
    let system = |maker: &str, model: &str, family: &str| System {
        manufacturer: some(maker),
        model: some(model),
        family: some(family),
        ..System::default()
    };
    let thinkpad = system("LENOVO", "21AHCTO1WW", "ThinkPad T14 Gen 3");
    assert_eq!(display_model(&thinkpad).as_deref(), Some("ThinkPad T14 Gen 3"));
    assert_eq!(display_manufacturer(&thinkpad).as_deref(), Some("Lenovo"));
    let dell = system("Dell Inc.", "OptiPlex 7090", "OptiPlex");
    assert_eq!(display_model(&dell).as_deref(), Some("OptiPlex 7090"));
    let built = system("To Be Filled By O.E.M.", "System Product Name", "Default string");
    assert_eq!((display_manufacturer(&built), display_model(&built)), (None, None));
    let serial = System { serial: some("Default string"), ..System::default() };
    assert_eq!(display_serial(&serial), None);
}

#[test]
fn the_person_is_who_sits_there_or_was_there_last() {
    let account = |name: &str, kind, at: i64| Account {
        name: name.to_owned(),
        kind: Some(kind),
        full_name: some(&name.to_uppercase()),
        last_sign_in_at: Some(Timestamp(at)),
        ..Account::default()
    };
    let users = Users {
        accounts: vec![
            account("anna", AccountKind::Person, 5),
            account("backup", AccountKind::System, 9),
            account("ben", AccountKind::Directory, 7),
            account("root", AccountKind::System, 10),
        ],
        groups: Vec::new(),
    };
    let who = |sessions| {
        let vitals = Vitals { sessions, ..Vitals::default() };
        person_of(Some(&users), &vitals).map(|person| person.user)
    };
    assert_eq!(who(Vec::new()).as_deref(), Some("ben"));
    let session = |user: &str, remote: Option<&str>, since: i64| Session {
        user: user.to_owned(),
        remote_host: remote.map(str::to_owned),
        since: Some(Timestamp(since)),
        terminal: None,
    };
    let both = vec![
        session("root", None, 9),
        session("ben", Some("10.0.0.9"), 8),
        session("anna", None, 1),
    ];
    assert_eq!(who(both).as_deref(), Some("anna"));
    assert_eq!(who(vec![session("gdm", None, 1)]).as_deref(), Some("ben"));
    let vitals = Vitals { sessions: vec![session("eve", None, 1)], ..Vitals::default() };
    assert_eq!(person_of(None, &vitals).unwrap().user, "eve");
    assert_eq!(person_of(None, &Vitals::default()), None);
}

#[test]
fn only_addresses_that_lead_somewhere_are_shown() {
    let interface = |name: &str, kind, virtual_interface, addresses: &[&str]| Interface {
        name: name.to_owned(),
        kind: Some(kind),
        virtual_interface,
        mac: some("8C:8C:AA:00:00:01"),
        addresses: addresses.iter().map(|text| (*text).to_owned()).collect(),
        ..Interface::default()
    };
    let network = Network {
        interfaces: vec![
            interface("docker0", InterfaceKind::Bridge, true, &["172.17.0.1/16"]),
            interface("eth0", InterfaceKind::Ethernet, false, &["10.9.0.4/24"]),
            interface("lo", InterfaceKind::Loopback, true, &["127.0.0.1/8", "::1/128"]),
            interface(
                "wlan0",
                InterfaceKind::Wifi,
                false,
                &["10.1.2.3/24", "fe80::1%wlan0/64", "169.254.3.4/16", "2001:db8::5/64", "odd"],
            ),
        ],
        default_routes: vec![Route { gateway: some("10.1.2.1"), interface: "wlan0".to_owned() }],
        ..Network::default()
    };
    assert_eq!(addresses(&network), ["10.1.2.3", "2001:db8::5", "10.9.0.4"]);
    assert_eq!(macs(&network), ["8c:8c:aa:00:00:01"]);
}

#[test]
fn sizes_read_like_the_box() {
    assert_eq!(bytes(512), "512 B");
    assert_eq!(bytes(512_110_190_592), "512.1 GB");
    assert_eq!(bytes(u64::MAX), "18446744.0 TB");
}
