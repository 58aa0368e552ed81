//! A guard that does what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use earnest_guardian::{GuardReport, GuardState};
use tokio::sync::watch;

use super::kit::{House, settle};
use crate::Guard;

pub(super) struct ScriptedGuard {
    pub(super) required: bool,
    states: Option<watch::Sender<GuardState>>,
    asked: Arc<AtomicBool>,
}

struct Placed {
    states: watch::Receiver<GuardState>,
    asked: Arc<AtomicBool>,
}

impl Guard for Placed {
    fn states(&self) -> watch::Receiver<GuardState> {
        self.states.clone()
    }

    fn announce(&self, wanted: bool) {
        self.asked.store(wanted, Ordering::SeqCst);
    }

    fn report(&self) -> GuardReport {
        GuardReport::of(*self.states.borrow())
    }
}

impl ScriptedGuard {
    pub(super) fn new(required: bool, state: GuardState) -> ScriptedGuard {
        let (states, _) = watch::channel(state);
        ScriptedGuard {
            required,
            states: Some(states),
            asked: Arc::default(),
        }
    }

    pub(super) fn guard(&self) -> impl Guard {
        Placed {
            states: self.states.as_ref().unwrap().subscribe(),
            asked: Arc::clone(&self.asked),
        }
    }

    /// Says so, and lets nobody do anything yet.
    pub(super) fn say(&self, state: GuardState) {
        self.states.as_ref().unwrap().send_replace(state);
    }

    /// Says nothing ever more.
    pub(super) fn end(&mut self) {
        self.states = None;
    }
}

impl House {
    /// The guard says how it is.
    pub(super) async fn guard(&self, state: GuardState) {
        self.post.as_ref().unwrap().say(state);
        settle().await;
    }

    /// Whether the guard was told that sound is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.post.as_ref().unwrap().asked.load(Ordering::SeqCst)
    }
}
