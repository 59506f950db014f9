//! `/proc/mdstat`, LVM's backups, and the names of the device mapper.

use rollcall_shared::section::Pool;

use crate::source::text::clip;

/// Arrays of the kernel's own RAID.
pub fn mdstat(text: &str) -> Vec<Pool> {
    let mut rows: Vec<Pool> = Vec::new();
    for line in text.lines() {
        if let Some(pool) = array(line) {
            rows.push(pool);
            continue;
        }
        let Some(pool) = rows.last_mut().filter(|_| line.starts_with(' ')) else { continue };
        let mut words = line.split_whitespace().peekable();
        if let Some(blocks) = words.next().and_then(|word| word.parse::<u64>().ok())
            && words.peek() == Some(&"blocks")
        {
            pool.size_bytes = Some(blocks.saturating_mul(1024));
        }
        // `[2/1] [U_]`: two wanted, one there.
        for word in line.split_whitespace() {
            let counts = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
            let counts = counts.and_then(|word| word.split_once('/'));
            if let Some((wanted, there)) = counts
                && let (Ok(wanted), Ok(there)) = (wanted.parse::<u32>(), there.parse::<u32>())
                && there < wanted
            {
                pool.state = Some("degraded".to_owned());
            }
        }
        // A check of what is whole is no repair.
        let repairs = ["recovery", "resync", "reshape"];
        if repairs.iter().any(|word| line.contains(&format!("{word} ="))) {
            pool.state = Some("recovering".to_owned());
        }
    }
    rows
}

/// `md0 : active raid1 sdb1[1] sda1[0](F)`
fn array(line: &str) -> Option<Pool> {
    let (name, rest) = line.split_once(" : ")?;
    if !name.starts_with("md") || name.contains(' ') {
        return None;
    }
    let mut words = rest.split_whitespace().peekable();
    let active = words.next()? == "active";
    while words.peek().is_some_and(|word| word.starts_with('(')) {
        words.next();
    }
    let mut pool = Pool {
        name: clip(name.as_bytes()),
        kind: "md".to_owned(),
        state: Some(if active { "clean" } else { "inactive" }.to_owned()),
        ..Pool::default()
    };
    for word in words {
        match word.split_once('[') {
            None => pool.level = Some(clip(word.as_bytes())),
            Some((member, rest)) => {
                if rest.contains("(F)") {
                    pool.failed_members.push(clip(member.as_bytes()));
                }
                pool.members.push(clip(member.as_bytes()));
            }
        }
    }
    pool.members.sort();
    pool.failed_members.sort();
    Some(pool)
}

/// Group and volume of a device of LVM; no volume for one that is hidden within others.
pub fn logical_volume(name: &str, uuid: &str) -> Option<(String, Option<String>)> {
    let rest = uuid.strip_prefix("LVM-")?;
    let (group, volume) = names(name)?;
    // Behind the two numbers of 32 letters stands what a hidden volume is for.
    Some((group, (rest.len() <= 64).then_some(volume)))
}

/// `my--group-root` is `root` in `my-group`.
fn names(name: &str) -> Option<(String, String)> {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.get(at) == Some(&b'-') {
            if bytes.get(at + 1) != Some(&b'-') {
                let plain = |text: &str| clip(text.replace("--", "-").as_bytes());
                return Some((plain(name.get(..at)?), plain(name.get(at + 1..)?)));
            }
            at += 1;
        }
        at += 1;
    }
    None
}

/// What LVM wrote down of a volume group.
pub fn lvm_backup(text: &str) -> Option<Pool> {
    let mut pool = Pool { kind: "lvm".to_owned(), ..Pool::default() };
    let mut path: Vec<&str> = Vec::new();
    let (mut extent_blocks, mut extents) = (0_u64, 0_u64);
    let mut device = String::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default();
        let line = line.split("\t#").next().unwrap_or_default().trim();
        if let Some(name) = line.strip_suffix('{') {
            path.push(name.trim());
            if let [_, "logical_volumes", name] = path.as_slice() {
                pool.volumes.push(clip(name.as_bytes()));
            }
            continue;
        }
        if line == "}" {
            path.pop();
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        let text = value.trim_matches('"');
        match (path.as_slice(), key) {
            ([name], "id") => {
                pool.name = clip(name.as_bytes());
                pool.uuid = Some(clip(text.as_bytes()));
            }
            ([_], "extent_size") => extent_blocks = text.parse().unwrap_or(0),
            ([_, "physical_volumes", _], "device") => {
                text.trim_start_matches("/dev/").clone_into(&mut device);
                pool.members.push(clip(device.as_bytes()));
            }
            ([_, "physical_volumes", _], "flags") if value.contains("\"MISSING\"") => {
                pool.failed_members.push(clip(device.as_bytes()));
            }
            ([_, "physical_volumes", _], "pe_count") => {
                extents = extents.saturating_add(text.parse().unwrap_or(0));
            }
            _ => {}
        }
    }
    let size = extent_blocks.saturating_mul(512).saturating_mul(extents);
    pool.size_bytes = (size > 0).then_some(size);
    (!pool.name.is_empty()).then_some(pool)
}

/// Whether a folder tells how data is spread, e.g. `raid1`, `single`, `dup`.
pub fn is_btrfs_level(name: &str) -> bool {
    name.starts_with("raid") || matches!(name, "single" | "dup")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arrays_and_their_states() {
        let text = "Personalities : [raid1] [raid6]\n\
            md127 : active (auto-read-only) raid1 sdb1[1] sda1[0](F)\n\
            \x20     1953382464 blocks super 1.2 [2/1] [U_]\n\
            \x20     bitmap: 2/15 pages [8KB], 65536KB chunk\n\n\
            md1 : active raid5 sde[3] sdd[1] sdc[0]\n\
            \x20     100 blocks level 5 [3/2] [UU_]\n\
            \x20     [==>..................]  recovery = 12.6% (1/8) finish=1.0min\n\n\
            md2 : inactive sdf[0](S)\n      10 blocks super 1.2\n\nunused devices: <none>\n";
        let found = mdstat(text);
        let told: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.state.as_deref().unwrap())).collect();
        assert_eq!(told, [("md127", "degraded"), ("md1", "recovering"), ("md2", "inactive")]);
        assert_eq!(found[0].failed_members, ["sda1"]);
        assert_eq!(found[0].level.as_deref(), Some("raid1"));
        assert_eq!(found[0].size_bytes, Some(1_953_382_464 * 1024));
    }

    #[test]
    fn names_of_the_device_mapper() {
        let uuid = format!("LVM-{}", "a".repeat(64));
        let found = logical_volume("my--group-the--root", &uuid).unwrap();
        assert_eq!(found, ("my-group".to_owned(), Some("the-root".to_owned())));
        let hidden = logical_volume("vg-pool_tdata", &format!("{uuid}-tdata")).unwrap();
        assert_eq!(hidden.1, None);
        assert_eq!(logical_volume("luks-1", "CRYPT-LUKS2-1"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(md0 : active \\PC{0,20}\n| {2}[0-9]{1,22} blocks \\PC{0,9}\n|\\PC|\n|\\{|\\}|id = \"x\"\n)*") {
            let _ = mdstat(&text);
            let _ = lvm_backup(&text);
            let _ = logical_volume(&text, "LVM-x");
            let _ = logical_volume(&text, &text);
        }
    }
}
