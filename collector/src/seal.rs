//! Seals what must be read again and may not be read from a stolen database: the secrets of second
//! factors. The key lies beside the database in a private file, or where the configuration says.
//!
//! AES-256-GCM with a random nonce. What a sealed value is for is part of it, so that the value of
//! one account opens nothing in the row of another.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use rollcall_shared::Digest;

use crate::failure::{Exit, Failure};
use crate::secret::NoRandomness;

/// The key's file in a data folder and in a backup.
pub const FILE: &str = "secret.key";
/// What the file begins with, so that nobody takes another key for it.
const PREFIX: &str = "rollcall-secret-key-1:";
const KEY_BYTES: usize = 32;
/// The form of a sealed value: this byte, the nonce, the sealed bytes with their tag.
const FORM: u8 = 1;

/// A key. Its `Debug` form shows nothing of it.
pub struct SealKey {
    key: LessSafeKey,
    id: Digest,
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({}…)", &self.id.to_string()[..8])
    }
}

impl SealKey {
    /// The key of these bytes.
    fn of(bytes: &[u8; KEY_BYTES]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        // 256 random bits cannot be guessed from their hash.
        let id = Digest::of(&[PREFIX.as_bytes(), bytes].concat());
        Some(Self { key, id })
    }

    /// A new key that is kept nowhere.
    #[cfg(test)]
    pub(crate) fn random() -> Self {
        Self::of(&random().unwrap()).unwrap()
    }

    /// Reads the key in this file, or makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                others_may_not_read(path)?;
                let bytes = text.trim().strip_prefix(PREFIX);
                let bytes = bytes.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
                let bytes = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
                bytes.and_then(|bytes| Self::of(&bytes)).ok_or_else(|| {
                    Failure::new(Exit::Usage, format!("{} holds no key", path.display())).next(
                        "Copy it from a backup or from another collector on the same database.",
                    )
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = random().map_err(|error| Failure::of(Exit::Internal, &error))?;
                write(path, &format!("{PREFIX}{}\n", URL_SAFE_NO_PAD.encode(bytes)))
                    .map_err(|error| failed("written", path, &error))?;
                Self::of(&bytes).ok_or_else(|| Failure::new(Exit::Internal, "a key has 32 bytes"))
            }
            Err(error) => Err(failed("read", path, &error)),
        }
    }

    /// Tells this key from others, and nothing else of it.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// Seals a value for one purpose, e.g. `totp 7`.
    pub fn seal(&self, purpose: &str, value: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| NoRandomness)?;
        let mut sealed = value.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| NoRandomness)?;
        Ok([&[FORM][..], &nonce, &sealed].concat())
    }

    /// What was sealed by this key for this purpose; `None` for anything else.
    pub fn open_sealed(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.strip_prefix(&[FORM])?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut bytes);
        opened.ok().map(|value| value.to_vec())
    }
}

fn random() -> Result<[u8; KEY_BYTES], NoRandomness> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Writes a file that only its owner may read, whole or not at all.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let unfinished = PathBuf::from(name);
    let _ = std::fs::remove_file(&unfinished);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    // The name as well: second factors that nobody can open again would be the worse loss.
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if cfg!(unix) => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// A group may read it: that is how containers are given their secrets.
fn others_may_not_read(path: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let found = std::fs::metadata(path).map_err(|error| failed("read", path, &error))?;
        if found.permissions().mode() & 0o007 != 0 {
            return Err(Failure::new(
                Exit::Permission,
                format!("everybody on this computer may read {}", path.display()),
            )
            .next(format!("Close it with `chmod 600 {}`.", path.display())));
        }
    }
    Ok(())
}

fn failed(action: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Permission,
        format!("the key file {} cannot be {action}: {error}", path.display()),
    )
    .next("See who owns it and its folder, or name another file with --secret-key.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_it_and_only_for_its_purpose() {
        let key = SealKey::random();
        let sealed = key.seal("totp 7", b"the secret of anna").unwrap();
        assert_eq!(key.open_sealed("totp 7", &sealed).unwrap(), b"the secret of anna");
        assert_ne!(sealed, key.seal("totp 7", b"the secret of anna").unwrap(), "a nonce each");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(key.open_sealed("totp 8", &sealed), None, "another account's");
        assert_eq!(SealKey::random().open_sealed("totp 7", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open_sealed("totp 7", &changed), None, "byte {at}");
            assert_eq!(key.open_sealed("totp 7", &sealed[..at]), None, "{at} bytes");
        }
        assert!(!format!("{key:?}").contains("key:"));
    }

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let made = SealKey::open(&path).unwrap();
        assert_eq!(SealKey::open(&path).unwrap().id(), made.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let bits = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(bits & 0o777, 0o600);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            let refused = SealKey::open(&path).unwrap_err();
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o440)).unwrap();
            assert!(SealKey::open(&path).is_ok());
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::write(&path, "something else").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        assert!(SealKey::open(&path).unwrap_err().to_string().contains("holds no key"));
        let nowhere = folder.path().join("none/secret.key");
        assert!(SealKey::open(&nowhere).unwrap_err().to_string().contains("cannot be written"));
    }
}
