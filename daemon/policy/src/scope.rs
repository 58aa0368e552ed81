//! What there is to be permitted.

mod name;

pub use name::{ScopeName, ScopeNameError, ScopeOrderError, ScopeSet};

/// Something that can be permitted. The scopes of this crate are all there are.
pub trait Scope: sealed::Sealed {
    /// Its name, in lower case.
    const NAME: &'static str;
}

/// What an application comes with, and no person.
pub trait OfApps: Scope {}

/// A scope of applications, which costs the device work: sound comes in.
pub trait Work: OfApps {}

/// Sound in, the times of speech out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vad {}

/// Sound in, out the phrase of an enrolled list that it is, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {}

/// Sound in, text out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcribe {}

/// The microphone's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {}

/// Having a token: for whoever may do any work at all. It is in no token and in no book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {}

/// Seeing how the device fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum See {}

/// Changing who may do what, and the device's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operate {}

/// Coming in by a browser: for operators and auditors alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Browse {}

/// Reading the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {}

pub(crate) mod sealed {
    use super::ScopeName;

    /// Whose permits a list grants.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Group {
        /// The users whose applications may ask.
        Apps,
        /// The users that operate the device, each time with a second factor.
        Operators,
        /// The users that read the audit log, each time with a second factor.
        Auditors,
        /// Operators and auditors.
        People,
        /// Operators and auditors, each time with a second factor.
        ProvenPeople,
    }

    /// Keeps other crates from adding scopes.
    pub trait Sealed {
        /// The list that a user must be on.
        const GROUP: Group;

        /// Its name in sets, where it has one.
        const IN_SETS: Option<ScopeName>;
    }
}

/// Gives each marker its name and its list.
macro_rules! scopes {
    ($($scope:ident $group:ident;)*) => {
        $(
            impl Scope for $scope {
                const NAME: &'static str = ScopeName::$scope.as_str();
            }

            impl sealed::Sealed for $scope {
                const GROUP: sealed::Group = sealed::Group::$group;
                const IN_SETS: Option<ScopeName> = Some(ScopeName::$scope);
            }
        )*
    };
}

scopes! {
    Vad Apps;
    Command Apps;
    Transcribe Apps;
    Listen Apps;
    See People;
    Operate Operators;
    Audit Auditors;
}

impl Scope for Tokens {
    const NAME: &'static str = "tokens";
}

impl sealed::Sealed for Tokens {
    const GROUP: sealed::Group = sealed::Group::Apps;
    const IN_SETS: Option<ScopeName> = None;
}

impl Scope for Browse {
    const NAME: &'static str = "browse";
}

impl sealed::Sealed for Browse {
    const GROUP: sealed::Group = sealed::Group::ProvenPeople;
    const IN_SETS: Option<ScopeName> = None;
}

impl OfApps for Vad {}
impl OfApps for Command {}
impl OfApps for Transcribe {}
impl OfApps for Listen {}
impl OfApps for Tokens {}

impl Work for Vad {}
impl Work for Command {}
impl Work for Transcribe {}
impl Work for Listen {}
