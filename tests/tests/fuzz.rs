//! The targets of the fuzzer on any compiler: every committed input, and changes of each.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use rollcall_tests::fuzz::TARGETS;
use rollcall_tests::synthetic::mix;

/// Changes of each input.
const CHANGES: u64 = 300;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A number below `limit`, the same each time.
fn below(limit: usize, seed: u64, step: u64) -> usize {
    usize::try_from(mix(seed, step, 77) % limit.max(1) as u64).unwrap()
}

/// One input with some changes: bits, bytes, parts of another.
fn changed(input: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for step in 0..=mix(seed, 1, 1) % 4 {
        let at = below(bytes.len(), seed, step * 8 + 2);
        match mix(seed, step, 3) % 6 {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << (mix(seed, step, 4) % 8),
            1 if !bytes.is_empty() => bytes[at] = mix(seed, step, 5).to_be_bytes()[7],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, mix(seed, step, 6).to_be_bytes()[7]),
            4 => {
                let from = below(other.len(), seed, step * 8 + 5);
                let part = &other[from..(from + 24).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            _ => {
                let end = (at + below(32, seed, step * 8 + 6)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

#[test]
fn fuzz_targets_survive_their_corpora_and_changes_of_them() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() >= 3, "{name} has a corpus");
        target(b"");
        for (number, input) in (0_u64..).zip(&inputs) {
            target(input);
            let other = &inputs[(input.len() + 1) % inputs.len()];
            for change in 0..CHANGES {
                target(&changed(input, other, number << 32 | change));
            }
        }
    }
}

#[test]
fn each_target_has_its_file_and_its_entry() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let file = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("rollcall_tests::fuzz::{name}(data)")), "{name}");
    }
}
