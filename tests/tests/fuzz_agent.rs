//! Whatever a computer, a firmware or a collector says: the agent's parsers survive it.

use std::path::Path;

use rollcall_tests::fuzz_agent::{TARGETS, changed, every_file};

#[test]
fn every_captured_file_may_be_damaged_in_any_way() {
    let tried = every_file(1);
    assert!(tried > 900, "only {tried} damaged files were read");
}

#[test]
fn the_other_targets_survive_any_change_of_what_is_usual() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/host/windows-11-laptop");
    let table = std::fs::read(fixtures.join("firmware/RSMB.bin")).unwrap();
    let export = std::fs::read(fixtures.join("registry/services.reg")).unwrap();
    let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/software/macos-15");
    let binary = std::fs::read(lists.join("private/var/db/receipts/org.example.agent.plist"));
    let tags = std::fs::read(lists.join("Applications/Firefox.app/Contents/Info.plist"));
    let answer = [
        &200_u16.to_le_bytes()[..],
        br#"{"report_id":"019734e0-0000-7000-8000-000000000001","stored":false,"want":["os"],
            "server_time":"2026-11-25T00:00:00Z","settings":{"check_in_interval_s":900}}"#,
    ]
    .concat();
    let seeds: [(&str, Vec<u8>); 6] = [
        ("firmware", table),
        ("registry_export", export),
        ("property_list", binary.unwrap()),
        ("property_list", tags.unwrap()),
        ("collector_answer", answer),
        ("address", b"http://anna:p%40ss@[::1]:3128".to_vec()),
    ];
    for (name, seed) in seeds {
        let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
        target(&seed);
        for number in 0..3_000 {
            let once = changed(&seed, number);
            target(&once);
            target(&changed(&once, number + 7));
        }
    }
}
