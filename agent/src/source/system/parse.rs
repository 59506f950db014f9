//! Names, kinds and numbers of a computer from the texts that describe it.

use rollcall_shared::section::system::Chassis;

/// Kind of computer by its SMBIOS number.
pub fn chassis(code: &str) -> Option<Chassis> {
    Some(match code.trim().parse::<u8>().ok()? {
        3..=7 | 15 | 16 | 24 | 35 | 36 => Chassis::Desktop,
        8 | 9 | 10 | 14 => Chassis::Laptop,
        11 => Chassis::Other("hand_held".to_owned()),
        13 => Chassis::AllInOne,
        17 | 23 | 25 | 28 | 29 => Chassis::Server,
        30 => Chassis::Tablet,
        31 | 32 => Chassis::Convertible,
        33 | 34 => Chassis::EmbeddedDevice,
        _ => return None,
    })
}

/// Kind of computer by the word in a device tree.
pub fn chassis_word(word: &str) -> Option<Chassis> {
    Some(match word {
        "desktop" => Chassis::Desktop,
        "laptop" => Chassis::Laptop,
        "convertible" => Chassis::Convertible,
        "server" => Chassis::Server,
        "all-in-one" => Chassis::AllInOne,
        "tablet" => Chassis::Tablet,
        "embedded" => Chassis::EmbeddedDevice,
        _ => return None,
    })
}

/// The first of the texts in a device tree property, which end in NUL.
pub fn first_text(property: &str) -> Option<String> {
    let text = property.split('\0').next()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Maker of a board with a device tree: `Raspberry Pi 4 Model B`, or the word before the comma
/// in `compatible`.
pub fn board_maker(model: &str, compatible: Option<&str>) -> Option<String> {
    if model.starts_with("Raspberry Pi") {
        return Some("Raspberry Pi".to_owned());
    }
    let (maker, _) = compatible?.split_once(',')?;
    (!maker.is_empty()).then(|| maker.to_owned())
}

/// Model and order number as people know them. Lenovo writes the name into the version and the
/// order number into the name.
pub fn model_and_sku(
    maker: Option<&str>,
    name: Option<String>,
    version: Option<String>,
    sku: Option<String>,
) -> (Option<String>, Option<String>) {
    let lenovo = maker.is_some_and(|maker| maker.eq_ignore_ascii_case("lenovo"));
    let names_itself =
        |text: &String| text.contains(' ') && !text.eq_ignore_ascii_case("not available");
    match version.filter(|version| lenovo && names_itself(version)) {
        Some(version) => (Some(version), sku.or(name)),
        None => (name, sku),
    }
}

/// Host name in its short form, fully qualified name, and domain.
pub fn names(
    hostname: &str,
    hosts: &str,
    resolv_conf: &str,
) -> (String, Option<String>, Option<String>) {
    let short = hostname.split('.').next().unwrap_or_default().to_owned();
    let fqdn = if hostname.contains('.') {
        Some(hostname.trim_end_matches('.').to_owned())
    } else {
        fqdn_in_hosts(&short, hosts)
    };
    let told = || {
        let line = resolv_conf.lines().find_map(|line| line.trim().strip_prefix("domain"))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    let domain = fqdn
        .as_deref()
        .and_then(|fqdn| fqdn.split_once('.'))
        .map(|(_, domain)| domain.to_owned())
        .or_else(told);
    (short, fqdn, domain)
}

/// The first name of the line of `/etc/hosts` that names this computer, as the resolver does it.
fn fqdn_in_hosts(short: &str, hosts: &str) -> Option<String> {
    let mut lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    let named = |line: &str| {
        let names: Vec<&str> = line.split_whitespace().skip(1).collect();
        let full = names.iter().find(|name| {
            name.strip_prefix(short).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
        })?;
        (!full.starts_with("localhost")).then(|| (*full).to_owned())
    };
    if short.is_empty() { None } else { lines.find_map(named) }
}

/// A UUID in lower case; anything else is no UUID.
pub fn uuid(text: &str) -> Option<String> {
    uuid::Uuid::parse_str(text.trim()).ok().map(|uuid| uuid.hyphenated().to_string())
}

/// The id that a cloud gave this instance; `iid-datasource-none` is cloud-init's way to say none.
pub fn cloud_instance_id(text: &str) -> Option<String> {
    let id = text.trim();
    let real = !id.is_empty() && !id.starts_with("iid-datasource-none") && id != "nocloud";
    real.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "it shortens what is compared with options")]
    fn owned(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn lenovo_tells_its_names_in_the_other_order() {
        let (model, sku) =
            model_and_sku(Some("LENOVO"), owned("21AHCTO1WW"), owned("ThinkPad T14 Gen 3"), None);
        assert_eq!((model, sku), (owned("ThinkPad T14 Gen 3"), owned("21AHCTO1WW")));
        let (model, sku) =
            model_and_sku(Some("Dell Inc."), owned("Latitude 7430"), owned("1.2 x"), owned("0B04"));
        assert_eq!((model, sku), (owned("Latitude 7430"), owned("0B04")));
    }

    #[test]
    fn names_are_found_where_they_stand() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1 lt-0042.example.org lt-0042 # me\n";
        let (short, fqdn, domain) = names("lt-0042", hosts, "");
        assert_eq!(
            (short.as_str(), fqdn, domain),
            ("lt-0042", owned("lt-0042.example.org"), owned("example.org"))
        );
        let (short, fqdn, domain) = names("web.example.net", "", "domain other.example\n");
        assert_eq!(
            (short.as_str(), fqdn, domain),
            ("web", owned("web.example.net"), owned("example.net"))
        );
        let (_, fqdn, domain) = names("vm", "127.0.0.1 localhost vm\n", "domain corp.example\n");
        assert_eq!((fqdn, domain), (None, owned("corp.example")));
    }

    #[test]
    fn kinds_of_computer() {
        assert_eq!(chassis("10"), Some(Chassis::Laptop));
        assert_eq!(chassis("23\n"), Some(Chassis::Server));
        assert_eq!(chassis("1"), None);
        assert_eq!(chassis_word("laptop"), Some(Chassis::Laptop));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(a in "\\PC*", b in "([a-z0-9.# ]|\n|\\PC)*") {
            let _ = names(&a, &b, &b);
            let _ = (chassis(&a), uuid(&a), first_text(&a), board_maker(&a, Some(&b)));
            let _ = cloud_instance_id(&a);
        }
    }
}
