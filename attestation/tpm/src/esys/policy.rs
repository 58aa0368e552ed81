//! A policy session from its start to the command that it authorizes.

use std::ptr::{null, null_mut};

use tss_esapi::constants::tss::{
    TPM2_ALG_AES, TPM2_ALG_CFB, TPM2_ALG_SHA256, TPM2_SE_POLICY, TPMA_SESSION_ENCRYPT,
};
use tss_esapi::structures::{
    Digest, MaxNvBuffer, Name as EsapiName, Nonce, PcrSelectionList, Private, Public,
    VerifiedTicket,
};
use tss_esapi::tss2_esys as ffi;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Esys, Reference, bounded, check};
use crate::TpmError;

const NONE: ffi::ESYS_TR = ffi::ESYS_TR_NONE;

/// `TPM_EO_UNSIGNED_LE`: the number in the index is at most the operand.
const AT_MOST: u16 = 0x0009;

/// A policy session, salted with the storage root key, that encrypts the first parameter of
/// what it authorizes. It is flushed when dropped.
pub(crate) struct PolicySession<'e> {
    session: Reference<'e>,
}

impl<'e> PolicySession<'e> {
    /// `TPM2_StartAuthSession` of a policy session with SHA-256 and AES-128-CFB.
    pub(crate) fn start(esys: &'e Esys, salted_by: &Reference<'e>) -> Result<Self, TpmError> {
        let symmetric = ffi::TPMT_SYM_DEF {
            algorithm: TPM2_ALG_AES,
            keyBits: ffi::TPMU_SYM_KEY_BITS { aes: 128 },
            mode: ffi::TPMU_SYM_MODE { aes: TPM2_ALG_CFB },
        };
        let mut session = 0;
        // SAFETY: see the module above; a null nonce asks the library for one, and the
        // library writes the handle.
        let code = unsafe {
            ffi::Esys_StartAuthSession(
                esys.raw(),
                salted_by.handle,
                NONE,
                NONE,
                NONE,
                NONE,
                null(),
                TPM2_SE_POLICY,
                &symmetric,
                TPM2_ALG_SHA256,
                &mut session,
            )
        };
        check("StartAuthSession", code)?;
        Ok(PolicySession {
            session: Reference {
                esys,
                handle: session,
                flush: true,
            },
        })
    }

    /// `TPM2_PolicyPCR`: the PCRs have this digest now.
    pub(crate) fn pcr(&self, pcrs: PcrSelectionList, digest: Digest) -> Result<(), TpmError> {
        let (digest, pcrs) = (digest.into(), pcrs.into());
        // SAFETY: see the module above.
        let code = unsafe {
            ffi::Esys_PolicyPCR(self.esys(), self.handle(), NONE, NONE, NONE, &digest, &pcrs)
        };
        check("PolicyPCR", code)
    }

    /// `TPM2_PolicyNV`: the number at this place in the index is at most this.
    pub(crate) fn nv_at_most(
        &self,
        index: &Reference<'e>,
        offset: u16,
        most: u64,
    ) -> Result<(), TpmError> {
        let mut operand = ffi::TPM2B_OPERAND {
            size: 8,
            ..Default::default()
        };
        operand.buffer[..8].copy_from_slice(&most.to_be_bytes());
        // SAFETY: see the module above. The index authorizes its reading by its empty
        // password.
        let code = unsafe {
            ffi::Esys_PolicyNV(
                self.esys(),
                index.handle,
                index.handle,
                self.handle(),
                ffi::ESYS_TR_PASSWORD,
                NONE,
                NONE,
                &operand,
                offset,
                AT_MOST,
            )
        };
        check("PolicyNV", code)
    }

    /// `TPM2_PolicyNvWritten`: the index of the command was written, or was not.
    pub(crate) fn nv_written(&self, written: bool) -> Result<(), TpmError> {
        // SAFETY: see the module above.
        let code = unsafe {
            let written = u8::from(written);
            ffi::Esys_PolicyNvWritten(self.esys(), self.handle(), NONE, NONE, NONE, written)
        };
        check("PolicyNvWritten", code)
    }

    /// `TPM2_PolicyCpHash`: the command has these parameters.
    pub(crate) fn cp_hash(&self, digest: Digest) -> Result<(), TpmError> {
        let digest = digest.into();
        // SAFETY: see the module above.
        let code = unsafe {
            ffi::Esys_PolicyCpHash(self.esys(), self.handle(), NONE, NONE, NONE, &digest)
        };
        check("PolicyCpHash", code)
    }

