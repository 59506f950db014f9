//! Asks the drivers of drives. What they answer is bytes; their meaning is found elsewhere.

use std::io;

use windows_sys::Win32::System::Ioctl::{
    IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, IOCTL_DISK_GET_DRIVE_LAYOUT_EX,
    IOCTL_STORAGE_PREDICT_FAILURE, IOCTL_STORAGE_QUERY_PROPERTY,
};

use super::descriptor::Answers;
use super::layout;
use crate::source::device_call::{Access, Device};

/// Numbers are given in order, and one that is free is given again.
const DISKS: u32 = 64;
const OPTICAL: u32 = 8;
/// `STORAGE_BUS_TYPE` of NVMe, and where an answer tells it.
const NVME: u8 = 17;
const BUS_AT: usize = 28;

/// `STORAGE_PROPERTY_ID`.
mod property {
    pub(super) const DEVICE: u32 = 0;
    pub(super) const IDENTIFIERS: u32 = 2;
    pub(super) const SEEK_PENALTY: u32 = 7;
    pub(super) const ADAPTER_PROTOCOL: u32 = 49;
}

/// The answers of all drives.
pub(super) fn answers() -> Vec<Answers> {
    let disks = (0..DISKS).map(|number| format!("PhysicalDrive{number}"));
    let optical = (0..OPTICAL).map(|number| format!("CdRom{number}"));
    disks.chain(optical).filter_map(of_drive).collect()
}

fn of_drive(name: String) -> Option<Answers> {
    let drive = match Device::open(&format!(r"\\.\{name}"), Access::Questions) {
        Ok(drive) => drive,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        // It is there, and nobody knows what it is.
        Err(_) => return Some(Answers { name, ..Answers::default() }),
    };
    let property = |number: u32, more: &[u8], room: usize| {
        let question = [number.to_le_bytes(), [0; 4]].concat();
        // Without more to say the question has room for one byte of it.
        let more = if more.is_empty() { &[0; 4] } else { more };
        let question = [question, more.to_vec()].concat();
        drive.ask(IOCTL_STORAGE_QUERY_PROPERTY, &question, room).unwrap_or_default()
    };
    let descriptor = property(property::DEVICE, &[], 1024);
    let controller = if descriptor.get(BUS_AT) == Some(&NVME) {
        property(property::ADAPTER_PROTOCOL, &identify_controller(), 48 + 4096)
    } else {
        Vec::new()
    };
    // A disk that sleeps is not woken up for it.
    let failure = if drive.is_awake() == Some(true) {
        drive.ask(IOCTL_STORAGE_PREDICT_FAILURE, &[], 516).unwrap_or_default()
    } else {
        Vec::new()
    };
    Some(Answers {
        geometry: drive.ask(IOCTL_DISK_GET_DRIVE_GEOMETRY_EX, &[], 256).unwrap_or_default(),
        layout: layout::LENGTHS
            .iter()
            .find_map(|room| drive.ask(IOCTL_DISK_GET_DRIVE_LAYOUT_EX, &[], *room).ok())
            .unwrap_or_default(),
        seek_penalty: property(property::SEEK_PENALTY, &[], 12),
        identifiers: property(property::IDENTIFIERS, &[], 1024),
        // What the vendor's own bytes after the first number say is nobody's business.
        failure: failure.into_iter().take(4).collect(),
        controller,
        descriptor,
        name,
    })
}

/// `STORAGE_PROTOCOL_SPECIFIC_DATA`: what an NVMe controller says of itself.
fn identify_controller() -> Vec<u8> {
    const NVME_PROTOCOL: u32 = 3;
    const IDENTIFY: u32 = 1;
    const CONTROLLER: u32 = 1;
    const HEAD_BYTES: u32 = 40;
    const DATA_BYTES: u32 = 4096;
    let words = [NVME_PROTOCOL, IDENTIFY, CONTROLLER, 0, HEAD_BYTES, DATA_BYTES, 0, 0, 0, 0];
    let mut question = words.map(u32::to_le_bytes).concat();
    // The driver wants the room for its answer in the question as well.
    question.resize((HEAD_BYTES + DATA_BYTES) as usize, 0);
    question
}
