//! Where the homes of people lie, for the few sources that look into them where this computer's own
//! configuration says so.

use crate::host::Host;

/// Homes that are looked into at most.
pub(crate) const LIMIT: usize = 200;

/// Whether this is a Mac, where some things have other places.
pub(crate) fn is_mac(host: &Host) -> bool {
    host.exists("/System/Library/CoreServices/SystemVersion.plist")
}

/// Homes of people, sorted.
pub(crate) fn of_people(host: &Host) -> Vec<String> {
    let mut homes = if is_mac(host) {
        on_mac(host)
    } else {
        in_passwd(&host.read_text("/etc/passwd").unwrap_or_default())
    };
    homes.truncate(LIMIT);
    homes
}

/// Homes of people, from `/etc/passwd`.
fn in_passwd(passwd: &str) -> Vec<String> {
    let home = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let number: u32 = fields.get(2)?.parse().ok()?;
        let home = *fields.get(5)?;
        let plain = home.starts_with('/') && home.len() > 1 && !home.contains("/..");
        ((1000..60_000).contains(&number) && plain).then(|| home.to_owned())
    };
    let mut homes: Vec<String> = passwd.lines().filter_map(home).collect();
    homes.sort();
    homes.dedup();
    homes
}

/// Homes of people on a Mac, which all lie in one folder.
fn on_mac(host: &Host) -> Vec<String> {
    let names = host.list("/Users").unwrap_or_default();
    let names = names.iter().filter(|name| !name.starts_with('.') && *name != "Shared");
    names.map(|name| format!("/Users/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_people_have_homes() {
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/bash\n\
            bad:x:1001:1001::/home/../etc:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n";
        assert_eq!(in_passwd(passwd), ["/home/anna"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|:|[0-9]{4}|\n)*") {
            in_passwd(&text);
        }
    }
}
