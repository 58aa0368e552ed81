//! How much the sound speaks for a text.
//!
//! The decoder gives a text a probability from the sound and from what it has learnt of
//! language. The second part is had by itself, by asking over a voice that says no word
//! (`babble`); what the sound adds, the difference of the logarithms, is the **gain**.
//! (Subtracting a decoder's own model of language is known from joining it with another: Meng et
//! al., "Internal Language Model Estimation for Domain-Adaptive End-to-End Speech Recognition",
//! 2021.) The gain over all that there was to gain is the **share**: one where the decoder is
//! certain.

/// The gain from which on a phrase wakes, in natural logarithms. [`super`] has what it misses and
/// what it takes for a phrase; one threshold serves every phrase, because what a phrase gains
/// from speech without it is about nothing, whichever it is.
pub(super) const WAKES: f32 = 7.0;

/// The same of a command, which has more tokens to gain by, and its end.
pub(super) const COMMANDS: f32 = 14.0;

/// The least share of a command. It is long, so that something like it gains much, too.
pub(super) const LEAST_COMMAND_SHARE: f32 = 0.5;

/// The most that the sound may take from one token of a phrase that wakes. Of spoken ones the
/// worst token of nearly all loses less.
pub(super) const LEAST_LOSS: f32 = -4.0;

/// The same of a command, whose every word counts: in "turn off the kitchen light" the "on" of
/// another command loses more than 4.
pub(super) const LEAST_COMMAND_LOSS: f32 = -3.0;

/// By how much, in natural logarithms, a command has to fit better than the next.
pub(super) const LEAST_LEAD: f32 = 1.0;

/// A token that is less likely than this is as good as impossible.
const LEAST_LOGPROB: f32 = -30.0;

/// The evidence for one text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// Natural logarithm of the text's probability, given the sound.
    pub(super) heard: f32,
    share: f32,
    gain: f32,
    /// The least gain of a token.
    least: f32,
}

impl Evidence {
    /// From the logarithms of the tokens' probabilities with the sound and without; as many of
    /// them as both have. `otherwise` is what [`total`] makes of the spelling of the same phrase
    /// that is likeliest without sound: one that is unlikely for its spelling alone must not
    /// gain by that. `None` of no token.
    pub(super) fn of(heard: &[f32], unheard: &[f32], otherwise: f32) -> Option<Evidence> {
        let count = heard.len().min(unheard.len());
        let pairs = heard.iter().zip(unheard);
        let gains = pairs.map(|(heard, unheard)| bounded(*heard) - bounded(*unheard));
        let least = gains.fold(f32::INFINITY, f32::min);
        let heard = total(&heard[..count]);
        let unheard = total(&unheard[..count]).max(otherwise);
        // A text that was certain without sound has nothing that could be heard.
        (unheard < 0.0).then(|| Evidence {
            heard,
            share: (1.0 - heard / unheard).clamp(0.0, 1.0),
            gain: heard - unheard,
            least,
        })
    }

    /// The gain, or zero where the share is less than `share` or the sound speaks against a
    /// token: takes more than `loss` from it.
    pub(super) fn gain_if(&self, share: f32, loss: f32) -> f32 {
        match self.share >= share && self.least >= loss {
            true => self.gain.max(0.0),
            false => 0.0,
        }
    }
}

/// The logarithm of the probability of all the tokens together.
pub(super) fn total(logprobs: &[f32]) -> f32 {
    logprobs.iter().map(|logprob| bounded(*logprob)).sum()
}

fn bounded(logprob: f32) -> f32 {
    logprob.clamp(LEAST_LOGPROB, 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_gain_is_what_the_sound_adds() {
        let evidence = Evidence::of(&[-1.0, -2.0], &[-10.0, -5.0], -99.0).expect("two tokens");
        assert_eq!(evidence.gain_if(0.79, -3.0), 12.0);
        assert_eq!(evidence.gain_if(0.81, -3.0), 0.0, "the share is 0.8");
        let none = Evidence::of(&[-10.0, -5.0], &[-10.0, -5.0], -99.0).expect("two tokens");
        assert_eq!(none.gain_if(0.0, -3.0), 0.0);
    }

    #[test]
    fn a_spelling_gains_nothing_by_its_own_unlikeliness() {
        let odd = Evidence::of(&[-9.0, -9.0], &[-20.0, -20.0], -20.0).expect("two tokens");
        assert_eq!(odd.gain_if(0.0, -3.0), 2.0);
        let plain = Evidence::of(&[-2.0, -2.0], &[-20.0, -20.0], -20.0).expect("two tokens");
        assert_eq!(plain.gain_if(0.0, -3.0), 16.0);
    }

    #[test]
    fn a_token_that_the_sound_speaks_against_counts_for_all() {
        let against = Evidence::of(&[-0.1, -9.0], &[-20.0, -5.0], -99.0).expect("two tokens");
        assert_eq!(against.gain_if(0.0, -3.0), 0.0);
        assert!(against.gain_if(0.0, -4.5) > 15.0);
    }

    #[test]
    fn nothing_is_no_evidence() {
        assert_eq!(Evidence::of(&[], &[], -99.0), None);
        assert_eq!(Evidence::of(&[-1.0], &[0.0], -99.0), None);
        let impossible = [f32::NEG_INFINITY, f32::NEG_INFINITY];
        let evidence = Evidence::of(&impossible, &impossible, -99.0).expect("bounded");
        assert_eq!(evidence.gain_if(0.0, -3.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_gain_is_finite_and_never_less_than_none(
            pairs in prop::collection::vec((-100.0..=0.0_f32, -100.0..=0.0_f32), 1..20),
            loss in -10.0..0.0_f32,
            share in 0.0..1.0_f32,
        ) {
            let (heard, unheard): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            if let Some(evidence) = Evidence::of(&heard, &unheard, -99.0) {
                let gain = evidence.gain_if(share, loss);
                prop_assert!(gain >= 0.0 && gain.is_finite());
                prop_assert!(evidence.heard.is_finite());
            }
        }
    }
}
