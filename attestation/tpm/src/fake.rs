//! A trust module in memory, for tests of what uses one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_evidence::HashAlgorithm;
use earnest_evidence::sealing::{LeastVersion, PolicyKey, SignedPolicy, SignedVersion};
use earnest_evidence::tpm::{PCR_COUNT, PcrSelection, PcrSet};
use ring::digest::{Context, SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use zeroize::Zeroizing;

use crate::module::{
    Attestation, Clock, EcdsaSignature, Handles, Identity, PcrValues, Secret, TrustModule,
};
use crate::operations::name_of;
use crate::seal::check_move;
use crate::state::{KeyBlob, SealedKey};
use crate::{AkAlgorithm, MoveVersionError, TpmError, UnsealError, templates};

/// A trust module without a TPM: PCRs, a least version, an AK and an authority in memory.
///
/// Its quotes are well-formed and signed, its policies are checked as a TPM would, and nothing
/// is protected: a [`SealedKey`] of it holds the secret in the clear. It opens no credentials.
pub struct FakeModule {
    root: PolicyKey,
    identity: Identity,
    ak: EcdsaKeyPair,
    authority: EcdsaKeyPair,
    inside: Mutex<Inside>,
}

struct Inside {
    pcrs: [[u8; 32]; PCR_COUNT as usize],
    least: LeastVersion,
    clock: Clock,
    gone: bool,
}

impl FakeModule {
    /// A module with fresh keys under this root, every PCR zero.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn new(root: PolicyKey, least: LeastVersion) -> Result<FakeModule, TpmError> {
        let (ak, ak_point) = key()?;
        let (authority, authority_point) = key()?;
        let ak_template = templates::attestation_key(AkAlgorithm::EccP256);
        let mut module = FakeModule {
            root,
            identity: Identity {
                ek_public: templates::EkAlgorithm::EccP256.template(),
                ek_certificate: None,
                ak_public: with_point(&ak_template, &ak_point),
                authority_public: with_point(&templates::AUTHORITY, &authority_point),
                authority_certification: Attestation {
                    attest: Vec::new(),
                    signature: Vec::new(),
                },
            },
            ak,
            authority,
            inside: Mutex::new(Inside {
                pcrs: [[0; 32]; PCR_COUNT as usize],
                least,
                clock: Clock {
                    clock: 1_000,
                    reset_count: 1,
                    restart_count: 0,
                    safe: true,
                },
                gone: false,
            }),
        };
        module.identity.authority_certification = module.certify(&[])?;
        Ok(module)
    }

    /// Takes the module away, or brings it back: while it is gone every call fails.
    pub fn set_gone(&self, gone: bool) {
        self.lock().gone = gone;
    }

    /// Restarts the device: every PCR is zero again, and the reset count is one higher.
    pub fn restart(&self) {
        let mut inside = self.lock();
        inside.pcrs = [[0; 32]; PCR_COUNT as usize];
        inside.clock.reset_count += 1;
        inside.clock.restart_count = 0;
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Nothing is left half-done where a test panics.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn here(&self) -> Result<MutexGuard<'_, Inside>, TpmError> {
        let mut inside = self.lock();
        if inside.gone {
            return Err(TpmError::Unavailable {
                retry_in: Duration::ZERO,
            });
        }
        inside.clock.clock += 1;
        Ok(inside)
    }

    fn certify(&self, data: &[u8]) -> Result<Attestation, TpmError> {
        let name = name_of(&self.identity.authority_public);
        // The qualified name is another digest; nobody here can compute the storage key's.
        let attested = [sized(&name), sized(&name)].concat();
        self.attest(0x8017, data, &attested)
    }

    /// A `TPMS_ATTEST` (TPM 2.0 Part 2, section 10.12.8) and its signature by the AK.
    fn attest(&self, kind: u16, data: &[u8], attested: &[u8]) -> Result<Attestation, TpmError> {
        let clock = self.here()?.clock;
        let attest = [
            &0xff54_4347_u32.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &sized(&name_of(&self.identity.ak_public)),
            &sized(data),
            &clock.clock.to_be_bytes(),
            &clock.reset_count.to_be_bytes(),
            &clock.restart_count.to_be_bytes(),
            &[u8::from(clock.safe)],
            &0_u64.to_be_bytes(),
            attested,
        ]
        .concat();
        let signature = sign(&self.ak, &attest)?;
        let signature = [
            &[0x00, 0x18, 0x00, 0x0b][..],
            &sized(&signature.r),
            &sized(&signature.s),
        ]
        .concat();
        Ok(Attestation { attest, signature })
    }
}

