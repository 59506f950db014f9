//! The files in which programs keep what they know of their containers and machines. Only named
//! fields are taken.

use std::collections::BTreeMap;

use rollcall_shared::Timestamp;
use rollcall_shared::section::{Container, VirtualMachine};
use serde_json::Value;

use crate::source::text::{clip, json_text};

/// A container of Docker, from its `config.v2.json` and `hostconfig.json`; nothing for one that
/// goes away by itself when it ends.
pub fn docker(config: &str, host_config: &str) -> Option<Container> {
    let passing: Value = serde_json::from_str(host_config).unwrap_or_default();
    if passing.get("AutoRemove").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let it: Value = serde_json::from_str(config).ok()?;
    let name = json_text(&it, &["Name"]).unwrap_or_default().trim_start_matches('/');
    let id = json_text(&it, &["ID"]).and_then(short);
    Some(Container {
        name: if name.is_empty() { id.clone()? } else { clip(name.as_bytes()) },
        runtime: "docker".to_owned(),
        id,
        image: json_text(&it, &["Config", "Image"]).map(image_name),
        running: it.get("State").and_then(|state| state.get("Running")).and_then(Value::as_bool),
        created_at: json_text(&it, &["Created"]).and_then(moment),
    })
}

/// Containers of Podman with their whole numbers, from its `containers.json`.
pub fn podman(text: &str) -> Vec<(String, Container)> {
    let list: Value = serde_json::from_str(text).unwrap_or_default();
    let one = |it: &Value| {
        // More stands in a text that is JSON itself.
        let more = json_text(it, &["metadata"]).unwrap_or_default();
        let more: Value = serde_json::from_str(more).unwrap_or_default();
        let names = it.get("names").and_then(Value::as_array);
        let name = names.and_then(|names| names.first()?.as_str());
        let id = json_text(it, &["id"])?;
        let container = Container {
            name: clip(name.or_else(|| json_text(&more, &["name"]))?.as_bytes()),
            runtime: "podman".to_owned(),
            id: short(id),
            image: json_text(&more, &["image-name"]).map(image_name),
            running: None,
            created_at: json_text(it, &["created"]).and_then(moment),
        };
        Some((id.to_owned(), container))
    };
    list.as_array().into_iter().flatten().filter_map(one).collect()
}

/// A container of containerd, from its running specification (OCI). Those that only hold a pod
/// together are none.
pub fn containerd(id: &str, spec: &str) -> Option<Container> {
    let spec: Value = serde_json::from_str(spec).ok()?;
    let of = |key: &str| json_text(&spec, &["annotations", &format!("io.kubernetes.cri.{key}")]);
    if of("container-type") == Some("sandbox") {
        return None;
    }
    let in_pod = of("container-name").map(|name| {
        let pod = [of("sandbox-namespace"), of("sandbox-name"), Some(name)];
        pod.into_iter().flatten().collect::<Vec<_>>().join("/")
    });
    let plain = json_text(&spec, &["annotations", "nerdctl/name"]).map(str::to_owned);
    Some(Container {
        name: clip(in_pod.or(plain).unwrap_or_else(|| id.to_owned()).as_bytes()),
        runtime: "containerd".to_owned(),
        id: short(id),
        image: of("image-name").map(image_name),
        running: Some(true),
        created_at: None,
    })
}

/// A machine of libvirt, from its description.
pub fn libvirt(xml: &str) -> Option<VirtualMachine> {
    // Snapshots of other machines may follow in the same file.
    let domain = xml.get(xml.find("<domain")?..)?;
    let domain = domain.get(..domain.find("</domain>")?)?;
    let name = element(domain, "name")?.1;
    let (attributes, memory) = element(domain, "memory").unwrap_or_default();
    let unit = match attribute(attributes, "unit").as_deref() {
        Some("b" | "bytes") => 1,
        Some("KB") => 1000,
        Some("M" | "MiB") => 1024 * 1024,
        Some("G" | "GiB") => 1024 * 1024 * 1024,
        Some("T" | "TiB") => 1024_u64.pow(4),
        _ => 1024,
    };
    let head = domain.get(..domain.find('>')?)?;
    Some(VirtualMachine {
        name: clip(unescaped(name).as_bytes()),
        manager: "libvirt".to_owned(),
        kind: attribute(head, "type"),
        uuid: element(domain, "uuid").map(|(_, uuid)| uuid.to_ascii_lowercase()),
        cpus: element(domain, "vcpu").and_then(|(_, count)| count.parse().ok()),
        memory_bytes: memory.parse::<u64>().ok().and_then(|count| count.checked_mul(unit)),
        running: None,
        automatic: None,
    })
}

