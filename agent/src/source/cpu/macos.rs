//! Processors of a Mac, as its kernel names them.

use rollcall_shared::section::{Processor, Section};
use rollcall_shared::{Note, NoteKind};

use crate::host::Host;
use crate::source::text::{number, some};
use crate::source::{Gathered, Platform, Privilege, Source};

/// The declaration.
pub const MACOS: Source = Source {
    name: "kernel_cpu",
    section: "cpu",
    about: "Name, cores and frequency of the processor as the kernel tells them (sysctl)",
    platforms: &[Platform::Macos],
    privilege: Privilege::User,
    programs: &[],
    gather,
};

fn gather(host: &Host) -> Gathered {
    match told(host).as_deref().and_then(processor) {
        Some(processor) => Gathered::of(Section::Cpu(vec![processor])),
        None => Gathered::absent(
            Note::new(NoteKind::Failed).with_detail("the kernel names no processor"),
        ),
    }
}

/// Name, maker, cores, threads and MHz with tabs between them. Macs with two sockets are so old
/// that no supported system runs on them.
fn processor(told: &str) -> Option<Processor> {
    let mut fields = told.trim_end().split('\t').map(|field| some(field.as_bytes()));
    let mut next = || fields.next().flatten();
    let (model, vendor) = (next()?, next());
    let mut amount = || next().and_then(|text| number::<u32>(text.as_bytes())).filter(|it| *it > 0);
    let (cores, threads, mhz) = (amount(), amount(), amount());
    // Chips of Apple have no nominal frequency; what is told is the highest of the fastest cores.
    let of_apple = vendor.as_deref() == Some("Apple");
    Some(Processor {
        socket: 0,
        model,
        vendor,
        cores,
        threads,
        base_mhz: mhz.filter(|_| !of_apple),
        max_mhz: mhz.filter(|_| of_apple),
        ..Processor::default()
    })
}

fn told(host: &Host) -> Option<String> {
    if !host.is_live() {
        return host.captured_call("cpu");
    }
    cfg_select! {
        target_os = "macos" => {
            let mut system = sysinfo::System::new().ok()?;
            system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing().with_frequency());
            let cpu = system.cpus().first()?;
            let cores = sysinfo::System::physical_core_count().unwrap_or_default();
            let threads = system.cpus().len();
            let (brand, vendor, mhz) = (cpu.brand(), cpu.vendor_id(), cpu.frequency());
            Some(format!("{brand}\t{vendor}\t{cores}\t{threads}\t{mhz}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chips_of_apple_and_others() {
        let found = processor("Apple M1\tApple\t8\t8\t3204\n").unwrap();
        assert_eq!((found.cores, found.base_mhz, found.max_mhz), (Some(8), None, Some(3204)));
        let intel = "Intel(R) Core(TM) i5-5257U CPU @ 2.70GHz\tGenuineIntel\t2\t4\t2700";
        let found = processor(intel).unwrap();
        assert_eq!((found.threads, found.base_mhz), (Some(4), Some(2700)));
        assert_eq!(processor(""), None);
        assert_eq!(processor("x\t\t0").unwrap().cores, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|\t)*") {
            let _ = processor(&text);
        }
    }
}
