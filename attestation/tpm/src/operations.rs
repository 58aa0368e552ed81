//! Reading, attesting and signing, over a connection.

use earnest_evidence::tpm::PcrSet;
use tss_esapi::constants::CapabilityType;
use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
use tss_esapi::handles::{
    AuthHandle, KeyHandle, ObjectHandle, PcrHandle, PersistentTpmHandle, SessionHandle, TpmHandle,
};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Attest, CapabilityData, Data, Digest, DigestValues, EncryptedSecret, HashcheckTicket, IdObject,
    Nonce, Public, Signature, SignatureScheme,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};
use tss_esapi::tss2_esys::TPMT_TK_HASHCHECK;
use tss_esapi::{Context, Error};
use zeroize::Zeroizing;

use crate::connection::{Connection, Protection, failed, selection};
use crate::esys::Esys;
use crate::module::{Attestation, Clock, EcdsaSignature, Handles, PcrValues};
use crate::state::{KeyBlob, State};
use crate::templates::EkAlgorithm;
use crate::{Name, ResponseCode, TpmError};

/// Digests that one `TPM2_PCR_Read` gives.
pub(crate) const DIGESTS_A_READ: usize = 8;

/// How often PCRs are read anew when one of them changed meanwhile. Nothing extends PCRs all
/// the time, so a second reading succeeds.
pub(crate) const MOST_READINGS: usize = 8;

/// More handles of a kind than any TPM has room for.
const MOST_HANDLES: u32 = 64;

impl State {
    fn ak(&self) -> KeyBlob {
        KeyBlob {
            public: self.identity.ak_public.clone(),
            private: self.ak_private.clone(),
        }
    }

    fn authority(&self) -> KeyBlob {
        KeyBlob {
            public: self.identity.authority_public.clone(),
            private: self.authority_private.clone(),
        }
    }
}

/// `TPM2_Quote` by the AK.
pub(crate) fn quote(
    connection: &mut Connection,
    state: &State,
    nonce: &[u8; 32],
    pcrs: PcrSet,
) -> Result<Attestation, TpmError> {
    let data = Data::try_from(&nonce[..]).map_err(failed("Quote"))?;
    let pcrs = selection(pcrs).map_err(failed("Quote"))?;
    connection.with_key(&state.ak(), |connection, ak| {
        let quoted = connection.command("Quote", Protection::Authentic, |context| {
            context.quote(ak, data, SignatureScheme::Null, pcrs)
        })?;
        attestation("Quote", quoted)
    })
}

/// `TPM2_Certify` of the device authority's key by the AK.
pub(crate) fn certify_authority(
    connection: &mut Connection,
    state: &State,
    data: &[u8],
) -> Result<Attestation, TpmError> {
    let data = Data::try_from(data).map_err(failed("Certify"))?;
    connection.with_key(&state.ak(), |connection, ak| {
        connection.with_key(&state.authority(), |connection, authority| {
            let session = connection.session();
            // A session authorizes one handle of a command; the other takes its password.
            let sessions = (Some(session), Some(AuthSession::Password), None);
            let certified = connection.with_sessions(
                "Certify",
                Protection::Authentic,
                sessions,
                |context| context.certify(authority.into(), ak, data, SignatureScheme::Null),
            )?;
            attestation("Certify", certified)
        })
    })
}

fn attestation(
    command: &'static str,
    (attest, signature): (Attest, Signature),
) -> Result<Attestation, TpmError> {
    Ok(Attestation {
        attest: attest.marshall().map_err(failed(command))?,
        signature: signature.marshall().map_err(failed(command))?,
    })
}

/// `TPM2_Sign` by the device authority's key.
pub(crate) fn sign(
    connection: &mut Connection,
    state: &State,
    digest: &[u8; 32],
) -> Result<EcdsaSignature, TpmError> {
    let digest = Digest::try_from(&digest[..]).map_err(failed("Sign"))?;
    // A key that is not restricted signs any digest, without a ticket.
    let ticket = HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
        tag: TPM2_ST_HASHCHECK,
        hierarchy: TPM2_RH_NULL,
        digest: Default::default(),
    })
    .map_err(failed("Sign"))?;
    let signature = connection.with_key(&state.authority(), |connection, key| {
        connection.command("Sign", Protection::Authentic, |context| {
            context.sign(key, digest, SignatureScheme::Null, ticket)
        })
    })?;
    let Signature::EcDsa(signature) = signature else {
        return Err(TpmError::Library {
            command: "Sign",
            reason: "the signature is none of ECDSA".to_owned(),
        });
    };
    Ok(EcdsaSignature {
        r: coordinate(signature.signature_r().value())?,
        s: coordinate(signature.signature_s().value())?,
    })
}

