//! The files in which programs for a person's own virtual machines describe each of them. Only
//! named fields are taken.

use rollcall_shared::section::VirtualMachine;

use super::parse::{attribute, element, unescaped};
use crate::plist::Value;
use crate::source::text::{clip, json_text, unquote};

const MEBIBYTE: u64 = 1024 * 1024;
/// What Apple's own framework runs, whichever program asks it to.
const APPLE: &str = "apple";

fn machine(name: &str, manager: &str) -> VirtualMachine {
    VirtualMachine {
        name: clip(name.as_bytes()),
        manager: manager.to_owned(),
        ..VirtualMachine::default()
    }
}

fn mebibytes(count: &str) -> Option<u64> {
    count.trim().parse::<u64>().ok()?.checked_mul(MEBIBYTE).filter(|bytes| *bytes > 0)
}

fn processors(count: &str) -> Option<u32> {
    count.trim().parse().ok().filter(|count| *count > 0)
}

/// `{9C27AE79-…}` as other programs write it; nothing for what is none.
fn uuid(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    (digits.len() == 32).then(|| parts.join("-").to_ascii_lowercase())
}

/// A machine of `VirtualBox`, from its `.vbox` file.
pub fn virtual_box(xml: &str) -> Option<VirtualMachine> {
    let whole = xml.get(xml.find("<Machine ")?..)?;
    let head = whole.get(..whole.find('>')?)?;
    let name = attribute(head, "name").filter(|name| !name.is_empty())?;
    // Each snapshot tells of the hardware of its own time.
    let now = whole.rfind("</Snapshot>").and_then(|at| whole.get(at..));
    let hardware = [now, Some(whole)]
        .into_iter()
        .flatten()
        .find_map(|part| part.get(part.find("<Hardware")?..));
    let of = |part: &str, name: &str| attribute(element(hardware?, part)?.0, name);
    Some(VirtualMachine {
        uuid: attribute(head, "uuid").as_deref().and_then(uuid),
        // A single processor is not written down.
        cpus: hardware.and_then(|_| match of("CPU", "count") {
            Some(count) => processors(&count),
            None => Some(1),
        }),
        memory_bytes: of("Memory", "RAMSize").as_deref().and_then(mebibytes),
        ..machine(&unescaped(&name), "virtualbox")
    })
}

/// Where the machines lie that `VirtualBox` knows, from its `VirtualBox.xml`.
pub fn known_to_virtual_box(xml: &str) -> Vec<String> {
    let entries = xml.split("<MachineEntry").skip(1);
    let place = |entry: &str| attribute(entry.split('>').next()?, "src");
    entries.filter_map(place).map(|path| unescaped(&path)).collect()
}

/// The value of a line `key = "value"`.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}

/// A machine of `VMware`, from its `.vmx` file.
pub fn vmware(text: &str) -> Option<VirtualMachine> {
    let name = setting(text, "displayName")?;
    let count = setting(text, "numvcpus");
    // Of one that is encrypted the rest may be hidden.
    let hidden = setting(text, "encryption.data").is_some();
    Some(VirtualMachine {
        uuid: setting(text, "uuid.bios").and_then(uuid),
        cpus: match count {
            Some(count) => processors(count),
            None => (!hidden).then_some(1),
        },
        memory_bytes: setting(text, "memsize").and_then(mebibytes),
        ..machine(&name.replace("|22", "\"").replace("|7C", "|"), "vmware")
    })
}

/// Where the machines lie that `VMware` knows, from the list that it keeps for a person.
pub fn known_to_vmware(text: &str) -> Vec<String> {
    let place = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let is_place = key.trim().starts_with("vmlist") && key.trim().ends_with(".config");
        is_place.then(|| unquote(value))
    };
    text.lines().filter_map(place).collect()
}

/// A machine of Parallels Desktop, from its `config.pvs`.
pub fn parallels(xml: &str) -> Option<VirtualMachine> {
    let part = |name: &str| {
        let from = xml.get(xml.find(&format!("<{name}>")).or(xml.find(&format!("<{name} ")))?..)?;
        from.get(..from.find(&format!("</{name}>"))?)
    };
    let text = |within: &str, name: &str| Some(element(part(within)?, name)?.1);
    let name = text("Identification", "VmName").filter(|name| !name.is_empty())?;
    Some(VirtualMachine {
        uuid: text("Identification", "VmUuid").and_then(uuid),
        cpus: text("Cpu", "Number").and_then(processors),
        memory_bytes: text("Memory", "RAM").and_then(mebibytes),
        ..machine(&unescaped(name), "parallels")
    })
}

/// A machine of UTM, from the `config.plist` in the folder of this name.
pub fn utm(folder: &str, list: &Value) -> Option<VirtualMachine> {
    let system = list.get("System")?;
    let told = list.get("Information");
    let name = told.and_then(|told| told.text("Name"));
    let number = |name: &str| system.number(name).and_then(|it| u64::try_from(it).ok());
    let hypervisor = list.get("QEMU").and_then(|qemu| qemu.flag("Hypervisor"));
    let kind = match (list.text("Backend").as_deref(), hypervisor) {
        (Some("Apple"), _) => APPLE,
        (_, Some(true)) => "hvf",
        _ => "qemu",
    };
    Some(VirtualMachine {
        kind: Some(kind.to_owned()),
        uuid: told.and_then(|told| told.text("UUID")).as_deref().and_then(uuid),
        // None means as many as the computer has.
        cpus: number("CPUCount").filter(|count| *count > 0).and_then(|it| it.try_into().ok()),
        memory_bytes: number("MemorySize")
            .or_else(|| number("Memory"))
            .and_then(|count| count.checked_mul(MEBIBYTE))
            .filter(|bytes| *bytes > 0),
        ..machine(&name.unwrap_or_else(|| folder.to_owned()), "utm")
    })
}

