//! Provisioning: once in a device's life.

use std::fmt;

use earnest_evidence::sealing::{
    LEAST_VERSION_BYTES, LEAST_VERSION_INDEX, PolicyKey, SignedVersion, SignedVersionError,
    index_attributes, index_name, index_policy,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tss_esapi::attributes::NvIndexAttributes;
use tss_esapi::constants::CapabilityType;
use tss_esapi::handles::{
    AuthHandle, NvIndexHandle, NvIndexTpmHandle, PersistentTpmHandle, TpmHandle,
};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::dynamic_handles::Persistent;
use tss_esapi::interface_types::resource_handles::{Hierarchy, NvAuth, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Auth, CapabilityData, Digest, NvPublic, Public};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};
use zeroize::Zeroizing;

use crate::connection::{Connection, Protection, SRK_HANDLE, context, failed};
use crate::esys::Esys;
use crate::module::{Attestation, Identity};
use crate::operations::{certify_authority, name_of, with_ek};
use crate::seal::write_least_version;
use crate::state::{KeyBlob, State};
use crate::templates::{self, AkAlgorithm, EkAlgorithm};
use crate::{DeviceAddress, Name, ResponseCode, TpmError};

/// Failures of authorization that lock the TPM. None of our objects counts them; this is for
/// whatever else the TPM holds.
const MOST_FAILURES: u32 = 32;

/// Seconds after which one failure is forgotten.
const SECONDS_A_FAILURE: u32 = 600;

/// Seconds for which a failure of the lockout authorization locks it.
const SECONDS_OF_LOCKOUT: u32 = 86_400;

/// The longest EK certificate that is read: an NV index of a PC holds 2 kB at most.
const MAX_CERTIFICATE_BYTES: usize = 4 << 10;

/// How a device is provisioned.
#[derive(Debug, Clone)]
pub struct ProvisionOptions {
    /// The root of policies, for good.
    pub root: PolicyKey,
    /// The permission for the first write of the least version, up to that root.
    pub first_version: SignedVersion,
    /// The algorithm of the AK.
    pub ak: AkAlgorithm,
    /// Whether an index of the least version that is there already may be replaced. It is
    /// needed where an earlier provisioning was cut short, and possible only while the owner
    /// authorization is empty.
    pub replace_index: bool,
}

/// The owner and lockout authorizations that provisioning set. Nothing on the device needs
/// them again: whoever drops this value without a copy has decided that the TPM can only be
/// provisioned anew after it was cleared through the firmware.
///
/// They are never written to the device's disk, because they are what guards the index of the
/// least version: whoever has the owner authorization can remove the index and define it
/// again, and with an old permission for a first write give it an old value.
pub struct OwnerSecrets {
    /// Of the owner hierarchy.
    pub owner: Zeroizing<[u8; 32]>,
    /// Of the lockout hierarchy, which can clear the TPM.
    pub lockout: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for OwnerSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OwnerSecrets")
    }
}

/// A device just provisioned.
#[derive(Debug)]
pub struct Provisioned {
    /// What it must remember. The caller saves it.
    pub state: State,
    /// What it must not.
    pub secrets: OwnerSecrets,
}

/// Provisions a TPM that has no owner: the storage root key under its persistent handle, the
/// EK that has a certificate, an AK and the device authority's key, the index of the least
/// version with its first value, the parameters of the dictionary-attack logic, and last the
/// lockout and owner authorizations.
///
/// It trusts the TPM and the way to it, because there is nothing yet to check them by; the
/// fleet's enrolment is what finds out whether the keys are a genuine TPM's.
///
/// # Errors
///
/// When the TPM is out of reach or has an owner, when another object has the handle of the
/// storage root key or of the index, or when the permission for the first version is none.
pub fn provision(
    address: &DeviceAddress,
    options: &ProvisionOptions,
) -> Result<Provisioned, ProvisionError> {
    options.first_version.verify(&options.root)?;
    if !options.first_version.is_first() {
        return Err(ProvisionError::NotFirst);
    }
    let owned = owned(address)?;
    if owned.0 || owned.1 {
        return Err(ProvisionError::Owned {
            owner: owned.0,
            lockout: owned.1,
        });
    }
    let srk_name = storage_root_key(address)?;
    let mut connection = Connection::open(address, &srk_name)?;
    let state = keys(&mut connection, options, srk_name)?;
    define_index(&mut connection, options)?;
    write_least_version(&mut connection, &options.root, &options.first_version)?;
    Esys::open(address)?.dictionary_attack_parameters(
        MOST_FAILURES,
        SECONDS_A_FAILURE,
        SECONDS_OF_LOCKOUT,
    )?;
    // Last, so that everything before can be done again after a power cut.
    let secrets = take_ownership(&mut connection)?;
    Ok(Provisioned { state, secrets })
}