/// A number of 32 bytes; TPMs may leave out zeros in front.
fn coordinate(bytes: &[u8]) -> Result<[u8; 32], TpmError> {
    let mut number = [0; 32];
    let start = number
        .len()
        .checked_sub(bytes.len())
        .ok_or(TpmError::Length {
            command: "Sign",
            what: "a number of the signature",
            expected: number.len(),
            found: bytes.len(),
        })?;
    number[start..].copy_from_slice(bytes);
    Ok(number)
}

/// `TPM2_ActivateCredential` with the EK of this certificate's algorithm.
pub(crate) fn activate_credential(
    connection: &mut Connection,
    state: &State,
    blob: &[u8],
    secret: &[u8],
) -> Result<Zeroizing<Vec<u8>>, TpmError> {
    const COMMAND: &str = "ActivateCredential";
    let blob = IdObject::try_from(blob).map_err(failed(COMMAND))?;
    let secret = EncryptedSecret::try_from(secret).map_err(failed(COMMAND))?;
    // The first two bytes of a TPMT_PUBLIC are the type: TPM_ALG_ECC is 0x0023.
    let algorithm = match state.identity.ek_public.get(..2) {
        Some([0x00, 0x23]) => EkAlgorithm::EccP256,
        _ => EkAlgorithm::Rsa2048,
    };
    connection.with_key(&state.ak(), |connection, ak| {
        with_ek(connection, algorithm, |connection, ek, public| {
            if public != state.identity.ek_public {
                return Err(TpmError::OtherName {
                    object: "endorsement key",
                    expected: Name(name_of(&state.identity.ek_public)),
                    found: Name(name_of(public)),
                });
            }
            let session = connection.policy_session()?;
            let sessions = (Some(connection.session()), Some(session), None);
            connection.then_flush(SessionHandle::from(session).into(), |connection| {
                let policy = PolicySession::try_from(session).map_err(failed("PolicySecret"))?;
                connection.password_command("PolicySecret", |context| {
                    context.policy_secret(
                        policy,
                        AuthHandle::Endorsement,
                        Nonce::default(),
                        Digest::default(),
                        Nonce::default(),
                        None,
                    )
                })?;
                let opened = connection.with_sessions(
                    COMMAND,
                    Protection::SecretAnswer,
                    sessions,
                    |context| context.activate_credential(ak, ek, blob, secret),
                )?;
                Ok(Zeroizing::new(opened.value().to_vec()))
            })
        })
    })
}

/// Has the EK loaded while `run` runs: the persistent one, or else made anew from its template,
/// which gives the same key each time and takes some TPMs many seconds.
pub(crate) fn with_ek<T>(
    connection: &mut Connection,
    algorithm: EkAlgorithm,
    run: impl FnOnce(&mut Connection, KeyHandle, &[u8]) -> Result<T, TpmError>,
) -> Result<T, TpmError> {
    if let Some((mut object, public)) = persistent_ek(connection, algorithm)? {
        let done = run(connection, KeyHandle::from(object), &public);
        // The library's handle alone is closed; a persistent object has no slot.
        connection.open_command("Esys_TR_Close", |context| context.tr_close(&mut object))?;
        return done;
    }
    let template = Public::unmarshall(&algorithm.template()).map_err(failed("CreatePrimary"))?;
    let made = connection.command("CreatePrimary", Protection::Authentic, |context| {
        context.create_primary(Hierarchy::Endorsement, template, None, None, None, None)
    })?;
    connection.then_flush(made.key_handle.into(), |connection| {
        let public = made.out_public.marshall();
        let public = public.map_err(failed("CreatePrimary"))?;
        run(connection, made.key_handle, &public)
    })
}

/// What stands under the EK's persistent handle, if it looks like one made from the template.
/// Whether it is the EK, its certificate says, and later its name in the state.
fn persistent_ek(
    connection: &mut Connection,
    algorithm: EkAlgorithm,
) -> Result<Option<(ObjectHandle, Vec<u8>)>, TpmError> {
    const COMMAND: &str = "ReadPublic";
    let handle =
        PersistentTpmHandle::new(algorithm.persistent_handle()).map_err(failed(COMMAND))?;
    let found = connection.open_command(COMMAND, |context| {
        let object = context.tr_from_tpm_public(TpmHandle::Persistent(handle))?;
        let (public, _, _) = context.read_public(KeyHandle::from(object))?;
        Ok((object, public.marshall()?))
    });
    let (mut object, public) = match found {
        Ok(found) => found,
        Err(error) if error.refusal() == Some(ResponseCode::HANDLE) => return Ok(None),
        Err(error) => return Err(error),
    };
    if public.starts_with(&algorithm.template()[..algorithm.common_bytes()]) {
        return Ok(Some((object, public)));
    }
    connection.open_command("Esys_TR_Close", |context| context.tr_close(&mut object))?;
    Ok(None)
}

