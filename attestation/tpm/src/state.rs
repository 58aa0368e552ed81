//! What a provisioned device keeps on its disk.
//!
//! Nothing in it is secret: private parts are encrypted by the TPM that made them and are
//! worth nothing elsewhere. All of it is checked when it is read, and again by the TPM when it
//! is used. A file is
//!
//! ```text
//! magic, version of the format (8) | kind (1) | fields | SHA-256 of all before (32)
//! field: number (1), length (4, big-endian), bytes
//! ```
//!
//! with every field of its kind once, in ascending order. The checksum is against damage, not
//! against forgery: whoever can write the file can write the checksum.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use earnest_evidence::sealing::PolicyKey;
use ring::digest;

use crate::module::{Attestation, Identity};

/// The name of the device's state in its state directory.
pub const STATE_FILE: &str = "device.tpm";

/// A file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earntpm\x01";

/// The longest field. An EK certificate with its extensions has less than 2 kB, and an NV index
/// holds a few more at most.
const MAX_FIELD_BYTES: usize = 8 << 10;

/// More than the fields of any kind take together.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// A key's two parts, as `TPM2_Create` gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyBlob {
    /// A `TPMT_PUBLIC`.
    pub(crate) public: Vec<u8>,
    /// The content of a `TPM2B_PRIVATE`, encrypted by the storage root key.
    pub(crate) private: Vec<u8>,
}

/// What a device must remember of its provisioning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(crate) srk_name: Vec<u8>,
    pub(crate) root: PolicyKey,
    pub(crate) ak_private: Vec<u8>,
    pub(crate) authority_private: Vec<u8>,
    pub(crate) identity: Identity,
}

/// A sealed secret: worth something only to the TPM that sealed it, in an approved state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    pub(crate) blob: KeyBlob,
}

const STATE_KIND: u8 = 1;
const SEALED_KIND: u8 = 2;

impl State {
    /// The device's keys.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The root whose policies this device obeys.
    pub fn root(&self) -> &PolicyKey {
        &self.root
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Identity {
            ek_public,
            ek_certificate,
            ak_public,
            authority_public,
            authority_certification,
        } = &self.identity;
        let certificate = ek_certificate.as_deref().unwrap_or_default();
        encode(
            STATE_KIND,
            &[
                &self.srk_name,
                self.root.as_bytes(),
                ek_public,
                certificate,
                ak_public,
                &self.ak_private,
                authority_public,
                &self.authority_private,
                &authority_certification.attest,
                &authority_certification.signature,
            ],
        )
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// When they are damaged or something else.
    pub fn parse(bytes: &[u8]) -> Result<State, StateError> {
        let [
            srk_name,
            root,
            ek_public,
            certificate,
            ak_public,
            ak_private,
            authority_public,
            authority_private,
            attest,
            signature,
        ] = fields(STATE_KIND, bytes)?;
        let root = root.try_into().map_err(|_| StateError::Field {
            number: 1,
            expected: 64,
            found: root.len(),
        })?;
        Ok(State {
            srk_name: srk_name.to_vec(),
            root: PolicyKey::from_bytes(root),
            ak_private: ak_private.to_vec(),
            authority_private: authority_private.to_vec(),
            identity: Identity {
                ek_public: ek_public.to_vec(),
                ek_certificate: (!certificate.is_empty()).then(|| certificate.to_vec()),
                ak_public: ak_public.to_vec(),
                authority_public: authority_public.to_vec(),
                authority_certification: Attestation {
                    attest: attest.to_vec(),
                    signature: signature.to_vec(),
                },
            },
        })
    }

    /// Writes the state into a directory, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), StateError> {
        write(&directory.join(STATE_FILE), &self.encode())
    }

    /// Reads the state from a directory.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read, or it is damaged.
    pub fn load(directory: &Path) -> Result<State, StateError> {
        State::parse(&read(&directory.join(STATE_FILE))?)
    }
}

