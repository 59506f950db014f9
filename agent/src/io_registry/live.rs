//! Asks the kernel of macOS for entries of its I/O registry.

#![expect(unsafe_code, reason = "macOS tells of its devices only through its C interface")]

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr::{self, NonNull};

use objc2_core_foundation::{
    CFMutableDictionary, CFPropertyListCreateData, CFPropertyListFormat, CFPropertyListIsValid,
    CFRetained, CFType,
};
use objc2_io_kit::{
    IOIteratorNext, IOObjectCopyClass, IOObjectRelease, IORegistryEntryCreateCFProperties,
    IORegistryEntryFromPath, IORegistryEntryGetChildIterator, IORegistryEntryGetName,
    IOServiceGetMatchingServices, IOServiceMatching, io_object_t,
};

use super::{CHILDREN, CLASS, ENTRIES_LIMIT, Entry, NAME};
use crate::host::HostError;
use crate::plist::Value;

/// Zero stands for the kernel's usual port.
const MAIN_PORT: u32 = 0;
/// `KERN_SUCCESS`.
const SUCCESS: i32 = 0;
const SERVICES: &[u8] = b"IOService";
const NAME_BYTES: usize = 128;
const PATH_BYTES: usize = 512;

/// Counts bytes that were told, and says when they are too many.
type Count<'a> = &'a dyn Fn(usize) -> Result<(), HostError>;

/// A handle of the kernel that is given back.
struct Handle(io_object_t);

impl Handle {
    fn new(object: io_object_t) -> Option<Self> {
        (object != 0).then_some(Self(object))
    }

    /// The next one that this iterator leads to.
    fn next(&self) -> Option<Self> {
        Self::new(IOIteratorNext(self.0))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        IOObjectRelease(self.0);
    }
}

/// The entries of a class, each with this many levels below it.
pub(crate) fn of_class(
    class: &str,
    levels: usize,
    count: impl Fn(usize) -> Result<(), HostError>,
) -> Result<Vec<Entry>, HostError> {
    let failed = |why: &str| HostError::Failed {
        path: format!("the I/O registry ({class})"),
        why: why.to_owned(),
    };
    let name = CString::new(class).map_err(|_| failed("its name is none"))?;
    // SAFETY: the name ends in NUL and outlives the call.
    let wanted = unsafe { IOServiceMatching(name.as_ptr()) };
    let wanted = wanted.ok_or_else(|| failed("there is no room for the question"))?;
    let mut found: io_object_t = 0;
    // SAFETY: the question is a dictionary that the call takes over; the place outlives the call.
    let told = unsafe {
        IOServiceGetMatchingServices(
            MAIN_PORT,
            Some(CFRetained::cast_unchecked(wanted)),
            &raw mut found,
        )
    };
    if told != SUCCESS {
        return Err(failed(&format!("the kernel answered {told:#x}")));
    }
    let mut entries = Vec::new();
    let Some(found) = Handle::new(found) else { return Ok(entries) };
    let mut left = ENTRIES_LIMIT;
    while let Some(one) = found.next() {
        entries.extend(entry(&one, levels, &mut left, &count)?);
    }
    Ok(entries)
}

/// The entry at a path, e.g. `IODeviceTree:/options`.
pub(crate) fn of_path(
    path: &str,
    count: impl Fn(usize) -> Result<(), HostError>,
) -> Result<Entry, HostError> {
    let not_found = || HostError::NotFound { path: path.to_owned() };
    let mut place = chars::<PATH_BYTES>(path.as_bytes()).ok_or_else(not_found)?;
    // SAFETY: the path ends in NUL and is as long as its type says.
    let found = unsafe { IORegistryEntryFromPath(MAIN_PORT, &raw mut place) };
    let found = Handle::new(found).ok_or_else(not_found)?;
    entry(&found, 0, &mut 1, &count)?.ok_or_else(not_found)
}

/// Letters with a NUL behind them.
fn chars<const LENGTH: usize>(text: &[u8]) -> Option<[c_char; LENGTH]> {
    let mut chars = [0; LENGTH];
    if text.len() >= LENGTH {
        return None;
    }
    for (place, byte) in chars.iter_mut().zip(text) {
        *place = byte.cast_signed();
    }
    Some(chars)
}