/// Whether the owner and the lockout authorization are set (TPM 2.0 Part 2,
/// `TPMA_PERMANENT`, bits 0 and 2).
fn owned(address: &DeviceAddress) -> Result<(bool, bool), TpmError> {
    const PERMANENT: u32 = 0x0000_0200;
    let (data, _) = context(address)?
        .get_capability(CapabilityType::TpmProperties, PERMANENT, 1)
        .map_err(failed("GetCapability"))?;
    let value = match data {
        CapabilityData::TpmProperties(list) => list
            .find(tss_esapi::constants::PropertyTag::Permanent)
            .map(|property| property.value()),
        _ => None,
    };
    let value = value.ok_or_else(|| TpmError::Library {
        command: "GetCapability",
        reason: "the answer has no permanent attributes".to_owned(),
    })?;
    Ok((value & 1 != 0, value & 4 != 0))
}

/// Makes the storage root key persistent, or finds it there. Returns its name.
pub(crate) fn storage_root_key(address: &DeviceAddress) -> Result<Vec<u8>, ProvisionError> {
    const COMMAND: &str = "CreatePrimary";
    let mut context = context(address)?;
    let template = Public::unmarshall(&templates::SRK).map_err(failed(COMMAND))?;
    context.set_sessions((Some(AuthSession::Password), None, None));
    let made = context
        .create_primary(Hierarchy::Owner, template, None, None, None, None)
        .map_err(failed(COMMAND))?;
    let name = name_of(&made.out_public.marshall().map_err(failed(COMMAND))?);
    let persistent = PersistentTpmHandle::new(SRK_HANDLE).map_err(failed("EvictControl"))?;
    let there = context
        .execute_without_session(|context| {
            let object = context.tr_from_tpm_public(TpmHandle::Persistent(persistent))?;
            context.tr_get_name(object)
        })
        .map_err(failed("ReadPublic"));
    let result = match there {
        Ok(found) if found.value() == name => Ok(name),
        Ok(found) => Err(ProvisionError::ForeignStorageKey {
            expected: Name(name),
            found: Name(found.value().to_vec()),
        }),
        // Nothing is there.
        Err(error) if error.refusal() == Some(ResponseCode::HANDLE) => context
            .evict_control(
                Provision::Owner,
                made.key_handle.into(),
                Persistent::Persistent(persistent),
            )
            .map(|_| name)
            .map_err(failed("EvictControl"))
            .map_err(ProvisionError::Tpm),
        Err(error) => Err(ProvisionError::Tpm(error)),
    };
    context.clear_sessions();
    context
        .flush_context(made.key_handle.into())
        .map_err(failed("FlushContext"))?;
    result
}

/// The EK, the AK and the device authority's key with its certification.
fn keys(
    connection: &mut Connection,
    options: &ProvisionOptions,
    srk_name: Vec<u8>,
) -> Result<State, TpmError> {
    let (algorithm, ek_certificate) = endorsement_certificate(connection)?;
    let ek_public = with_ek(connection, algorithm, |_, _, public| Ok(public.to_vec()))?;
    let ak = create(connection, &templates::attestation_key(options.ak))?;
    let authority = create(connection, &templates::AUTHORITY)?;
    let mut state = State {
        srk_name,
        root: options.root,
        ak_private: ak.private,
        authority_private: authority.private,
        identity: Identity {
            ek_public,
            ek_certificate,
            ak_public: ak.public,
            authority_public: authority.public,
            authority_certification: Attestation {
                attest: Vec::new(),
                signature: Vec::new(),
            },
        },
    };
    state.identity.authority_certification = certify_authority(connection, &state, &[])?;
    Ok(state)
}

fn create(connection: &mut Connection, template: &[u8]) -> Result<KeyBlob, TpmError> {
    let template = Public::unmarshall(template).map_err(failed("Create"))?;
    let srk = connection.srk();
    let made = connection.command("Create", Protection::Authentic, |context| {
        context.create(srk, template, None, None, None, None)
    })?;
    Ok(KeyBlob {
        public: made.out_public.marshall().map_err(failed("Create"))?,
        private: made.out_private.value().to_vec(),
    })
}