/// Bytes behind their length, as a `TPM2B`. Everything here is short.
fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// The template of an ECC key, its empty point filled in.
fn with_point(template: &[u8], point: &[u8]) -> Vec<u8> {
    let (start, _) = template.split_at(template.len() - 4);
    let (x, y) = point.split_at(32);
    [start, &sized(x), &sized(y)].concat()
}

fn library(reason: &str) -> TpmError {
    TpmError::Library {
        command: "a module in memory",
        reason: reason.to_owned(),
    }
}

/// A key, and its coordinates x and y.
fn key() -> Result<(EcdsaKeyPair, Vec<u8>), TpmError> {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
        .map_err(|_| library("no random numbers"))?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
        .map_err(|_| library("a key was made that is none"))?;
    let point = pair.public_key().as_ref()[1..].to_vec();
    Ok((pair, point))
}

fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Result<EcdsaSignature, TpmError> {
    let signature = key
        .sign(&SystemRandom::new(), message)
        .map_err(|_| library("no random numbers"))?;
    let (mut r, mut s) = ([0; 32], [0; 32]);
    r.copy_from_slice(&signature.as_ref()[..32]);
    s.copy_from_slice(&signature.as_ref()[32..]);
    Ok(EcdsaSignature { r, s })
}

impl TrustModule for FakeModule {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn activate_credential(&self, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        Err(TpmError::NoTpm {
            what: "opening a credential",
        })
    }

    fn quote(&self, nonce: &[u8; 32], pcrs: PcrSet) -> Result<Attestation, TpmError> {
        let digest = self.pcr_read(pcrs)?.digest();
        let selection = PcrSelection::of_bank(HashAlgorithm::Sha256, pcrs).marshal();
        let attested = [&selection[..], &sized(&digest)].concat();
        self.attest(0x8018, nonce, &attested)
    }

    fn certify_authority(&self, nonce: &[u8; 32]) -> Result<Attestation, TpmError> {
        self.certify(nonce)
    }

    /// Ring signs messages, not digests: the signature is over the SHA-256 of `digest`, which
    /// is enough to be told from another, and not to be verified as a TPM's.
    fn sign(&self, digest: &[u8; 32]) -> Result<EcdsaSignature, TpmError> {
        drop(self.here()?);
        sign(&self.authority, digest)
    }

    fn pcr_read(&self, pcrs: PcrSet) -> Result<PcrValues, TpmError> {
        let inside = self.here()?;
        let value = |pcr: u8| inside.pcrs.get(usize::from(pcr)).copied();
        let values: Option<Vec<[u8; 32]>> = pcrs.iter().map(value).collect();
        let values = values.ok_or_else(|| library("there is no such PCR"))?;
        Ok(PcrValues { pcrs, values })
    }

    fn pcr_extend(&self, index: u8, measured: &[u8; 32]) -> Result<(), TpmError> {
        let mut inside = self.here()?;
        let pcr = inside
            .pcrs
            .get_mut(usize::from(index))
            .ok_or_else(|| library("there is no such PCR"))?;
        let mut context = Context::new(&SHA256);
        context.update(pcr);
        context.update(measured);
        pcr.copy_from_slice(context.finish().as_ref());
        Ok(())
    }

    fn seal(&self, secret: &Secret) -> Result<SealedKey, TpmError> {
        drop(self.here()?);
        Ok(SealedKey {
            blob: KeyBlob {
                // The AK stands for the TPM that sealed.
                public: name_of(&self.identity.ak_public),
                private: secret.to_vec(),
            },
        })
    }

