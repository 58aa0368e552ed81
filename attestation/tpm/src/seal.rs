//! Sealing, opening, and the index of the least version.

use earnest_evidence::sealing::{
    Approval, GENERATION_OFFSET, KeyGrant, LEAST_VERSION_BYTES, LEAST_VERSION_INDEX, LeastVersion,
    PolicyDigest, PolicyKey, Purpose, SignatureBytes, SignedPolicy, SignedPolicyError,
    SignedVersion, SignedVersionError, VERSION_OFFSET, index_name, write_parameters_digest,
};
use earnest_evidence::tpm::PcrSet;
use ring::digest;
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::resource_handles::NvAuth;
use tss_esapi::structures::{
    Digest, MaxNvBuffer, Name as EsapiName, Nonce, Private, Public, SensitiveData,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};
use zeroize::Zeroizing;

use crate::connection::{Connection, Protection, SRK_HANDLE, failed, selection};
use crate::esys::{Esys, PolicySession};
use crate::module::{SECRET_BYTES, Secret};
use crate::operations::pcr_read;
use crate::state::{KeyBlob, SealedKey};
use crate::{Name, TpmError, templates};

/// Seals a secret under the root's policy.
pub(crate) fn seal(
    connection: &mut Connection,
    root: &PolicyKey,
    secret: &Secret,
) -> Result<SealedKey, TpmError> {
    let template = Public::unmarshall(&templates::sealed(root)).map_err(failed("Create"))?;
    let data = SensitiveData::try_from(&secret[..]).map_err(failed("Create"))?;
    let srk = connection.srk();
    let made = connection.command("Create", Protection::SecretCommand, |context| {
        context.create(srk, template, None, Some(data), None, None)
    })?;
    Ok(SealedKey {
        blob: KeyBlob {
            public: made.out_public.marshall().map_err(failed("Create"))?,
            private: made.out_private.value().to_vec(),
        },
    })
}

/// Goes through the policy step by step and unseals.
pub(crate) fn unseal(
    connection: &mut Connection,
    root: &PolicyKey,
    sealed: &SealedKey,
    policy: &SignedPolicy,
) -> Result<Secret, UnsealError> {
    policy.verify(root)?;
    let values = pcr_read(connection, policy.pcrs())?;
    let pcr_digest = values.digest();
    let approval = policy.approval(&pcr_digest).ok_or(UnsealError::State {
        pcrs: policy.pcrs(),
        found: pcr_digest,
    })?;
    let least = least_version(connection, root)?;
    check_force(policy, least)?;
    let data = unseal_by_tpm(connection, root, sealed, policy, approval).map_err(refined)?;
    let secret = data.as_slice().try_into().map_err(|_| TpmError::Length {
        command: "Unseal",
        what: "the secret",
        expected: SECRET_BYTES,
        found: data.len(),
    })?;
    Ok(Zeroizing::new(secret))
}

/// Goes through the policy's steps for this state. The TPM decides, whatever was checked before.
pub(crate) fn unseal_by_tpm(
    connection: &mut Connection,
    root: &PolicyKey,
    sealed: &SealedKey,
    policy: &SignedPolicy,
    approval: &Approval,
) -> Result<Zeroizing<Vec<u8>>, TpmError> {
    let by_policy_key = Step::of(
        connection,
        &policy.grant().key,
        policy.policy(root, &approval.pcr_digest),
        Purpose::Seal.reference(),
        &approval.signature,
    )?;
    let by_root = root_step(connection, root, policy.grant(), Purpose::Seal)?;
    let steps = (by_policy_key, by_root);
    let opened = open_sealed(connection, root, sealed, policy, approval.pcr_digest, steps);
    connection.note(opened)
}

/// Said here so that a person reads the numbers; the TPM compares them itself all the same.
fn check_force(policy: &SignedPolicy, least: LeastVersion) -> Result<(), UnsealError> {
    if policy.version() < least.version {
        return Err(UnsealError::OldPolicy {
            least: least.version,
            found: policy.version(),
        });
    }
    if policy.grant().generation < least.generation {
        return Err(UnsealError::OldKey {
            least: least.generation,
            found: policy.grant().generation,
        });
    }
    Ok(())
}

fn refined(error: TpmError) -> UnsealError {
    // TPM_RC_INTEGRITY, of TPM2_Load.
    const INTEGRITY: u32 = 0x09f;
    // TPM_RC_VALUE of TPM2_PolicyPCR, TPM_RC_PCR_CHANGED.
    const VALUE: u32 = 0x084;
    const PCR_CHANGED: u32 = 0x128;
    match (&error, error.refusal()) {
        (
            TpmError::Refused {
                command: "Load", ..
            },
            Some(INTEGRITY),
        ) => UnsealError::OtherTpm,
        (
            TpmError::Refused {
                command: "PolicyPCR",
                ..
            },
            Some(VALUE),
        )
        | (_, Some(PCR_CHANGED)) => UnsealError::Changed,
        _ => UnsealError::Tpm(error),
    }
}