impl SealedKey {
    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(SEALED_KIND, &[&self.blob.public, &self.blob.private])
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    ///
    /// When they are damaged or something else.
    pub fn parse(bytes: &[u8]) -> Result<SealedKey, StateError> {
        let [public, private] = fields(SEALED_KIND, bytes)?;
        Ok(SealedKey {
            blob: KeyBlob {
                public: public.to_vec(),
                private: private.to_vec(),
            },
        })
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        write(path, &self.encode())
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or it is damaged.
    pub fn load(path: &Path) -> Result<SealedKey, StateError> {
        SealedKey::parse(&read(path)?)
    }
}

fn encode(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(kind);
    for (number, field) in (0_u8..).zip(fields) {
        bytes.push(number);
        // What the TPM gives is shorter than MAX_FIELD_BYTES by far.
        bytes.extend((field.len() as u32).to_be_bytes());
        bytes.extend(*field);
    }
    let checksum = digest::digest(&digest::SHA256, &bytes);
    bytes.extend(checksum.as_ref());
    bytes
}

fn fields<const N: usize>(kind: u8, bytes: &[u8]) -> Result<[&[u8]; N], StateError> {
    let expected = MAGIC.len() + 1 + 5 * N + digest::SHA256_OUTPUT_LEN;
    let found = bytes.len();
    let short = || StateError::Truncated { expected, found };
    let (body, checksum) = bytes
        .split_last_chunk::<{ digest::SHA256_OUTPUT_LEN }>()
        .ok_or_else(short)?;
    let (magic, rest) = body.split_first_chunk::<8>().ok_or_else(short)?;
    if *magic != MAGIC {
        return Err(StateError::Magic {
            expected: MAGIC,
            found: *magic,
        });
    }
    if digest::digest(&digest::SHA256, body).as_ref() != checksum {
        return Err(StateError::Damaged);
    }
    let (found_kind, mut rest) = rest.split_first().ok_or_else(short)?;
    if *found_kind != kind {
        return Err(StateError::Kind {
            expected: kind,
            found: *found_kind,
        });
    }
    let mut fields = [&[][..]; N];
    for (number, field) in fields.iter_mut().enumerate() {
        let ([found_number, length @ ..], behind) =
            rest.split_first_chunk::<5>().ok_or_else(short)?;
        let length = u32::from_be_bytes(*length) as usize;
        if usize::from(*found_number) != number || length > MAX_FIELD_BYTES {
            return Err(StateError::Field {
                number,
                expected: MAX_FIELD_BYTES,
                found: length,
            });
        }
        (*field, rest) = behind.split_at_checked(length).ok_or_else(short)?;
    }
    match rest.len() {
        0 => Ok(fields),
        found => Err(StateError::Trailing { found }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, StateError> {
    let unreadable = |source| StateError::Io {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let limit = MAX_FILE_BYTES + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(StateError::TooLong {
            limit: MAX_FILE_BYTES,
        });
    }
    Ok(bytes)
}

/// A file beside the path takes the bytes and then its place, so that a power cut leaves the
/// old file or the new one.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let beside = path.with_extension("new");
    let written = || -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(|source| StateError::Io {
        path: path.to_owned(),
        source,
    })
}

/// Why a device's state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system says no.
    #[error("{path} cannot be read or written", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Too long to be one.
    #[error("a state file has at most {limit} bytes; this has more")]
    TooLong {
        /// The most.
        limit: u64,
    },
    /// Too short to be one, or a field goes past the end.
    #[error("the state file is cut short: {found} bytes, at least {expected} and its fields")]
    Truncated {
        /// Bytes of one with empty fields.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Another file, or another version of the format.
    #[error("a state file starts with {expected:02x?}; this starts with {found:02x?}")]
    Magic {
        /// What such a file starts with.
        expected: [u8; 8],
        /// What stands there.
        found: [u8; 8],
    },
    /// The checksum differs.
    #[error("the state file is damaged: its checksum differs")]
    Damaged,
    /// A state where a sealed key should be, or the other way round.
    #[error("the state file is of kind {found}, not {expected}")]
    Kind {
        /// The kind asked for.
        expected: u8,
        /// The file's kind.
        found: u8,
    },
    /// A field out of place or of another length.
    #[error("field {number} of the state file has {found} bytes where {expected} can be")]
    Field {
        /// Which one should stand there.
        number: usize,
        /// Bytes that it has, or can have at most.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Bytes follow the last field.
    #[error("{found} bytes follow the last field of the state file")]
    Trailing {
        /// How many.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> State {
        State {
            srk_name: vec![0, 11, 1],
            root: PolicyKey::from_bytes([7; 64]),
            ak_private: vec![2; 5],
            authority_private: vec![3; 6],
            identity: Identity {
                ek_public: vec![4; 7],
                ek_certificate: Some(vec![5; 8]),
                ak_public: vec![6; 9],
                authority_public: vec![8; 10],
                authority_certification: Attestation {
                    attest: vec![9; 11],
                    signature: vec![10; 12],
                },
            },
        }
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let mut state = state();
        assert_eq!(State::parse(&state.encode()).unwrap(), state);
        state.identity.ek_certificate = None;
        assert_eq!(State::parse(&state.encode()).unwrap(), state);
    }

    #[test]
    fn a_state_goes_to_a_directory_and_back_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        state().save(directory.path()).unwrap();
        state().save(directory.path()).unwrap();
        assert_eq!(State::load(directory.path()).unwrap(), state());
        let path = directory.path().join(STATE_FILE);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        fs::write(&path, vec![0; MAX_FILE_BYTES as usize + 1]).unwrap();
        let error = State::load(directory.path()).unwrap_err();
        assert!(matches!(error, StateError::TooLong { .. }), "{error}");
    }

    #[test]
    fn a_sealed_key_is_no_state() {
        let sealed = SealedKey {
            blob: KeyBlob {
                public: vec![1],
                private: vec![2],
            },
        };
        assert_eq!(SealedKey::parse(&sealed.encode()).unwrap(), sealed);
        let error = State::parse(&sealed.encode()).unwrap_err();
        assert!(matches!(error, StateError::Kind { .. }), "{error}");
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = state().encode();
        for end in 0..bytes.len() {
            assert!(State::parse(&bytes[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_refused(bit in 0..state().encode().len() * 8) {
            let mut bytes = state().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(State::parse(&bytes).is_err());
        }

        /// Whoever writes a file that is wrong can give it the right checksum.
        #[test]
        fn a_right_checksum_makes_nothing_right(
            kind in 0_u8..4,
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut bytes = [&MAGIC[..], &[kind], &body].concat();
            let checksum = digest::digest(&digest::SHA256, &bytes);
            bytes.extend(checksum.as_ref());
            if let Ok(sealed) = SealedKey::parse(&bytes) {
                prop_assert_eq!(sealed.encode(), bytes);
            }
        }
    }
}
