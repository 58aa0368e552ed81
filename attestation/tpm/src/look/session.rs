//! A session that is salted to the storage root key and authenticates what a TPM answers
//! (TPM 2.0 Part 1, "Session-based authorizations" and "Secret sharing").

use std::io::{Read, Write};

use earnest_evidence::tpm::{Curve, PublicKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::digest::{Context, SHA256};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Answer, Command, Line, NO_SESSIONS, Public, SESSIONS, sized, unreadable};
use crate::TpmError;
use crate::connection::SRK_HANDLE;

const START: Command = Command("StartAuthSession", 0x176);

/// Bytes of a nonce: the hash algorithm's, which is the most.
const NONCE_BYTES: usize = 32;

/// `TPM_RH_NULL`: the session is bound to nothing.
const UNBOUND: u32 = 0x4000_0007;

/// `TPM_SE_HMAC`.
const HMAC: u8 = 0x00;

/// `TPM_ALG_NULL`: nothing is encrypted, because PCRs are no secret.
const NO_CIPHER: u16 = 0x0010;

/// `TPM_ALG_SHA256`.
const SHA_256: u16 = 0x000b;

/// `continueSession` and `audit`, of `TPMA_SESSION`.
const ATTRIBUTES: u8 = 0x81;

/// The TPM's side is proven by each answer; who can make one has the storage root key.
pub(super) struct Session {
    handle: u32,
    key: hmac::Key,
    nonce_of_tpm: Vec<u8>,
    random: SystemRandom,
}

impl Session {
    /// Starts a session with whoever has the private part of this key.
    pub(super) fn start<S: Read + Write>(
        line: &mut Line<S>,
        root: &Public,
    ) -> Result<Session, TpmError> {
        let random = SystemRandom::new();
        let salt = Salt::to(root, &random)?;
        let nonce = fresh_nonce(&random)?;
        let parameters = [
            &SRK_HANDLE.to_be_bytes()[..],
            &UNBOUND.to_be_bytes(),
            &sized(&nonce),
            &sized(&[sized(&salt.point[1..33]), sized(&salt.point[33..])].concat()),
            &[HMAC],
            &NO_CIPHER.to_be_bytes(),
            &SHA_256.to_be_bytes(),
        ];
        let answer = line.ask(START, NO_SESSIONS, &parameters.concat())?;
        let mut answer = Answer(&answer);
        let handle = answer.u32(START)?;
        let nonce_of_tpm = answer.sized(START)?.to_vec();
        // KDFa of Part 1, "KDFa()", with one block, which is all of the 256 bits.
        let context = [
            &1_u32.to_be_bytes()[..],
            b"ATH\0",
            &nonce_of_tpm,
            &nonce,
            &256_u32.to_be_bytes(),
        ];
        let salt = hmac::Key::new(hmac::HMAC_SHA256, &salt.secret);
        let key = hmac::sign(&salt, &context.concat());
        Ok(Session {
            handle,
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()),
            nonce_of_tpm,
            random,
        })
    }

    pub(super) fn handle(&self) -> u32 {
        self.handle
    }

    /// One command without handles: what the TPM, and nobody else, answers.
    pub(super) fn ask<S: Read + Write>(
        &mut self,
        line: &mut Line<S>,
        command: Command,
        parameters: &[u8],
    ) -> Result<Vec<u8>, TpmError> {
        let nonce = fresh_nonce(&self.random)?;
        let code = command.1.to_be_bytes();
        let asked = digest(&[&code, parameters]);
        let proof = hmac::sign(
            &self.key,
            &[&asked[..], &nonce, &self.nonce_of_tpm, &[ATTRIBUTES]].concat(),
        );
        let authorization = [
            &self.handle.to_be_bytes()[..],
            &sized(&nonce),
            &[ATTRIBUTES],
            &sized(proof.as_ref()),
        ]
        .concat();
        // Some hundred bytes at most.
        let size = (authorization.len() as u32).to_be_bytes();
        let sent = [&size[..], &authorization, parameters].concat();
        let answer = line.ask(command, SESSIONS, &sent)?;
        let mut answer = Answer(&answer);
        let count = answer.u32(command)?;
        let answered = answer.take(command, count as usize)?;
        let nonce_of_tpm = answer.sized(command)?;
        let attributes = answer.u8(command)?;
        let proof = answer.sized(command)?;
        // Of an answer whose code is none of an error.
        let digest = digest(&[&[0; 4], &code, answered]);
        let proven = [&digest[..], nonce_of_tpm, &nonce, &[attributes]].concat();
        if !answer.0.is_empty() || hmac::verify(&self.key, &proven, proof).is_err() {
            return Err(TpmError::Library {
                command: command.0,
                reason: "the answer is not the TPM's own".to_owned(),
            });
        }
        self.nonce_of_tpm = nonce_of_tpm.to_vec();
        Ok(answered.to_vec())
    }
}

/// A secret that only the owner of a key can find out, and what it needs to.
struct Salt {
    secret: [u8; 32],
    /// The ephemeral public key: 4, x and y.
    point: Vec<u8>,
}

impl Salt {
    /// A fresh secret for the owner of this key (Part 1, "ECDH", with KDFe of one block).
    fn to(root: &Public, random: &SystemRandom) -> Result<Salt, TpmError> {
        let key = root.key().map_err(|error| unreadable(START, &error))?;
        let of_p256 = matches!(
            key,
            PublicKey::Ecc {
                curve: Curve::P256,
                ..
            }
        );
        let point = key.uncompressed_point().filter(|_| of_p256);
        let point = point.ok_or_else(|| TpmError::Library {
            command: START.0,
            reason: "the storage root key is not of P-256".to_owned(),
        })?;
        let ephemeral =
            EphemeralPrivateKey::generate(&ECDH_P256, random).map_err(|_| no_agreement())?;
        let own = ephemeral.compute_public_key().map_err(|_| no_agreement())?;
        let own = own.as_ref().to_vec();
        let peer = UnparsedPublicKey::new(&ECDH_P256, &point);
        let secret = agree_ephemeral(ephemeral, &peer, |shared| {
            let label = b"SECRET\0";
            digest(&[
                &1_u32.to_be_bytes(),
                shared,
                label,
                &own[1..33],
                &point[1..33],
            ])
        });
        Ok(Salt {
            secret: secret.map_err(|_| no_agreement())?,
            point: own,
        })
    }
}

fn no_agreement() -> TpmError {
    TpmError::Library {
        command: START.0,
        reason: "there are no random numbers, or the storage root key is no point".to_owned(),
    }
}

fn fresh_nonce(random: &SystemRandom) -> Result<[u8; NONCE_BYTES], TpmError> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce).map_err(|_| no_agreement())?;
    Ok(nonce)
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}
