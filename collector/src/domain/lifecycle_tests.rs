//! Every trap between an operating system and its end of life, by name.

use std::collections::BTreeMap;

use super::*;

fn at(date: &str) -> Timestamp {
    Timestamp::from_date(date).unwrap().plus_ms(10 * 3_600_000)
}

fn linux(release: &[(&str, &str)]) -> Os {
    let release: BTreeMap<_, _> =
        release.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Os { release, ..Os::default() }
}

fn windows(build: u32, revision: u32, edition: &str, installation: &str) -> Os {
    Os {
        family: OsFamily::Windows,
        windows: Some(WindowsRelease {
            build,
            revision: Some(revision),
            edition_id: Some(edition.to_owned()),
            installation_type: Some(installation.to_owned()),
            display_version: None,
            product_name: Some("Windows 10 Pro".to_owned()),
        }),
        ..Os::default()
    }
}

fn macos(version: &str, build: &str) -> Os {
    Os {
        family: OsFamily::Macos,
        macos: Some(MacosRelease {
            version: version.to_owned(),
            build: Some(build.to_owned()),
            model: None,
        }),
        ..Os::default()
    }
}

fn verdict(os: &Os, date: &str) -> Lifecycle {
    Facts::built_in().verdict(os, &Policy::default(), at(date))
}

fn state(os: &Os, date: &str) -> LifecycleState {
    verdict(os, date).state
}

fn day(date: &str) -> Timestamp {
    Timestamp::from_date(date).unwrap()
}

fn ended(date: &str) -> LifecycleState {
    LifecycleState::Ended { since: Some(day(date)) }
}

fn extended(kind: &str, date: &str) -> LifecycleState {
    LifecycleState::ExtendedOnly { kind: kind.to_owned(), until: Some(day(date)) }
}

fn supported(date: &str) -> LifecycleState {
    LifecycleState::Supported { until: Some(day(date)) }
}

fn why(os: &Os) -> String {
    match state(os, "2026-11-23") {
        LifecycleState::Unknown { why } => why,
        other => panic!("expected unknown, found {other:?}"),
    }
}

#[test]
fn the_day_of_the_end_is_still_supported() {
    let fedora = linux(&[("ID", "fedora"), ("NAME", "Fedora Linux"), ("VERSION_ID", "43")]);
    assert_eq!(state(&fedora, "2026-09-09"), supported("2026-12-09"));
    let last = LifecycleState::EndingSoon { until: day("2026-12-09"), kind: None };
    assert_eq!(state(&fedora, "2026-09-10"), last);
    assert_eq!(state(&fedora, "2026-12-09"), last);
    assert_eq!(state(&fedora, "2026-12-10"), ended("2026-12-09"));
}

#[test]
fn an_open_end_decays_with_the_facts() {
    let sequoia = macos("15.7.9", "24G830");
    assert_eq!(state(&sequoia, "2026-11-23"), LifecycleState::Supported { until: None });
    assert!(matches!(state(&sequoia, "2027-02-19"), LifecycleState::Unknown { .. }));
}

#[test]
fn a_cycle_newer_than_the_facts_is_unknown() {
    let newer = "is newer than the facts of 2026-08-22";
    let fedora = linux(&[("ID", "fedora"), ("NAME", "Fedora Linux"), ("VERSION_ID", "45")]);
    assert!(why(&fedora).ends_with(newer));
    assert!(why(&macos("27.0", "26A100")).ends_with(newer));
    assert!(why(&windows(29000, 1, "Professional", "Client")).ends_with(newer));
}

#[test]
fn one_windows_build_has_five_ends() {
    let case = |edition, installation| {
        verdict(&windows(26100, 4349, edition, installation), "2026-05-01").state
    };
    assert_eq!(case("Professional", "Client"), supported("2026-10-13"));
    assert_eq!(case("Enterprise", "Client"), supported("2027-10-12"));
    assert_eq!(case("EnterpriseS", "Client"), supported("2029-10-09"));
    assert_eq!(case("IoTEnterpriseS", "Client"), supported("2034-10-10"));
    assert_eq!(case("ServerStandard", "Server Core"), supported("2034-11-14"));
    assert!(matches!(case("NewEdition", "Client"), LifecycleState::Unknown { .. }));
    assert!(matches!(case("", "Client"), LifecycleState::Unknown { .. }));
}

#[test]
fn the_build_decides_whatever_the_product_name_says() {
    let eleven = verdict(&windows(22631, 5000, "Professional", "Client"), "2025-06-01");
    assert_eq!(eleven.label.as_deref(), Some("Windows 11 23H2, Home and Pro"));
    assert_eq!(eleven.state, supported("2025-11-11"));
}

