//! Asks Windows for a key.

use windows_registry::{LOCAL_MACHINE, Type, USERS};

use super::{KEYS_LIMIT, Key, Value};
use crate::host::HostError;

/// No value that an inventory asks for is longer.
const VALUE_LIMIT_BYTES: usize = 16 * 1024;
/// `ERROR_FILE_NOT_FOUND` and `ERROR_PATH_NOT_FOUND` as an `HRESULT`.
const NOT_FOUND: [u32; 2] = [0x8007_0002, 0x8007_0003];
/// `ERROR_ACCESS_DENIED` as an `HRESULT`.
const DENIED: u32 = 0x8007_0005;

pub(super) fn read(path: &str) -> Result<Key, HostError> {
    let (hive, rest) = path.split_once('\\').unwrap_or((path, ""));
    let hive = match hive {
        "HKLM" => LOCAL_MACHINE,
        "HKU" => USERS,
        _ => return Err(HostError::NotFound { path: path.to_owned() }),
    };
    let opened = hive.open(rest).map_err(|error| failed(path, error.code().0, &error))?;
    let mut key = Key::default();
    for (name, value) in opened.values().map_err(|error| failed(path, error.code().0, &error))? {
        let bytes: &[u8] = &value;
        if bytes.len() > VALUE_LIMIT_BYTES {
            continue;
        }
        key.values.insert(name.to_ascii_lowercase(), meant(value.ty(), bytes));
    }
    let keys = opened.keys().map_err(|error| failed(path, error.code().0, &error))?;
    key.keys = keys.take(KEYS_LIMIT).collect();
    key.keys.sort_unstable();
    Ok(key)
}

/// What a failure means; its type has no name outside of the library.
fn failed(path: &str, code: i32, error: &impl std::fmt::Display) -> HostError {
    let path = path.to_owned();
    match code.cast_unsigned() {
        code if NOT_FOUND.contains(&code) => HostError::NotFound { path },
        DENIED => HostError::Denied { path },
        _ => HostError::Failed { path, why: error.to_string() },
    }
}

fn meant(kind: Type, bytes: &[u8]) -> Value {
    match kind {
        Type::String | Type::ExpandString => Value::Text(super::export::text(bytes)),
        Type::MultiString => Value::Texts(super::export::texts(bytes)),
        Type::U32 | Type::U64 => {
            let mut number = [0; 8];
            let length = bytes.len().min(8);
            number[..length].copy_from_slice(&bytes[..length]);
            Value::Number(u64::from_le_bytes(number))
        }
        Type::Bytes | Type::Other(_) => Value::Bytes(bytes.to_vec()),
    }
}