fn open_sealed(
    connection: &Connection,
    root: &PolicyKey,
    sealed: &SealedKey,
    policy: &SignedPolicy,
    pcr_digest: [u8; 32],
    (by_policy_key, by_root): (Step, Step),
) -> Result<Zeroizing<Vec<u8>>, TpmError> {
    let private = Private::try_from(sealed.blob.private.clone()).map_err(failed("Load"))?;
    let public = Public::unmarshall(&sealed.blob.public).map_err(failed("Load"))?;
    let pcrs = selection(policy.pcrs()).map_err(failed("PolicyPCR"))?;
    let pcr_digest = Digest::try_from(&pcr_digest[..]).map_err(failed("PolicyPCR"))?;
    let esys = Esys::open(connection.address())?;
    let srk = esys.named("storage root key", SRK_HANDLE, connection.srk_name())?;
    let index = esys.named(INDEX, LEAST_VERSION_INDEX, &index_name(root, true))?;
    let session = PolicySession::start(&esys, &srk)?;
    session.pcr(pcrs, pcr_digest)?;
    session.nv_at_most(&index, VERSION_OFFSET, policy.version())?;
    by_policy_key.take(&session)?;
    session.nv_at_most(&index, GENERATION_OFFSET, policy.grant().generation)?;
    by_root.take(&session)?;
    session.unseal(&srk, private, public)
}

/// The index, in messages.
const INDEX: &str = "index of the least version";

/// One `TPM2_PolicyAuthorize`, prepared.
struct Step {
    approved: Digest,
    reference: Nonce,
    key: EsapiName,
    ticket: tss_esapi::structures::VerifiedTicket,
}

impl Step {
    fn of(
        connection: &mut Connection,
        key: &PolicyKey,
        approved: PolicyDigest,
        reference: &[u8],
        signature: &SignatureBytes,
    ) -> Result<Step, TpmError> {
        let message = approved.approval_message(reference);
        let mut digest = [0; 32];
        digest.copy_from_slice(digest::digest(&digest::SHA256, &message).as_ref());
        let failed = failed("PolicyAuthorize");
        Ok(Step {
            approved: Digest::try_from(&approved.as_bytes()[..]).map_err(&failed)?,
            reference: Nonce::try_from(reference).map_err(&failed)?,
            key: EsapiName::try_from(key.name().to_vec()).map_err(&failed)?,
            ticket: connection.verified(key, digest, signature)?,
        })
    }

    fn take(self, session: &PolicySession<'_>) -> Result<(), TpmError> {
        session.authorize(self.approved, self.reference, self.key, self.ticket)
    }
}

fn root_step(
    connection: &mut Connection,
    root: &PolicyKey,
    grant: &KeyGrant,
    purpose: Purpose,
) -> Result<Step, TpmError> {
    Step::of(
        connection,
        root,
        grant.policy(root, purpose),
        purpose.root_reference(),
        grant.signature(purpose),
    )
}

/// `TPM2_NV_Read` of the index, after a look at its name.
pub(crate) fn least_version(
    connection: &mut Connection,
    root: &PolicyKey,
) -> Result<LeastVersion, TpmError> {
    const COMMAND: &str = "NV_Read";
    let handle = NvIndexTpmHandle::new(LEAST_VERSION_INDEX).map_err(failed(COMMAND))?;
    let (mut object, name) = connection.open_command("NV_ReadPublic", |context| {
        let object = context.tr_from_tpm_public(TpmHandle::NvIndex(handle))?;
        Ok((object, context.tr_get_name(object)?))
    })?;
    let expected = index_name(root, true);
    let index = NvIndexHandle::from(object);
    let read = if name.value() == expected {
        connection.command(COMMAND, Protection::Authentic, |context| {
            context.nv_read(NvAuth::NvIndex(index), index, LEAST_VERSION_BYTES as u16, 0)
        })
    } else {
        Err(TpmError::OtherName {
            object: INDEX,
            expected: Name(expected.to_vec()),
            found: Name(name.value().to_vec()),
        })
    };
    // The library's handle alone is closed; the index has no slot.
    connection.open_command("Esys_TR_Close", |context| context.tr_close(&mut object))?;
    let read = read?;
    let bytes = read.value().try_into().map_err(|_| TpmError::Length {
        command: COMMAND,
        what: "the index of the least version",
        expected: LEAST_VERSION_BYTES,
        found: read.len(),
    })?;
    Ok(LeastVersion::from_bytes(bytes))
}

/// Raises the least version, as permitted.
pub(crate) fn move_least_version(
    connection: &mut Connection,
    root: &PolicyKey,
    permission: &SignedVersion,
) -> Result<(), MoveVersionError> {
    permission.verify(root)?;
    if permission.is_first() {
        return Err(MoveVersionError::First);
    }
    check_move(permission, least_version(connection, root)?)?;
    write_least_version(connection, root, permission).map_err(MoveVersionError::Tpm)
}