/// An entry with what is below it; `None` for one that went meanwhile.
fn entry(
    object: &Handle,
    levels: usize,
    left: &mut usize,
    count: Count<'_>,
) -> Result<Option<Entry>, HostError> {
    let Some(rest) = left.checked_sub(1) else { return Ok(None) };
    *left = rest;
    let Some(bytes) = properties(object) else { return Ok(None) };
    count(bytes.len())?;
    let mut properties = match Value::read(&bytes) {
        Some(Value::Dictionary(properties)) => properties,
        _ => BTreeMap::new(),
    };
    drop(bytes);
    // As `ioreg` adds them.
    if let Some(class) = IOObjectCopyClass(object.0) {
        properties.insert(CLASS.to_owned(), Value::Text(class.to_string()));
    }
    if let Some(name) = name(object) {
        properties.insert(NAME.to_owned(), Value::Text(name));
    }
    properties.remove(CHILDREN);
    let mut below = Vec::new();
    if let Some(levels) = levels.checked_sub(1)
        && let Some(children) = children(object)
    {
        while let Some(child) = children.next() {
            below.extend(entry(&child, levels, left, count)?);
        }
    }
    Ok(Some(Entry { properties: Value::Dictionary(properties), below }))
}

fn name(object: &Handle) -> Option<String> {
    let mut name = [0; NAME_BYTES];
    // SAFETY: the place is as long as its type says and outlives the call.
    let told = unsafe { IORegistryEntryGetName(object.0, &raw mut name) };
    let letters = name.iter().map(|letter| letter.cast_unsigned());
    let letters: Vec<u8> = letters.take_while(|letter| *letter != 0).collect();
    (told == SUCCESS).then(|| String::from_utf8_lossy(&letters).into_owned())
}

fn children(object: &Handle) -> Option<Handle> {
    let mut plane = chars::<NAME_BYTES>(SERVICES)?;
    let mut found: io_object_t = 0;
    // SAFETY: the name ends in NUL, and both places outlive the call.
    let told = unsafe { IORegistryEntryGetChildIterator(object.0, &raw mut plane, &raw mut found) };
    Handle::new(found).filter(|_| told == SUCCESS)
}

/// The properties as a property list in bytes.
fn properties(object: &Handle) -> Option<Vec<u8>> {
    let mut told: *mut CFMutableDictionary = ptr::null_mut();
    // SAFETY: the place outlives the call.
    let answer = unsafe { IORegistryEntryCreateCFProperties(object.0, &raw mut told, None, 0) };
    let told = NonNull::new(told).filter(|_| answer == SUCCESS)?;
    // SAFETY: the call gave a dictionary that is ours to give back.
    let told = unsafe { CFRetained::from_raw(told) };
    as_bytes(&told).or_else(|| {
        without_foreign(&told);
        as_bytes(&told)
    })
}

fn as_bytes(properties: &CFMutableDictionary) -> Option<Vec<u8>> {
    // SAFETY: a dictionary of values is a property list, or the call gives nothing; without a place
    // for it no reason is told.
    let data = unsafe {
        CFPropertyListCreateData(
            None,
            Some(properties.as_ref()),
            CFPropertyListFormat::BinaryFormat_v1_0,
            0,
            ptr::null_mut(),
        )
    };
    Some(data?.to_vec())
}

/// Takes out what no property list can hold, such as sets.
fn without_foreign(properties: &CFMutableDictionary) {
    let length = usize::try_from(properties.count()).unwrap_or_default();
    let (mut names, mut values) = (vec![ptr::null(); length], vec![ptr::null(); length]);
    // SAFETY: both places are as long as the dictionary.
    unsafe { properties.keys_and_values(names.as_mut_ptr(), values.as_mut_ptr()) };
    for (name, value) in names.into_iter().zip(values) {
        let Some(value) = NonNull::new(value.cast::<CFType>().cast_mut()) else { continue };
        // SAFETY: the dictionary holds the value until it is taken out below.
        let fits = unsafe {
            CFPropertyListIsValid(value.as_ref(), CFPropertyListFormat::BinaryFormat_v1_0)
        };
        if !fits {
            // SAFETY: the name is one of the dictionary, which nobody else uses.
            unsafe { CFMutableDictionary::remove_value(Some(properties), name) };
        }
    }
}