/// A machine of Lima or Colima, from the `lima.yaml` in the folder of this name. What is not set
/// there follows from the computer.
pub fn lima(manager: &str, folder: &str, yaml: &str) -> VirtualMachine {
    let value = |name: &str| {
        let line = yaml.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let value = unquote(line.split(" #").next()?);
        (!value.is_empty() && value != "null").then_some(value)
    };
    VirtualMachine {
        kind: value("vmType").map(|word| match word.as_str() {
            "vz" => APPLE.to_owned(),
            _ => clip(word.as_bytes()),
        }),
        cpus: value("cpus").as_deref().and_then(processors),
        memory_bytes: value("memory").as_deref().and_then(amount),
        ..machine(folder, manager)
    }
}

/// `4GiB`, `512MiB`, or a number of bytes.
fn amount(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (count, unit) = text.split_at_checked(digits)?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" | "K" | "k" => 1024,
        "MiB" | "M" => MEBIBYTE,
        "GiB" | "G" => 1024 * MEBIBYTE,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(unit)
}

/// The machine in which Podman keeps its containers, from its JSON file in the folder of what runs
/// it.
pub fn podman(provider: &str, text: &str) -> Option<VirtualMachine> {
    let it: serde_json::Value = serde_json::from_str(text).ok()?;
    let name = json_text(&it, &["Name"]).filter(|name| !name.is_empty())?;
    // Up to version 4 they stand at the top.
    let number = |name: &str| it.get("Resources").unwrap_or(&it).get(name)?.as_u64();
    Some(VirtualMachine {
        kind: Some(match provider {
            "applehv" => APPLE.to_owned(),
            other => other.to_owned(),
        }),
        cpus: number("CPUs").and_then(|count| count.try_into().ok()),
        memory_bytes: number("Memory").and_then(|count| count.checked_mul(MEBIBYTE)),
        ..machine(name, "podman")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hardware_of_snapshots_is_not_that_of_now() {
        let hardware = |cpus: u8| {
            format!("<Hardware><CPU count=\"{cpus}\"/><Memory RAMSize=\"{cpus}\"/></Hardware>")
        };
        let old = format!("<Snapshot uuid=\"{{0}}\">{}</Snapshot>", hardware(2));
        let whole = |inside: &str| {
            let head = "<VirtualBox><Machine uuid=\"{0}\" name=\"R&amp;D\">";
            virtual_box(&format!("{head}{inside}</Machine></VirtualBox>")).unwrap()
        };
        for inside in [old.clone() + &hardware(4), hardware(4), hardware(4) + &old] {
            let found = whole(&inside);
            assert_eq!((found.name.as_str(), found.cpus), ("R&D", Some(4)), "{inside}");
            assert_eq!(found.memory_bytes, Some(4 * MEBIBYTE));
        }
        assert_eq!(whole("<Hardware><CPU/></Hardware>").cpus, Some(1));
        assert_eq!(whole("").cpus, None);
        assert_eq!(virtual_box("<VirtualBox><MachineEncrypted/></VirtualBox>"), None);
    }

    #[test]
    fn what_is_hidden_is_not_guessed() {
        let open = vmware("displayName = \"a |22b|22\"\nuuid.bios = \"56 4d 00 11 22 33 44 55-66 77 88 99 aa bb cc dd\"").unwrap();
        assert_eq!((open.name.as_str(), open.cpus), ("a \"b\"", Some(1)));
        assert_eq!(open.uuid.as_deref(), Some("564d0011-2233-4455-6677-8899aabbccdd"));
        let closed = vmware("displayName = \"a\"\nencryption.data = \"x\"").unwrap();
        assert_eq!((closed.cpus, closed.memory_bytes), (None, None));
        assert_eq!(uuid("1234"), None);
    }

    #[test]
    fn amounts_have_units() {
        assert_eq!(amount("4GiB"), Some(4 << 30));
        assert_eq!(amount("1024"), Some(1024));
        for text in ["", "GiB", "4 parsecs", "99999999999999999999GiB", "18446744073709551615GiB"] {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(<Machine |<Hardware|</Snapshot>|<Cpu>|</Cpu>|<VmName>|name=\"|>|vmlist1.config = |displayName = |memory: |\\PC|\n)*") {
            let _ = virtual_box(&text);
            let _ = known_to_virtual_box(&text);
            let _ = vmware(&text);
            let _ = known_to_vmware(&text);
            let _ = parallels(&text);
            let _ = lima("lima", "x", &text);
            let _ = podman("qemu", &text);
            let _ = amount(&text);
            let _ = uuid(&text);
            let list = format!("<plist><dict><key>System</key><dict><key>CPUCount</key><integer>{text}</integer></dict></dict></plist>");
            let _ = Value::read(list.as_bytes()).and_then(|list| utm(&text, &list));
        }
    }
}
