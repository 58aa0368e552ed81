//! The commands that `tss_esapi::Context` lacks, on an ESYS context of their own.
//!
//! This module is the crate's home of unsafe code, together with [`crate::quiet_library`]. It
//! has the commands of one policy session from its start to the command that it authorizes,
//! because a session cannot change contexts, and two that need no session: the clock and the
//! parameters of the dictionary-attack logic.
//!
//! What makes the calls sound, said once for all of them:
//! - The context comes from `Esys_Initialize` and lives until [`Esys`] is dropped; a guard
//!   borrows the [`Esys`] that made it, so it cannot outlive it.
//! - [`Esys`] is neither `Send` nor `Sync`, so no two threads are in one context.
//! - Parameters are pointers to values on this stack, fully initialised, and the library reads
//!   them during the call only (TSS 2.0 Enhanced System API, section 3).
//! - What the library returns through a pointer was allocated by it. It is copied and given
//!   back with `Esys_Free`, and looked at only after a call that succeeded.

mod policy;

pub(crate) use policy::PolicySession;

use std::ffi::CString;
use std::ptr::{NonNull, null_mut};

use tss_esapi::tss2_esys as ffi;

use crate::module::Clock;
use crate::{DeviceAddress, Name, ResponseCode, TpmError};

/// An ESYS context with its own connection to the TPM.
pub(crate) struct Esys {
    context: NonNull<ffi::ESYS_CONTEXT>,
    transport: NonNull<ffi::TSS2_TCTI_CONTEXT>,
}

impl Esys {
    /// Connects.
    pub(crate) fn open(address: &DeviceAddress) -> Result<Esys, TpmError> {
        let library = |reason: &str| TpmError::Library {
            command: "Esys_Initialize",
            reason: reason.to_owned(),
        };
        let transport = CString::new(address.transport())
            .map_err(|_| library("the address has a zero byte"))?;
        let mut tcti = null_mut();
        // SAFETY: the string ends with a zero byte and lives over the call; the library writes
        // the pointer.
        let code = unsafe { ffi::Tss2_TctiLdr_Initialize(transport.as_ptr(), &mut tcti) };
        check("Tss2_TctiLdr_Initialize", code)?;
        let transport = NonNull::new(tcti).ok_or_else(|| library("no transport"))?;
        let mut context = null_mut();
        // SAFETY: the transport was just made and outlives the context, see `Drop`; a null
        // version asks for the current one.
        let code = unsafe { ffi::Esys_Initialize(&mut context, transport.as_ptr(), null_mut()) };
        let context = check("Esys_Initialize", code)
            .and_then(|()| NonNull::new(context).ok_or_else(|| library("no context")));
        if context.is_err() {
            let mut tcti = transport.as_ptr();
            // SAFETY: the transport was made above, no context uses it, and the `?` below
            // returns before anybody else could.
            unsafe { ffi::Tss2_TctiLdr_Finalize(&mut tcti) };
        }
        Ok(Esys {
            context: context?,
            transport,
        })
    }

