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

use earnest_evidence::sealing::PolicyKey;
use ring::digest;

use crate::module::{Attestation, Identity};

/// A file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earntpm\x01";

/// The longest field. An EK certificate with its extensions has less than 2 kB, and an NV index
/// holds a few more at most.
const MAX_FIELD_BYTES: usize = 8 << 10;

/// Longest file: more than the fields of any kind take together. Who reads one stops there.
pub const MAX_STATE_BYTES: usize = 64 << 10;

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

/// Why bytes are no device's state, and no sealed key.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
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
