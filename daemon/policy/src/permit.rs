//! A passed check.

use std::fmt;
use std::marker::PhantomData;

use crate::{AppId, AppLimits, Origin, Scope, ScopeSet};

/// Leave to use one scope, once: whoever needs leave takes it by value. It cannot be copied, and
/// only [`Policy::permit`](crate::Policy::permit) makes one.
///
/// ```compile_fail
/// # use earnest_policy::{Permit, Transcribe};
/// fn twice(permit: Permit<Transcribe>) -> (Permit<Transcribe>, Permit<Transcribe>) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// ```compile_fail
/// # use earnest_policy::{Permit, Transcribe};
/// fn forged(other: Permit<Transcribe>) -> Permit<Transcribe> {
///     Permit { leave: other.leave, scope: std::marker::PhantomData }
/// }
/// ```
pub struct Permit<S: Scope> {
    leave: Leave,
    scope: PhantomData<fn() -> S>,
}

/// What a permit says, whatever its scope.
#[derive(Debug, Clone)]
pub(crate) struct Leave {
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    pub(crate) proof: Proof,
    pub(crate) origin: Origin,
    pub(crate) certificate: Option<[u8; 32]>,
    pub(crate) scopes: ScopeSet,
    pub(crate) limits: AppLimits,
    pub(crate) registered: bool,
}

/// What a permit rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The kernel's word on the peer of a Unix socket, or of a protocol that knows no tokens.
    Peer,
    /// A certificate that is pinned to the application, shown by one of its users.
    Certificate,
    /// A token, shown by the user that it belongs to, with the certificate that it is bound to
    /// if it is.
    Token,
    /// A browser's session, shown by the user that it belongs to.
    Session,
}

impl<S: Scope> Permit<S> {
    pub(crate) fn new(leave: Leave) -> Permit<S> {
        Permit {
            leave,
            scope: PhantomData,
        }
    }

    /// The application that it was given to. It tells apart what must not be mixed: what users
    /// run without registration bears the user in its name.
    pub fn app(&self) -> &AppId {
        &self.leave.app
    }

    /// The user that it was given to.
    pub fn uid(&self) -> u32 {
        self.leave.uid
    }

    /// What it rests on.
    pub fn proof(&self) -> Proof {
        self.leave.proof
    }

    /// Where it was asked for.
    pub fn origin(&self) -> Origin {
        self.leave.origin
    }

    /// The digest of the certificate that was shown with it, if there was one.
    pub fn certificate(&self) -> Option<[u8; 32]> {
        self.leave.certificate
    }

    /// All that the application may do with what it showed.
    pub fn scopes(&self) -> ScopeSet {
        self.leave.scopes
    }

    /// How much of it.
    pub fn limits(&self) -> &AppLimits {
        &self.leave.limits
    }

    /// Whether an operator registered the application.
    pub fn is_registered(&self) -> bool {
        self.leave.registered
    }
}

impl<S: Scope> fmt::Debug for Permit<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leave {
            app, uid, proof, ..
        } = &self.leave;
        write!(
            formatter,
            "Permit({}, {app}, uid {uid}, {proof:?})",
            S::NAME
        )
    }
}
