//! The guard's side.

use crate::guard::Leave;
use crate::hub::Hub;
use crate::{Hearing, MicrophoneState};

impl Hub {
    /// Looks at what the guard says. Where it takes the microphone away, all sound that is on its
    /// way is forgotten, and so is the utterance under way: neither a partial nor a final comes of
    /// it. This is done before anything else is looked at, so what the guard took is in no text.
    pub(super) fn heed(&mut self) {
        let Some(before) = self.post.look() else {
            return;
        };
        let leave = self.post.leave();
        self.changed = true;
        // What was said before this host withdrew its announcement is still written down.
        let is_withdrawn = leave == Leave::Soon && !self.post.is_wanted();
        if leave != Leave::Sound && !is_withdrawn {
            self.drop_all();
        }
        let was_muted = self.muted || before == Leave::Muted;
        match (was_muted, self.is_muted()) {
            (false, true) => self.notice(Hearing::Muted),
            (true, false) => self.notice(Hearing::Unmuted),
            _ => {}
        }
        self.tell_state();
    }

    /// Closes the microphone, and forgets what it heard.
    fn drop_all(&mut self) {
        self.over();
        self.close();
        self.waiting.take();
        // What was to be told behind the utterance is told, but nothing of the utterance.
        self.failures = 0;
    }

    /// Whether the microphone is muted, here or by the switch.
    pub(super) fn is_muted(&self) -> bool {
        self.muted || self.post.is_muted()
    }

    /// Whether the microphone may be open.
    pub(super) fn may_open(&self) -> bool {
        self.settings.enabled && !self.muted && self.post.leave() == Leave::Sound
    }

    /// How the microphone is: where it is closed as the guard does not agree, that.
    pub(super) fn microphone(&self, somebody_listens: bool) -> MicrophoneState {
        let wanted = somebody_listens && self.settings.enabled && !self.muted;
        match (self.post.leave(), self.device.is_closed() && wanted) {
            (Leave::Withheld(why), true) => MicrophoneState::Withheld { why },
            (Leave::Soon, true) => MicrophoneState::Opening,
            _ => self.device.state(somebody_listens),
        }
    }
}
