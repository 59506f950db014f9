//! The file `printers.conf` of CUPS.

use rollcall_shared::section::Printer;

use crate::source::text::clip;

/// Every queue of the file.
pub fn printers(text: &str) -> Vec<Printer> {
    let mut rows = Vec::new();
    let mut now: Option<Printer> = None;
    for line in text.lines().map(str::trim) {
        if let Some(tag) = line.strip_prefix('<').and_then(|tag| tag.strip_suffix('>')) {
            if tag.starts_with('/') {
                rows.extend(now.take());
                continue;
            }
            let (kind, name) = tag.split_once(' ').unwrap_or((tag, ""));
            if matches!(kind, "Printer" | "DefaultPrinter") && !name.trim().is_empty() {
                let is_default = kind == "DefaultPrinter";
                let name = clip(name.trim().as_bytes());
                now = Some(Printer { name, is_default, ..Printer::default() });
            }
            continue;
        }
        let (Some(row), Some((key, value))) = (&mut now, line.split_once(' ')) else { continue };
        let some = Some(clip(value.as_bytes())).filter(|text| !text.is_empty());
        match key {
            "Info" => row.description = some,
            "Location" => row.location = some,
            "MakeModel" => row.model = some,
            "Shared" => row.shared = value.trim().eq_ignore_ascii_case("yes"),
            "DeviceURI" => {
                row.address = address(value);
                row.serial = parameter(value, "serial");
            }
            _ => {}
        }
    }
    rows
}

/// Where a printer is, without anything that lets one in: all before the last `@` and all after a
/// question mark is left out.
pub fn address(uri: &str) -> Option<String> {
    let uri = uri.trim();
    let (scheme, rest) = uri.split_once(':')?;
    let plain = !scheme.is_empty()
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !plain {
        return None;
    }
    let slashes = if rest.starts_with("//") { "//" } else { "" };
    let rest = rest.trim_start_matches('/');
    // A password may hold any letter, also an `@`, a slash, or a question mark.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    Some(clip(format!("{scheme}:{slashes}{rest}").as_bytes()))
}

/// A value behind the question mark; only such as hold no secrets are asked for.
fn parameter(uri: &str, name: &str) -> Option<String> {
    let (_, parameters) = uri.trim().rsplit_once('?')?;
    if parameters.contains('@') {
        return None;
    }
    let value = parameters.split('&').find_map(|one| one.strip_prefix(name)?.strip_prefix('='))?;
    (!value.is_empty()).then(|| clip(value.as_bytes()))
}

/// `Default name` in `lpoptions`.
pub fn default_queue(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("Default "))?;
    // A queue may have several forms (`queue/form`).
    let name = line.split([' ', '/']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_passwords_are_cut_off() {
        let cases = [
            ("smb://EXAMPLE\\anna:secret@files.example.org/hp", "smb://files.example.org/hp"),
            ("smb://anna:se/cr@et?x@files/hp", "smb://files/hp"),
            ("lpd://anna@10.1.2.3/queue?reserve=any", "lpd://10.1.2.3/queue"),
            ("usb://HP/LaserJet%20M507?serial=VNB3K12345", "usb://HP/LaserJet%20M507"),
            (
                "ipps://printer.example.org:443/ipp/print",
                "ipps://printer.example.org:443/ipp/print",
            ),
            ("hp:/net/HP_LaserJet?ip=10.1.2.3", "hp:net/HP_LaserJet"),
            ("dnssd://HP%20M507._ipp._tcp.local/?uuid=1", "dnssd://HP%20M507._ipp._tcp.local/"),
        ];
        for (uri, told) in cases {
            assert_eq!(address(uri).as_deref(), Some(told), "{uri}");
        }
        assert_eq!(address("no address"), None);
        assert_eq!(parameter("usb://HP/x?serial=VNB3&y=2", "serial").as_deref(), Some("VNB3"));
        assert_eq!(parameter("smb://a:b?serial=secret@host/x", "serial"), None);
    }

    proptest! {
        #[test]
        fn no_password_gets_through(
            user in "[a-z]{1,8}", password in "SECRET[a-zA-Z0-9/?#:&=@%]{0,12}", host in "[a-z]{1,8}"
        ) {
            let uri = format!("smb://{user}:{password}@{host}/queue");
            let told = address(&uri).unwrap();
            prop_assert!(!told.contains("SECRET"), "{}", told);
            let row = printers(&format!("<Printer x>\nDeviceURI {uri}\n</Printer>"));
            let told = format!("{row:?}");
            prop_assert!(!told.contains("SECRET"));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(<(/|Default)?Printer \\PC{0,9}>\n|DeviceURI \\PC{0,20}\n|\\PC|\n)*") {
            let _ = printers(&text);
            let _ = address(&text);
            let _ = default_queue(&text);
        }
    }
}
