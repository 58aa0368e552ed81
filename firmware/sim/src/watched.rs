//! A value that one thread changes and others wait for.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The value. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Watched<T>(Arc<(Mutex<T>, Condvar)>);

impl<T: Clone + PartialEq> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((Mutex::new(value), Condvar::new())))
    }

    /// As it is now.
    pub(crate) fn now(&self) -> T {
        let (value, _) = &*self.0;
        value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it, and wakes who waits if it did.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        let (value, changed) = &*self.0;
        let mut value = value.lock().unwrap_or_else(PoisonError::into_inner);
        let before = value.clone();
        change(&mut value);
        if *value != before {
            changed.notify_all();
        }
    }

    /// Waits until it is as wanted. `None` where it was not in time.
    pub(crate) fn wait(&self, patience: Duration, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let (value, changed) = &*self.0;
        let value = value.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, result) = changed
            .wait_timeout_while(value, patience, |value| !wanted(value))
            .unwrap_or_else(PoisonError::into_inner);
        (!result.timed_out()).then(|| value.clone())
    }
}
