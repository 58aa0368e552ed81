//! How much the sound speaks for a text.
//!
//! The decoder gives a text a probability from the sound and from what it has learnt of
//! language. The second part is had by itself, by asking over sound in which nothing is said;
//! what the sound adds is the difference, and set against all that there was to add it is the
//! share. (Subtracting a decoder's own model of language is known from joining it with another:
//! Meng et al., "Internal Language Model Estimation for Domain-Adaptive End-to-End Speech
//! Recognition", 2021.)

/// The share from which on a phrase wakes.
pub(super) const WAKES: f32 = 0.40;

/// The share from which on a command is spotted. A command acts, and is said by itself, so that
/// more can be asked.
pub(super) const COMMANDS: f32 = 0.68;

/// Natural logarithms that the sound must add to a phrase in all. Phrases of one short word
/// start with little unlikeliness, a great share of which is easily taken away.
const LEAST_GAIN: f32 = 11.0;

/// The most that the sound may take from one token of a phrase that wakes. Of spoken ones the
/// worst token of nearly all loses less.
pub(super) const LEAST_LOSS: f32 = -4.0;

/// The same of a command, whose every word counts: in "turn off the kitchen light" the "on" of
/// another command loses more than 5.
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
    /// them as both have. `None` of no token.
    pub(super) fn of(heard: &[f32], unheard: &[f32]) -> Option<Evidence> {
        let bounded = |logprob: f32| logprob.clamp(LEAST_LOGPROB, 0.0);
        let pairs = heard.iter().zip(unheard);
        let pairs = pairs.map(|(heard, unheard)| (bounded(*heard), bounded(*unheard)));
        let (mut heard, mut unheard, mut least) = (0.0, 0.0, f32::INFINITY);
        for (with, without) in pairs {
            heard += with;
            unheard += without;
            least = f32::min(least, with - without);
        }
        // A text that was certain without sound has nothing that could be heard.
        (unheard < 0.0).then(|| Evidence {
            heard,
            share: (1.0 - heard / unheard).clamp(0.0, 1.0),
            gain: heard - unheard,
            least,
        })
    }

    /// The share, or zero where the sound adds too little or speaks against a token: takes more
    /// than `loss` from it.
    pub(super) fn share_if(&self, loss: f32) -> f32 {
        match self.gain >= LEAST_GAIN && self.least >= loss {
            true => self.share,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_share_is_what_the_sound_takes_of_the_unlikeliness() {
        let evidence = Evidence::of(&[-1.0, -2.0], &[-10.0, -5.0]).expect("two tokens");
        assert!((evidence.share_if(-3.0) - 0.8).abs() < 1e-6);
        let none = Evidence::of(&[-10.0, -5.0], &[-10.0, -5.0]).expect("two tokens");
        assert_eq!(none.share_if(-3.0), 0.0);
    }

    #[test]
    fn a_token_that_the_sound_speaks_against_and_a_small_gain_count_for_nothing() {
        let against = Evidence::of(&[-0.1, -9.0], &[-20.0, -5.0]).expect("two tokens");
        assert_eq!(against.share_if(-3.0), 0.0);
        assert!(against.share_if(-4.5) > 0.6);
        let small = Evidence::of(&[-0.1], &[-8.0]).expect("a token");
        assert_eq!(small.share_if(-3.0), 0.0);
    }

    #[test]
    fn nothing_is_no_evidence() {
        assert_eq!(Evidence::of(&[], &[]), None);
        assert_eq!(Evidence::of(&[-1.0], &[0.0]), None);
        let impossible = [f32::NEG_INFINITY, f32::NEG_INFINITY];
        let evidence = Evidence::of(&impossible, &impossible).expect("bounded");
        assert_eq!(evidence.share_if(-3.0), 0.0);
    }

    proptest! {
        #[test]
        fn a_share_is_a_share(
            pairs in prop::collection::vec((-100.0..=0.0_f32, -100.0..=0.0_f32), 1..20),
            loss in -10.0..0.0_f32,
        ) {
            let (heard, unheard): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            if let Some(evidence) = Evidence::of(&heard, &unheard) {
                prop_assert!((0.0..=1.0).contains(&evidence.share_if(loss)));
                prop_assert!(evidence.heard.is_finite());
            }
        }
    }
}
