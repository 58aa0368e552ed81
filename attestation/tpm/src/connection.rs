//! A connection to the TPM: a context, and the salted session that protects its commands.

use std::fmt::Display;

use earnest_evidence::sealing::{PolicyKey, SignatureBytes};
use earnest_evidence::tpm::PcrSet;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::response_code::Tss2ResponseCode;
use tss_esapi::constants::{SessionType, StartupType};
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, SessionHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Digest, EccParameter, EccSignature, PcrSelectionList, PcrSlot, Private, Public, Signature,
    SymmetricDefinition, VerifiedTicket,
};
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::traits::UnMarshall as _;
use tss_esapi::{Context, Error};

use crate::esys::check;
use crate::state::KeyBlob;
use crate::{DeviceAddress, Name, TpmError};

/// The persistent handle of the storage root key (TCG TPM v2.0 Provisioning Guidance,
/// section 7.5.1).
pub(crate) const SRK_HANDLE: u32 = 0x8100_0001;

/// What the session does for a command. In each case nobody on the way can change the command
/// or its answer unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// It authorizes the command; nothing in it is secret.
    Authentic,
    /// It also encrypts the first parameter of the command.
    SecretCommand,
    /// It also encrypts the first parameter of the answer.
    SecretAnswer,
    /// The command takes no authorization; the session audits it, which authenticates it.
    Audited,
}

/// The TPM, reached.
pub(crate) struct Connection {
    address: DeviceAddress,
    context: Context,
    srk: KeyHandle,
    srk_name: Vec<u8>,
    session: AuthSession,
    lost: bool,
}

impl Connection {
    /// Connects, finds the storage root key under its handle, and starts a session salted by
    /// it: who has not the storage root key's private part can neither read nor forge what
    /// the session protects.
    pub(crate) fn open(address: &DeviceAddress, srk_name: &[u8]) -> Result<Connection, TpmError> {
        let mut context = context(address)?;
        let handle = PersistentTpmHandle::new(SRK_HANDLE).map_err(failed("ReadPublic"))?;
        let srk = context
            .tr_from_tpm_public(TpmHandle::Persistent(handle))
            .map_err(failed("ReadPublic"))?;
        let found = context
            .tr_get_name(srk)
            .map_err(failed("Esys_TR_GetName"))?;
        if found.value() != srk_name {
            return Err(TpmError::OtherName {
                object: "storage root key",
                expected: Name(srk_name.to_vec()),
                found: Name(found.value().to_vec()),
            });
        }
        let srk = KeyHandle::from(srk);
        let session = salted_session(&mut context, srk, SessionType::Hmac)?;
        Ok(Connection {
            address: address.clone(),
            context,
            srk,
            srk_name: srk_name.to_vec(),
            session,
            lost: false,
        })
    }

    /// Ends the session and shuts the TPM down in order: `TPM2_Shutdown(CLEAR)`.
    pub(crate) fn shut_down(mut self) -> Result<(), TpmError> {
        let session = SessionHandle::from(self.session);
        // Whether or not the TPM still has the session, it is to be shut down.
        let flushed = self.open_command("FlushContext", |context| {
            context.flush_context(session.into())
        });
        self.open_command("Shutdown", |context| context.shutdown(StartupType::Clear))?;
        flushed
    }

    /// Tells the library the owner authorization, which nothing but an attack needs.
    #[cfg(test)]
    pub(crate) fn set_owner(&mut self, secret: &[u8]) -> Result<(), Error> {
        let auth = tss_esapi::structures::Auth::try_from(secret)?;
        self.context.tr_set_auth(ObjectHandle::Owner, auth)
    }

    /// Whether a command found that this connection has ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Notes an error from elsewhere that ends this connection, too.
    pub(crate) fn note<T>(&mut self, result: Result<T, TpmError>) -> Result<T, TpmError> {
        if let Err(TpmError::Lost { .. } | TpmError::Library { .. }) = result {
            self.lost = true;
        }
        result
    }

    pub(crate) fn address(&self) -> &DeviceAddress {
        &self.address
    }

    pub(crate) fn srk(&self) -> KeyHandle {
        self.srk
    }

    pub(crate) fn srk_name(&self) -> &[u8] {
        &self.srk_name
    }

    /// The session, for commands that take several.
    pub(crate) fn session(&self) -> AuthSession {
        self.session
    }

