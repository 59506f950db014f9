//! `/proc/cpuinfo` of x86, ARM and others, grouped by socket.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_shared::section::Processor;

use super::arm;

/// Flags that an inventory asks for: virtualisation, encryption, and what systems demand.
const FLAGS: &[&str] = &[
    "aes", "asimd", "atomics", "avx", "avx2", "avx512f", "lm", "nx", "popcnt", "sha2", "sha_ni",
    "sse4_2", "sve", "svm", "vmx",
];

/// What `/sys/devices/system/cpu` tells apart from `/proc/cpuinfo`.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// Socket and core of each logical processor, where `/proc/cpuinfo` does not say.
    pub topology: BTreeMap<u32, (u32, u32)>,
    /// Nominal frequency in kHz.
    pub base_khz: Option<u64>,
    /// Highest frequency in kHz.
    pub max_khz: Option<u64>,
    /// Whether the kernel can change frequencies, so that the current one says little.
    pub scaling: bool,
}

type Fields<'a> = BTreeMap<&'a str, &'a str>;

#[derive(Default)]
struct Socket<'a> {
    threads: u32,
    cores: BTreeSet<u32>,
    names: BTreeSet<String>,
    first: Fields<'a>,
}

/// Processors, one per socket.
pub fn processors(cpuinfo: &str, extra: &Extra) -> Vec<Processor> {
    let mut sockets: BTreeMap<u32, Socket<'_>> = BTreeMap::new();
    // Old ARM kernels put what holds for all processors into a last block.
    let mut common = Fields::new();
    for block in cpuinfo.split("\n\n") {
        let fields = fields(block);
        let Some(id) = number(&fields, "processor") else {
            common.extend(fields);
            continue;
        };
        let (package, core) = place(&fields, id, extra);
        let socket = sockets.entry(package).or_default();
        socket.threads += 1;
        socket.cores.insert(core);
        socket.names.insert(model(&fields, &common));
        if socket.first.is_empty() {
            socket.first = fields;
        }
    }
    sockets.into_iter().map(|(id, socket)| socket.told(id, &common, extra)).collect()
}

impl Socket<'_> {
    fn told(self, id: u32, common: &Fields<'_>, extra: &Extra) -> Processor {
        let get = |key: &str| self.first.get(key).or_else(|| common.get(key)).copied();
        let known: Vec<String> = self.names.into_iter().filter(|name| !name.is_empty()).collect();
        let model = if known.is_empty() { "unknown".to_owned() } else { known.join(" + ") };
        let flags = get("flags").or_else(|| get("Features")).unwrap_or_default();
        let mut flags: Vec<String> = flags
            .split_whitespace()
            .filter(|flag| FLAGS.contains(flag))
            .map(str::to_owned)
            .collect();
        flags.sort_unstable();
        flags.dedup();
        let base_mhz = extra
            .base_khz
            .and_then(mhz)
            .or_else(|| mhz_in_name(&model))
            .or_else(|| steady_mhz(get("cpu MHz")?, extra));
        Processor {
            socket: id,
            vendor: get("vendor_id")
                .or_else(|| get("CPU implementer").and_then(arm::implementer))
                .map(str::to_owned),
            cores: u32::try_from(self.cores.len()).ok(),
            threads: Some(self.threads),
            base_mhz,
            max_mhz: extra.max_khz.and_then(mhz),
            microcode: get("microcode").map(str::to_owned),
            model,
            flags,
        }
    }
}

fn fields(block: &str) -> Fields<'_> {
    block
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn number(fields: &Fields<'_>, key: &str) -> Option<u32> {
    fields.get(key)?.parse().ok()
}

/// Socket and core of a logical processor.
fn place(fields: &Fields<'_>, id: u32, extra: &Extra) -> (u32, u32) {
    match (number(fields, "physical id"), number(fields, "core id")) {
        (Some(package), Some(core)) => (package, core),
        _ => extra.topology.get(&id).copied().unwrap_or((0, id)),
    }
}

