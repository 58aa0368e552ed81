//! What the device and the guard beside its microphone know each other by: a key that both have,
//! sealed here, and which guard it is.
//!
//! The key is a [secret](crate::secrets) of the device's, so it is there in an approved state
//! alone: software that nobody approved cannot announce anything to the guard. The identity is
//! kept beside it in the clear. It keeps nobody out whom the key lets in; it says so sooner, and
//! says whose guard was taken for this one.

use earnest_evidence::hex;
use earnest_files::FileError;
use earnest_tpm::{Secret, TrustModule};

use crate::folder::Folder;
use crate::secrets::{self, Purpose, SecretsError};

/// Bytes of a guard's identity.
pub const IDENTITY_BYTES: usize = 8;

/// The file of the identity, in hexadecimal digits.
const IDENTITY_FILE: &str = "guard.identity";

/// Longest file: the digits, and the end of the line.
const MAX_FILE_BYTES: usize = 2 * IDENTITY_BYTES + 1;

/// What a guard is known by.
#[derive(Debug)]
pub struct Known {
    /// The key that it has, too.
    pub key: Secret,
    /// Which it is; none where it was not met yet.
    pub identity: Option<[u8; IDENTITY_BYTES]>,
}

/// What the guard is known by; `None` where nobody paired one.
///
/// # Errors
///
/// When the TPM refuses or is out of reach, or a file is damaged.
pub fn known(module: &dyn TrustModule, folder: &Folder) -> Result<Option<Known>, GuardKeyError> {
    let Some(id) = secrets::newest(folder, Purpose::Guard)? else {
        return Ok(None);
    };
    Ok(Some(Known {
        key: secrets::open(module, folder, id)?,
        identity: identity(folder)?,
    }))
}

/// The key for a guard that is to be paired: the one that there is, or a new one. With `anew` it is
/// a new one in any case, and the guard of before is another's from now on.
///
/// # Errors
///
/// As [`known`].
pub fn to_pair(
    module: &dyn TrustModule,
    folder: &Folder,
    anew: bool,
) -> Result<Secret, GuardKeyError> {
    let id = match secrets::newest(folder, Purpose::Guard)? {
        Some(id) if !anew => id,
        before => {
            let id = secrets::create(module, folder, Purpose::Guard)?;
            if let Some(before) = before {
                secrets::destroy(folder, before)?;
            }
            folder.remove(IDENTITY_FILE)?;
            id
        }
    };
    Ok(secrets::open(module, folder, id)?)
}

/// Notes which guard took the key.
///
/// # Errors
///
/// When the file cannot be written.
pub fn pin(folder: &Folder, identity: [u8; IDENTITY_BYTES]) -> Result<(), GuardKeyError> {
    let line = format!("{}\n", hex::encode(&identity));
    Ok(folder.write(IDENTITY_FILE, line.as_bytes())?)
}

fn identity(folder: &Folder) -> Result<Option<[u8; IDENTITY_BYTES]>, GuardKeyError> {
    let Some(bytes) = folder.read(IDENTITY_FILE, MAX_FILE_BYTES)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let identity = hex::decode_array(text.trim_end());
    Ok(Some(identity.map_err(|_| GuardKeyError::Identity)?))
}

/// Why it is not known what a guard is known by.
#[derive(Debug, thiserror::Error)]
pub enum GuardKeyError {
    /// The key.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file of the identity is damaged.
    #[error("{IDENTITY_FILE} in the device's folder is damaged: pair the guard anew")]
    Identity,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;
    use crate::testing::{Fleet, folder};

    #[test]
    fn a_guard_is_known_by_one_key_until_another_is_wanted() {
        let (_place, folder) = folder();
        let fleet = Fleet::new();
        let module = fleet.fake();
        let policy = fleet.approve(&module);
        content::keep_policy(&folder, &fleet.key(), &policy.encode()).unwrap();
        assert!(known(&module, &folder).unwrap().is_none());
        let key = to_pair(&module, &folder, false).unwrap();
        assert_eq!(known(&module, &folder).unwrap().unwrap().identity, None);
        pin(&folder, [9; 8]).unwrap();
        let found = known(&module, &folder).unwrap().unwrap();
        assert_eq!((&found.key, found.identity), (&key, Some([9; 8])));
        // A second try has the same key: the guard may have taken it the first time.
        assert_eq!(to_pair(&module, &folder, false).unwrap(), key);

        let other = to_pair(&module, &folder, true).unwrap();
        assert_ne!(other, key);
        let found = known(&module, &folder).unwrap().unwrap();
        assert_eq!((&found.key, found.identity), (&other, None));
        let left = secrets::list(&folder, Purpose::Guard).unwrap();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn the_key_is_there_in_an_approved_state_alone() {
        let (_place, folder) = folder();
        let fleet = Fleet::new();
        let module = fleet.fake();
        let policy = fleet.approve(&module);
        content::keep_policy(&folder, &fleet.key(), &policy.encode()).unwrap();
        to_pair(&module, &folder, false).unwrap();
        module.pcr_extend(4, &[1; 32]).unwrap();
        assert!(matches!(
            known(&module, &folder),
            Err(GuardKeyError::Secrets(SecretsError::Unseal(_)))
        ));
    }

    #[test]
    fn a_damaged_identity_is_no_identity() {
        let (_place, folder) = folder();
        for bytes in [
            &b""[..],
            b"0011",
            b"zz11223344556677",
            b"00112233445566778\n",
        ] {
            folder.write(IDENTITY_FILE, bytes).unwrap();
            assert!(identity(&folder).is_err(), "{bytes:?}");
        }
        folder.write(IDENTITY_FILE, b"0011223344556677\n").unwrap();
        assert!(identity(&folder).unwrap().is_some());
    }
}