    fn unseal(&self, sealed: &SealedKey, policy: &SignedPolicy) -> Result<Secret, UnsealError> {
        policy.verify(&self.root)?;
        let values = self.pcr_read(policy.pcrs())?;
        let found = values.digest();
        if policy.approval(&found).is_none() {
            return Err(UnsealError::State {
                pcrs: policy.pcrs(),
                found,
            });
        }
        let least = self.here()?.least;
        if policy.version() < least.version {
            return Err(UnsealError::OldPolicy {
                least: least.version,
                found: policy.version(),
            });
        }
        let generation = policy.grant().generation;
        if generation < least.generation {
            return Err(UnsealError::OldKey {
                least: least.generation,
                found: generation,
            });
        }
        if sealed.blob.public != name_of(&self.identity.ak_public) {
            return Err(UnsealError::OtherTpm);
        }
        <[u8; 32]>::try_from(&sealed.blob.private[..])
            .map(Zeroizing::new)
            .map_err(|_| UnsealError::OtherTpm)
    }

    fn least_version(&self) -> Result<LeastVersion, TpmError> {
        Ok(self.here()?.least)
    }

    fn move_least_version(&self, permission: &SignedVersion) -> Result<(), MoveVersionError> {
        permission.verify(&self.root)?;
        if permission.is_first() {
            return Err(MoveVersionError::First);
        }
        let mut inside = self.here()?;
        check_move(permission, inside.least)?;
        inside.least = permission.least();
        Ok(())
    }

    fn clock(&self) -> Result<Clock, TpmError> {
        Ok(self.here()?.clock)
    }

    fn handles(&self) -> Result<Handles, TpmError> {
        drop(self.here()?);
        Ok(Handles {
            transient: 0,
            sessions: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use earnest_evidence::tpm::{Attest, Attested, Curve, Public, Signature};
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::support::{Fleet, boot};

    fn module(fleet: &Fleet) -> FakeModule {
        let least = LeastVersion {
            version: 1,
            generation: 1,
        };
        FakeModule::new(fleet.root.key, least).unwrap()
    }

    #[test]
    fn its_quotes_are_well_formed_and_signed() {
        let module = module(&Fleet::new());
        module.pcr_extend(4, &[1; 32]).unwrap();
        let quote = module.quote(&[7; 32], boot()).unwrap();
        let attest = Attest::parse(&quote.attest).unwrap();
        let Attested::Quote { pcr_digest, .. } = attest.attested else {
            panic!("no quote");
        };
        assert_eq!(pcr_digest[..], module.pcr_read(boot()).unwrap().digest());
        let ak = Public::parse(&module.identity().ak_public).unwrap();
        let point = ak.key().unwrap().uncompressed_point().unwrap();
        let signature = Signature::parse(&quote.signature).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(&quote.attest, &signature.ecdsa_fixed(Curve::P256).unwrap())
            .unwrap();
        let certified = Attest::parse(&module.identity().authority_certification.attest);
        let authority = Public::parse(&module.identity().authority_public).unwrap();
        let Attested::Certify { name, .. } = certified.unwrap().attested else {
            panic!("no certification");
        };
        assert_eq!(name, authority.name());
    }

    #[test]
    fn it_opens_and_refuses_as_a_tpm_does() {
        let mut fleet = Fleet::new();
        let module = module(&fleet);
        let secret = Secret::new([9; 32]);
        let sealed = module.seal(&secret).unwrap();
        let state = module.pcr_read(boot()).unwrap().digest();
        let policy = fleet.approve_state(&state, 1);
        assert_eq!(module.unseal(&sealed, &policy).unwrap(), secret);
        module.pcr_extend(4, &[1; 32]).unwrap();
        let error = module.unseal(&sealed, &policy).unwrap_err();
        assert!(matches!(error, UnsealError::State { .. }), "{error}");
        module.restart();
        module.move_least_version(&fleet.permit(2, 1)).unwrap();
        let error = module.unseal(&sealed, &policy).unwrap_err();
        assert!(matches!(error, UnsealError::OldPolicy { .. }), "{error}");
        let error = module.move_least_version(&fleet.permit(1, 1)).unwrap_err();
        assert!(matches!(error, MoveVersionError::Lower { .. }), "{error}");
        let two = fleet.approve_state(&state, 2);
        fleet.rotate();
        module.move_least_version(&fleet.permit(2, 2)).unwrap();
        let error = module.unseal(&sealed, &two).unwrap_err();
        assert!(matches!(error, UnsealError::OldKey { .. }), "{error}");
        module.set_gone(true);
        assert!(module.clock().unwrap_err().is_passing());
    }
}
