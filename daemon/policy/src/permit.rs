//! A passed check.

use std::fmt;
use std::marker::PhantomData;

use crate::{AppId, Scope};

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
/// # use earnest_policy::{AppId, Permit, Proof, Transcribe};
/// let forged: Permit<Transcribe> = Permit {
///     app: AppId::of_uid(0),
///     uid: 0,
///     proof: Proof::Peer,
///     scope: std::marker::PhantomData,
/// };
/// ```
pub struct Permit<S: Scope> {
    app: AppId,
    uid: u32,
    proof: Proof,
    scope: PhantomData<fn() -> S>,
}

/// What a permit rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The kernel's word on the peer of a Unix socket.
    Peer,
    /// A token, shown by the user that it belongs to.
    Token,
}

impl<S: Scope> Permit<S> {
    pub(crate) fn new(app: AppId, uid: u32, proof: Proof) -> Permit<S> {
        Permit {
            app,
            uid,
            proof,
            scope: PhantomData,
        }
    }

    /// The application that it was given to.
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// The user that it was given to.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// What it rests on.
    pub fn proof(&self) -> Proof {
        self.proof
    }
}

impl<S: Scope> fmt::Debug for Permit<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Permit({}, {}, uid {}, {:?})",
            S::NAME,
            self.app,
            self.uid,
            self.proof
        )
    }
}