/// The name of an object with names by SHA-256 (TPM 2.0 Part 1, "Names").
pub(crate) fn name_of(public: &[u8]) -> Vec<u8> {
    let digest = ring::digest::digest(&ring::digest::SHA256, public);
    [&[0x00, 0x0b], digest.as_ref()].concat()
}

/// `TPM2_PCR_Read`, as often as it takes for all PCRs at one moment.
pub(crate) fn pcr_read(connection: &mut Connection, pcrs: PcrSet) -> Result<PcrValues, TpmError> {
    for _ in 0..MOST_READINGS {
        if let Some(values) = read_once(connection, pcrs)? {
            return Ok(PcrValues { pcrs, values });
        }
    }
    Err(TpmError::Unsteady {
        attempts: MOST_READINGS,
    })
}

/// Reads the PCRs eight at a time; nothing when one of them changed in between.
fn read_once(connection: &mut Connection, pcrs: PcrSet) -> Result<Option<Vec<[u8; 32]>>, TpmError> {
    const COMMAND: &str = "PCR_Read";
    let indices: Vec<u8> = pcrs.iter().collect();
    let mut values = Vec::with_capacity(indices.len());
    let mut moment = None;
    for part in indices.chunks(DIGESTS_A_READ) {
        let part_set = PcrSet::of(part).map_err(|error| TpmError::Library {
            command: COMMAND,
            reason: error.to_string(),
        })?;
        let wanted = selection(part_set).map_err(failed(COMMAND))?;
        let (counter, _, digests) =
            connection.command(COMMAND, Protection::Audited, |context| {
                context.pcr_read(wanted)
            })?;
        if *moment.get_or_insert(counter) != counter {
            return Ok(None);
        }
        if digests.len() != part.len() {
            return Err(TpmError::Length {
                command: COMMAND,
                what: "values: the TPM keeps no SHA-256 bank of all these PCRs",
                expected: 32 * part.len(),
                found: digests.value().iter().map(|digest| digest.len()).sum(),
            });
        }
        for digest in digests.value() {
            values.push(
                <[u8; 32]>::try_from(digest.value()).map_err(|_| TpmError::Length {
                    command: COMMAND,
                    what: "a PCR",
                    expected: 32,
                    found: digest.len(),
                })?,
            );
        }
    }
    Ok(Some(values))
}

/// `TPM2_PCR_Extend` of the SHA-256 bank.
pub(crate) fn pcr_extend(
    connection: &mut Connection,
    index: u8,
    digest: &[u8; 32],
) -> Result<(), TpmError> {
    const COMMAND: &str = "PCR_Extend";
    let pcr = PcrHandle::try_from(u32::from(index)).map_err(failed(COMMAND))?;
    let mut values = DigestValues::new();
    let digest = Digest::try_from(&digest[..]).map_err(failed(COMMAND))?;
    values.set(HashingAlgorithm::Sha256, digest);
    connection.command(COMMAND, Protection::Authentic, |context| {
        context.pcr_extend(pcr, values)
    })
}

/// `TPM2_ReadClock`.
pub(crate) fn clock(connection: &mut Connection) -> Result<Clock, TpmError> {
    let clock = Esys::open(connection.address()).and_then(|esys| esys.read_clock());
    connection.note(clock)
}

/// Counts loaded objects and sessions by `TPM2_GetCapability`.
pub(crate) fn handles(connection: &mut Connection) -> Result<Handles, TpmError> {
    // The first handle of each kind: TPM_HT_TRANSIENT and TPM_HT_LOADED_SESSION, in the top byte.
    Ok(Handles {
        transient: count(connection, 0x8000_0000)?,
        sessions: count(connection, 0x0200_0000)?,
    })
}

fn count(connection: &mut Connection, first: u32) -> Result<usize, TpmError> {
    let read = |context: &mut Context| -> Result<CapabilityData, Error> {
        let (data, _) = context.get_capability(CapabilityType::Handles, first, MOST_HANDLES)?;
        Ok(data)
    };
    match connection.open_command("GetCapability", read)? {
        CapabilityData::Handles(handles) => Ok(handles.into_inner().len()),
        _ => Err(TpmError::Library {
            command: "GetCapability",
            reason: "the answer lists no handles".to_owned(),
        }),
    }
}