#[test]
fn windows_10_shows_its_extended_updates_by_its_revision() {
    let case =
        |revision| verdict(&windows(19045, revision, "Professional", "Client"), "2026-11-23");
    assert_eq!(case(6456).state, ended("2025-10-14"));
    assert_eq!(case(6456).not_seen.as_deref(), Some("esu"));
    assert_eq!(case(6466).state, extended("esu", "2028-10-10"));
    assert_eq!(case(6466).not_seen, None);
}

#[test]
fn semi_annual_servers_are_not_the_long_term_server_of_their_build() {
    let case = |edition| verdict(&windows(17763, 1, edition, "Server Core"), "2026-11-23").state;
    assert_eq!(case("ServerDatacenter"), supported("2029-01-09"));
    assert_eq!(case("ServerDatacenterACor"), ended("2020-11-10"));
    assert!(matches!(case("ServerAzureStackHCICor"), LifecycleState::Unknown { .. }));
}

#[test]
fn centos_and_centos_stream_share_an_id() {
    let case = |name, version| {
        state(&linux(&[("ID", "centos"), ("NAME", name), ("VERSION_ID", version)]), "2026-11-23")
    };
    assert_eq!(case("CentOS Linux", "8"), ended("2021-12-31"));
    assert_eq!(case("CentOS Stream", "8"), ended("2024-05-31"));
    assert_eq!(case("CentOS Stream", "9"), supported("2027-05-31"));
    assert!(matches!(case("CentOS Linux", "9"), LifecycleState::Unknown { .. }));
}

#[test]
fn a_derivative_is_never_judged_as_its_parent() {
    let vanilla = linux(&[("ID", "ubuntu"), ("NAME", "Ubuntu"), ("VERSION_ID", "2")]);
    assert_eq!(why(&vanilla), "the facts of 2026-08-22 do not know Ubuntu 2");
    let named = linux(&[("ID", "ubuntu"), ("NAME", "Vanilla OS"), ("VERSION_ID", "22.04")]);
    assert_eq!(why(&named), "there are no facts about Vanilla OS");
    let like = linux(&[("ID", "zorin"), ("ID_LIKE", "ubuntu debian"), ("VERSION_ID", "22.04")]);
    assert_eq!(why(&like), "there are no facts about zorin");
}

#[test]
fn debian_12_gets_its_free_long_term_support() {
    let debian = |version| linux(&[("ID", "debian"), ("NAME", "Debian"), ("VERSION_ID", version)]);
    assert_eq!(state(&debian("12"), "2026-07-11"), supported("2026-07-11"));
    assert_eq!(state(&debian("12"), "2026-11-23"), extended("lts", "2028-06-30"));
    assert_eq!(state(&debian("12"), "2028-07-01"), ended("2028-06-30"));
    assert_eq!(state(&debian("11"), "2026-11-23"), ended("2026-08-31"));
    assert_eq!(state(&debian("13"), "2026-11-23"), supported("2028-08-09"));
}

#[test]
fn debian_testing_rolls() {
    let testing = linux(&[("ID", "debian"), ("NAME", "Debian GNU/Linux")]);
    let verdict = verdict(&testing, "2026-11-23");
    assert_eq!(
        (verdict.state, verdict.label.as_deref()),
        (LifecycleState::Rolling, Some("Debian"))
    );
    let nameless = linux(&[("ID", "fedora"), ("NAME", "Fedora Linux")]);
    assert_eq!(why(&nameless), "Fedora Linux does not tell its version");
}

#[test]
fn ubuntu_lives_longer_only_where_pro_is_attached() {
    let mut focal = linux(&[("ID", "ubuntu"), ("NAME", "Ubuntu"), ("VERSION_ID", "20.04")]);
    for attached in [None, Some(false)] {
        focal.ubuntu_pro = attached;
        let found = verdict(&focal, "2026-11-23");
        assert!(matches!(found.state, LifecycleState::Ended { .. }), "{found:?}");
        assert_eq!(found.not_seen.as_deref(), Some("esm"));
    }
    focal.ubuntu_pro = Some(true);
    let found = state(&focal, "2026-11-23");
    assert!(matches!(found, LifecycleState::ExtendedOnly { ref kind, .. } if kind == "esm"));
}

#[test]
fn alpine_development_versions_are_not_the_release() {
    let alpine = |version| linux(&[("ID", "alpine"), ("VERSION_ID", version)]);
    assert_eq!(state(&alpine("3.23.5"), "2026-11-23"), supported("2027-11-01"));
    let edge = why(&alpine("3.23.0_alpha20250612"));
    assert_eq!(edge, "Alpine Linux 3.23.0_alpha20250612 is a development version");
}