/// Attributes and text of the first element of a name.
pub(super) fn element<'a>(xml: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut rest = xml;
    loop {
        let at = rest.find(&format!("<{name}"))?;
        rest = rest.get(at + 1 + name.len()..)?;
        if rest.starts_with(['>', ' ', '\n', '\t']) {
            let (attributes, text) = rest.split_once('>')?;
            return Some((attributes, text.split('<').next()?.trim()));
        }
    }
}

pub(super) fn attribute(head: &str, name: &str) -> Option<String> {
    let value = head.split(&format!(" {name}=")).nth(1)?;
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Some(clip(value.get(1..)?.split(quote).next()?.as_bytes()))
}

pub(super) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The settings of a guest of Proxmox: those in front of its first snapshot.
pub fn proxmox(text: &str) -> BTreeMap<String, String> {
    let now = text.lines().take_while(|line| !line.starts_with('['));
    now.filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.trim().to_owned(), clip(value.as_bytes())))
        .collect()
}

/// A virtual machine of Proxmox, by its number.
pub fn proxmox_machine(number: &str, text: &str) -> VirtualMachine {
    let settings = proxmox(text);
    let count = |key: &str| settings.get(key).and_then(|text| text.parse::<u32>().ok());
    let uuid = settings.get("smbios1").and_then(|text| {
        text.split(',').find_map(|part| part.strip_prefix("uuid=")).map(str::to_ascii_lowercase)
    });
    let emulated = settings.get("kvm").is_some_and(|on| on == "0");
    let mebibytes = settings.get("memory").and_then(|text| {
        // Newer versions write `current=2048`.
        text.rsplit('=').next().and_then(|text| text.parse::<u64>().ok())
    });
    VirtualMachine {
        name: settings.get("name").cloned().unwrap_or_else(|| number.to_owned()),
        manager: "proxmox".to_owned(),
        kind: Some(if emulated { "qemu" } else { "kvm" }.to_owned()),
        uuid,
        cpus: Some(count("cores").unwrap_or(1) * count("sockets").unwrap_or(1)),
        memory_bytes: mebibytes.map(|count| count.saturating_mul(1024 * 1024)),
        running: None,
        automatic: Some(settings.get("onboot").is_some_and(|on| on == "1")),
    }
}

/// The first twelve digits, as people know it.
fn short(id: &str) -> Option<String> {
    let plain = id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { id.get(..12).map(str::to_owned) } else { None }
}

/// An image without a name and password for where it lies.
fn image_name(image: &str) -> String {
    // `nginx@sha256:…` names a version; what stands before any other `@` is a way in.
    let (image, version) = match image.rsplit_once('@') {
        Some((image, version)) if version.starts_with("sha256:") => (image, Some(version)),
        _ => (image, None),
    };
    let name = image.rsplit_once('@').map_or(image, |(_, name)| name);
    let version = version.map(|version| format!("@{version}")).unwrap_or_default();
    clip(format!("{name}{version}").as_bytes())
}

fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(moment.as_millisecond())).filter(|at| at.0 > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn libvirt_tells_units_and_names() {
        let xml = "<!-- x -->\n<domain type='kvm' id=\"3\">\n<name>R&amp;D</name>\n\
            <memory unit='GiB'>2</memory><memoryBacking/>\n<vcpu placement='static'>4</vcpu>\
            <uuid>0A1B</uuid><metadata><name>other</name></metadata></domain>";
        let found = libvirt(xml).unwrap();
        assert_eq!(found.name, "R&D");
        assert_eq!(found.memory_bytes, Some(2 << 30));
        assert_eq!((found.cpus, found.kind.as_deref()), (Some(4), Some("kvm")));
        assert_eq!(found.uuid.as_deref(), Some("0a1b"));
    }

    #[test]
    fn images_have_no_passwords() {
        assert_eq!(image_name("nginx:1.27"), "nginx:1.27");
        assert_eq!(image_name("nginx@sha256:ab"), "nginx@sha256:ab");
        assert_eq!(image_name("anna:secret@registry.example.org/x"), "registry.example.org/x");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(<domain|</domain>|<name>|<memory unit='|>|\\PC|[a-z]+: \\PC{0,9}\n|\n)*") {
            let _ = libvirt(&text);
            let _ = libvirt(&format!("<domain type='{text}</domain>"));
            let _ = proxmox_machine("100", &text);
            let _ = docker(&text, &text);
            let _ = podman(&text);
            let _ = containerd("x", &text);
            let _ = image_name(&text);
        }
    }
}