/// The certificate of the RSA EK, or of the ECC one, or none, for the RSA EK.
fn endorsement_certificate(
    connection: &mut Connection,
) -> Result<(EkAlgorithm, Option<Vec<u8>>), TpmError> {
    for algorithm in [EkAlgorithm::Rsa2048, EkAlgorithm::EccP256] {
        let index = NvIndexTpmHandle::new(algorithm.certificate_index())
            .map_err(failed("NV_ReadPublic"))?;
        let read = connection.password_command("NV_Read", |context| {
            tss_esapi::abstraction::nv::read_full(context, NvAuth::Owner, index)
        });
        match read {
            Ok(bytes) => return Ok((algorithm, Some(certificate(bytes)?))),
            Err(error) if error.refusal() == Some(ResponseCode::HANDLE) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((EkAlgorithm::Rsa2048, None))
}

/// The certificate without what some makers put behind it to fill the index.
fn certificate(mut bytes: Vec<u8>) -> Result<Vec<u8>, TpmError> {
    // A SEQUENCE with its length in two bytes (X.690, section 8.1.3).
    let length = match bytes.get(..4) {
        Some([0x30, 0x82, high, low]) => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    if length == 0 || length > bytes.len().min(MAX_CERTIFICATE_BYTES) {
        return Err(TpmError::Length {
            command: "NV_Read",
            what: "the EK certificate",
            expected: length,
            found: bytes.len(),
        });
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Defines the index of the least version.
pub(crate) fn define_index(
    connection: &mut Connection,
    options: &ProvisionOptions,
) -> Result<(), ProvisionError> {
    const COMMAND: &str = "NV_DefineSpace";
    let handle = NvIndexTpmHandle::new(LEAST_VERSION_INDEX).map_err(failed(COMMAND))?;
    let there = connection.open_command("NV_ReadPublic", |context| {
        let object = context.tr_from_tpm_public(TpmHandle::NvIndex(handle))?;
        Ok((NvIndexHandle::from(object), context.tr_get_name(object)?))
    });
    match there {
        Ok((index, name)) => {
            if !options.replace_index {
                return Err(ProvisionError::IndexTaken {
                    expected: Name(index_name(&options.root, false).to_vec()),
                    found: Name(name.value().to_vec()),
                });
            }
            connection.command("NV_UndefineSpace", Protection::Authentic, |context| {
                context.nv_undefine_space(Provision::Owner, index)
            })?;
        }
        Err(error) if error.refusal() == Some(ResponseCode::HANDLE) => {}
        Err(error) => return Err(error.into()),
    }
    let policy = index_policy(&options.root);
    let policy = Digest::try_from(&policy.as_bytes()[..]).map_err(failed(COMMAND))?;
    let attributes =
        NvIndexAttributes::try_from(index_attributes(false)).map_err(failed(COMMAND))?;
    let public = NvPublic::builder()
        .with_nv_index(handle)
        .with_index_name_algorithm(HashingAlgorithm::Sha256)
        .with_index_attributes(attributes)
        .with_index_auth_policy(policy)
        .with_data_area_size(LEAST_VERSION_BYTES)
        .build()
        .map_err(failed(COMMAND))?;
    connection.command(COMMAND, Protection::SecretCommand, |context| {
        context.nv_define_space(Provision::Owner, None, public)
    })?;
    Ok(())
}

/// Sets random lockout and owner authorizations, encrypted on the way.
fn take_ownership(connection: &mut Connection) -> Result<OwnerSecrets, ProvisionError> {
    const COMMAND: &str = "HierarchyChangeAuth";
    let random = SystemRandom::new();
    let mut set = |handle: AuthHandle| -> Result<Zeroizing<[u8; 32]>, ProvisionError> {
        let mut secret = Zeroizing::new([0; 32]);
        random
            .fill(&mut secret[..])
            .map_err(|_| ProvisionError::NoRandomness)?;
        // A TPM drops zeros at the end of an authorization, and the library would not.
        if secret[31] == 0 {
            secret[31] = 1;
        }
        let auth = Auth::try_from(&secret[..]).map_err(failed(COMMAND))?;
        connection.command(COMMAND, Protection::SecretCommand, |context| {
            context.hierarchy_change_auth(handle, auth)
        })?;
        Ok(secret)
    };
    let lockout = set(AuthHandle::Lockout)?;
    let owner = set(AuthHandle::Owner)?;
    Ok(OwnerSecrets { owner, lockout })
}

/// Why a device is not provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The permission for the first version is none that the root stands behind.
    #[error("the permission for the first version is not signed up to the root")]
    FirstVersion(#[from] SignedVersionError),
    /// The permission is for a later version.
    #[error("the permission is for a later version, not for the first")]
    NotFirst,
    /// The TPM belongs to somebody, perhaps to an earlier provisioning.
    #[error(
        "the TPM has an owner (owner authorization set: {owner}, lockout authorization set: \
         {lockout}); clear it through the firmware first"
    )]
    Owned {
        /// Whether the owner authorization is set.
        owner: bool,
        /// Whether the lockout authorization is set.
        lockout: bool,
    },
    /// Another key has the storage root key's handle.
    #[error("under the storage root key's handle stands {found}, not {expected}")]
    ForeignStorageKey {
        /// The name of the storage root key by the standard template.
        expected: Name,
        /// The name of what is there.
        found: Name,
    },
    /// The index is there already.
    #[error("an index of the least version is there already, {found}; a new one is {expected}")]
    IndexTaken {
        /// The name that it will have.
        expected: Name,
        /// The name that it has.
        found: Name,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// The TPM is out of reach, or refuses.
    #[error("the TPM cannot be provisioned")]
    Tpm(#[from] TpmError),
}