fn model(fields: &Fields<'_>, common: &Fields<'_>) -> String {
    // On ARM `model name` is a revision text, if present at all; the part number is better.
    let part = fields.get("CPU implementer").zip(fields.get("CPU part"));
    if let Some(name) = part.and_then(|(maker, part)| arm::part(maker, part)) {
        return name.to_owned();
    }
    let keys = ["model name", "cpu model", "cpu", "uarch", "Processor", "Hardware"];
    let text = keys.iter().find_map(|key| fields.get(key).or_else(|| common.get(key)));
    text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

fn mhz(khz: u64) -> Option<u32> {
    u32::try_from(khz / 1000).ok().filter(|mhz| *mhz > 0)
}

/// Intel writes the nominal frequency into the name: `... CPU @ 2.40GHz`.
fn mhz_in_name(model: &str) -> Option<u32> {
    let text = model.rsplit_once('@')?.1.trim();
    let (text, digits) = match text.strip_suffix("GHz") {
        Some(text) => (text, 3),
        None => (text.strip_suffix("MHz")?, 0),
    };
    thousandths(text.trim(), digits)
}

/// The current frequency is the nominal one where nothing changes it, as in virtual machines.
fn steady_mhz(current: &str, extra: &Extra) -> Option<u32> {
    if extra.scaling { None } else { thousandths(current, 0) }
}

/// A decimal number times ten to the power of `digits`, rounded down.
fn thousandths(text: &str, digits: usize) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain(std::iter::repeat('0')).take(digits).collect();
    format!("{whole}{part}").parse().ok().filter(|mhz| *mhz > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn x86(processor: u32, package: u32, core: u32, name: &str) -> String {
        format!(
            "processor\t: {processor}\nvendor_id\t: GenuineIntel\nmodel name\t: {name}\n\
             cpu MHz\t\t: 2394.374\nphysical id\t: {package}\ncore id\t\t: {core}\n\
             microcode\t: 0x430\nflags\t\t: fpu vmx aes lm nx avx2 avx\n\n"
        )
    }

    #[test]
    fn two_sockets_with_two_threads_a_core() {
        let name = "Intel(R) Xeon(R) Silver 4314  CPU @ 2.40GHz";
        let text: String = (0..8).map(|n| x86(n, n % 2, n / 4, name)).collect();
        let found = processors(&text, &Extra { scaling: true, ..Extra::default() });
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].cores, found[1].threads), (Some(2), Some(4)));
        assert_eq!(found[0].base_mhz, Some(2400));
        assert_eq!(found[0].model, "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz");
        assert_eq!(found[0].flags, ["aes", "avx", "avx2", "lm", "nx", "vmx"]);
        assert_eq!(found[0].microcode.as_deref(), Some("0x430"));
    }

    #[test]
    fn a_virtual_processor_has_a_speed() {
        let text = x86(0, 0, 0, "AMD EPYC");
        assert_eq!(processors(&text, &Extra::default())[0].base_mhz, Some(2394));
        let scaling = Extra { scaling: true, ..Extra::default() };
        assert_eq!(processors(&text, &scaling)[0].base_mhz, None);
    }

    #[test]
    fn arm_is_told_by_its_parts() {
        let block = |id: u32, part: &str| {
            format!(
                "processor\t: {id}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd aes crc32\n\
                 CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: {part}\n\n"
            )
        };
        let text =
            [block(0, "0xd03"), block(1, "0xd08"), "Hardware\t: BCM2835\n".to_owned()].concat();
        let extra = Extra { max_khz: Some(1_500_000), scaling: true, ..Extra::default() };
        let found = processors(&text, &extra);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].model, "Cortex-A53 + Cortex-A72");
        assert_eq!(found[0].vendor.as_deref(), Some("ARM"));
        assert_eq!((found[0].cores, found[0].threads), (Some(2), Some(2)));
        assert_eq!(found[0].max_mhz, Some(1500));
        assert_eq!(found[0].flags, ["aes", "asimd"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "((processor|physical id|core id|cpu MHz|model name|CPU part)\t: \\PC{0,12}\n|\\PC|\n\n)*"
        ) {
            let _ = processors(&text, &Extra::default());
        }
    }
}