    /// The library's handle of a persistent object or an index, if it has this name. The
    /// library reads its public part, so whoever sits on the way could give another's.
    pub(crate) fn named(
        &self,
        object: &'static str,
        handle: u32,
        expected: &[u8],
    ) -> Result<Reference<'_>, TpmError> {
        const NONE: ffi::ESYS_TR = ffi::ESYS_TR_NONE;
        let mut reference = 0;
        // SAFETY: see the module; the library writes the handle.
        let code = unsafe {
            ffi::Esys_TR_FromTPMPublic(self.raw(), handle, NONE, NONE, NONE, &mut reference)
        };
        check("ReadPublic", code)?;
        let reference = Reference {
            esys: self,
            handle: reference,
            flush: false,
        };
        let mut name = null_mut();
        // SAFETY: see the module; the library allocates the name.
        let code = unsafe { ffi::Esys_TR_GetName(self.raw(), reference.handle, &mut name) };
        check("Esys_TR_GetName", code)?;
        let name = taken("Esys_TR_GetName", name)?;
        let found = bounded("Esys_TR_GetName", "name", &name.name, name.size)?;
        if found == expected {
            Ok(reference)
        } else {
            Err(TpmError::OtherName {
                object,
                expected: Name(expected.to_vec()),
                found: Name(found.to_vec()),
            })
        }
    }

    /// `TPM2_ReadClock`.
    pub(crate) fn read_clock(&self) -> Result<Clock, TpmError> {
        const NONE: ffi::ESYS_TR = ffi::ESYS_TR_NONE;
        let mut time = null_mut();
        // SAFETY: see the module; the library allocates the time.
        let code = unsafe { ffi::Esys_ReadClock(self.raw(), NONE, NONE, NONE, &mut time) };
        check("ReadClock", code)?;
        let clock = taken("ReadClock", time)?.clockInfo;
        Ok(Clock {
            clock: clock.clock,
            reset_count: clock.resetCount,
            restart_count: clock.restartCount,
            safe: clock.safe != 0,
        })
    }

    /// `TPM2_DictionaryAttackParameters`, while the lockout authorization is still empty: how
    /// many failures lock the TPM, in how many seconds one of them is forgotten, and for how
    /// many seconds a failure of the lockout authorization itself locks that.
    pub(crate) fn dictionary_attack_parameters(
        &self,
        most_failures: u32,
        seconds_a_failure: u32,
        seconds_of_lockout: u32,
    ) -> Result<(), TpmError> {
        const NONE: ffi::ESYS_TR = ffi::ESYS_TR_NONE;
        // SAFETY: see the module; all parameters are numbers.
        let code = unsafe {
            ffi::Esys_DictionaryAttackParameters(
                self.raw(),
                ffi::ESYS_TR_RH_LOCKOUT,
                ffi::ESYS_TR_PASSWORD,
                NONE,
                NONE,
                most_failures,
                seconds_a_failure,
                seconds_of_lockout,
            )
        };
        check("DictionaryAttackParameters", code)
    }

    fn raw(&self) -> *mut ffi::ESYS_CONTEXT {
        self.context.as_ptr()
    }
}

impl Drop for Esys {
    fn drop(&mut self) {
        let mut context = self.context.as_ptr();
        let mut transport = self.transport.as_ptr();
        // SAFETY: both were made by `open` and are finalized once, here; the context goes
        // first, because it uses the transport. No guard is left: each borrows this value.
        unsafe {
            ffi::Esys_Finalize(&mut context);
            ffi::Tss2_TctiLdr_Finalize(&mut transport);
        }
    }
}

/// A handle of the library: closed when dropped, and flushed from the TPM if it was loaded.
pub(crate) struct Reference<'e> {
    esys: &'e Esys,
    handle: ffi::ESYS_TR,
    flush: bool,
}

impl Drop for Reference<'_> {
    fn drop(&mut self) {
        // A failure leaves nothing to do: the TPM has lost the handle already, or is gone.
        // SAFETY: see the module; the handle is this context's, and nobody uses it after.
        unsafe {
            if self.flush {
                ffi::Esys_FlushContext(self.esys.raw(), self.handle);
            } else {
                ffi::Esys_TR_Close(self.esys.raw(), &mut self.handle);
            }
        }
    }
}

/// The typed error of a response code.
pub(crate) fn check(command: &'static str, code: u32) -> Result<(), TpmError> {
    let code = ResponseCode(code);
    match code.0 {
        0 => Ok(()),
        _ if code.is_loss() => Err(TpmError::Lost { command, code }),
        _ => Err(TpmError::Refused { command, code }),
    }
}

/// Copies what the library allocated, and gives it back.
fn taken<T: Copy>(command: &'static str, pointer: *mut T) -> Result<T, TpmError> {
    if pointer.is_null() {
        return Err(TpmError::Library {
            command,
            reason: "nothing was returned".to_owned(),
        });
    }
    // SAFETY: the library allocated the value in a call that succeeded, aligned for any type
    // (it uses calloc) and initialised. Nobody else has the pointer, and it is not used after.
    unsafe {
        let value = *pointer;
        ffi::Esys_Free(pointer.cast());
        Ok(value)
    }
}

/// The part of a sized buffer that is in use.
fn bounded<'b>(
    command: &'static str,
    what: &'static str,
    buffer: &'b [u8],
    size: u16,
) -> Result<&'b [u8], TpmError> {
    let found = usize::from(size);
    buffer.get(..found).ok_or(TpmError::Length {
        command,
        what,
        expected: buffer.len(),
        found,
    })
}
