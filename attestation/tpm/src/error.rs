//! What goes wrong between here and the TPM.

use std::fmt;
use std::time::Duration;

use earnest_evidence::hex;

/// A response code, as the TPM or the library below it gave it (TPM 2.0 Part 2, "`TPM_RC`";
/// TSS 2.0 Overview, "Response codes", for the layers of the library).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponseCode(pub u32);

/// Where a code comes from: bits 16 to 23.
const LAYER: u32 = 0x00ff_0000;

impl ResponseCode {
    /// The authorization failed: a wrong value, and the dictionary-attack logic counted it.
    pub const AUTH_FAIL: u32 = 0x08e;
    /// There is no such handle.
    pub const HANDLE: u32 = 0x08b;
    /// A policy that was not gone through to its end.
    pub const POLICY_FAIL: u32 = 0x09d;

    /// Whether the TPM itself answered, not the library on the way.
    pub fn is_of_tpm(self) -> bool {
        self.0 & LAYER == 0
    }

    /// The code without the number of the parameter, handle or session that it is about.
    pub fn base(self) -> u32 {
        if self.0 & 0x80 != 0 {
            self.0 & 0x0bf
        } else {
            self.0 & 0xfff
        }
    }

    /// Whether nothing more can be expected over this connection: the transport failed, the
    /// TPM started anew and forgot its sessions, or it stopped working.
    pub(crate) fn is_loss(self) -> bool {
        const INITIALIZE: u32 = 0x100;
        const FAILURE: u32 = 0x101;
        // A session or an object that the TPM does not know any more.
        const REFERENCES: std::ops::RangeInclusive<u32> = 0x910..=0x91e;
        !self.is_of_tpm()
            || matches!(self.base(), INITIALIZE | FAILURE)
            || REFERENCES.contains(&self.base())
    }

    fn meaning(self) -> &'static str {
        if !self.is_of_tpm() {
            return "the transport or the library on the way to the TPM failed";
        }
        match self.base() {
            0x082 => "an attribute does not fit",
            0x084 => "a value does not fit",
            Self::HANDLE => "there is no such handle",
            Self::AUTH_FAIL | 0x0a2 => "the authorization is wrong",
            0x095 => "a size does not fit",
            0x09b => "a signature is none",
            Self::POLICY_FAIL => "the policy is not fulfilled",
            0x09f => "the object is none of this TPM, or damaged",
            0x100 => "the TPM has not started",
            0x101 => "the TPM has failed",
            0x126 => "a comparison of the policy fails",
            0x128 => "a PCR changed after the policy looked at it",
            0x12f => "this kind of authorization is not for this object",
            0x149 => "the index may not be written or read like this",
            0x14a => "the index was never written",
            0x14c => "the index exists",
            0x902 => "the TPM has no room for another object",
            0x903 => "the TPM has no room for another session",
            0x921 => "the TPM is locked",
            0x910..=0x91e => "the TPM has forgotten a handle",
            _ => "see TPM 2.0 Part 2, TPM_RC",
        }
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#05x}, {}", self.0, self.meaning())
    }
}

/// A TPM's name of an object or index, as shown in messages.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(pub Vec<u8>);

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why the TPM did not do a thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TpmError {
    /// The TPM said no.
    #[error("the TPM refuses {command}: {code}")]
    Refused {
        /// The command, by its name in TPM 2.0 Part 3.
        command: &'static str,
        /// Its answer.
        code: ResponseCode,
    },
    /// The TPM, or the way to it, died under the command. Whether the command was carried
    /// out is not known. The next call tries to reach it anew.
    #[error("the TPM was lost during {command}: {code}")]
    Lost {
        /// The command.
        command: &'static str,
        /// What the transport or the TPM said last.
        code: ResponseCode,
    },
    /// The TPM could not be reached a moment ago, and it is not yet time to try again.
    #[error("the TPM is out of reach; the next attempt is due in {retry_in:?}")]
    Unavailable {
        /// Until then, calls answer this at once.
        retry_in: Duration,
    },
    /// As many calls wait as may.
    #[error("{waiting} calls wait for the TPM, which is the most")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The TPM took too long. What it was asked to do may still happen.
    #[error("the TPM gave no answer for {after:?}")]
    TimedOut {
        /// How long the caller waited.
        after: Duration,
    },
    /// The thread that owns the TPM has ended.
    #[error("the TPM is closed")]
    Closed,
    /// The library would not send the command or could not read the answer.
    #[error("{command}: {reason}")]
    Library {
        /// The command.
        command: &'static str,
        /// What the library says.
        reason: String,
    },
    /// Under a handle stands another object than the state says: somebody replaced it, or
    /// the state is another TPM's.
    #[error("the {object} has the name {found}, not {expected}")]
    OtherName {
        /// Which object.
        object: &'static str,
        /// Its name by the state.
        expected: Name,
        /// Its name by the TPM.
        found: Name,
    },
    /// An answer of another length.
    #[error("{command} gave {found} bytes of {what}, not {expected}")]
    Length {
        /// The command.
        command: &'static str,
        /// Of what.
        what: &'static str,
        /// Bytes that there should be.
        expected: usize,
        /// Bytes that there are.
        found: usize,
    },
    /// PCRs changed again and again while they were read.
    #[error("the PCRs changed during each of {attempts} readings")]
    Unsteady {
        /// How often they were read.
        attempts: usize,
    },
    /// What only a TPM can do was asked of something else.
    #[error("{what} takes a TPM")]
    NoTpm {
        /// What was asked.
        what: &'static str,
    },
}

impl TpmError {
    /// Whether another try may help without anything being mended: the TPM was away or busy.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            TpmError::Lost { .. }
                | TpmError::Unavailable { .. }
                | TpmError::Busy { .. }
                | TpmError::TimedOut { .. }
        )
    }

    /// The base of the TPM's own answer, if it gave one.
    pub(crate) fn refusal(&self) -> Option<u32> {
        match self {
            TpmError::Refused { code, .. } => Some(code.base()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_from_what_is_refused() {
        for code in [0x000a_000a, 0x0007_0007, 0x100, 0x101, 0x910, 0x918] {
            assert!(ResponseCode(code).is_loss(), "{code:#x}");
        }
        for code in [0x99d, 0x126, 0x14a, 0x1c4, 0x921, 0x922] {
            assert!(!ResponseCode(code).is_loss(), "{code:#x}");
        }
    }

    #[test]
    fn the_base_of_a_code_leaves_out_what_it_is_about() {
        assert_eq!(ResponseCode(0x99d).base(), ResponseCode::POLICY_FAIL);
        assert_eq!(ResponseCode(0x1c4).base(), 0x084);
        assert_eq!(ResponseCode(0x126).base(), 0x126);
    }
}
