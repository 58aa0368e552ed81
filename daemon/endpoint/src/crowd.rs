//! How many connections each user holds, so that one who opens a thousand and says nothing shuts
//! nobody else out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who holds how many connections. Those of nobody known are one user's. There are never more
/// entries than connections, which listeners bound.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    most: usize,
    holders: Arc<Mutex<HashMap<Option<u32>, usize>>>,
}

/// One connection's place, which is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    crowd: Crowd,
    uid: Option<u32>,
}

impl Crowd {
    /// A crowd in which nobody holds more than `most`.
    pub(crate) fn new(most: usize) -> Crowd {
        Crowd {
            most,
            holders: Arc::default(),
        }
    }

    /// A place for one more connection of this user, if there is one.
    pub(crate) fn enter(&self, uid: Option<u32>) -> Option<Seat> {
        let mut holders = self.holders();
        let held = holders.entry(uid).or_insert(0);
        if *held >= self.most {
            return None;
        }
        *held += 1;
        let crowd = self.clone();
        Some(Seat { crowd, uid })
    }

    fn holders(&self) -> MutexGuard<'_, HashMap<Option<u32>, usize>> {
        // Numbers alone: what somebody panicked over is still good.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut holders = self.crowd.holders();
        if let Some(held) = holders.get_mut(&self.uid) {
            *held -= 1;
            if *held == 0 {
                holders.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_many_connections_leaves_the_others_theirs() {
        let crowd = Crowd::new(2);
        let enter = |uid| crowd.enter(uid);
        let held = [enter(Some(1)), enter(Some(1))];
        assert!(held.iter().all(Option::is_some));
        assert!(enter(Some(1)).is_none());
        let others = [enter(Some(2)), enter(None), enter(None)];
        assert!(others.iter().all(Option::is_some));
        assert!(enter(None).is_none());
        drop(held);
        assert!(enter(Some(1)).is_some());
        drop(others);
        assert!(crowd.holders().is_empty());
    }
}