    /// `TPM2_PolicyAuthorize`: the key of this name approved of the policy so far, by the
    /// ticket of the signature that the TPM verified.
    pub(crate) fn authorize(
        &self,
        approved: Digest,
        reference: Nonce,
        key: EsapiName,
        ticket: VerifiedTicket,
    ) -> Result<(), TpmError> {
        let library = |error: tss_esapi::Error| TpmError::Library {
            command: "PolicyAuthorize",
            reason: error.to_string(),
        };
        let (approved, reference, key) = (approved.into(), reference.into(), *key.as_ref());
        let ticket = ffi::TPMT_TK_VERIFIED::try_from(ticket).map_err(library)?;
        // SAFETY: see the module above.
        let code = unsafe {
            ffi::Esys_PolicyAuthorize(
                self.esys(),
                self.handle(),
                NONE,
                NONE,
                NONE,
                &approved,
                &reference,
                &key,
                &ticket,
            )
        };
        check("PolicyAuthorize", code)
    }

    /// `TPM2_Load` and `TPM2_Unseal` under this session, which also encrypts the answer.
    pub(crate) fn unseal(
        &self,
        parent: &Reference<'e>,
        private: Private,
        public: Public,
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let item = self.load(parent, private, public)?;
        self.encrypt(TPMA_SESSION_ENCRYPT)?;
        let mut data: *mut ffi::TPM2B_SENSITIVE_DATA = null_mut();
        // SAFETY: see the module above; the library allocates the data.
        let code = unsafe {
            ffi::Esys_Unseal(
                self.esys(),
                item.handle,
                self.handle(),
                NONE,
                NONE,
                &mut data,
            )
        };
        check("Unseal", code)?;
        let Some(data) = std::ptr::NonNull::new(data) else {
            return Err(TpmError::Library {
                command: "Unseal",
                reason: "nothing was returned".to_owned(),
            });
        };
        // SAFETY: the library allocated and initialised the data in a call that succeeded,
        // and nobody else has the pointer. It is overwritten before it is given back, because
        // the library does not do that, and is not used after.
        unsafe {
            let sensitive = &mut *data.as_ptr();
            let used = bounded("Unseal", "data", &sensitive.buffer, sensitive.size);
            let copied = used.map(|used| Zeroizing::new(used.to_vec()));
            sensitive.buffer.zeroize();
            ffi::Esys_Free(data.as_ptr().cast());
            copied
        }
    }

    /// `TPM2_NV_Write` of the whole index, authorized by the index's policy.
    pub(crate) fn nv_write(
        &self,
        index: &Reference<'e>,
        data: MaxNvBuffer,
    ) -> Result<(), TpmError> {
        let data = data.into();
        // SAFETY: see the module above.
        let code = unsafe {
            ffi::Esys_NV_Write(
                self.esys(),
                index.handle,
                index.handle,
                self.handle(),
                NONE,
                NONE,
                &data,
                0,
            )
        };
        check("NV_Write", code)
    }

    fn load(
        &self,
        parent: &Reference<'e>,
        private: Private,
        public: Public,
    ) -> Result<Reference<'e>, TpmError> {
        let library = |error: tss_esapi::Error| TpmError::Library {
            command: "Load",
            reason: error.to_string(),
        };
        let private = private.into();
        let public = ffi::TPM2B_PUBLIC::try_from(public).map_err(library)?;
        let mut handle = 0;
        // SAFETY: see the module above; the library writes the handle.
        let code = unsafe {
            ffi::Esys_Load(
                self.esys(),
                parent.handle,
                ffi::ESYS_TR_PASSWORD,
                NONE,
                NONE,
                &private,
                &public,
                &mut handle,
            )
        };
        check("Load", code)?;
        Ok(Reference {
            esys: self.session.esys,
            handle,
            flush: true,
        })
    }

    fn encrypt(&self, attributes: u8) -> Result<(), TpmError> {
        // SAFETY: see the module above.
        let code = unsafe {
            ffi::Esys_TRSess_SetAttributes(self.esys(), self.handle(), attributes, attributes)
        };
        check("Esys_TRSess_SetAttributes", code)
    }

    fn esys(&self) -> *mut ffi::ESYS_CONTEXT {
        self.session.esys.raw()
    }

    fn handle(&self) -> ffi::ESYS_TR {
        self.session.handle
    }
}
