//! What there is to be permitted.

/// Something that can be permitted. The scopes of this crate are all there are.
pub trait Scope: sealed::Sealed {
    /// Its name, in lower case.
    const NAME: &'static str;
}

/// Sound in, text out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcribe {}

/// Sound in, the times of speech out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vad {}

/// Seeing how the device fares, and changing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operate {}

impl Scope for Transcribe {
    const NAME: &'static str = "transcribe";
}

impl Scope for Vad {
    const NAME: &'static str = "vad";
}

impl Scope for Operate {
    const NAME: &'static str = "operate";
}

pub(crate) mod sealed {
    use super::{Operate, Transcribe, Vad};

    /// Whose permits a list grants.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Group {
        /// The users whose applications may ask.
        Apps,
        /// The users that operate the device.
        Operators,
    }

    /// Keeps other crates from adding scopes.
    pub trait Sealed {
        /// The list that a user must be on.
        const GROUP: Group;
    }

    impl Sealed for Transcribe {
        const GROUP: Group = Group::Apps;
    }

    impl Sealed for Vad {
        const GROUP: Group = Group::Apps;
    }

    impl Sealed for Operate {
        const GROUP: Group = Group::Operators;
    }
}
