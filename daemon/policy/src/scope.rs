//! What there is to be permitted.

/// Something that can be permitted. The scopes of this crate are all there are.
pub trait Scope: sealed::Sealed {
    /// Its name, in lower case.
    const NAME: &'static str;
}

/// A scope of applications, which costs the device work: sound comes in.
pub trait Work: Scope {}

/// Sound in, the times of speech out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vad {}

/// Sound in, out the phrase of an enrolled list that it is, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {}

/// Sound in, text out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcribe {}

/// The microphone's text. Nothing stands behind it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {}

/// Seeing how the device fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum See {}

/// Changing who may do what, and the device's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operate {}

/// Reading the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {}

pub(crate) mod sealed {
    /// Whose permits a list grants.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Group {
        /// The users whose applications may ask.
        Apps,
        /// The users that operate the device.
        Operators,
        /// The users that read the audit log.
        Auditors,
        /// Operators and auditors.
        People,
    }

    /// Keeps other crates from adding scopes.
    pub trait Sealed {
        /// The list that a user must be on.
        const GROUP: Group;
    }
}

/// Gives each marker its name and its list.
macro_rules! scopes {
    ($($scope:ident $name:literal $group:ident;)*) => {
        $(
            impl Scope for $scope {
                const NAME: &'static str = $name;
            }

            impl sealed::Sealed for $scope {
                const GROUP: sealed::Group = sealed::Group::$group;
            }
        )*
    };
}

scopes! {
    Vad "vad" Apps;
    Command "command" Apps;
    Transcribe "transcribe" Apps;
    Listen "listen" Apps;
    See "see" People;
    Operate "operate" Operators;
    Audit "audit" Auditors;
}

impl Work for Vad {}
impl Work for Command {}
impl Work for Transcribe {}
impl Work for Listen {}