#[test]
fn components_match_whole() {
    let oracle = |version| linux(&[("ID", "ol"), ("VERSION_ID", version)]);
    assert_eq!(state(&oracle("8.10"), "2026-11-23"), supported("2029-07-31"));
    assert!(matches!(state(&oracle("80"), "2026-11-23"), LifecycleState::Unknown { .. }));
    let sles = |version| linux(&[("ID", "sles"), ("VERSION_ID", version)]);
    let first = verdict(&sles("12"), "2026-11-23");
    assert_eq!(first.cycle.as_deref(), Some("12.0"));
    assert_eq!(state(&sles("15.7"), "2026-11-23"), supported("2031-07-31"));
    assert!(matches!(state(&sles("15.99"), "2026-11-23"), LifecycleState::Unknown { .. }));
}

#[test]
fn mint_from_debian_is_not_mint_from_ubuntu() {
    let mint = |extra: &[(&str, &str)]| {
        let mut release = vec![("ID", "linuxmint"), ("NAME", "Linux Mint")];
        release.extend_from_slice(extra);
        verdict(&linux(&release), "2026-11-23").cycle
    };
    assert_eq!(mint(&[("VERSION_ID", "22.3")]).as_deref(), Some("22.3"));
    let lmde = mint(&[("VERSION_ID", "7"), ("DEBIAN_CODENAME", "trixie")]);
    assert_eq!(lmde.as_deref(), Some("lmde7"));
}

#[test]
fn a_beta_of_macos_is_not_judged() {
    assert_eq!(why(&macos("26.1", "25B5042k")), "macOS 26.1 (25B5042k) is a beta");
    assert_eq!(state(&macos("13.7.8", "22H730"), "2026-11-23"), ended("2025-09-15"));
    assert_eq!(verdict(&macos("10.15.7", "19H2"), "2026-11-23").cycle.as_deref(), Some("10.15"));
}

#[test]
fn rolling_systems_never_end() {
    for id in ["arch", "opensuse-tumbleweed", "kali", "gentoo"] {
        let os = linux(&[("ID", id), ("VERSION_ID", "20250101")]);
        assert_eq!(state(&os, "2036-01-01"), LifecycleState::Rolling, "{id}");
    }
}

#[test]
fn contradicting_sources_raise_nothing() {
    let amazon = linux(&[("ID", "amzn"), ("VERSION_ID", "2")]);
    assert!(why(&amazon).contains("published after its announced end"));
    let alpine = linux(&[("ID", "alpine"), ("VERSION_ID", "3.20.10")]);
    assert_eq!(state(&alpine, "2026-11-23"), ended("2026-04-01"));
}

#[test]
fn nothing_known_is_said_plainly() {
    assert_eq!(why(&linux(&[])), "the system does not name itself (no ID in os-release)");
    let other = Os { family: OsFamily::Other("haiku".to_owned()), ..Os::default() };
    assert_eq!(why(&other), "there are no facts about haiku");
    let bare = Os { family: OsFamily::Windows, ..Os::default() };
    assert_eq!(why(&bare), "Windows did not tell its build");
}

#[test]
fn newer_facts_judge_a_stored_cycle_again() {
    let debian = linux(&[("ID", "debian"), ("NAME", "Debian"), ("VERSION_ID", "12")]);
    let stored = Facts::built_in().cycle_of(&debian);
    let json = serde_json::to_string(&stored).unwrap();
    let stored: CycleMatch = serde_json::from_str(&json).unwrap();
    let mut newer = Facts::built_in().clone();
    newer.products.retain(|product| product.product != "debian");
    let verdict = newer.judge(&stored, &Policy::default(), at("2026-11-23"));
    assert!(matches!(verdict.state, LifecycleState::Unknown { .. }));
}

#[test]
fn extended_support_does_not_end_overnight() {
    let debian = linux(&[("ID", "debian"), ("VERSION_ID", "11")]);
    assert_eq!(state(&debian, "2026-06-01"), extended("lts", "2026-08-31"));
    let soon = LifecycleState::EndingSoon { until: day("2026-08-31"), kind: Some("lts".into()) };
    assert_eq!(state(&debian, "2026-06-03"), soon);
    assert_eq!(state(&debian, "2026-08-31"), soon);
    assert_eq!(state(&debian, "2026-09-01"), ended("2026-08-31"));
    let policy = Policy { ending_soon_days: 0, ..Policy::default() };
    let late = Facts::built_in().verdict(&debian, &policy, at("2026-08-30"));
    assert_eq!(late.state, extended("lts", "2026-08-31"));
}
