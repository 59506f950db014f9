//! How a drive of Windows is divided, as the bytes of `DRIVE_LAYOUT_INFORMATION_EX`. Only what says
//! that it is a part of something larger is looked at.

/// Lengths of the answer that are asked for, one after the other: most drives have few partitions,
/// and there is no shorter answer for a place that is too small.
#[cfg(windows)]
pub(super) const LENGTHS: [usize; 2] =
    [HEAD_BYTES + 16 * PARTITION_BYTES, HEAD_BYTES + 112 * PARTITION_BYTES];
const HEAD_BYTES: usize = 48;
const PARTITION_BYTES: usize = 144;
/// Where a partition tells its kind.
const KIND_AT: usize = 32;

/// The numbers of the kinds that belong to dynamic disks, as they lie in memory: what the manager
/// of logical disks notes (5808c8aa-7e8f-42e0-85d2-e01e90434cb3) and its data
/// (af9b60a0-1431-4f62-bc68-3311714a69ad).
const OF_DYNAMIC_DISKS: [[u8; 16]; 2] = [
    [
        0xaa, 0xc8, 0x08, 0x58, 0x8f, 0x7e, 0xe0, 0x42, 0x85, 0xd2, 0xe0, 0x1e, 0x90, 0x43, 0x4c,
        0xb3,
    ],
    [
        0xa0, 0x60, 0x9b, 0xaf, 0x31, 0x14, 0x62, 0x4f, 0xbc, 0x68, 0x33, 0x11, 0x71, 0x4a, 0x69,
        0xad,
    ],
];
/// The same in the older form of the table.
const OF_DYNAMIC_DISKS_MBR: u8 = 0x42;

/// Whether the drive is a dynamic disk: its volumes may span several of them.
pub(crate) fn is_dynamic(layout: &[u8]) -> bool {
    const MBR: u32 = 0;
    const GPT: u32 = 1;
    let word = |at: usize| Some(u32::from_le_bytes(layout.get(at..at + 4)?.try_into().ok()?));
    let (Some(style), Some(count)) = (word(0), word(4)) else { return false };
    let partitions = layout.get(HEAD_BYTES..).unwrap_or_default();
    let partitions = partitions.chunks_exact(PARTITION_BYTES);
    partitions.take(count as usize).filter_map(|one| one.get(KIND_AT..KIND_AT + 16)).any(|kind| {
        match style {
            MBR => kind.first() == Some(&OF_DYNAMIC_DISKS_MBR),
            GPT => OF_DYNAMIC_DISKS.iter().any(|one| one == kind),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(style: u32, count: u32, kinds: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [style.to_le_bytes(), count.to_le_bytes()].concat();
        bytes.resize(HEAD_BYTES, 0);
        for kind in kinds {
            let mut partition = vec![0; PARTITION_BYTES];
            partition[KIND_AT..KIND_AT + kind.len()].copy_from_slice(kind);
            bytes.extend(partition);
        }
        bytes
    }

    #[test]
    fn dynamic_disks_are_told_by_their_partitions() {
        let basic = [0xa2; 16];
        assert!(is_dynamic(&layout(1, 2, &[&basic, &OF_DYNAMIC_DISKS[1]])));
        assert!(!is_dynamic(&layout(1, 1, &[&basic, &OF_DYNAMIC_DISKS[1]])), "not counted");
        assert!(is_dynamic(&layout(0, 4, &[&[0x07], &[0x42]])));
        assert!(!is_dynamic(&layout(0, 4, &[&[0x07], &[0x27], &[0], &[0]])));
        assert!(!is_dynamic(&layout(2, 1, &[&[0x42]])), "a drive without a table");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = is_dynamic(&bytes);
        }
    }
}