    /// One command under the session, which also authorizes it.
    pub(crate) fn command<T>(
        &mut self,
        command: &'static str,
        protection: Protection,
        run: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, TpmError> {
        let sessions = (Some(self.session), None, None);
        self.with_sessions(command, protection, sessions, run)
    }

    /// One command under these sessions, ours among them.
    pub(crate) fn with_sessions<T>(
        &mut self,
        command: &'static str,
        protection: Protection,
        sessions: (
            Option<AuthSession>,
            Option<AuthSession>,
            Option<AuthSession>,
        ),
        run: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, TpmError> {
        let (attributes, _) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(protection == Protection::SecretCommand)
            .with_encrypt(protection == Protection::SecretAnswer)
            .with_audit(protection == Protection::Audited)
            .build();
        // What an earlier command set goes, too, so the mask has all of them.
        let (_, every) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(true)
            .with_encrypt(true)
            .with_audit(true)
            .build();
        let session = self.session;
        let result = self
            .context
            .tr_sess_set_attributes(session, attributes, every)
            .and_then(|()| self.context.execute_with_sessions(sessions, run))
            .map_err(failed(command));
        self.note(result)
    }

    /// One command without a session: what it gives is public and checked by others.
    pub(crate) fn open_command<T>(
        &mut self,
        command: &'static str,
        run: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, TpmError> {
        let result = self
            .context
            .execute_without_session(run)
            .map_err(failed(command));
        self.note(result)
    }

    /// One command authorized by an empty password.
    pub(crate) fn password_command<T>(
        &mut self,
        command: &'static str,
        run: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, TpmError> {
        let result = self
            .context
            .execute_with_session(Some(AuthSession::Password), run)
            .map_err(failed(command));
        self.note(result)
    }

    /// Starts a policy session, salted as the connection's own. The caller flushes it by
    /// [`Self::then_flush`].
    pub(crate) fn policy_session(&mut self) -> Result<AuthSession, TpmError> {
        let session = salted_session(&mut self.context, self.srk, SessionType::Policy);
        self.note(session)
    }

    /// Loads a key below the storage root key and flushes it when `run` is done.
    pub(crate) fn with_key<T>(
        &mut self,
        blob: &KeyBlob,
        run: impl FnOnce(&mut Connection, KeyHandle) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let public = Public::unmarshall(&blob.public).map_err(failed("Load"))?;
        let private = Private::try_from(blob.private.clone()).map_err(failed("Load"))?;
        let srk = self.srk;
        // Under the session it would take libtss2 milliseconds more, and win nothing: the blob
        // is no secret, and the session of the command that uses the key binds the key's name.
        let key = self.password_command("Load", |context| context.load(srk, private, public))?;
        self.then_flush(key.into(), |connection| run(connection, key))
    }

    /// Runs `run` and flushes the handle, whatever came of it: a TPM has three slots.
    pub(crate) fn then_flush<T>(
        &mut self,
        handle: ObjectHandle,
        run: impl FnOnce(&mut Connection) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let result = run(self);
        let flushed = self.open_command("FlushContext", |context| context.flush_context(handle));
        // What went wrong first is what the caller has to know.
        let value = result?;
        flushed?;
        Ok(value)
    }

    /// Has the TPM verify a policy key's signature: `TPM2_LoadExternal` and
    /// `TPM2_VerifySignature`. The ticket is worth nothing elsewhere.
    pub(crate) fn verified(
        &mut self,
        key: &PolicyKey,
        digest: [u8; 32],
        signature: &SignatureBytes,
    ) -> Result<VerifiedTicket, TpmError> {
        let public = Public::unmarshall(&key.public_area()).map_err(failed("LoadExternal"))?;
        let signature = ecdsa(signature).map_err(failed("VerifySignature"))?;
        let digest = Digest::try_from(&digest[..]).map_err(failed("VerifySignature"))?;
        // A ticket of the null hierarchy would not be taken.
        let loaded = self.open_command("LoadExternal", |context| {
            context.load_external_public(public, Hierarchy::Owner)
        })?;
        self.then_flush(loaded.into(), |connection| {
            connection.open_command("VerifySignature", |context| {
                context.verify_signature(loaded, digest, signature)
            })
        })
    }
}

/// A context without sessions.
pub(crate) fn context(address: &DeviceAddress) -> Result<Context, TpmError> {
    let configuration: TctiNameConf = address
        .transport()
        .parse()
        .map_err(failed("Esys_Initialize"))?;
    Context::new(configuration).map_err(failed("Esys_Initialize"))
}

fn salted_session(
    context: &mut Context,
    srk: KeyHandle,
    kind: SessionType,
) -> Result<AuthSession, TpmError> {
    const COMMAND: &str = "StartAuthSession";
    let session = context
        .execute_without_session(|context| {
            context.start_auth_session(
                Some(srk),
                None,
                None,
                kind,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        })
        .map_err(failed(COMMAND))?;
    session.ok_or_else(|| TpmError::Library {
        command: COMMAND,
        reason: "no session was started".to_owned(),
    })
}

fn ecdsa(signature: &SignatureBytes) -> Result<Signature, Error> {
    let (r, s) = signature.split_at(32);
    EccSignature::create(
        HashingAlgorithm::Sha256,
        EccParameter::try_from(r)?,
        EccParameter::try_from(s)?,
    )
    .map(Signature::EcDsa)
}

/// These PCRs of the SHA-256 bank, as the library has them.
pub(crate) fn selection(pcrs: PcrSet) -> Result<PcrSelectionList, Error> {
    let slots = pcrs
        .iter()
        .map(|index| PcrSlot::try_from(1_u32 << index))
        .collect::<Result<Vec<PcrSlot>, Error>>()?;
    PcrSelectionList::builder()
        .with_selection(HashingAlgorithm::Sha256, &slots)
        .build()
}

/// Turns the library's error into ours.
pub(crate) fn failed(command: &'static str) -> impl Fn(Error) -> TpmError {
    move |error| {
        // The library shows the number of a code and gives it in no other way.
        let code = match error {
            Error::Tss2Error(Tss2ResponseCode::FormatZero(code)) => number(&code),
            Error::Tss2Error(Tss2ResponseCode::FormatOne(code)) => number(&code),
            _ => None,
        };
        let refused = code.and_then(|code| check(command, code).err());
        refused.unwrap_or_else(|| TpmError::Library {
            command,
            reason: error.to_string(),
        })
    }
}

fn number(code: &impl Display) -> Option<u32> {
    let text = code.to_string();
    let (_, digits) = text.rsplit_once("0x")?;
    u32::from_str_radix(digits, 16).ok()
}