/// Whether the permission moves the least version up, by a policy key that still counts: what
/// the TPM compares as well, and says less of.
pub(crate) fn check_move(
    permission: &SignedVersion,
    least: LeastVersion,
) -> Result<(), MoveVersionError> {
    let wanted = permission.least();
    if wanted.version < least.version || wanted.generation < least.generation {
        return Err(MoveVersionError::Lower { least, wanted });
    }
    let generation = permission.grant().generation;
    if generation < least.generation {
        return Err(MoveVersionError::OldKey {
            least: least.generation,
            found: generation,
        });
    }
    Ok(())
}

/// Writes the index under the permission's policy, whatever the permission is. The TPM decides.
pub(crate) fn write_least_version(
    connection: &mut Connection,
    root: &PolicyKey,
    permission: &SignedVersion,
) -> Result<(), TpmError> {
    let purpose = permission.purpose();
    let by_policy_key = Step::of(
        connection,
        &permission.grant().key,
        permission.policy(root),
        purpose.reference(),
        permission.signature(),
    )?;
    let by_root = root_step(connection, root, permission.grant(), purpose)?;
    let written = write_index(connection, root, permission, by_policy_key, by_root);
    connection.note(written)
}

fn write_index(
    connection: &Connection,
    root: &PolicyKey,
    permission: &SignedVersion,
    by_policy_key: Step,
    by_root: Step,
) -> Result<(), TpmError> {
    let (least, written) = (permission.least(), !permission.is_first());
    let command = write_parameters_digest(root, least, written);
    let command = Digest::try_from(&command[..]).map_err(failed("PolicyCpHash"))?;
    let data = MaxNvBuffer::try_from(&least.to_bytes()[..]).map_err(failed("NV_Write"))?;
    let esys = Esys::open(connection.address())?;
    let srk = esys.named("storage root key", SRK_HANDLE, connection.srk_name())?;
    let index = esys.named(INDEX, LEAST_VERSION_INDEX, &index_name(root, written))?;
    let session = PolicySession::start(&esys, &srk)?;
    if written {
        session.nv_at_most(&index, VERSION_OFFSET, least.version)?;
        session.nv_at_most(&index, GENERATION_OFFSET, least.generation)?;
    }
    session.cp_hash(command)?;
    by_policy_key.take(&session)?;
    if written {
        let generation = permission.grant().generation;
        session.nv_at_most(&index, GENERATION_OFFSET, generation)?;
    } else {
        session.nv_written(false)?;
    }
    by_root.take(&session)?;
    session.nv_write(&index, data)
}

/// Why a sealed secret stays closed.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The policy is none that the root stands behind.
    #[error("the policy is not signed up to the root of this device")]
    Policy(#[from] SignedPolicyError),
    /// The device is in a state that the policy does not approve.
    #[error(
        "the policy approves no state in which PCRs {pcrs} have the digest {found}",
        found = earnest_evidence::hex::encode(found)
    )]
    State {
        /// The PCRs of the policy.
        pcrs: PcrSet,
        /// The SHA-256 of their values now.
        found: [u8; 32],
    },
    /// The state changed while the policy was gone through.
    #[error("a PCR changed while the policy was gone through")]
    Changed,
    /// A newer version has ended the policy's force.
    #[error("the policy has version {found}; the least that this device allows is {least}")]
    OldPolicy {
        /// The least version.
        least: u64,
        /// The policy's version.
        found: u64,
    },
    /// A newer generation has ended the power of the policy key.
    #[error("the policy key has generation {found}; the least that this device allows is {least}")]
    OldKey {
        /// The least generation.
        least: u64,
        /// The key's generation.
        found: u64,
    },
    /// The blob was sealed by another TPM, or is damaged.
    #[error("the sealed key is another TPM's, or damaged")]
    OtherTpm,
    /// The TPM is out of reach, or refuses otherwise.
    #[error("the TPM does not open the sealed key")]
    Tpm(#[from] TpmError),
}

/// Why the least version stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum MoveVersionError {
    /// The permission is none that the root stands behind.
    #[error("the permission is not signed up to the root of this device")]
    Permission(#[from] SignedVersionError),
    /// The permission is for a device that is being provisioned.
    #[error("the permission is for a first write alone")]
    First,
    /// A number would fall.
    #[error("the least version is {least:?}; the permission for {wanted:?} would lower it")]
    Lower {
        /// What the device has.
        least: LeastVersion,
        /// What the permission is for.
        wanted: LeastVersion,
    },
    /// A newer generation has ended the power of the policy key.
    #[error("the policy key has generation {found}; the least that this device allows is {least}")]
    OldKey {
        /// The least generation.
        least: u64,
        /// The key's generation.
        found: u64,
    },
    /// The TPM is out of reach, or refuses.
    #[error("the TPM does not write the least version")]
    Tpm(#[from] TpmError),
}
