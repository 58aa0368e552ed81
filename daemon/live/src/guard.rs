//! The guard's say in whether sound is taken.
//!
//! The guard sits before the microphone's own supply, so what stands here takes nothing from
//! anybody that the hardware has not taken already. It keeps the daemon honest: it says that it
//! listens while the guard says so too, and what was being said when somebody moved the switch is
//! forgotten, and not written down behind his back.

use std::future::pending;
use std::sync::Arc;

use earnest_guardian::{Cut, GuardReport, GuardState, Guardian};
use tokio::sync::watch;

/// Somebody who may take the microphone away: the guard beside it, or a script in a test.
pub trait Guard: Send + Sync + 'static {
    /// How it is. Each change wakes whoever waits for one.
    fn states(&self) -> watch::Receiver<GuardState>;

    /// Says whether sound is wanted. It does not wait.
    fn announce(&self, wanted: bool);

    /// All that is known of it.
    fn report(&self) -> GuardReport;
}

impl Guard for Guardian {
    fn states(&self) -> watch::Receiver<GuardState> {
        Guardian::states(self)
    }

    fn announce(&self, wanted: bool) {
        Guardian::announce(self, wanted);
    }

    fn report(&self) -> GuardReport {
        Guardian::report(self)
    }
}

/// Why no sound is taken, though somebody wants it and nobody muted anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// Nobody answers where the guard should be.
    Absent,
    /// Who answers is not this device's guard.
    Unpaired,
    /// The guard is being asked who it is.
    Connecting,
    /// The guard cut the microphone, as this host was not heard of in time.
    Watchdog,
    /// The microphone's supply is not as the guard has it.
    Contradiction,
    /// The guard's memory does not keep what is written, so it proves nothing.
    Memory,
    /// The guard takes no announcement for now.
    Refused,
}

impl Withheld {
    /// Its name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Withheld::Absent => "guard_absent",
            Withheld::Unpaired => "guard_unpaired",
            Withheld::Connecting => "guard_connecting",
            Withheld::Watchdog => "guard_watchdog",
            Withheld::Contradiction => "guard_contradiction",
            Withheld::Memory => "guard_memory",
            Withheld::Refused => "guard_refused",
        }
    }
}

/// What the guard, where there is one, lets happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Sound may be taken.
    Sound,
    /// The switch is at mute.
    Muted,
    /// Not yet: it is about to agree.
    Soon,
    /// No.
    Withheld(Withheld),
}

/// The guard as the microphone's task sees it.
pub(crate) struct Post {
    guard: Option<Placed>,
    /// What was last acted on.
    leave: Leave,
}

struct Placed {
    guard: Arc<dyn Guard>,
    states: watch::Receiver<GuardState>,
    required: bool,
    asked: bool,
    /// Whether nobody is behind it any more.
    gone: bool,
}

impl Post {
    /// `required` says whether sound is taken only while the guard agrees. Otherwise one that is
    /// there is heeded, and one that is not there is done without.
    pub(crate) fn new(guard: Option<(Arc<dyn Guard>, bool)>) -> Post {
        let placed = guard.map(|(guard, required)| Placed {
            states: guard.states(),
            guard,
            required,
            asked: false,
            gone: false,
        });
        let mut post = Post {
            guard: placed,
            leave: Leave::Sound,
        };
        post.leave = post.now();
        post
    }

    /// What it lets happen now.
    fn now(&self) -> Leave {
        match &self.guard {
            None => Leave::Sound,
            // Whoever says nothing any more has not agreed.
            Some(placed) if placed.states.has_changed().is_err() => {
                leave(GuardState::Absent, placed.required)
            }
            Some(placed) => leave(*placed.states.borrow(), placed.required),
        }
    }

    /// What it let happen when that was last looked at.
    pub(crate) fn leave(&self) -> Leave {
        self.leave
    }

    /// Why nobody may begin to listen: where there is nobody who could agree. What passes by
    /// itself, as a guard that was reset does, is waited for.
    pub(crate) fn refuses(&self) -> Option<Withheld> {
        match self.now() {
            Leave::Withheld(why @ (Withheld::Absent | Withheld::Unpaired)) => Some(why),
            _ => None,
        }
    }

    /// Whether the switch is at mute.
    pub(crate) fn is_muted(&self) -> bool {
        self.leave == Leave::Muted
    }

    /// Looks again; what it let happen before, where that is another.
    pub(crate) fn look(&mut self) -> Option<Leave> {
        let leave = self.now();
        let before = std::mem::replace(&mut self.leave, leave);
        (before != leave).then_some(before)
    }

    /// Waits until there is something new; for ever where there is no guard, or none any more.
    pub(crate) async fn changed(&mut self) {
        match &mut self.guard {
            Some(placed) if !placed.gone => placed.gone = placed.states.changed().await.is_err(),
            _ => pending().await,
        }
    }

    /// Says whether sound is wanted, where that is news.
    pub(crate) fn want(&mut self, wanted: bool) {
        if let Some(placed) = &mut self.guard
            && placed.asked != wanted
        {
            placed.asked = wanted;
            placed.guard.announce(wanted);
        }
    }

    /// Whether this host says that sound is wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        self.guard.as_ref().is_some_and(|placed| placed.asked)
    }
}

fn leave(state: GuardState, required: bool) -> Leave {
    match state {
        GuardState::Live => Leave::Sound,
        GuardState::Muted => Leave::Muted,
        GuardState::Absent | GuardState::Unpaired if !required => Leave::Sound,
        GuardState::Absent => Leave::Withheld(Withheld::Absent),
        GuardState::Unpaired => Leave::Withheld(Withheld::Unpaired),
        GuardState::Connecting => Leave::Withheld(Withheld::Connecting),
        GuardState::Cut(Cut::Idle | Cut::Announcing) => Leave::Soon,
        GuardState::Cut(Cut::Watchdog) => Leave::Withheld(Withheld::Watchdog),
        GuardState::Cut(Cut::Contradiction) => Leave::Withheld(Withheld::Contradiction),
        GuardState::Cut(Cut::Memory) => Leave::Withheld(Withheld::Memory),
        GuardState::Cut(Cut::Refused) => Leave::Withheld(Withheld::Refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_taken_where_the_guard_says_live_and_where_it_is_not_required_and_away() {
        let states = [
            GuardState::Absent,
            GuardState::Unpaired,
            GuardState::Connecting,
            GuardState::Muted,
            GuardState::Cut(Cut::Idle),
            GuardState::Cut(Cut::Announcing),
            GuardState::Cut(Cut::Watchdog),
            GuardState::Cut(Cut::Contradiction),
            GuardState::Cut(Cut::Memory),
            GuardState::Cut(Cut::Refused),
            GuardState::Live,
        ];
        let lets = |required: bool| {
            let sounds = states
                .iter()
                .filter(|state| leave(**state, required) == Leave::Sound);
            sounds.copied().collect::<Vec<_>>()
        };
        assert_eq!(lets(true), [GuardState::Live]);
        let without = [GuardState::Absent, GuardState::Unpaired, GuardState::Live];
        assert_eq!(lets(false), without);
    }
}
